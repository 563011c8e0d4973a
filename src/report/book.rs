//! An invented run in memory.

use std::{collections::BTreeMap, io};

use jiff::Timestamp;

use crate::model::{
    Access, AccountTotals, Audience, Expected, ItemKind, Level, PrincipalKind, Problem, ProblemCode, Remedy,
    RequestTotals, Right, RuleId, ShareKind, SourceKind, Status, Verdict, WaiverNote,
};
use crate::report::{Pages, ndjson::Event, view};

pub(crate) struct Book {
    pub(crate) header: view::Header,
    pub(crate) findings: Vec<view::Finding>,
    pub(crate) shares: Vec<view::Share>,
    /// Shares that changed.
    pub(crate) changes: Vec<view::Happening>,
    /// What it and the runs before it came to.
    pub(crate) trend: Vec<view::Point>,
}

impl Pages for Book {
    fn header(&self) -> &view::Header {
        &self.header
    }

    fn findings(&self, visit: &mut dyn FnMut(view::Finding) -> io::Result<()>) -> io::Result<()> {
        self.findings.iter().cloned().try_for_each(visit)
    }

    fn events(
        &self,
        after: u64,
        visit: &mut dyn FnMut(u64, view::Happening) -> io::Result<()>,
    ) -> io::Result<u64> {
        let mut number = 0;
        for finding in self.findings.clone() {
            number += 1;
            if number > after {
                let happening = view::Happening {
                    event: Event::of(finding.status),
                    time: match finding.status {
                        Status::NotChecked | Status::ClosedByPolicy => self.header.run.finished_at,
                        _ => finding.checked_at,
                    },
                    subject: view::Subject::Finding(Box::new(finding)),
                    before: view::Before::default(),
                };
                visit(number, happening)?;
            }
        }
        for change in self.changes.clone() {
            number += 1;
            if number > after {
                visit(number, change)?;
            }
        }
        Ok(number)
    }

    fn shares(&self, visit: &mut dyn FnMut(view::Share) -> io::Result<()>) -> io::Result<()> {
        self.shares.iter().cloned().try_for_each(visit)
    }

    fn trend(&self) -> io::Result<Vec<view::Point>> {
        Ok(self.trend.clone())
    }
}

fn time(text: &str) -> Timestamp {
    text.parse().unwrap()
}

impl Book {
    /// A night like any other: two sources, one of them read in part.
    pub(crate) fn ordinary() -> Self {
        let findings = findings();
        let mut totals = view::Totals {
            shares: 60,
            ..view::Totals::default()
        };
        for finding in &findings {
            *totals.by_status.entry(finding.status).or_default() += 1;
            match finding.status {
                Status::Waived => totals.waived += 1,
                Status::Resolved | Status::ClosedByPolicy => {}
                Status::New | Status::Open | Status::NotChecked => {
                    totals.findings += 1;
                    *totals.by_level.entry(finding.level).or_default() += 1;
                    *totals.by_rule.entry(finding.rule).or_default() += 1;
                }
            }
        }
        let header = view::Header {
            schema: view::SCHEMA,
            tool: view::Tool {
                name: "sharewarden",
                version: "0.1.0",
            },
            run: view::Run {
                id: "20261122T020000Z-3f9c".to_owned(),
                started_at: time("2026-11-22T02:00:00Z"),
                finished_at: time("2026-11-22T02:04:13Z"),
                baseline: false,
                scope: view::RunScope {
                    sources: vec!["cloud".to_owned(), "lab".to_owned()],
                    users: Vec::new(),
                    rules: Vec::new(),
                    full: true,
                },
                verdict: Verdict::Incomplete,
                journal_head: Some("5c".repeat(32)),
                policy: view::PolicyNote {
                    digest: "9a1be4c07d22f310".to_owned(),
                    rules_digest: "0c77e5f1a2b34d98".to_owned(),
                    rules_off: vec![RuleId::ResharedByOther],
                    overrides: 1,
                    waivers: 1,
                    exclusions: 0,
                    gaps: 0,
                },
            },
            sources: sources(),
            totals,
            notices: vec![view::Notice {
                code: "waiver-lapsing".to_owned(),
                message: "The waiver for /Prospectus/** of comms-office ends on 2026-12-01.".to_owned(),
            }],
        };
        let shares = findings
            .iter()
            .filter_map(|finding| finding.share.clone())
            .take(2)
            .collect();
        let changes = vec![change(&findings)];
        let trend = trend(&header);
        Self {
            header,
            findings,
            shares,
            changes,
            trend,
        }
    }

