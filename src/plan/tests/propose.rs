use jiff::{SignedDuration, Span};

use super::{Bench, REVOKE, REVOKE_ALL, expire, rule};
use crate::model::{
    Access, Audience, Expiry, Item, Level, Principal, PrincipalClass, Right, RuleId, Share, ShareKind,
    SourceKind, SourceName,
};
use crate::plan::{Caps, Change, EnforceRule, Why, end};
use crate::policy::fixtures::{
    NOW, account, address, bare, days, disabled, expiry, folder, globs, group, guest, link, mail, policy,
    share, waiver,
};
use crate::policy::{Filter, Judge, Past, Policy, Waiver};

const PASSWORD: RuleId = RuleId::LinkWithoutPassword;
const EXPIRY: RuleId = RuleId::LinkWithoutExpiry;
const UPLOAD: RuleId = RuleId::LinkAllowsUpload;

fn password() -> Vec<EnforceRule> {
    vec![rule(PASSWORD, REVOKE)]
}

fn dated() -> Vec<EnforceRule> {
    vec![rule(EXPIRY, expire(30))]
}

fn drop() -> Share {
    folder(Share {
        access: Access::of(&[Right::Create]),
        ..link("/in")
    })
}

/// With Bob of the organisation and somebody from outside.
fn mixed() -> Share {
    Share {
        recipients: vec![account("bob"), guest("x@evil.net")],
        ..share()
    }
}

#[test]
fn what_is_asked_for_is_proposed() {
    for (what, rules, share, expected) in [
        ("revoke", password(), link("/a"), "revoke"),
        ("a date", dated(), link("/a"), "set-expiry 2026-12-22"),
        (
            "tomorrow at the earliest",
            vec![rule(
                EXPIRY,
                Change::SetExpiry {
                    after: Span::new().hours(1),
                },
            )],
            link("/a"),
            "set-expiry 2026-11-23",
        ),
        ("nobody asks", vec![rule(UPLOAD, REVOKE)], link("/a"), ""),
        ("nothing fires", password(), share(), ""),
        (
            "ended",
            password(),
            Share {
                expires: expiry(-1),
                ..link("/a")
            },
            "",
        ),
        ("a mail share", password(), mail(Some(false)), "revoke"),
        (
            "the strongest",
            [dated(), password()].concat(),
            link("/a"),
            "revoke",
        ),
        (
            "the earlier date",
            vec![rule(EXPIRY, expire(30)), rule(PASSWORD, expire(10))],
            link("/a"),
            "set-expiry 2026-12-02",
        ),
        (
            "the first that fits",
            vec![rule(EXPIRY, expire(9)), rule(EXPIRY, REVOKE)],
            link("/a"),
            "set-expiry 2026-12-01",
        ),
    ] {
        assert_eq!(Bench::of(rules).says(&share), expected, "{what}");
    }
}

#[test]
fn a_rule_fits_by_its_filter_and_level() {
    let with = |change: fn(&mut EnforceRule)| {
        let mut own = rule(PASSWORD, REVOKE);
        change(&mut own);
        Bench::of(vec![own]).says(&link("/Prospectus/a"))
    };
    assert_eq!(with(|own| own.min_level = Some(Level::High)), "revoke");
    assert_eq!(with(|own| own.min_level = Some(Level::Critical)), "");
    assert_eq!(
        with(|own| own.filter.path = Some(globs(&["Prospectus/**"]))),
        "revoke"
    );
    assert_eq!(with(|own| own.filter.path = Some(globs(&["HR/**"]))), "");
    assert_eq!(with(|own| own.filter.source = Some(SourceName::new("m365"))), "");
    let critical = EnforceRule {
        min_level: Some(Level::Critical),
        ..rule(PASSWORD, REVOKE)
    };
    let next = Bench::of(vec![critical, rule(PASSWORD, expire(5))]);
    assert_eq!(
        next.says(&link("/a")),
        "set-expiry 2026-11-27",
        "the next one that fits"
    );
}

