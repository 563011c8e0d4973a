//! Nights of the built program: what is announced by letter is done when it is due, and each step's failure is told.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use sharewarden::model::SourceName;

use crate::harness::{Config, NOW, POLICY, Ran, Stage, findings, list, small, tenant};

/// Which service a stage has.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Service {
    Nextcloud,
    Microsoft365,
}

const MAIL: &str = r#"
[mail]
mode = "on"
from = "Share audit <audit@example.org>"
fallback = "it-security@example.org"
transport = { kind = "files", directory = "letters" }
"#;

const ENFORCE: &str = r#"
[enforce]
mode = "on"
grace = "14d"
max_changes_percent = 100
[[enforce.rule]]
rule = "link-without-expiry"
action = "set-expiry"
after = "30d"
[[enforce.rule]]
rule = "link-allows-editing"
action = "revoke"
"#;

/// Whether nothing was promised, called off or done.
fn is_quiet(line: &str) -> bool {
    ["announced", "reminded", "made", "called off"]
        .iter()
        .all(|deed| !line.contains(deed))
}

/// A service, night after night.
struct Nights {
    stage: Stage,
    service: Service,
}

fn night(day: i64) -> String {
    (NOW.parse::<Timestamp>().unwrap() + SignedDuration::from_hours(24 * day)).to_string()
}

impl Nights {
    fn of(world: &Value, service: Service, more: &str) -> Self {
        let nights = Self {
            stage: Stage::of(world),
            service,
        };
        nights.configure(more, "enforce = true");
        std::fs::create_dir(nights.stage.path("letters")).unwrap();
        nights
    }

    fn configure(&self, more: &str, source: &str) {
        let config = Config {
            policy: "[policy]\ninternal_domains = [\"example.org\"]\n",
            more,
            source,
            ..Config::default()
        };
        match self.service {
            Service::Nextcloud => self.stage.configure(&config),
            Service::Microsoft365 => self.stage.configure_tenant(&config),
        };
    }

    /// Adds a source that another server, or the same one, is read as; gives it and `cloud` a first night, and releases both.
    fn begin_beside(&self, other: &Stage, more: &str, source: &str) {
        let secret = other.path("secret");
        let beside = format!(
            "[[source]]\nname = \"other\"\nkind = \"nextcloud\"\nurl = \"{}\"\nlimits = {{ requests_per_second = 1000 }}\nauth = {{ \
             method = \"app-api\", app_id = \"sharewarden\", admin = \"admin\", secret = {{ file = {secret:?} }} }}\n{source}\n",
            other.url(),
        );
        self.configure(&[more, &beside].concat(), "enforce = true");
        self.pass(0);
        for source in ["cloud", "other"] {
            let release = ["baseline", "release", "--source", source];
            self.stage.run(&release).ended(0);
        }
        self.letters();
    }

    /// After a first night of which the baseline was released.
    fn begun(world: &Value, service: Service) -> Self {
        let nights = Self::of(world, service, &[MAIL, ENFORCE].concat());
        let line = nights.pass(0);
        assert!(is_quiet(&line), "of the baseline: {line}");
        assert_eq!(
            nights.letters(),
            ["it-security@example.org"],
            "and nobody is told of it"
        );
        let source = match service {
            Service::Nextcloud => "cloud",
            Service::Microsoft365 => "m365",
        };
        let release = ["baseline", "release", "--source", source];
        nights.stage.run(&release).ended(0);
        nights
    }

    fn run(&self, day: i64, arguments: &[&str]) -> Ran {
        let now = night(day);
        self.stage.clock(&now);
        self.stage.run_at(&now, &[&["nightly"], arguments].concat())
    }

    /// A night in which all goes well, but for a library of the tenant that is locked; gives its line.
    fn pass(&self, day: i64) -> String {
        let ran = self.run(day, &[]);
        ran.ended(match self.service {
            Service::Nextcloud => 0,
            Service::Microsoft365 => 3,
        });
        assert_eq!(ran.out.lines().count(), 1, "{}", ran.out);
        ran.out.clone()
    }

