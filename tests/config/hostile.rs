//! Whatever is in a file, it is refused without a panic, soon, and without telling a secret.

use std::path::Path;

use proptest::prelude::*;
use sharewarden::config::{self, Style};

use super::refused;

#[test]
fn an_empty_configuration_names_no_source() {
    let report = config::parse(
        Path::new("config.toml"),
        "",
        "2026-11-23T02:00:00Z".parse().unwrap(),
    );
    insta::assert_snapshot!(report.expect_err("refused").render(Style::Plain), @r#"
    error: the configuration names no source
    --> config.toml
     = help: add a [[source]] with `name`, `kind`, `url` and `auth`; config.example.toml is one to start from

    1 error in the configuration: nothing was sent
    "#);
}

#[test]
fn what_steers_a_terminal_is_made_visible() {
    for text in [
        "\u{1b}[31mx = 1\n",
        "\"\u{202e}\" = 1\n",
        "[policy]\nmax_expiry = \"\\u001b[2J\"\n",
        "x\u{7} = 1",
        "x\u{9b}2J = 1",
        "x = \"\u{9b}2J\u{ad}\u{200b}\" 1",
    ] {
        let screen = refused(text);
        assert!(
            screen
                .chars()
                .all(|c| c == '\n' || !c.is_control() && !"\u{202e}\u{ad}\u{200b}".contains(c)),
            "{screen:?}"
        );
    }
}

#[test]
fn garbage_is_refused_soon_and_briefly() {
    let begun = std::time::Instant::now();
    let screen = refused(&"x = [\n]]]= \"".repeat(20_000));
    assert!(screen.len() < 200_000 && screen.contains("the first 100 are shown"));
    assert!(
        begun.elapsed() < std::time::Duration::from_secs(20),
        "{:?}",
        begun.elapsed()
    );
}

#[test]
fn no_screen_tells_a_secret() {
    for text in [
        "auth.password = \"hunter2\"\n[[source]]\npassword = \"hunter2\"\n",
        "[mail]\ntransport = { kind = \"smtp\", host = \"h\", user = \"u\", password = \"hunter2\", nonsense = 1 }\n",
        "[mail]\nbanana = 1\n[mail.transport]\nkind = \"smtp\"\npassword = [\"hunter2\"]\n",
        "[[source]]\nsecret = '''\nhunter2'''\nkind = 1\n",
        "[[source]]\nsecret = \"hunter2\nkind = 1\n",
        "[[source]]\nproxy = \"http://me:hunter2@proxy.example.org\"\n",
        "[[source]]\nauth = { method = \"client-secret\", secret = { env = 'x', hunter = \"hunter2\" } }\n",
        "[[source]]\nstatistics_token = { command = \"hunter2\" }\nkind = \"nextcloud\"\nname = \"x\"\n",
    ] {
        assert!(!refused(text).contains("hunter2"), "{}", refused(text));
    }
}

proptest! {
    #[test]
    fn any_text_is_read_without_a_panic(text in "(\\PC|[\\[\\]{}=\",.#\n]){0,200}") {
        let _ = config::parse(Path::new("x"), &text, "2026-11-23T02:00:00Z".parse().unwrap()).map_err(|it| it.to_string());
    }

    #[test]
    fn any_value_of_any_key_is_read_without_a_panic(
        table in "policy|mail|enforce|state|schedule|export|source|waiver|defaults.nextcloud|mail.transport",
        key in "max_expiry|internal_domains|freeze|at|health|url|auth|until|from|kind|method|limits|override|path",
        value in "\"[^\"\\\\\\pC]{0,12}\"|-?[0-9]{1,20}|[0-9]{4}-[0-9]{2}-[0-9]{2}|\\[\\]|\\{ kind = \"smtp\" \\}|true|nan",
        double in any::<bool>(),
    ) {
        let header = if double { format!("[[{table}]]") } else { format!("[{table}]") };
        let text = format!("{header}\n{key} = {value}\n");
        let _ = config::parse(Path::new("x"), &text, "2026-11-23T02:00:00Z".parse().unwrap()).map_err(|it| it.to_string());
    }
}
