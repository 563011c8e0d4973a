//! Where files are looked for, how they are laid over one another, and what they refer to.

use std::{
    fs,
    path::{Path, PathBuf},
};

use secrecy::ExposeSecret;
use sharewarden::{
    config::{self, Loaded, Locations, MailMode, NextcloudAuth, NextcloudSettings, Report, SourceDetails},
    model::SourceName,
};

/// A folder with files in it.
struct Folder(tempfile::TempDir);

impl Folder {
    fn with(files: &[(&str, &str)]) -> Self {
        let folder = Self(tempfile::tempdir().unwrap());
        for (name, text) in files {
            folder.put(name, text);
        }
        folder
    }

    fn put(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        path
    }

    fn put_with_mode(&self, name: &str, text: &str, mode: u32) {
        use std::os::unix::fs::PermissionsExt;
        fs::set_permissions(self.put(name, text), fs::Permissions::from_mode(mode)).unwrap();
    }

    fn locations(&self) -> Locations {
        Locations {
            named: Some(self.0.path().join("config.toml")),
            usual: Vec::new(),
            state: PathBuf::from("/var/lib/sharewarden"),
        }
    }

    fn load(&self) -> Result<Loaded, Report> {
        config::load(&self.locations(), "2026-11-23T02:00:00Z".parse().unwrap())
    }

    /// The report with the folder's name taken out.
    fn told(&self, report: &Report) -> String {
        report
            .to_string()
            .replace(&*self.0.path().to_string_lossy(), "DIR")
    }
}

fn nextcloud<'a>(loaded: &'a Loaded, name: &str) -> &'a NextcloudSettings {
    match &loaded.settings.source(name).unwrap().kind {
        SourceDetails::Nextcloud(it) => it,
        SourceDetails::Microsoft365(_) => panic!("a Nextcloud"),
    }
}

const CLOUD: &str = "[[source]]\nname = \"cloud\"\nkind = \"nextcloud\"\nurl = \"https://cloud.example.org\"\nauth = { method = \"login\" }\n";