    /// To whom there are letters since they were last asked for.
    fn letters(&self) -> Vec<String> {
        let folder = self.stage.path("letters");
        let mut found = Vec::new();
        for entry in std::fs::read_dir(&folder).into_iter().flatten() {
            let path = entry.unwrap().path();
            let text = std::fs::read_to_string(&path).unwrap();
            let to = text.lines().find_map(|line| line.strip_prefix("To: ")).unwrap();
            let to = to.rsplit('<').next().unwrap().trim_end_matches('>').to_owned();
            found.push(to);
            std::fs::remove_file(path).unwrap();
        }
        found.sort();
        found
    }

    /// What the service stores, by the ids of shares, or permissions.
    fn stored(&self) -> BTreeMap<String, Value> {
        let all = match self.service {
            Service::Nextcloud => self.stage.stored(),
            Service::Microsoft365 => self.stage.permissions(),
        };
        let id = |one: &Value| one["id"].to_string().trim_matches('"').to_owned();
        all.into_iter().map(|one| (id(&one), one)).collect()
    }

    /// The findings' due dates by the ends of their shares' ids.
    fn due(&self) -> BTreeMap<String, String> {
        let report = self.stage.run(&["report", "--format", "json"]).json();
        let due = findings(&report).iter().filter_map(|finding| {
            let day = finding["due"].as_str()?.to_owned();
            Some((last(finding["share"]["id"].as_str()?), day))
        });
        due.collect()
    }

    /// Passes the nights until all is done, with something happening before it is due; gives what was stored before the
    /// last night, and its line.
    fn pass_all(&self, announced: usize, happens: impl FnOnce(&Stage)) -> (BTreeMap<String, Value>, String) {
        let before = self.stored();
        let line = self.pass(1);
        assert!(
            line.contains(&format!("changes: {announced} announced")),
            "{line}"
        );
        assert!(self.letters().len() > 1);
        let line = self.pass(2);
        assert!(line.contains("0 of 0 letters") && is_quiet(&line), "{line}");
        assert_eq!(self.letters(), ["it-security@example.org"]);
        let due = self.due();
        assert_eq!(due.len(), announced, "{due:?}");
        for day in due.values() {
            assert!(night(15).starts_with(&day[..10]), "{due:?}");
        }
        assert!(!self.pass(9).contains("reminded"));
        self.letters();
        let line = self.pass(11);
        assert!(line.contains(&format!("{announced} reminded of")), "{line}");
        assert!(self.letters().len() > 1);
        assert!(!self.pass(14).contains("made"));
        for (id, share) in self.stored() {
            assert_eq!(share, before[&id], "nothing is changed before it is due");
        }
        happens(&self.stage);
        let left = self.stored();
        (left, self.pass(15))
    }
}

/// The end of a share's id that tells it from all others.
fn last(share: &str) -> String {
    share.rsplit('/').next().unwrap_or(share).to_owned()
}

/// What became of the shares that were stored before, where anything did.
fn differences(before: &BTreeMap<String, Value>, now: &BTreeMap<String, Value>) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    for (id, old) in before {
        let Some(new) = now.get(id) else {
            found.insert(id.clone(), "ended".to_owned());
            continue;
        };
        let fields = old.as_object().unwrap().iter();
        let changed = fields
            .filter(|(field, old)| new[field] != **old)
            .map(|(field, _)| {
                let text = new[field].as_str().unwrap_or_default();
                // A Nextcloud stores the start of the day.
                format!("{field} {}", text.trim_end_matches("T00:00:00Z"))
            });
        let changed: Vec<String> = changed.collect();
        if !changed.is_empty() {
            found.insert(id.clone(), changed.join(", "));
        }
    }
    found
}

/// The small world with a link that allows editing, and without those that end by themselves meanwhile.
fn with_editing() -> Value {
    let mut world = small();
    let shares = list(&mut world["nextcloud"]["shares"]);
    shares.retain(|share| share.get("expires").is_none());
    shares.push(json!({"id": 20, "type": "link", "owner": "alice", "path": "/Team", "permissions": 15}));
    world
}

