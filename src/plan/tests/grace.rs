use std::collections::BTreeMap;

use jiff::{Span, Timestamp, tz::TimeZone};

use super::{Bench, REVOKE, action, expire, rule};
use crate::model::{RuleId, Share, SourceName};
use crate::plan::grace::called_off;
use crate::plan::{Action, ActionKind, Announcement, Calendar, Caps, Freeze, Room, Step, Unproposed, Why};
use crate::policy::fixtures::{NOW, days, link};

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn frozen(days: &[(&str, &str)]) -> Vec<Freeze> {
    let freezes = days.iter().map(|(first, last)| Freeze {
        first: first.parse().unwrap(),
        last: last.parse().unwrap(),
    });
    freezes.collect()
}

fn calendar(zone: &str, freeze: &[(&str, &str)]) -> Calendar {
    Calendar {
        zone: TimeZone::get(zone).unwrap(),
        freeze: frozen(freeze),
        grace: Span::new().days(14),
    }
}

#[test]
fn an_action_falls_due_after_the_grace_on_a_day_that_is_free() {
    let holidays = [("2026-12-19", "2027-01-04")];
    let split = [
        ("2026-12-06", "2026-12-06"),
        ("2026-12-09", "2026-12-10"),
        ("2026-12-07", "2026-12-08"),
    ];
    for (zone, freeze, announced, due) in [
        ("UTC", &[][..], "2026-11-22T02:00:00Z", "2026-12-06T02:00:00Z"),
        // The clocks there go back in between: it is the same time of the day.
        (
            "Europe/Berlin",
            &[],
            "2026-10-20T00:30:00Z",
            "2026-11-03T01:30:00Z",
        ),
        ("UTC", &holidays, "2026-12-04T23:59:59Z", "2026-12-18T23:59:59Z"),
        ("UTC", &holidays, "2026-12-05T00:00:00Z", "2027-01-05T00:00:00Z"),
        ("UTC", &holidays, "2026-12-21T23:59:59Z", "2027-01-05T23:59:59Z"),
        ("UTC", &holidays, "2026-12-22T02:00:00Z", "2027-01-05T02:00:00Z"),
        // What is a free day here is frozen where days are counted.
        (
            "Pacific/Auckland",
            &holidays,
            "2026-12-04T12:00:00Z",
            "2027-01-04T12:00:00Z",
        ),
        ("UTC", &split, "2026-11-22T02:00:00Z", "2026-12-11T02:00:00Z"),
    ] {
        let calendar = calendar(zone, freeze);
        assert_eq!(calendar.due(at(announced)), at(due), "{zone} {announced}");
        assert_eq!(calendar.free(at(due)), at(due));
    }
    let always = calendar("UTC", &[("2026-01-01", "9999-12-31")]);
    assert!(always.due(NOW) > at("9999-12-30T00:00:00Z"));
}

#[test]
fn nothing_is_done_without_a_reminder_a_day_to_five_days_before() {
    let calendar = calendar("UTC", &[("2026-12-10", "2026-12-12")]);
    let h = |days: i64, hours: i64| days_and_hours(days, hours);
    // `NOW` is the 22nd of November; the freeze is from day 18 to day 20.
    for (due, reminded, now, step) in [
        (h(14, 0), None, h(0, 0), Step::Wait),
        (h(14, 0), None, h(8, 23), Step::Wait),
        (h(14, 0), None, h(9, 0), Step::Remind(h(14, 0))),
        (h(14, 0), None, h(13, 0), Step::Remind(h(14, 0))),
        (h(14, 0), None, h(13, 1), Step::Remind(h(14, 1))),
        (h(14, 0), None, h(14, 0), Step::Remind(h(15, 0))),
        (h(14, 0), None, h(16, 12), Step::Remind(h(17, 12))),
        (h(14, 0), None, h(17, 1), Step::Remind(h(21, 1))),
        (h(14, 0), Some(h(9, 0)), h(10, 0), Step::Wait),
        (h(14, 0), Some(h(9, 0)), h(13, 23), Step::Wait),
        (h(14, 0), Some(h(9, 0)), h(14, 0), Step::Act),
        (h(14, 0), Some(h(13, 0)), h(14, 0), Step::Act),
        (h(14, 0), Some(h(13, 1)), h(14, 0), Step::Postpone(h(14, 1))),
        (h(14, 0), Some(h(13, 1)), h(14, 2), Step::Act),
        (h(14, 0), Some(h(16, 23)), h(17, 0), Step::Postpone(h(20, 23))),
        (h(14, 0), Some(h(17, 1)), h(17, 2), Step::Postpone(h(21, 1))),
        // The nights between were missed: the reminder is too old.
        (h(14, 0), Some(h(9, 0)), h(14, 1), Step::Remind(h(15, 1))),
        (h(14, 0), Some(h(8, 23)), h(10, 0), Step::Remind(h(14, 0))),
        // It falls due on a day that is frozen since, or this day is.
        (h(18, 3), Some(h(14, 0)), h(15, 0), Step::Postpone(h(21, 3))),
        (h(14, 0), Some(h(13, 0)), h(19, 5), Step::Postpone(h(21, 5))),
        (h(21, 3), Some(h(14, 0)), h(15, 0), Step::Wait),
        (h(21, 3), Some(h(14, 0)), h(17, 0), Step::Remind(h(21, 3))),
    ] {
        let announced = Announcement {
            id: 1,
            action: action("1"),
            announced_at: NOW,
            due_at: due,
            reminded_at: reminded,
        };
        assert_eq!(
            calendar.step(&announced, now),
            step,
            "due {due}, reminded {reminded:?}, now {now}"
        );
    }
}

