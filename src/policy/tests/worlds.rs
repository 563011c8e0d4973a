//! Strategies: any share, any policy, as far as rules tell them apart.

use jiff::Span;
use proptest::{collection::vec, option, prelude::*, sample::select};

use crate::model::{
    Access, Expiry, Fact, ItemKind, Labels, Level, Principal, PrincipalClass, RuleId, Share, ShareKind,
    SourceFacts, SourceName,
};
use crate::policy::fixtures::{classes, days, expiry, globs, link, policy, waiver};
use crate::policy::{Filter, Override, Past, Policy, Waiver};

fn principal() -> impl Strategy<Value = Principal> {
    let ids = vec![
        "bob",
        "x@evil.net",
        "x@example.org",
        "x@partner.example.net",
        "x@cloud2.example.org",
        "all",
    ];
    let told = || option::of(any::<bool>());
    (
        select(PrincipalClass::ALL),
        select(ids),
        told(),
        told(),
        any::<bool>(),
        told(),
        option::of(0_u64..900),
    )
        .prop_map(|(class, id, guest, active, gone, signed_in, members)| Principal {
            guest,
            active,
            gone,
            signed_in,
            members,
            groups: vec!["press-office".into()],
            ..Principal::new(class, id)
        })
}

fn expires() -> impl Strategy<Value = Expiry> {
    prop_oneof![
        Just(Expiry::Never),
        Just(Expiry::Unknown),
        (-200_i64..600).prop_map(expiry)
    ]
}

fn labels() -> impl Strategy<Value = Option<Labels>> {
    option::of((any::<bool>(), any::<bool>()).prop_map(|(hit, complete)| Labels {
        found: hit.then(|| "confidential".to_owned()).into_iter().collect(),
        complete,
    }))
}

prop_compose! {
    /// Any share.
    pub(crate) fn shares()(
        kind in select(ShareKind::ALL),
        anonymous in any::<bool>(),
        people in (principal(), option::of(principal()), vec(principal(), 0..4)),
        item in (select(vec!["/a", "/HR/a", "/HR"]), any::<bool>(), select(ItemKind::ALL), labels()),
        bits in 0_u8..64,
        password in option::of(any::<bool>()),
        expires in expires(),
        created in option::of(-900_i64..1),
        unknown in option::of(select(vec!["access", "audience", "recipients", "expires"])),
    ) -> Share {
        let (owner, shared_by, recipients) = people;
        let mut share = Share {
            kind,
            anonymous,
            owner,
            shared_by,
            recipients,
            access: Access::from_bits(bits),
            password,
            expires,
            created_at: created.map(days),
            unknown: unknown.map(str::to_owned).into_iter().collect(),
            ..link(item.0)
        };
        share.item.path_is_owners = item.1;
        share.item.kind = item.2;
        share.item.labels = item.3;
        share
    }
}

/// Any past.
pub(crate) fn pasts() -> impl Strategy<Value = Past> {
    let told = (any::<bool>(), any::<bool>());
    (option::of(-900_i64..1), option::of(-900_i64..1), told).prop_map(
        |(seen, confirmed, (had_password, had_expiry))| Past {
            first_seen: seen.map(days),
            confirmed_at: confirmed.map(days),
            had_password,
            had_expiry,
            ..Past::default()
        },
    )
}

/// Any facts.
pub(crate) fn facts() -> impl Strategy<Value = SourceFacts> {
    vec((select(Fact::ALL), any::<bool>()), 0..6).prop_map(|known| crate::policy::fixtures::facts(&known))
}

fn filter() -> impl Strategy<Value = Filter> {
    let globs_of = |patterns: &[&str]| {
        let sets: Vec<_> = patterns.iter().map(|pattern| globs(&[pattern])).collect();
        option::weighted(0.3, select(sets))
    };
    (
        option::weighted(0.2, select(vec!["cloud", "m365"])),
        globs_of(&["bob", "*@example.org", "*"]),
        globs_of(&["HR/**", "**"]),
        option::weighted(0.2, select(vec!["evil.net", "partner.example.net"])),
        option::weighted(0.5, select(RuleId::ALL)),
    )
        .prop_map(|(source, owner, path, domain, rule)| Filter {
            source: source.map(SourceName::new),
            owner,
            group: None,
            path,
            label: None,
            recipient_domain: domain.map(str::to_owned),
            rule,
        })
}

fn exception() -> impl Strategy<Value = Override> {
    let level = option::of(option::of(select(Level::ALL)));
    (filter(), level, option::of(1_i64..500), option::of(any::<bool>())).prop_map(
        |(filter, level, limit, mail)| Override {
            filter,
            level,
            max_expiry: limit.map(|days| Span::new().days(days)),
            mail,
        },
    )
}

/// Any policy, without waivers.
pub(crate) fn policies() -> impl Strategy<Value = Policy> {
    let levels = vec((select(RuleId::ALL), option::of(select(Level::ALL))), 0..4);
    let classified = select(vec![
        classes(&[], &[]),
        classes(&["**/HR/**"], &[]),
        classes(&["**/HR/**"], &["confidential"]),
    ]);
    (
        levels,
        vec(exception(), 0..4),
        classified,
        option::of(1_u64..900),
        select(vec![globs(&[]), globs(&["all"])]),
    )
        .prop_map(
            |(levels, overrides, classes, wide_group_size, wide_groups)| Policy {
                levels: levels.into_iter().collect(),
                overrides,
                classes,
                wide_group_size,
                wide_groups,
                ..policy()
            },
        )
}

/// Any waiver that names an owner.
pub(crate) fn waivers() -> impl Strategy<Value = Vec<Waiver>> {
    let anyone = globs(&["*"]);
    let one = filter().prop_map(move |filter| Waiver {
        filter: Filter {
            owner: Some(filter.owner.unwrap_or_else(|| anyone.clone())),
            ..filter
        },
        ..waiver()
    });
    vec(one, 0..3)
}