/// The tenant without what ends by itself meanwhile.
fn lasting() -> Value {
    let mut world = tenant();
    list(&mut world["microsoft365"]["permissions"]).retain(|share| share.get("expires").is_none());
    world
}

#[test]
fn services_are_changed_as_it_was_announced() {
    for (world, service, expected) in [
        (
            with_editing(),
            Service::Nextcloud,
            vec![
                ("1", "expires 2027-01-06"),
                ("20", "ended"),
                ("7", "expires 2027-01-06"),
            ],
        ),
        (
            lasting(),
            Service::Microsoft365,
            vec![
                ("11111111-0000-4000-8000-000000000001", "ended"),
                (
                    "11111111-0000-4000-8000-000000000005",
                    "expires 2027-01-06T12:00:00Z",
                ),
                // Erin is gone: nobody is told, and her link only ends by a plan.
            ],
        ),
    ] {
        let nights = Nights::begun(&world, service);
        let before = nights.stored();
        let said = |(id, what): (&str, &str)| (id.to_owned(), what.to_owned());
        let expected: BTreeMap<String, String> = expected.into_iter().map(said).collect();
        let (_, line) = nights.pass_all(expected.len(), |_| ());
        assert!(
            line.contains(&format!("changes: {} made", expected.len())),
            "{line}"
        );
        assert_eq!(differences(&before, &nights.stored()), expected);
        assert!(is_quiet(&nights.pass(16)));
        let verified = nights.stage.run(&["journal", "verify"]);
        verified.ended(0);
        // The begin, an intent and a receipt each, the end.
        let entries = (2 + 2 * expected.len()).to_string();
        assert!(verified.out.contains(&entries), "{}", verified.out);
    }
}

#[test]
fn what_was_put_right_or_changed_before_it_is_due_is_called_off() {
    let of_alice = |id: &str, what: &str, path: &str, set: Value| {
        json!({"do": what, "owner": "alice@example.org", "path": path,
               "permission": format!("11111111-0000-4000-8000-{id}"), "set": set})
    };
    for (world, service, changes) in [
        (
            with_editing(),
            Service::Nextcloud,
            json!([
                {"do": "update", "share": 1, "set": {"expires": "+15d"}},
                {"do": "update", "share": 7, "set": {"permissions": 31}},
                {"do": "remove", "share": 20},
            ]),
        ),
        (
            lasting(),
            Service::Microsoft365,
            json!([
                of_alice("000000000005", "update", "/virus.exe", json!({"expires": "+15d"})),
                {"do": "remove", "owner": "alice@example.org", "path": "/Projects",
                 "permission": "11111111-0000-4000-8000-000000000001"},
            ]),
        ),
    ] {
        let nights = Nights::begun(&world, service);
        let announced = changes.as_array().unwrap().len();
        let (left, line) = nights.pass_all(announced, |stage| stage.change(&changes));
        // What a service does not tell of is found when it is looked at again, before it would be changed, and may be so
        // already.
        let count = |what: &str| -> u64 {
            let words = line.split_once("changes: ").unwrap().1;
            let part = words.split(", ").find(|part| part.contains(what));
            part.map_or(0, |part| part.split(' ').next().unwrap().parse().unwrap())
        };
        assert_eq!(count("called off") + count("made"), announced as u64, "{line}");
        assert!(count("called off") >= 1, "{line}");
        nights.pass(16);
        assert_eq!(nights.stored(), left);
    }
}

#[test]
fn a_dry_run_says_what_would_happen_and_leaves_everything_as_it_is() {
    let nights = Nights::begun(&with_editing(), Service::Nextcloud);
    let state = || std::fs::read(nights.stage.path("state.db")).unwrap();
    let tries = |day: i64, expected: &str| {
        let (before, stored) = (state(), nights.stored());
        let ran = nights.run(day, &["--dry-run", "--fail-on", "high"]);
        ran.ended(1);
        for part in [expected, "dry run: ", "nothing was sent, changed or recorded"] {
            assert!(ran.out.contains(part), "{}", ran.out);
        }
        assert_eq!(nights.letters(), [""; 0]);
        assert_eq!((state(), nights.stored()), (before, stored));
    };
    tries(1, "changes: 3 announced");
    nights.pass(1);
    nights.letters();
    tries(11, "changes: 3 reminded of");
    nights.pass(11);
    nights.letters();
    tries(15, "changes: 3 made");
    assert!(nights.pass(15).contains("changes: 3 made"));
}