    /// A run that read everything and found nothing.
    #[cfg(test)]
    pub(crate) fn clean() -> Self {
        let mut book = Self::ordinary();
        book.findings.clear();
        book.shares.clear();
        book.changes.clear();
        book.header.totals = view::Totals {
            shares: 60,
            ..view::Totals::default()
        };
        book.header.notices.clear();
        book.header.sources.truncate(1);
        book.header.sources[0].verdict = Verdict::Complete;
        book.header.sources[0].problems.clear();
        book.header.run.scope.sources.truncate(1);
        book.header.run.verdict = Verdict::Complete;
        book
    }

    /// The ordinary night, with this in every field that comes from outside.
    pub(crate) fn filled(text: &str) -> Self {
        let mut book = Self::ordinary();
        let fill = |field: &mut String| text.clone_into(field);
        let fill_some = |field: &mut Option<String>| *field = Some(text.to_owned());
        let person = |person: &mut view::Principal| {
            fill(&mut person.id);
            fill_some(&mut person.name);
            fill_some(&mut person.email);
        };
        let share = |share: &mut view::Share| {
            fill(&mut share.id);
            fill(&mut share.item.id);
            fill(&mut share.item.path);
            fill(&mut share.item.name);
            fill_some(&mut share.item.drive);
            fill_some(&mut share.label);
            fill_some(&mut share.link);
            fill_some(&mut share.expires);
            share.item.labels = vec![text.to_owned()];
            share.unknown = vec![text.to_owned()];
            person(&mut share.owner);
            share.shared_by.iter_mut().for_each(person);
            share.recipients.iter_mut().for_each(person);
        };
        for finding in &mut book.findings {
            fill(&mut finding.source);
            fill(&mut finding.message);
            finding.share.iter_mut().for_each(share);
            if let Some(waiver) = &mut finding.waiver {
                fill(&mut waiver.reason);
                fill(&mut waiver.approved_by);
            }
        }
        book.shares.iter_mut().for_each(share);
        for change in &mut book.changes {
            if let view::Subject::Share {
                source,
                id,
                share: told,
            } = &mut change.subject
            {
                fill(source);
                fill(id);
                if let Some(told) = told {
                    share(told);
                }
            }
            let before = &mut change.before;
            fill_some(&mut before.expires);
            fill_some(&mut before.owner);
            fill_some(&mut before.path);
            before.recipients = Some(vec![text.to_owned()]);
        }
        for source in &mut book.header.sources {
            fill(&mut source.name);
            fill_some(&mut source.product);
            source.not_covered = vec![text.to_owned()];
            for problem in &mut source.problems {
                fill(&mut problem.scope);
                fill(&mut problem.message);
            }
        }
        let scope = &mut book.header.run.scope;
        (scope.sources, scope.users) = (vec![text.to_owned()], vec![text.to_owned()]);
        for notice in &mut book.header.notices {
            fill(&mut notice.message);
        }
        book
    }
}

/// Three nights, of which the second could not read everything.
fn trend(header: &view::Header) -> Vec<view::Point> {
    let night = |at: &str, verdict, critical, high| view::Point {
        at: time(at),
        verdict,
        by_level: BTreeMap::from([(Level::Critical, critical), (Level::High, high)]),
    };
    vec![
        night("2026-11-20T02:00:00Z", Verdict::Complete, 4, 2),
        night("2026-11-21T02:00:00Z", Verdict::Incomplete, 1, 0),
        view::Point {
            at: header.run.started_at,
            verdict: header.run.verdict,
            by_level: header.totals.by_level.clone(),
        },
    ]
}

/// What a service counts before and after, and what was seen.
fn counted(before: u64, seen: u64, after: u64) -> Expected {
    Expected {
        expected: before,
        seen,
        before,
        after,
    }
}