#[test]
fn a_finding_counts_only_if_it_stands_and_is_not_waived() {
    let mut bench = Bench::of(password());
    bench.standing = Some(vec![EXPIRY]);
    assert_eq!(bench.says(&link("/a")), "", "it does not stand");
    bench.standing = Some(vec![PASSWORD]);
    assert_eq!(bench.says(&link("/a")), "revoke");
    assert_eq!(bench.says(&share()), "", "it does not fire");
    let filter = Filter {
        owner: Some(globs(&["alice"])),
        rule: Some(PASSWORD),
        ..Filter::default()
    };
    bench.policy = Policy {
        waivers: vec![Waiver { filter, ..waiver() }],
        ..policy()
    };
    assert_eq!(bench.says(&link("/a")), "", "it is waived");
    bench.rules = [password(), dated()].concat();
    bench.standing = None;
    assert_eq!(
        bench.says(&link("/a")),
        "set-expiry 2026-12-22",
        "the other is not"
    );
}

#[test]
fn what_cannot_be_changed_is_said() {
    let unknown = |field: &str| Share {
        unknown: vec![field.to_owned()],
        ..link("/a")
    };
    let to = |who: Principal| Share {
        recipients: vec![who],
        ..link("/a")
    };
    for (what, share, expected) in [
        (
            "from above",
            Share {
                inherited: true,
                ..link("/a")
            },
            Why::Inherited,
        ),
        (
            "another kind",
            Share {
                kind: ShareKind::Other,
                ..link("/a")
            },
            Why::NotRecognized,
        ),
        ("kind untold", unknown("kind"), Why::NotRecognized),
        ("audience untold", unknown("audience"), Why::NotRecognized),
        ("access untold", unknown("access"), Why::NotRecognized),
        (
            "no access told",
            Share {
                access: Access::NONE,
                ..link("/a")
            },
            Why::NotRecognized,
        ),
        ("recipients untold", unknown("recipients"), Why::NotRecognized),
        (
            "an unknown recipient",
            to(Principal::new(PrincipalClass::Unknown, "?")),
            Why::NotRecognized,
        ),
        (
            "a node",
            Share {
                id: "file/7".into(),
                ..link("/a")
            },
            Why::NotTold,
        ),
        ("a disabled account's node", bare(), Why::NotTold),
        (
            "expiry untold",
            Share {
                expires: Expiry::Unknown,
                ..link("/a")
            },
            Why::ExpiryNotTold,
        ),
        ("expiry named as untold", unknown("expires"), Why::ExpiryNotTold),
        (
            "password untold",
            Share {
                password: None,
                ..link("/a")
            },
            Why::PasswordNotTold,
        ),
    ] {
        let said = Bench::of(password()).says(&share);
        assert_eq!(said, format!("no revoke: {expected}"), "{what}");
    }
    let mut off = Bench::of(password());
    off.policy.levels.insert(RuleId::UnrecognizedShare, None);
    assert_eq!(
        off.says(&unknown("kind")),
        "no revoke: not-recognized",
        "whatever the policy says"
    );
    assert_eq!(
        Bench::of(dated()).says(&Share {
            password: None,
            ..link("/a")
        }),
        "set-expiry 2026-12-22"
    );
}

#[test]
fn somebodys_right_has_to_be_usable() {
    let gone = |id: &str| Principal {
        gone: true,
        ..account(id)
    };
    let by = |owner: Principal, sharer: Principal| Share {
        owner,
        shared_by: Some(sharer),
        ..link("/a")
    };
    let untold = |id: &str| Principal {
        active: None,
        ..account(id)
    };
    let everybody: fn(&Principal) -> bool = |_| true;
    for (what, share, usable, expected) in [
        (
            "the owner",
            by(account("alice"), account("bob")),
            everybody,
            Ok("alice"),
        ),
        (
            "the owner, not told to be enabled",
            by(untold("alice"), account("bob")),
            everybody,
            Ok("alice"),
        ),
        (
            "the sharer",
            by(disabled("alice"), account("bob")),
            everybody,
            Ok("bob"),
        ),
        (
            "the owner is gone",
            by(gone("alice"), account("bob")),
            everybody,
            Ok("bob"),
        ),
        (
            "nobody",
            by(disabled("alice"), gone("bob")),
            everybody,
            Err(Why::NobodyEnabled),
        ),
        (
            "no person",
            by(Principal::new(PrincipalClass::Site, "s"), group("g")),
            everybody,
            Err(Why::NobodyEnabled),
        ),
        (
            "no credential",
            by(account("alice"), account("bob")),
            |_| false,
            Err(Why::NoCredential),
        ),
        (
            "the sharer's credential",
            by(account("alice"), account("bob")),
            |who| who.id == "bob",
            Ok("bob"),
        ),
        (
            "of a disabled account",
            by(disabled("alice"), account("bob")),
            |who| who.id == "alice",
            Err(Why::NoCredential),
        ),
    ] {
        let bench = Bench {
            usable,
            ..Bench::of(password())
        };
        let said = bench.proposes(&share).unwrap();
        let actor = said
            .as_ref()
            .map(|own| own.act_as.as_deref().unwrap())
            .map_err(|not| not.why);
        assert_eq!(actor, expected, "{what}");
    }
}