#[test]
fn the_first_file_that_is_there_is_taken() {
    let folder = Folder::with(&[("b.toml", CLOUD), ("c.toml", "not read")]);
    let mut locations = folder.locations();
    locations.usual = ["a.toml", "b.toml", "c.toml"]
        .map(|name| folder.0.path().join(name))
        .into();
    let load = |locations: &Locations| config::load(locations, "2026-11-23T02:00:00Z".parse().unwrap());
    let named = load(&locations).unwrap_err();
    assert!(
        named.diagnostics()[0]
            .message()
            .starts_with("cannot read the configuration"),
        "{named}"
    );
    locations.named = None;
    assert_eq!(load(&locations).unwrap().files, [folder.0.path().join("b.toml")]);
    locations.usual.truncate(1);
    insta::assert_snapshot!(folder.told(&load(&locations).unwrap_err()), @r##"
    error: there is no configuration
     |
     = help: looked for `DIR/a.toml`
     = help: name one with `-c FILE` or SHAREWARDEN_CONFIG; config.example.toml is one to start from

    1 error in the configuration: nothing was sent
    "##);
}

#[test]
fn further_files_add_tables_and_replace_values() {
    let waiver = "[[waiver]]\nowner = \"a\"\nreason = \"x\"\napproved_by = \"y\"\nuntil = 2027-01-01\n";
    let folder = Folder::with(&[
        (
            "config.toml",
            &format!(
                "[policy]\nmax_expiry = \"10d\"\ninternal_domains = [\"a.org\"]\n[mail]\nlanguage = \"de\"\ntransport = {{ kind = \"files\", directory = \"out\" }}\n{CLOUD}{waiver}"
            ),
        ),
        ("conf.d/20-last.toml", "[policy]\nmax_expiry = \"30d\"\n"),
        (
            "conf.d/10-first.toml",
            &format!(
                "[policy]\nmax_expiry = \"20d\"\ninternal_domains = [\"b.org\"]\n[[policy.override]]\nowner = \"x\"\nmail = false\n{waiver}{}[mail]\ntransport = {{ kind = \"smtp\", host = \"localhost\", tls = \"none\" }}\n",
                CLOUD.replace("\"cloud\"", "\"other\"")
            ),
        ),
        ("conf.d/.hidden.toml", "nonsense"),
        ("conf.d/readme.txt", "nonsense"),
    ]);
    let loaded = folder.load().unwrap();
    let settings = &loaded.settings;
    assert_eq!(settings.policy.max_expiry.get_days(), 30);
    assert_eq!(settings.policy.internal_domains, ["b.org"]);
    assert_eq!(
        (settings.policy.waivers.len(), settings.policy.overrides.len()),
        (2, 1)
    );
    let names: Vec<_> = settings
        .sources
        .iter()
        .map(|source| source.name.as_str())
        .collect();
    assert_eq!(names, ["cloud", "other"]);
    assert_eq!(
        (settings.mail.language.as_str(), &settings.mail.mode),
        ("de", &MailMode::Off)
    );
    assert!(
        loaded.show().contains("port = 25\n") && !loaded.show().contains("directory"),
        "{}",
        loaded.show()
    );
    assert_eq!(loaded.files.len(), 3);
}

#[test]
fn defaults_of_a_kind_give_way_to_what_a_source_says() {
    let folder = Folder::with(&[(
        "config.toml",
        &format!(
            "[defaults.nextcloud]\nauth = {{ method = \"app-password\", user = \"a\", password = {{ env = \"A\" }} }}\n\
             disabled_accounts = \"off\"\nlimits = {{ in_flight = 2, stop_after = \"1h\" }}\n\
             [defaults.microsoft365]\ntenant = \"contoso.com\"\n{CLOUD}limits = {{ in_flight = 3 }}\n\
             [[source]]\nname = \"second\"\nkind = \"nextcloud\"\nurl = \"https://x.example.org\"\n"
        ),
    )]);
    let loaded = folder.load().unwrap();
    let cloud = nextcloud(&loaded, "cloud");
    assert!(matches!(cloud.auth, NextcloudAuth::Login), "taken whole");
    assert_eq!(
        (cloud.limits.in_flight, cloud.limits.stop_after.as_secs()),
        (3, 3600)
    );
    let second = nextcloud(&loaded, "second");
    assert!(matches!(&second.auth, NextcloudAuth::AppPassword { user, .. } if user == "a"));
    assert_eq!(second.limits.in_flight, 2);
    assert!(!loaded.show().contains("[defaults"));
}

#[test]
fn problems_of_all_files_are_told_each_in_its_own() {
    let folder = Folder::with(&[
        ("config.toml", &format!("[policy]\nmax_expire = \"90d\"\n{CLOUD}")),
        ("conf.d/a.toml", &format!("{CLOUD}proxy = \"nowhere\"\n")),
        ("conf.d/b.toml", "[mail\n"),
    ]);
    insta::assert_snapshot!(folder.told(&folder.load().unwrap_err()), @r##"
    error: unknown key `max_expire` in `policy`
     --> DIR/config.toml:2:1
      |
    2 | max_expire = "90d"
      | ^^^^^^^^^^ not known here
      |
      = help: did you mean `max_expiry`?

    error: two sources are called `cloud`
     --> DIR/conf.d/a.toml:2:8
      |
    2 | name = "cloud"
      |        ^^^^^^^ the second
      |
     ::: DIR/config.toml:4:8
      |
    4 | name = "cloud"
      |        ------- the first
      |
      = help: give one of them another name; a new name makes its findings new ones

    error: `proxy`: this is no address: relative URL without a base
     --> DIR/conf.d/a.toml:6:9
      |
    6 | proxy = "nowhere"
      |         ^^^^^^^^^ here
      |
      = help: write an address such as "https://cloud.example.org"

    error: unclosed table, expected `]`
     --> DIR/conf.d/b.toml:1:6
      |
    1 | [mail
      |      ^
      |
      = help: this is no TOML; config.example.toml shows how every key is written

    4 errors in the configuration: nothing was sent
    "##);
}

#[test]
fn what_has_no_effect_is_a_warning() {
    let folder = Folder::with(&[(
        "config.toml",
        &format!(
            "[[policy.override]]\nsource = \"clod\"\nmail = false\n{CLOUD}exclude = {{ users = [\"a\", \"a\"] }}\n"
        ),
    )]);
    insta::assert_snapshot!(folder.told(&folder.load().unwrap().warnings), @r##"
    warning: no source is called `clod`: this has no effect
     --> DIR/config.toml:2:10
      |
    2 | source = "clod"
      |          ^^^^^^ not known
      |
      = help: did you mean `cloud`?

    warning: `users` has `a` twice
     --> DIR/config.toml:9:27
      |
    9 | exclude = { users = ["a", "a"] }
      |                           ^^^ the second time
      |
      = help: take it out
    "##);
}

#[test]
fn nights_that_change_nothing_though_they_are_to_are_a_warning() {
    let rule = "[[enforce.rule]]\nrule = \"link-without-expiry\"\naction = \"set-expiry\"\nafter = \"30d\"\n";
    let mail = "[mail]\nmode = \"on\"\nfrom = \"a@example.org\"\nallowed_domains = [\"example.org\"]\n\
                transport = { kind = \"files\", directory = \"out\" }\n";
    let on = "[enforce]\nmode = \"on\"\n";
    for (text, why) in [
        (on.to_owned() + CLOUD, Some("no rule says what")),
        (on.to_owned() + rule + CLOUD, Some("owners are not written to")),
        (
            on.to_owned() + rule + mail + CLOUD,
            Some("nothing may be changed in any source"),
        ),
        (on.to_owned() + rule + mail + CLOUD + "enforce = true\n", None),
        (rule.to_owned() + CLOUD, None),
    ] {
        let folder = Folder::with(&[("config.toml", &text)]);
        let told = folder.told(&folder.load().unwrap().warnings);
        match why {
            Some(why) => assert!(
                told.contains("the nightly job changes nothing") && told.contains(why),
                "{told}"
            ),
            None => assert_eq!(told, "", "{text}"),
        }
    }
}

#[test]
fn secrets_are_looked_at_before_anything_is_sent() {
    let source = |name: &str, auth: &str| {
        format!(
            "[[source]]\nname = \"{name}\"\nkind = \"nextcloud\"\nurl = \"https://{name}.example.org\"\nauth = {auth}\n"
        )
    };
    let folder = Folder::with(&[(
        "config.toml",
        &[
            source(
                "good",
                "{ method = \"app-password\", user = \"a\", password = { file = \"good\" } }",
            ),
            "enforce_auth = { method = \"app-password\", user = \"a\", password = { file = \"never\" } }\n"
                .to_owned(),
            source(
                "open",
                "{ method = \"app-password\", user = \"a\", password = { file = \"open\" } }",
            ),
            source(
                "unset",
                "{ method = \"app-password\", user = \"a\", password = { env = \"SHAREWARDEN_UNSET\" } }",
            ),
            source("many", "{ method = \"app-passwords\", file = \"users.toml\" }"),
            "ca_file = \"missing.pem\"\n".to_owned(),
        ]
        .concat(),
    )]);
    folder.put_with_mode("good", "hunter2\n", 0o600);
    folder.put_with_mode("open", "hunter2\n", 0o644);
    folder.put("users.toml", "alice = { file = \"good\" }\nbob = \"hunter2\"\n");
    let settings = folder.load().unwrap().settings;
    settings.check_secrets(&[SourceName::new("good")]).unwrap();
    let NextcloudAuth::AppPassword { password, .. } =
        &nextcloud(&folder.load().unwrap(), "good").auth.clone()
    else {
        panic!("an app password");
    };
    assert_eq!(password.resolve().unwrap().expose_secret(), "hunter2");
    let report = settings.check_secrets(&[]).unwrap_err();
    assert!(!report.to_string().contains("hunter2"), "{report}");
    insta::assert_snapshot!(folder.told(&report), @r##"
    error: an app password is not written into the file
     --> DIR/users.toml:2:7
      |
    2 | bob = "*******"
      |       ^^^^^^^^^ here
      |
      = help: refer to the app password: `{ env = "…" }`, `{ file = "…" }`, `{ credential = "…" }` or `{ command = […] }`

    error: `DIR/open` can be read or changed by others than its owner
      --> DIR/config.toml:11:58
       |
    11 | auth = { method = "app-password", user = "a", password = { file = "open" } }
       |                                                          ^^^^^^^^^^^^^^^^^ referred to here
       |
       = help: take their rights away: chmod 600 DIR/open

    error: the environment variable `SHAREWARDEN_UNSET` is not set or empty
      --> DIR/config.toml:16:58
       |
    16 | auth = { method = "app-password", user = "a", password = { env = "SHAREWARDEN_UNSET" } }
       |                                                          ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ referred to here
       |
       = help: set `SHAREWARDEN_UNSET` where sharewarden is started, or refer to a file: `{ file = "…" }`

    error: cannot read `DIR/missing.pem`: No such file or directory (os error 2)
      --> DIR/config.toml:22:11
       |
    22 | ca_file = "missing.pem"
       |           ^^^^^^^^^^^^^ named here
       |
       = help: name a file that the account that runs sharewarden can read

    4 errors in the configuration: nothing was sent
    "##);
}

#[test]
fn paths_are_beside_the_file_that_says_them() {
    let folder = Folder::with(&[
        ("config.toml", CLOUD),
        (
            "conf.d/a.toml",
            "[export]\nhtml = \"out.html\"\nndjson = \"/abs/events\"\n",
        ),
    ]);
    let loaded = folder.load().unwrap();
    assert_eq!(
        loaded.settings.export.html.as_deref(),
        Some(&*folder.0.path().join("conf.d/out.html"))
    );
    assert_eq!(
        loaded.settings.export.ndjson.as_deref(),
        Some(Path::new("/abs/events"))
    );
    assert_eq!(
        loaded.settings.state.path,
        Path::new("/var/lib/sharewarden/state.db")
    );
}

#[test]
fn bytes_that_are_no_text_are_refused_with_their_line() {
    let folder = Folder::with(&[]);
    fs::write(
        folder.0.path().join("config.toml"),
        b"[policy]\nmax_expiry = \"\xff\"\n",
    )
    .unwrap();
    let report = folder.load().unwrap_err();
    assert_eq!(report.diagnostics()[0].message(), "line 2 is no UTF-8 text");
    fs::write(
        folder.0.path().join("config.toml"),
        format!("\u{feff}{CLOUD}").replace('\n', "\r\n"),
    )
    .unwrap();
    folder.load().unwrap();
}

#[test]
fn a_missing_sign_in_is_told_with_the_secrets() {
    let microsoft = "[[source]]\nname = \"m365\"\nkind = \"microsoft365\"\ntenant = \"contoso.example\"\n\
                     client_id = \"11111111-2222-3333-4444-555555555555\"\nauth = { method = \"device-code\" }\n";
    let folder = Folder::with(&[("config.toml", microsoft)]);
    let settings = folder.load().unwrap().settings;
    let report = settings.check_secrets(&[]).unwrap_err();
    let told = report.to_string();
    assert!(
        told.contains("nobody has signed in to the source `m365`"),
        "{told}"
    );
    assert!(told.contains("`sharewarden login m365`"), "{told}");
}