fn sources() -> Vec<view::Source> {
    let cloud = view::Source {
        name: "cloud".to_owned(),
        kind: SourceKind::Nextcloud,
        product: Some("Nextcloud 32.0.1".to_owned()),
        verdict: Verdict::Limited,
        accounts: AccountTotals {
            found: 12,
            scanned: 11,
            skipped: 1,
            failed: 0,
            gone: 0,
        },
        inventory: view::Inventory {
            known_percent: 100.0,
            oldest_check: Some(time("2026-11-20T02:00:04Z")),
            read_on: BTreeMap::from([
                ("2026-11-20".parse().unwrap(), 3),
                ("2026-11-22".parse().unwrap(), 8),
            ]),
            unread: 0,
        },
        rules_not_judged: Vec::new(),
        classification_undetermined: 3,
        not_covered: vec!["calendars".to_owned(), "talk-rooms".to_owned()],
        stated: BTreeMap::new(),
        items_seen: 41,
        shares_seen: 57,
        requests: RequestTotals {
            sent: 140,
            retried: 2,
            throttled: 1,
            units: 0,
            waited_seconds: 12.5,
        },
        control: Some(BTreeMap::from([
            (ShareKind::Link, counted(31, 31, 32)),
            (ShareKind::Mail, counted(5, 5, 5)),
        ])),
        problems: vec![Problem::new(
            "dave",
            ProblemCode::AccountDisabled,
            "The account is disabled: its shares were looked for in its home only.",
        )],
    };
    let lab = view::Source {
        name: "lab".to_owned(),
        product: None,
        verdict: Verdict::Incomplete,
        accounts: AccountTotals {
            found: 30,
            scanned: 4,
            skipped: 0,
            failed: 26,
            gone: 0,
        },
        inventory: view::Inventory {
            known_percent: 13.333,
            unread: 26,
            ..view::Inventory::default()
        },
        rules_not_judged: vec![RuleId::RecipientNeverLoggedIn, RuleId::DepartedRecipient],
        classification_undetermined: 0,
        items_seen: 3,
        shares_seen: 3,
        control: Some(BTreeMap::from([(ShareKind::Link, counted(120, 40, 121))])),
        problems: (1..=26)
            .map(|number| {
                let message = "No answer within 30 s. Check that the server is up and try again.";
                Problem::new(format!("student{number:02}"), ProblemCode::Unreachable, message)
            })
            .chain([Problem::new(
                "*",
                ProblemCode::TagUnknown,
                "The server has no tag `secret`.",
            )])
            .collect(),
        ..cloud.clone()
    };
    vec![cloud, lab]
}

pub(crate) fn person(id: &str, name: &str, kind: PrincipalKind) -> view::Principal {
    view::Principal {
        id: id.to_owned(),
        name: (!name.is_empty()).then(|| name.to_owned()),
        email: id.contains('@').then(|| id.to_owned()),
        kind,
        active: (kind == PrincipalKind::Member).then_some(true),
        answered_by: Vec::new(),
    }
}

fn link(id: &str, path: &str) -> view::Share {
    let alice = person("alice@example.org", "Alice Arnold", PrincipalKind::Member);
    view::Share {
        id: id.to_owned(),
        kind: ShareKind::Link,
        audience: Audience::Anyone,
        access: Access::of(&[Right::View, Right::Download]),
        password: Some(false),
        expires: None,
        expired: false,
        created_at: Some(time("2026-01-07T09:30:00Z")),
        inherited: false,
        label: Some("press".to_owned()),
        link: Some("https://cloud.example.org/s/••••".to_owned()),
        item: view::Item {
            id: format!("51{id}"),
            path: path.to_owned(),
            name: path.rsplit('/').next().unwrap().to_owned(),
            kind: ItemKind::File,
            size: Some(10_240),
            files_beneath: None,
            classified: Some(false),
            labels: Vec::new(),
            drive: None,
        },
        owner: alice.clone(),
        shared_by: Some(alice),
        recipients: Vec::new(),
        opened_by: Vec::new(),
        unknown: Vec::new(),
    }
}

fn finding(rule: RuleId, level: Level, message: &str, share: Option<view::Share>) -> view::Finding {
    view::Finding {
        id: crate::model::short_digest([rule.as_str(), share.as_ref().map_or("", |share| &share.id)]),
        rule,
        level,
        status: Status::New,
        first_seen: time("2026-11-22T02:00:00Z"),
        last_seen: time("2026-11-22T02:00:00Z"),
        checked_at: time("2026-11-22T02:01:07Z"),
        source: "cloud".to_owned(),
        due: None,
        waiver: None,
        message: message.to_owned(),
        remedy: view::RemedyView {
            action: Remedy::Revoke,
        },
        share,
    }
}