#[test]
fn a_dry_run_makes_no_key_and_says_what_it_counts() {
    let names = |nights: &Nights| {
        let entries = std::fs::read_dir(nights.stage.path("")).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name());
        names.collect::<std::collections::BTreeSet<_>>()
    };
    let attached = MAIL.replace("fallback =", "attach = \"csv\"\nfallback =");
    let nights = Nights::of(&with_editing(), Service::Nextcloud, "");
    nights.pass(0);
    nights
        .stage
        .run(&["baseline", "release", "--source", "cloud"])
        .ended(0);
    nights.configure(&[&attached, ENFORCE].concat(), "enforce = true");
    let before = names(&nights);
    let ran = nights.run(1, &["--dry-run"]);
    ran.ended(0);
    assert!(ran.out.contains("changes: 3 announced"), "{}", ran.out);
    assert!(
        ran.out.ends_with("nothing was sent, changed or recorded\n"),
        "{}",
        ran.out
    );
    assert_eq!(names(&nights), before);
    nights.pass(1);
    assert!(names(&nights).contains(std::ffi::OsStr::new("attachments.key")));
    // Units are spent by whoever reads.
    let tenant = Nights::of(&lasting(), Service::Microsoft365, "");
    let ran = tenant.run(0, &["--dry-run"]);
    ran.ended(3);
    assert!(
        ran.out.contains("but for the units that reading cost"),
        "{}",
        ran.out
    );
}

#[test]
fn what_was_announced_is_called_off_once_nothing_is_to_be_changed_any_more() {
    let nights = Nights::begun(&with_editing(), Service::Nextcloud);
    nights.letters();
    assert!(nights.pass(1).contains("changes: 3 announced"));
    let before = nights.stored();
    let off = ENFORCE.replace("mode = \"on\"", "mode = \"off\"");
    nights.configure(&[MAIL, &off].concat(), "enforce = true");
    assert!(nights.pass(10).contains("changes: 3 called off"));
    assert!(nights.due().is_empty());
    // Switched on again, everybody has the whole time once more.
    nights.configure(&[MAIL, ENFORCE].concat(), "enforce = true");
    assert!(nights.pass(60).contains("changes: 3 announced"));
    assert!(is_quiet(&nights.pass(61)));
    assert_eq!(nights.stored(), before);
}

#[test]
fn what_was_announced_in_a_source_that_was_taken_out_is_called_off() {
    let nights = Nights::begun(&with_editing(), Service::Nextcloud);
    assert!(nights.pass(1).contains("changes: 3 announced"));
    let before = nights.stored();
    let config = std::fs::read_to_string(nights.stage.path("config.toml")).unwrap();
    let renamed = config.replace("name = \"cloud\"", "name = \"renamed\"");
    nights.stage.write("config.toml", &renamed);
    assert!(nights.pass(2).contains("changes: 3 called off"));
    assert!(is_quiet(&nights.pass(3)));
    // It comes back: everybody has the whole time once more.
    nights.stage.write("config.toml", &config);
    assert!(nights.pass(16).contains("changes: 3 announced"));
    assert!(is_quiet(&nights.pass(17)));
    assert_eq!(nights.stored(), before);
}