#[test]
fn microsoft_dates_links_that_anyone_opens_only() {
    let with = |rules| Bench {
        kind: SourceKind::Microsoft365,
        usable: |_| false,
        ..Bench::of(rules)
    };
    let own = with(dated()).proposes(&link("/a")).unwrap().unwrap();
    assert_eq!(own.value.as_deref(), Some("2026-12-22T02:00:00Z"));
    assert_eq!(own.act_as, None);
    let guests = vec![rule(RuleId::GuestRecipient, expire(30))];
    let named = Share {
        recipients: vec![guest("x@evil.net")],
        ..share()
    };
    assert_eq!(with(guests).says(&named), "no set-expiry: no-expiry-there");
    let ended = vec![rule(RuleId::GuestRecipient, REVOKE)];
    assert_eq!(with(ended).says(&named), "revoke");
    assert_eq!(
        with(password()).says(&Share {
            id: "file/7/8".into(),
            ..link("/a")
        }),
        "revoke",
        "an id like any other"
    );
}

#[test]
fn what_ends_by_then_is_left() {
    let rules = || vec![rule(PASSWORD, expire(30))];
    let until = |ahead| Share {
        expires: expiry(ahead),
        ..link("/a")
    };
    for (ahead, expected) in [
        (29, "no set-expiry: ends-by-then"),
        (30, "no set-expiry: ends-by-then"),
        (31, "set-expiry 2026-12-22"),
    ] {
        assert_eq!(Bench::of(rules()).says(&until(ahead)), expected, "{ahead}");
    }
    assert_eq!(
        Bench::of(password()).says(&until(1)),
        "revoke",
        "an end is earlier than tomorrow"
    );
    let instant = days(30);
    let at = Expiry::At {
        stated: instant.to_string(),
        instant,
    };
    let microsoft = Bench {
        kind: SourceKind::Microsoft365,
        ..Bench::of(rules())
    };
    assert_eq!(
        microsoft.says(&Share {
            expires: at,
            ..link("/a")
        }),
        "no set-expiry: ends-by-then"
    );
}

#[test]
fn file_drops_are_spared_unless_they_are_named() {
    let all = Change::Revoke {
        file_drops: true,
        collateral: false,
    };
    assert_eq!(
        Bench::of(vec![rule(UPLOAD, REVOKE)]).says(&drop()),
        "no revoke: file-drop"
    );
    assert_eq!(Bench::of(vec![rule(UPLOAD, all)]).says(&drop()), "revoke");
    assert_eq!(Bench::of(dated()).says(&drop()), "set-expiry 2026-12-22");
}

#[test]
fn uninvolved_people_keep_their_access_unless_that_is_said() {
    let guests = |change| vec![rule(RuleId::GuestRecipient, change)];
    let collateral = Change::Revoke {
        file_drops: false,
        collateral: true,
    };
    let alone = Share {
        recipients: vec![guest("x@evil.net")],
        ..share()
    };
    assert_eq!(Bench::of(guests(REVOKE)).says(&alone), "revoke");
    assert_eq!(Bench::of(guests(REVOKE)).says(&mixed()), "no revoke: collateral");
    assert_eq!(Bench::of(guests(collateral)).says(&mixed()), "revoke");
    let whole = Share {
        recipients: vec![account("bob")],
        ..link("/a")
    };
    assert_eq!(
        Bench::of(password()).says(&whole),
        "revoke",
        "it is about all of them"
    );
    let outside = Share {
        recipients: vec![guest("x@evil.net"), address("y@evil.net")],
        ..share()
    };
    assert_eq!(Bench::of(guests(REVOKE)).says(&outside), "no revoke: collateral");
    let both = [guests(REVOKE), vec![rule(RuleId::ExternalRecipient, REVOKE)]].concat();
    assert_eq!(
        Bench::of(both).says(&outside),
        "revoke",
        "one or the other is about each of them"
    );
    let chain = |rules| Bench {
        also_ends: vec!["18".into()],
        ..Bench::of(rules)
    };
    assert_eq!(chain(guests(REVOKE)).says(&alone), "no revoke: collateral");
    let own = chain(guests(collateral)).proposes(&alone).unwrap().unwrap();
    assert_eq!(own.also_ends, ["18"]);
    let own = chain(guests(expire(5))).proposes(&alone).unwrap().unwrap();
    assert_eq!(
        own.also_ends,
        ["18"],
        "it ends with the share when the date comes"
    );
}