fn days_and_hours(count: i64, hours: i64) -> Timestamp {
    days(count) + jiff::SignedDuration::from_hours(hours)
}

fn ending(source: &str, share: &str, also_ends: &[&str]) -> Action {
    Action {
        source: SourceName::new(source),
        also_ends: also_ends.iter().map(|id| (*id).to_owned()).collect(),
        ..action(share)
    }
}

#[test]
fn no_more_fits_into_a_day_than_the_caps_of_all_sources_and_of_each() {
    let caps = Caps {
        changes: 5,
        percent: 10.0,
    };
    let known = BTreeMap::from([(SourceName::new("one"), 40), (SourceName::new("two"), 1000)]);
    let mut room = Room::new(caps, known);
    room.count(&ending("one", "1", &[]));
    assert!(room.take(&ending("one", "2", &["3"])));
    assert!(!room.take(&ending("one", "4", &["5"])), "10 % of 40");
    assert!(
        room.take(&ending("one", "4", &["3"])),
        "what ends anyway counts once"
    );
    assert!(!room.take(&ending("one", "5", &[])));
    assert!(!room.take(&ending("two", "1", &["2"])), "5 in all");
    assert!(room.take(&ending("two", "1", &[])));
    assert!(!room.take(&ending("two", "2", &[])));
    assert!(room.take(&ending("two", "1", &[])), "it is counted already");
    assert!(
        !room.take(&ending("three", "1", &[])),
        "nothing is known of it: 10 % of nothing"
    );
}

#[test]
fn what_was_announced_is_called_off_when_it_is_not_as_it_was_or_not_asked_for() {
    let share = link("/a");
    let proposes = |share: &Share, days, from: Timestamp| {
        let mut bench = Bench::of(vec![rule(RuleId::LinkWithoutExpiry, expire(days))]);
        bench.now = from;
        bench.proposes(share)
    };
    let date = proposes(&share, 30, days(14)).unwrap().unwrap();
    assert_eq!(date.value.as_deref(), Some("2027-01-05"));
    let end = Bench::of(vec![rule(RuleId::LinkWithoutExpiry, REVOKE)])
        .proposes(&share)
        .unwrap()
        .unwrap();
    let with = |change: fn(&mut Action)| {
        let mut action = end.clone();
        change(&mut action);
        Some(Ok::<_, Unproposed>(action))
    };
    let not = |why| {
        let finding = end.finding.clone();
        let (source, share) = (end.source.clone(), end.share.clone());
        Some(Err(Unproposed {
            finding,
            source,
            share,
            item_path: String::new(),
            owner: String::new(),
            action: ActionKind::Revoke,
            why,
        }))
    };
    let same = proposes(&share, 30, NOW);
    for (announced, proposed, why) in [
        (&date, same.clone(), ""),
        (&end, with(|_| ()), ""),
        // More is asked for: what was announced is done.
        (&date, with(|_| ()), ""),
        (&date, proposes(&share, 10, NOW), ""),
        (&end, same.clone(), "asks for less"),
        (&date, proposes(&share, 60, NOW), "lets it stay longer"),
        (&end, None, "nothing that stands open asks"),
        (&end, not(Why::Inherited), "from a folder above"),
        (&end, not(Why::NobodyEnabled), "nobody's right"),
        (
            &end,
            with(|now| now.expects.password = Some(true)),
            "changed since: password",
        ),
        (&end, with(|now| now.owner = "carol".to_owned()), "somebody else"),
        (
            &end,
            with(|now| now.act_as = Some("bob".to_owned())),
            "another account",
        ),
        (
            &end,
            with(|now| now.also_ends = vec!["18".to_owned()]),
            "another share would end",
        ),
    ] {
        let said = called_off(announced, proposed.as_ref(), NOW);
        match said {
            None => assert_eq!(why, "", "{announced:?} {proposed:?}"),
            Some(said) => assert!(!why.is_empty() && said.contains(why), "{said}, not {why}"),
        }
    }
    // It was put off beyond the date itself.
    assert_eq!(called_off(&date, same.as_ref(), at("2027-01-04T23:59:59Z")), None);
    let late = called_off(&date, same.as_ref(), at("2027-01-05T00:00:00Z"));
    assert!(late.unwrap().contains("came before"));
}