#[test]
fn a_pilot_announces_nothing_and_so_nothing_is_done() {
    let pilot = MAIL.replace(
        "mode = \"on\"",
        "mode = \"pilot\"\nredirect_to = \"pilot@example.org\"",
    );
    let nights = Nights::of(&with_editing(), Service::Nextcloud, &[&pilot, ENFORCE].concat());
    nights.pass(0);
    nights
        .stage
        .run(&["baseline", "release", "--source", "cloud"])
        .ended(0);
    nights.letters();
    let before = nights.stored();
    for day in [1, 2, 11, 15, 16, 30] {
        let line = nights.pass(day);
        assert!(
            line.contains("changes: 3 not announced, as no letter told of them"),
            "{line}"
        );
        let letters = nights.letters();
        assert!(
            day > 1 || letters.contains(&"pilot@example.org".to_owned()),
            "{letters:?}"
        );
        assert!(!letters.iter().any(|to| to.starts_with("alice")), "{letters:?}");
        assert!(nights.due().is_empty());
    }
    assert_eq!(nights.stored(), before);
}

#[test]
fn nothing_is_done_to_a_link_whose_use_could_not_be_asked() {
    let mut world = with_editing();
    let link =
        json!({"id": 50, "type": "link", "owner": "alice", "path": "/HR/salaries.xlsx", "created": "-10d"});
    list(&mut world["nextcloud"]["shares"]).push(link);
    let nights = Nights::of(&world, Service::Nextcloud, "");
    nights.stage.configure(&Config {
        policy: &POLICY.replacen("[policy]", "[policy]\nevidence = true\n", 1),
        more: &[MAIL, ENFORCE].concat(),
        source: "enforce = true",
        ..Config::default()
    });
    nights.pass(0);
    nights
        .stage
        .run(&["baseline", "release", "--source", "cloud"])
        .ended(0);
    let line = nights.pass(1);
    assert!(line.contains("changes: 4 announced"), "{line}");
    assert!(nights.pass(11).contains("4 reminded of"));
    let before = nights.stored();
    nights
        .stage
        .fault(&json!({"match": {"path_contains": "activity"}, "action": {"do": "status", "status": 500}}));
    let ran = nights.run(15, &[]);
    ran.ended(3);
    assert!(ran.out.contains("changes: 3 made, 1 waiting"), "{}", ran.out);
    assert_eq!(nights.stored()["50"], before["50"]);
    nights.stage.no_faults();
    assert!(nights.pass(16).contains("changes: 1 made"));
    assert_ne!(nights.stored()["50"], before["50"]);
}

#[test]
fn a_wrong_clock_closes_its_own_source_only() {
    let other = Stage::of(&with_editing());
    let nights = Nights::of(&with_editing(), Service::Nextcloud, "");
    nights.begin_beside(&other, &[MAIL, ENFORCE].concat(), "enforce = true");
    let pass = |day: i64, expected: &str| {
        other.clock(&night(day));
        let line = nights.pass(day);
        assert!(line.contains(expected), "{line}");
    };
    pass(1, "changes: 6 announced");
    pass(11, "changes: 6 reminded of");
    let link = json!({"id": 60, "type": "link", "owner": "alice", "path": "/Team", "permissions": 1});
    for stage in [&nights.stage, &other] {
        stage.change(&json!({"do": "add", "share": link}));
    }
    let before = other.stored();
    let wrong: Timestamp = night(15).parse().unwrap();
    other.clock(&(wrong + SignedDuration::from_mins(10)).to_string());
    let ran = nights.run(15, &[]);
    ran.ended(4);
    assert!(
        ran.out.contains("changes: 1 announced, 3 made, 3 failed"),
        "{}",
        ran.out
    );
    let why = "nothing more can be changed in other this night: the clock here and that of `other` differ by 600 seconds";
    assert!(ran.err.contains(why), "{}", ran.err);
    assert_eq!(other.stored(), before);
    pass(16, "changes: 1 announced, 3 made");
}