#[test]
fn a_weaker_change_is_proposed_where_the_stronger_one_is_spared() {
    let own = Bench::of(vec![rule(UPLOAD, REVOKE), rule(EXPIRY, expire(30))])
        .proposes(&drop())
        .unwrap()
        .unwrap();
    assert_eq!(own.value.as_deref(), Some("2026-12-22"));
    assert_eq!(
        own.reason,
        "link-without-expiry, link-allows-upload fired, and [[enforce.rule]] 2 (link-without-expiry) asks for \
         set-expiry, while revoke, which [[enforce.rule]] 1 (link-allows-upload) asks for, is not proposed: it is a \
         file drop, and `file_drops` is not set."
    );
    let named = Bench::of(vec![
        rule(UPLOAD, REVOKE),
        rule(RuleId::UnreviewedShare, REVOKE_ALL),
    ]);
    let old = Share {
        created_at: Some(days(-800)),
        ..drop()
    };
    let own = named.proposes(&old).unwrap().unwrap();
    assert!(
        own.reason.ends_with("asks for revoke."),
        "the same is asked for: {}",
        own.reason
    );
    let untold = Share {
        password: None,
        ..link("/a")
    };
    assert_eq!(
        Bench::of([password(), dated()].concat()).says(&untold),
        "set-expiry 2026-12-22"
    );
    let soon = Share {
        expires: expiry(1),
        ..drop()
    };
    let bench = Bench::of(vec![rule(UPLOAD, REVOKE), rule(UPLOAD, expire(3))]);
    assert_eq!(
        bench.says(&soon),
        "no revoke: file-drop",
        "the strongest is what is told"
    );
}

#[test]
fn the_reason_says_who_asked() {
    let said = |rules| Bench::of(rules).proposes(&link("/a")).unwrap().unwrap();
    let own = said([dated(), password()].concat());
    assert_eq!(
        own.reason,
        "link-without-password, link-without-expiry fired, and [[enforce.rule]] 2 (link-without-password) asks for \
         revoke, others for less."
    );
    assert_eq!(
        own.finding,
        crate::model::FindingId::of(PASSWORD, &SourceName::new("cloud"), Some("17"))
    );
    assert_eq!((own.item_path.as_str(), own.owner.as_str()), ("/a", "alice"));
    assert_eq!(own.expects.audience, Audience::Anyone);
    let mut bench = Bench::of(dated());
    bench.facts.max_expiry_days = Some(14);
    let own = bench.proposes(&link("/a")).unwrap().unwrap();
    assert_eq!(own.value.as_deref(), Some("2026-12-06"));
    assert!(
        own.reason
            .contains("asks for set-expiry, cut to the service's own maximum of 14 days."),
        "{}",
        own.reason
    );
    let people = vec![rule(RuleId::GuestRecipient, expire(30))];
    let mut bench = Bench::of(people);
    bench.facts.max_expiry_days = Some(14);
    let named = Share {
        recipients: vec![guest("x@evil.net")],
        ..share()
    };
    assert_eq!(
        bench.says(&named),
        "set-expiry 2026-12-22",
        "a maximum for links is none for people"
    );
    bench.facts.max_internal_expiry_days = Some(7);
    assert_eq!(bench.says(&named), "set-expiry 2026-11-29");
}

fn day(zone: Option<&str>, from: &str, after: i64, most: Option<u32>) -> (String, Option<u32>) {
    let after = Span::new().days(after);
    let own = end(SourceKind::Nextcloud, zone, from.parse().unwrap(), after, most);
    (own.value, own.cut)
}

#[test]
fn dates_are_the_owners_days() {
    let (night, late) = ("2026-11-22T02:00:00Z", "2026-11-22T23:30:00Z");
    for (zone, from, value) in [
        (None, late, "2026-12-22"),
        (Some("Asia/Tokyo"), late, "2026-12-23"),
        (Some("America/Los_Angeles"), night, "2026-12-21"),
        (Some("Nowhere/At_All"), late, "2026-12-22"),
    ] {
        assert_eq!(day(zone, from, 30, None), (value.to_owned(), None), "{zone:?}");
    }
}

