//! Unprotected links to something confidential that were used.

use jiff::Timestamp;

use crate::model::{Level, Origin, Remedy, RuleId, Uses};
use crate::policy::case::Case;
use crate::policy::guidance;
use crate::policy::registry::{EVERY_SOURCE, Judgement, Outcome, Rule, RuleInfo};

pub(super) static RULE: Rule = Rule {
    info: RuleInfo {
        id: RuleId::BreachSuspected,
        level: Level::High,
        title: "An open link to something confidential was used",
        fires: "With evidence switched on: an open, unprotected link to a classified item was used \
            without signing in. Critical where the service shows an address outside own_networks. It \
            ends only by closing the incident, whatever becomes of the share, and no waiver covers it.",
        reason: "Something confidential could be opened by anyone, and somebody did. How often and \
            when is known, as far as the service keeps records; who, and mostly from where, is not. It \
            may have been somebody who was meant to. If personal data is among it, this may be a data \
            breach that has to be reported without delay.",
        remedy: "Tell the compliance team at once. The evidence is kept, so that the link can be ended. \
            When it was looked into, close the incident with `sharewarden incident close`.",
        guidance: guidance::REPORT_BREACHES,
        needs: "The service's own records of the use of links: Nextcloud's activity app, Microsoft's \
            audit log. Looking at a list of files leaves no record, and that there is no record does \
            not mean that there was no use.",
        settings: &["policy.evidence", "policy.own_networks", "mail.incident_contact"],
        sources: EVERY_SOURCE,
    },
    judgement: Judgement::Share(look),
};

fn look(case: &Case<'_>) -> Outcome {
    if let Some(uses) = &case.past.uses {
        let level = match uses.origin {
            Origin::Outside => Level::Critical,
            Origin::Own | Origin::Untold => Level::High,
        };
        return Outcome::fires(level, Remedy::Review, words(uses));
    }
    let watched = case.judge.policy.evidence
        && case.is_open()
        && case.classified == Some(true)
        && case.share.password != Some(true)
        && !case.share.is_drop();
    if watched && !case.past.looked {
        Outcome::NoInput
    } else {
        Outcome::Quiet
    }
}

/// What is known of the uses, and what is not.
fn words(uses: &Uses) -> String {
    let often = if uses.records == 1 {
        "once".to_owned()
    } else {
        format!("{} times", uses.records)
    };
    let (first, last) = (minute(uses.first), minute(uses.last));
    let when = if first == last {
        format!("at least {often}, on {last}")
    } else {
        format!("at least {often}, from {first} to {last}")
    };
    let whence = match uses.origin {
        Origin::Outside => "by whom is not known, but from outside the organisation's networks",
        Origin::Own => "by whom is not known, and each time from the organisation's own networks",
        Origin::Untold => "by whom and from where is not known",
    };
    format!(
        "This is confidential and opens without a password, and by the service's records a link to it was used \
         {when}: {whence}."
    )
}

fn minute(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M UTC").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Share;
    use crate::policy::fixtures::{Bench, NOW, Said, classes, days, expiry, link, policy, waiver};
    use crate::policy::{Filter, Judge, Past, Policy};

    fn bench(evidence: bool, past: Past) -> Bench {
        Bench {
            policy: Policy {
                classes: classes(&["**/HR/**"], &[]),
                evidence,
                ..policy()
            },
            past,
            ..Bench::of(RuleId::BreachSuspected)
        }
    }

    fn used(records: u64, origin: Origin) -> Past {
        Past {
            looked: true,
            uses: Some(Uses {
                records,
                first: days(if records == 1 { -1 } else { -3 }),
                last: days(-1),
                origin,
            }),
            ..Past::default()
        }
    }

    #[test]
    fn it_fires_on_what_is_on_record_and_says_where_nothing_was_asked() {
        let looked = || Past {
            looked: true,
            ..Past::default()
        };
        let protected = Share {
            password: Some(true),
            ..link("/HR/a")
        };
        let not_told = Share {
            password: None,
            ..link("/HR/a")
        };
        for (what, evidence, past, share, expected) in [
            (
                "used",
                true,
                used(1, Origin::Untold),
                link("/HR/a"),
                Said::Fires(Level::High),
            ),
            (
                "from here",
                true,
                used(2, Origin::Own),
                link("/HR/a"),
                Said::Fires(Level::High),
            ),
            (
                "from outside",
                true,
                used(2, Origin::Outside),
                link("/HR/a"),
                Said::Fires(Level::Critical),
            ),
            (
                "protected since",
                true,
                used(1, Origin::Untold),
                protected.clone(),
                Said::Fires(Level::High),
            ),
            (
                "no longer asked",
                false,
                used(1, Origin::Untold),
                link("/HR/a"),
                Said::Fires(Level::High),
            ),
            ("not used", true, looked(), link("/HR/a"), Said::Quiet),
            ("not looked", true, Past::default(), link("/HR/a"), Said::NoInput),
            (
                "not looked, password not told",
                true,
                Past::default(),
                not_told,
                Said::NoInput,
            ),
            ("not asked", false, Past::default(), link("/HR/a"), Said::Quiet),
            ("protected", true, Past::default(), protected, Said::Quiet),
            ("not classified", true, Past::default(), link("/a"), Said::Quiet),
        ] {
            assert_eq!(bench(evidence, past).says(&share), expected, "{what}");
        }
    }

    #[test]
    fn it_claims_no_more_than_is_known() {
        let says = |past: Past| {
            let bench = bench(true, past);
            let judged = Judge::new(&bench.policy, &bench.facts, NOW)
                .only(&[RuleId::BreachSuspected])
                .share(&link("/HR/a"), &bench.past);
            judged.findings[0].message.clone()
        };
        assert_eq!(
            says(used(1, Origin::Untold)),
            "This is confidential and opens without a password, and by the service's records a link to it was used \
             at least once, on 2026-11-21 02:00 UTC: by whom and from where is not known."
        );
        assert_eq!(
            says(used(3, Origin::Outside)),
            "This is confidential and opens without a password, and by the service's records a link to it was used \
             at least 3 times, from 2026-11-19 02:00 UTC to 2026-11-21 02:00 UTC: by whom is not known, but from \
             outside the organisation's networks."
        );
    }

    #[test]
    fn no_waiver_covers_it_and_it_outlives_the_link() {
        let mut bench = bench(true, used(1, Origin::Untold));
        bench.policy.waivers = vec![crate::policy::Waiver {
            filter: Filter {
                rule: Some(RuleId::BreachSuspected),
                ..Filter::default()
            },
            ..waiver()
        }];
        let judge = Judge::new(&bench.policy, &bench.facts, NOW).only(&[RuleId::BreachSuspected]);
        let judged = judge.share(&link("/HR/a"), &bench.past);
        assert!(judged.findings[0].waiver.is_none() && judged.waivers_used.is_empty());
        let ended = Share {
            expires: expiry(-1),
            ..link("/HR/a")
        };
        assert_eq!(judge.share(&ended, &bench.past).findings.len(), 1);
        assert!(judge.share(&ended, &Past::default()).not_judged.is_empty());
    }
}