#[test]
fn one_step_that_fails_does_not_keep_the_others_from_being_tried() {
    let nights = Nights::begun(&with_editing(), Service::Nextcloud);
    nights.letters();
    // Letters cannot be put into words: what was found is kept, and nothing is announced.
    let broken = MAIL.replace("fallback =", "templates = \"nowhere\"\nfallback =");
    nights.configure(&[&broken, ENFORCE].concat(), "enforce = true");
    let ran = nights.run(1, &[]);
    ran.ended(5);
    let untold = "changes: 3 not announced, as no letter told of them; FAILED: letters";
    assert!(ran.out.contains(untold), "{}", ran.out);
    assert!(ran.err.contains("the templates in"), "{}", ran.err);
    assert!(!ran.err.contains("nothing was sent"), "{}", ran.err);
    assert!(nights.due().is_empty());
    // Nothing may be changed: owners are told all the same.
    let closed = "enforce_auth = { method = \"app-password\", user = \"alice\", password = { env = \"NO_SUCH_PASSWORD\" } }";
    nights.configure(&[MAIL, ENFORCE].concat(), closed);
    let ran = nights.run(2, &[]);
    ran.ended(4);
    assert!(ran.out.contains("FAILED: changes"), "{}", ran.out);
    assert!(ran.err.contains("NO_SUCH_PASSWORD"), "{}", ran.err);
    assert!(!ran.err.contains("nothing was sent"), "{}", ran.err);
    assert!(nights.letters().len() > 1);
    // A source that cannot be read: nothing of it is mailed or changed, and that is no clean end.
    nights.configure(&[MAIL, ENFORCE].concat(), "enforce = true");
    nights.pass(3);
    nights.letters();
    nights
        .stage
        .fault(&json!({"match": {}, "action": {"do": "status", "status": 403}}));
    let ran = nights.run(14, &[]);
    ran.ended(3);
    assert!(ran.out.contains("incomplete"), "{}", ran.out);
    assert!(ran.err.contains("cloud was not read whole"), "{}", ran.err);
}

#[test]
fn somebody_elses_changes_and_letters_are_waited_for_until_the_next_night() {
    use sharewarden::store::{ChangeLock, MailLock};
    let nights = Nights::begun(&with_editing(), Service::Nextcloud);
    nights.letters();
    let state = nights.stage.path("state.db");
    let now: Timestamp = NOW.parse().unwrap();
    let lock = ChangeLock::take(&state, now).unwrap();
    let ran = nights.run(1, &[]);
    ran.ended(4);
    assert!(ran.out.contains("FAILED: changes"), "{}", ran.out);
    assert!(!ran.err.contains("nothing was sent"), "{}", ran.err);
    assert!(nights.due().is_empty());
    assert!(nights.letters().len() > 1, "owners are told");
    drop(lock);
    let lock = MailLock::take(&state, now).unwrap();
    let ran = nights.run(2, &[]);
    ran.ended(5);
    assert!(ran.out.contains("FAILED: letters"), "{}", ran.out);
    drop(lock);
    assert!(nights.pass(3).contains("changes: 3 announced"));
}

#[test]
fn nights_without_mail_or_changes_only_scan() {
    let nights = Nights::of(&small(), Service::Nextcloud, "");
    let line = nights.pass(0);
    assert!(!line.contains("letters") && !line.contains("changes"), "{line}");
    let ran = nights.run(1, &["--fail-on", "high", "-q"]);
    ran.ended(1);
    assert_eq!(ran.out, "");
    nights.stage.run(&["--no-state", "nightly"]).ended(2);
}

