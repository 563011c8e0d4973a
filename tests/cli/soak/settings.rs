//! The configuration of a night, and how operators change it.

use std::fmt::Write as _;

use fastrand::Rng;
use jiff::Timestamp;
use jiff::civil::Date;
use serde_json::Value;

use crate::harness::Stage;

/// Announcements are made so long before, at the least.
pub(super) const LEAST_GRACE: i64 = 3;
/// Rules that are switched off now and then.
const RULES: [&str; 4] = [
    "link-without-password",
    "link-expiry-too-far",
    "external-recipient",
    "link-allows-editing",
];

/// What is configured; the rest never changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Settings {
    pub(super) enforces: bool,
    pub(super) mail: &'static str,
    pub(super) grace: i64,
    pub(super) most: usize,
    pub(super) percent: usize,
    /// Whether shares are also ended, and not only given an end.
    ends: bool,
    pub(super) max_expiry: i64,
    pub(super) off: Option<&'static str>,
    pub(super) cloud: bool,
    pub(super) m365: bool,
    pub(super) excluded: Option<&'static str>,
    pub(super) frozen: Option<(Date, Date)>,
    /// Whose shares are waived, and until when.
    pub(super) waived: Option<(&'static str, Date)>,
}

impl Settings {
    /// As it is when nobody is at it.
    pub(super) fn calm() -> Self {
        Self {
            enforces: true,
            mail: "on",
            grace: 5,
            most: 4,
            percent: 20,
            ends: true,
            max_expiry: 90,
            off: None,
            cloud: true,
            m365: true,
            excluded: None,
            frozen: None,
            waived: None,
        }
    }

    /// Somebody changes something; what, in a word.
    pub(super) fn changes(&mut self, random: &mut Rng, now: Timestamp) -> &'static str {
        let today = now.to_zoned(jiff::tz::TimeZone::UTC).date();
        let later = |days: i64| today.checked_add(jiff::Span::new().days(days)).unwrap();
        match random.u32(0..12) {
            0 => {
                self.enforces = !self.enforces;
                "enforcement switched"
            }
            1 => {
                self.mail = ["on", "pilot", "off"][random.usize(0..3)];
                "mail switched"
            }
            2 => {
                self.grace = random.i64(LEAST_GRACE..8);
                "grace changed"
            }
            3 => {
                self.most = random.usize(1..6);
                self.percent = random.usize(3..30);
                "caps changed"
            }
            4 => {
                self.ends = !self.ends;
                "rules of enforcement changed"
            }
            5 => {
                self.max_expiry = random.i64(30..120);
                "threshold changed"
            }
            6 => {
                self.off = match self.off {
                    None => Some(RULES[random.usize(0..RULES.len())]),
                    Some(_) => None,
                };
                "rule switched"
            }
            7 => {
                self.cloud = !self.cloud || !self.m365;
                "source removed or back"
            }
            8 => {
                self.m365 = !self.m365 || !self.cloud;
                "source removed or back"
            }
            9 => {
                self.excluded = match self.excluded {
                    None => Some(["ada", "ben"][random.usize(0..2)]),
                    Some(_) => None,
                };
                "account excluded or back"
            }
            10 => {
                let first = random.i64(0..5);
                self.frozen = Some((later(first), later(first + random.i64(0..4))));
                "days frozen"
            }
            _ => {
                self.waived = match self.waived {
                    None => Some((
                        ["cleo", "dan", "cleo@example.org"][random.usize(0..3)],
                        later(random.i64(1..40)),
                    )),
                    Some(_) => None,
                };
                "waiver of an owner written or taken out"
            }
        }
    }

    /// Writes the file.
    pub(super) fn write(&self, stage: &Stage, world: &Value) {
        let path =
            |name: &str| toml::Value::from(stage.path(name).to_string_lossy().into_owned()).to_string();
        let (login, graph) = stage.places();
        let mut text = format!(
            "[policy]\ninternal_domains = [\"example.org\"]\npartner_domains = [\"partner.example.net\"]\n\
             internal_servers = [\"cloud2.example.org\"]\nwide_groups = [\"students\"]\nmax_expiry = \"{}d\"\n",
            self.max_expiry
        );
        if let Some(rule) = self.off {
            let _ = writeln!(text, "[policy.levels]\n{rule} = \"off\"");
        }
        if let Some((owner, until)) = self.waived {
            let _ = writeln!(
                text,
                "[[waiver]]\nowner = \"{owner}\"\nreason = \"soaked\"\napproved_by = \"nobody\"\nuntil = {until}"
            );
        }
        let frozen = self
            .frozen
            .map(|(first, last)| format!("\"{first}/{last}\""))
            .unwrap_or_default();
        let _ = write!(
            text,
            "[enforce]\nmode = \"{}\"\ngrace = \"{}d\"\nmax_changes = {}\nmax_changes_percent = {}\nfreeze = [{frozen}]\n\
             [[enforce.rule]]\nrule = \"link-without-expiry\"\naction = \"set-expiry\"\nafter = \"30d\"\n\
             [[enforce.rule]]\nrule = \"link-expiry-too-far\"\naction = \"set-expiry\"\nafter = \"20d\"\n",
            if self.enforces { "on" } else { "off" },
            self.grace,
            self.most,
            self.percent
        );
        if self.ends {
            for rule in ["link-allows-editing", "everyone-grant", "guest-recipient"] {
                let _ = write!(text, "[[enforce.rule]]\nrule = \"{rule}\"\naction = \"revoke\"\n");
            }
        }
        let _ = write!(
            text,
            "[state]\npath = {}\nkeep = \"30d\"\n[mail]\nmode = \"{}\"\nredirect_to = \"trial@example.org\"\n\
             from = \"Share audit <audit@example.org>\"\nfallback = \"it-security@example.org\"\n\
             transport = {{ kind = \"files\", directory = {} }}\n\
             [export]\nndjson = {}\nmetrics = {}\nhtml = {}\n",
            path("state/state.db"),
            self.mail,
            path("letters"),
            path("exports/events.ndjson"),
            path("exports/sharewarden.prom"),
            path("exports/report.html"),
        );
        if self.cloud {
            let exclude = self
                .excluded
                .map(|who| format!("exclude = {{ users = [\"{who}\"] }}\n"))
                .unwrap_or_default();
            let _ = write!(
                text,
                "[[source]]\nname = \"cloud\"\nkind = \"nextcloud\"\nurl = \"{}\"\nauth = {{ method = \"app-api\", app_id = \
                 \"sharewarden\", admin = \"admin\", secret = {{ file = {} }} }}\nlimits = {{ requests_per_second = 1000 }}\n\
                 disabled_accounts = \"nightly\"\nenforce = true\n{exclude}",
                stage.url(),
                path("secret"),
            );
        }
        if self.m365 {
            let told = |part: &str, key: &str| world["microsoft365"][part][key].as_str().unwrap();
            let _ = write!(
                text,
                "[[source]]\nname = \"m365\"\nkind = \"microsoft365\"\ntenant = \"{}\"\nclient_id = \"{}\"\n\
                 auth = {{ method = \"client-secret\", secret = {{ file = {} }} }}\nlogin_url = \"{login}\"\n\
                 graph_url = \"{graph}\"\nlimits = {{ units_per_minute = 1000000, units_per_day = 1000000000, \
                 relist_every = \"2d\" }}\nenforce = true\n",
                told("tenant", "domain"),
                told("app", "client_id"),
                path("client-secret"),
            );
        }
        stage.write("config.toml", &text);
    }
}