/// Five shares, each with something to say about it.
fn shares() -> [view::Share; 5] {
    let mut salaries = link("17", "/HR/Personnel/salaries 2026.xlsx");
    salaries.item.classified = Some(true);
    salaries.item.labels = vec!["confidential".to_owned()];
    let mut drop = link(
        "21",
        "/Projects/Horizon/Work packages/WP4 – Field measurements/Deliverables/D4.2 Final report (draft, do not circulate)/figures",
    );
    drop.item.kind = ItemKind::Folder;
    drop.item.classified = None;
    drop.access = Access::of(&Right::ALL[..5]);
    drop.expires = Some("2027-08-31".to_owned());
    drop.shared_by = Some(person("bob", "Bob", PrincipalKind::Member));
    let mut mail = link("33", "/Exams/2026/results.pdf");
    (mail.kind, mail.audience, mail.password) = (ShareKind::Mail, Audience::External, Some(true));
    mail.recipients = [
        "x@other.org",
        "y@other.org",
        "z@third.example",
        "v@third.example",
        "w@third.example",
    ]
    .map(|address| person(address, "", PrincipalKind::External))
    .into();
    let mut leaver = link("40", "/Photos/2019/summer party");
    leaver.owner = person("dave", "Dave Miller", PrincipalKind::Member);
    leaver.owner.active = Some(false);
    leaver.shared_by = None;
    leaver.unknown = vec!["expires".to_owned()];
    leaver.password = None;
    let mut lab = link("3", "/instruments.csv");
    (lab.kind, lab.audience, lab.password) = (ShareKind::Group, Audience::Internal, None);
    lab.recipients = vec![person("students", "All students", PrincipalKind::Group)];
    [salaries, drop, mail, leaver, lab]
}

/// The first finding's share, which had less to it before.
fn change(findings: &[view::Finding]) -> view::Happening {
    let share = findings[0].share.clone().unwrap();
    view::Happening {
        event: Event::ShareChanged,
        time: time("2026-11-22T02:00:00Z"),
        subject: view::Subject::Share {
            source: "cloud".to_owned(),
            id: share.id.clone(),
            share: Some(Box::new(share)),
        },
        before: view::Before {
            changed: Some(vec!["access", "password", "expires", "recipients"]),
            access: Some(Access::of(&[Right::View])),
            password: Some(true),
            expires: Some("2026-12-24".to_owned()),
            recipients: Some(vec!["carol".to_owned()]),
            ..view::Before::default()
        },
    }
}

fn findings() -> Vec<view::Finding> {
    let [salaries, drop, mail, leaver, lab] = shares();
    let open = "Anyone who has this link can open it: no password protects it.";
    let mut findings = vec![
        finding(
            RuleId::ClassifiedItemExposed,
            Level::Critical,
            "This is confidential, and anyone who has the link can open it.",
            Some(salaries.clone()),
        ),
        finding(
            RuleId::LinkWithoutPassword,
            Level::Critical,
            open,
            Some(salaries.clone()),
        ),
        finding(
            RuleId::LinkAllowsEditing,
            Level::High,
            "Anyone who has this link can change or delete what is there.",
            Some(drop.clone()),
        ),
        finding(
            RuleId::OrphanedShare,
            Level::High,
            "The owner's account is disabled and the share still works.",
            Some(leaver),
        ),
        finding(
            RuleId::ExternalRecipient,
            Level::Medium,
            "Shared with people outside the organisation: check that all of them still need it.",
            Some(mail),
        ),
        finding(
            RuleId::LinkWithoutExpiry,
            Level::Medium,
            "This link works for ever: no end date is set.",
            Some(salaries.clone()),
        ),
        finding(
            RuleId::PosturePasswordNotEnforced,
            Level::Medium,
            "The server accepts links without a password.",
            None,
        ),
        finding(
            RuleId::LinkWithoutExpiry,
            Level::Medium,
            "This link works for ever: no end date is set.",
            Some(drop),
        ),
        finding(
            RuleId::WideGroupGrant,
            Level::Medium,
            "Shared with a group that is as good as everybody.",
            Some(lab.clone()),
        ),
        finding(
            RuleId::UnreviewedShare,
            Level::Low,
            "Nobody has looked at this share for more than a year.",
            Some(lab),
        ),
    ];
    findings[1].status = Status::Open;
    findings[1].due = Some(time("2026-12-06T00:00:00Z"));
    findings[3].status = Status::NotChecked;
    findings[5].status = Status::Waived;
    findings[5].waiver = Some(WaiverNote {
        reason: "printed on the prospectus".to_owned(),
        approved_by: "head of communications".to_owned(),
        until: "2027-03-31".parse().unwrap(),
    });
    findings[7].status = Status::Resolved;
    "lab".clone_into(&mut findings[8].source);
    findings[9].status = Status::ClosedByPolicy;
    findings
}