#[test]
fn dates_are_cut_to_the_maximum_and_never_before_tomorrow() {
    for (after, most, value, cut) in [
        (30, Some(7), "2026-11-29", Some(7)),
        (7, Some(7), "2026-11-29", None),
        (30, Some(0), "2026-11-23", Some(0)),
        (1, Some(0), "2026-11-23", None),
        (0, None, "2026-11-23", None),
        (4_000_000, None, "9999-12-31", None),
        (4_000_000, Some(9), "2026-12-01", Some(9)),
        (3, Some(u32::MAX), "2026-11-25", None),
    ] {
        let own = day(None, "2026-11-22T02:00:00Z", after, most);
        assert_eq!(own, (value.to_owned(), cut), "{after} {most:?}");
    }
}

#[test]
fn microsofts_ends_are_instants() {
    let instant = |after, most| {
        let from = "2026-11-22T02:00:00.25Z".parse().unwrap();
        end(SourceKind::Microsoft365, Some("Asia/Tokyo"), from, after, most)
    };
    assert_eq!(instant(Span::new().hours(36), None).value, "2026-11-23T14:00:00Z");
    assert_eq!(
        instant(Span::new().minutes(5), None).value,
        "2026-11-23T02:00:00Z"
    );
    let cut = instant(Span::new().days(40), Some(30));
    assert_eq!((cut.value.as_str(), cut.cut), ("2026-12-22T02:00:00Z", Some(30)));
}

#[test]
fn a_later_day_gives_later_dates() {
    let mut bench = Bench::of(dated());
    bench.now = NOW + SignedDuration::from_hours(24 * 14);
    assert_eq!(bench.says(&link("/a")), "set-expiry 2027-01-05");
    bench.facts.max_expiry_days = Some(7);
    assert_eq!(bench.says(&link("/a")), "set-expiry 2026-12-13");
    let alice = Principal {
        zone: Some("Pacific/Kiritimati".into()),
        ..account("alice")
    };
    assert_eq!(
        bench.says(&Share {
            owner: alice,
            ..link("/a")
        }),
        "set-expiry 2026-12-13"
    );
}

#[test]
fn a_rule_tells_whom_it_is_about() {
    let (policy, facts) = (policy(), Bench::of(Vec::new()).facts);
    let judge = Judge::new(&policy, &facts, NOW);
    let about = |share: &Share, rule| judge.about(share, &Past::default(), rule);
    assert_eq!(about(&mixed(), RuleId::GuestRecipient), Some(vec![1]));
    assert_eq!(
        about(&mixed(), RuleId::DepartedRecipient),
        None,
        "it does not fire"
    );
    assert_eq!(about(&link("/a"), PASSWORD), None, "the share as a whole");
    let only = Judge::new(&policy, &facts, NOW).only(&[PASSWORD]);
    assert_eq!(
        only.about(&mixed(), &Past::default(), RuleId::GuestRecipient),
        None,
        "it is not asked"
    );
}

#[test]
fn no_more_is_changed_than_the_caps_allow() {
    for (changes, percent, known, most) in [
        (50, 10.0, 57, 5),
        (50, 10.0, 9, 0),
        (50, 10.0, 10_000, 50),
        (50, 100.0, 50, 50),
        (u64::MAX, 100.0, 3, 3),
        (0, 100.0, 100, 0),
        (50, 0.0, 100, 0),
        (50, 12.5, 80, 10),
        (50, f64::NAN, 100, 0),
        (50, -1.0, 100, 0),
    ] {
        assert_eq!(
            Caps { changes, percent }.most(known),
            most,
            "{changes} {percent} {known}"
        );
    }
}

#[test]
fn what_is_not_proposed_names_the_share() {
    let mut from_above = Share {
        inherited: true,
        ..link("/a")
    };
    from_above.item = Item {
        path: "/above/a".into(),
        ..from_above.item
    };
    let not = Bench::of(vec![rule(PASSWORD, REVOKE_ALL)])
        .proposes(&from_above)
        .unwrap()
        .unwrap_err();
    assert_eq!(
        (not.share.as_str(), not.item_path.as_str(), not.owner.as_str()),
        ("17", "/above/a", "alice")
    );
    assert_eq!(
        not.finding,
        crate::model::FindingId::of(PASSWORD, &SourceName::new("cloud"), Some("17"))
    );
    for why in Why::ALL {
        assert!(
            !why.sentence().ends_with('.') && why.sentence().len() > 15,
            "{why}"
        );
    }
}
