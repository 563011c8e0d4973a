//! The order in which a level is settled: the rule's own, the policy's, partners, overrides.

use crate::model::{Level, RuleId, Share, SourceName};
use crate::policy::fixtures::{Bench, Said, account, address, bare, judged, link, policy, share};
use crate::policy::{Filter, Judged, Override, Policy};

fn of(rule: RuleId) -> Filter {
    Filter {
        rule: Some(rule),
        ..Filter::default()
    }
}

fn to(level: Option<Level>, filter: Filter) -> Override {
    Override {
        filter,
        level: Some(level),
        ..Override::default()
    }
}

fn set(levels: &[(RuleId, Option<Level>)], overrides: Vec<Override>) -> Policy {
    Policy {
        levels: levels.iter().copied().collect(),
        overrides,
        ..policy()
    }
}

fn says(policy: Policy, rule: RuleId, share: &Share) -> Said {
    Bench {
        policy,
        ..Bench::of(rule)
    }
    .says(share)
}

const EXPIRY: RuleId = RuleId::LinkWithoutExpiry;

#[test]
fn the_policy_replaces_and_later_overrides_win() {
    let low = Some(Level::Low);
    let high = Some(Level::High);
    let elsewhere = || Filter {
        source: Some(SourceName::new("m365")),
        ..of(EXPIRY)
    };
    for (what, policy, expected) in [
        ("the rule's own", set(&[], vec![]), Said::Fires(Level::Medium)),
        (
            "the policy's",
            set(&[(EXPIRY, low)], vec![]),
            Said::Fires(Level::Low),
        ),
        ("off", set(&[(EXPIRY, None)], vec![]), Said::Quiet),
        (
            "override",
            set(&[(EXPIRY, low)], vec![to(high, of(EXPIRY))]),
            Said::Fires(Level::High),
        ),
        (
            "the later one",
            set(&[], vec![to(high, of(EXPIRY)), to(low, of(EXPIRY))]),
            Said::Fires(Level::Low),
        ),
        (
            "override off",
            set(&[], vec![to(high, of(EXPIRY)), to(None, of(EXPIRY))]),
            Said::Quiet,
        ),
        (
            "on again",
            set(&[], vec![to(None, of(EXPIRY)), to(low, of(EXPIRY))]),
            Said::Fires(Level::Low),
        ),
        (
            "of another source",
            set(&[], vec![to(high, elsewhere())]),
            Said::Fires(Level::Medium),
        ),
        (
            "of all rules",
            set(&[], vec![to(high, Filter::default())]),
            Said::Fires(Level::High),
        ),
        (
            "on here",
            set(&[(EXPIRY, None)], vec![to(low, of(EXPIRY))]),
            Said::Fires(Level::Low),
        ),
        (
            "off stays off",
            set(&[(EXPIRY, None)], vec![to(low, Filter::default())]),
            Said::Quiet,
        ),
        (
            "off elsewhere too",
            set(&[(EXPIRY, None)], vec![to(low, elsewhere())]),
            Said::Quiet,
        ),
    ] {
        assert_eq!(says(policy, EXPIRY, &link("/a")), expected, "{what}");
    }
}

#[test]
fn a_rule_that_is_off_is_not_listed_as_not_judged() {
    let off = Some(None);
    assert_eq!(says(set(&[], vec![]), EXPIRY, &bare()), Said::NoInput);
    assert_eq!(says(set(&[(EXPIRY, None)], vec![]), EXPIRY, &bare()), Said::Quiet);
    let overridden = Override {
        filter: of(EXPIRY),
        level: off,
        ..Override::default()
    };
    assert_eq!(says(set(&[], vec![overridden]), EXPIRY, &bare()), Said::Quiet);
}

#[test]
fn partners_are_weighed_after_the_policy_and_before_overrides() {
    let rule = RuleId::ExternalRecipient;
    let partner = Share {
        recipients: vec![address("x@partner.example.net")],
        ..share()
    };
    let high = Some(Level::High);
    assert_eq!(
        says(set(&[(rule, high)], vec![]), rule, &partner),
        Said::Fires(Level::Info)
    );
    assert_eq!(
        says(set(&[], vec![to(high, of(rule))]), rule, &partner),
        Said::Fires(Level::High)
    );
    assert_eq!(says(set(&[(rule, None)], vec![]), rule, &partner), Said::Quiet);
}

#[test]
fn an_override_for_a_domain_raises_where_one_recipient_is_in_it() {
    let rule = RuleId::ExternalRecipient;
    let filter = Filter {
        recipient_domain: Some("rival.example".into()),
        ..Filter::default()
    };
    let policy = || set(&[], vec![to(Some(Level::Critical), filter.clone())]);
    let with = |people: &[&str]| Share {
        recipients: people.iter().map(|text| address(text)).collect(),
        ..share()
    };
    assert_eq!(
        says(policy(), rule, &with(&["a@evil.net", "b@rival.example"])),
        Said::Fires(Level::Critical)
    );
    assert_eq!(
        says(policy(), rule, &with(&["a@evil.net"])),
        Said::Fires(Level::Medium)
    );
}

#[test]
fn owners_are_not_told_where_an_override_says_so() {
    let quiet = |mail, filter| Override {
        filter,
        mail: Some(mail),
        ..Override::default()
    };
    let untold = |overrides: Vec<Override>| judged(&set(&[], overrides), &link("/a"));
    let password = RuleId::LinkWithoutPassword;
    assert_eq!(untold(vec![quiet(false, of(EXPIRY))]).untold, [EXPIRY]);
    assert_eq!(
        untold(vec![quiet(false, Filter::default())]).untold,
        [password, EXPIRY]
    );
    let back = vec![quiet(false, Filter::default()), quiet(true, of(EXPIRY))];
    assert_eq!(untold(back).untold, [password]);

    let friend = Filter {
        recipient_domain: Some("friend.example".into()),
        ..Filter::default()
    };
    let policy = set(&[], vec![quiet(false, friend)]);
    let with = |other| Share {
        recipients: vec![address("x@friend.example"), other],
        ..share()
    };
    let external = RuleId::ExternalRecipient;
    assert_eq!(judged(&policy, &with(account("bob"))).untold, [external]);
    assert!(
        judged(&policy, &with(address("x@evil.net"))).untold.is_empty(),
        "one of them is to be told of"
    );
}

#[test]
fn nothing_absurd_is_said_where_hardly_anything_is_told() {
    let Judged {
        findings,
        audience,
        expired,
        ..
    } = judged(&policy(), &bare());
    let said: Vec<_> = findings.iter().map(|own| (own.rule, own.level)).collect();
    assert_eq!(
        said,
        [
            (RuleId::LinkWithoutPassword, Level::Medium),
            (RuleId::OrphanedShare, Level::High)
        ]
    );
    assert_eq!((audience, expired), (crate::model::Audience::Anyone, false));
}