#[test]
fn fifty_sources_are_read_side_by_side_and_dead_ones_hinder_nobody() {
    let stage = Stage::small();
    let secret = stage.path("secret");
    let auth = |file: &str| {
        format!(
            "{{ method = \"app-api\", app_id = \"sharewarden\", admin = \"admin\", secret = {{ file = {file:?} }} }}"
        )
    };
    stage.write(
        "config.toml",
        &format!(
            "[policy]\ninternal_domains = [\"example.org\"]\n[state]\npath = {:?}\n[defaults.nextcloud]\nlimits = {{ requests_per_second = \
             1000 }}\n",
            stage.path("state.db")
        ),
    );
    std::fs::create_dir(stage.path("conf.d")).unwrap();
    for number in 0..50 {
        let (url, file) = match number {
            // Nobody listens there.
            17 => ("http://127.0.0.1:1".to_owned(), secret.to_string_lossy()),
            23 => (stage.url().to_string(), "/nowhere/secret".into()),
            _ => (stage.url().to_string(), secret.to_string_lossy()),
        };
        stage.write(
            &format!("conf.d/{number:02}.toml"),
            &format!(
                "[[source]]\nname = \"cloud-{number:02}\"\nkind = \"nextcloud\"\nurl = {url:?}\nauth = {}\n",
                auth(&file)
            ),
        );
    }
    let ran = stage.run(&["nightly"]);
    ran.ended(3);
    for part in [
        "cloud-17 was not read whole",
        "cloud-23 was not read whole: *: there is no credential",
        "/nowhere/secret",
    ] {
        assert!(ran.err.contains(part), "{}", ran.err);
    }
    let report = stage.run(&["report", "--format", "json"]).json();
    let verdicts: Vec<_> = list(&mut report["sources"].clone())
        .iter()
        .map(|source| source["verdict"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(verdicts.len(), 50);
    for (number, verdict) in verdicts.iter().enumerate() {
        let expected = if [17, 23].contains(&number) {
            "incomplete"
        } else {
            "limited"
        };
        assert_eq!(verdict, expected, "{number}");
    }
    // Somebody who waits for the result is told before anything is sent.
    stage.run(&["scan"]).ended(2);
}

#[test]
fn a_source_that_another_scan_reads_costs_the_others_nothing() {
    use sharewarden::store::SourceLock;
    let nights = Nights::of(&with_editing(), Service::Nextcloud, "");
    let stage = &nights.stage;
    let metrics = format!("[export]\nmetrics = {:?}\n", stage.path("metrics.prom"));
    nights.begin_beside(stage, &[MAIL, ENFORCE, &metrics].concat(), "");
    let lock = |source: &str| {
        let (state, now) = (stage.path("state.db"), NOW.parse().unwrap());
        SourceLock::take(&state, &SourceName::new(source), now).unwrap()
    };
    let metrics = |expected: &[&str]| {
        let text = std::fs::read_to_string(stage.path("metrics.prom")).unwrap();
        for line in expected {
            assert!(text.lines().any(|told| told == *line), "{line}: {text}");
        }
    };
    // One of two: the other one has its night, with changes and letters.
    let other = lock("other");
    let ran = nights.run(1, &[]);
    ran.ended(3);
    assert!(ran.out.contains("changes: 3 announced"), "{}", ran.out);
    assert!(nights.letters().len() > 1);
    let why = "other was not read whole: *: another scan reads this source at the same time: process ";
    assert!(ran.err.contains(why), "{}", ran.err);
    metrics(&[
        "share_audit_nightly_exit_code 3",
        "share_audit_verdict{source=\"other\",verdict=\"incomplete\"} 1",
        "share_audit_not_checked{source=\"other\",reason=\"being-scanned\"} 1",
        "share_audit_verdict{source=\"cloud\",verdict=\"limited\"} 1",
    ]);
    // What is known of the other stands as it was found.
    let report = stage.run(&["report", "--format", "json"]).json();
    let of_other = findings(&report)
        .iter()
        .filter(|finding| finding["source"] == "other");
    let statuses: Vec<_> = of_other.map(|finding| &finding["status"]).collect();
    assert!(!statuses.is_empty() && statuses.iter().all(|status| **status == "open"));
    assert_eq!(report["totals"]["findings"], findings(&report).len());
    // Both: there is nothing to do, which is told all the same.
    let cloud = lock("cloud");
    let ran = nights.run(2, &[]);
    ran.ended(2);
    assert_eq!(ran.out, "");
    assert!(ran.err.contains("is being scanned by process"), "{}", ran.err);
    let ended = night(2).parse::<Timestamp>().unwrap().as_second();
    metrics(&[
        "share_audit_nightly_exit_code 2",
        &format!("share_audit_nightly_last_end_timestamp_seconds {ended}"),
    ]);
    // Somebody who waits for the result is told before anything is sent.
    drop(cloud);
    stage.run(&["scan"]).ended(2);
    drop(other);
    nights.pass(3);
    metrics(&["share_audit_nightly_exit_code 0"]);
}
