//! Compares what the documents say with what the program does and what the gate runs.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails where its own files are not as expected"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use sharewarden::cli::Exit;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// What the program prints, with neither a configuration nor a terminal.
fn printed(arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_sharewarden"))
        .args(arguments)
        .env_remove("SHAREWARDEN_CONFIG")
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{arguments:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}

/// The commands that a help text lists.
fn commands_in(help: &str) -> Vec<String> {
    help.lines()
        .skip_while(|line| *line != "Commands:")
        .skip(1)
        .take_while(|line| !line.is_empty())
        .filter_map(|line| line.strip_prefix("  "))
        .filter(|line| !line.starts_with(' '))
        .filter_map(|line| line.split_whitespace().next())
        .map(str::to_owned)
        .collect()
}

/// The long options that a help text explains.
fn options_in(help: &str) -> BTreeSet<String> {
    help.lines()
        .filter_map(|line| line.trim_start().strip_prefix('-').map(|_| line))
        .filter_map(|line| line.split_whitespace().find(|word| word.starts_with("--")))
        .map(|word| word.trim_end_matches(['.', ',']).to_owned())
        .collect()
}

/// Every command with its subcommands, as `config check`, and its help.
fn commands() -> BTreeMap<String, String> {
    let mut all = BTreeMap::new();
    for command in commands_in(&printed(&["--help"])) {
        let help = printed(&[&command, "--help"]);
        let inner = commands_in(&help);
        if inner.is_empty() {
            all.insert(command, help);
            continue;
        }
        for name in inner {
            let help = printed(&[&command, &name, "--help"]);
            all.insert(format!("{command} {name}"), help);
        }
    }
    all
}

/// The sections of a document by their heading's text, at any level.
fn sections(text: &str) -> BTreeMap<String, String> {
    let mut sections = BTreeMap::new();
    let mut heading = String::new();
    for (line, fenced) in lines(text) {
        if !fenced && line.starts_with('#') {
            line.trim_start_matches('#').trim().clone_into(&mut heading);
        }
        let section: &mut String = sections.entry(heading.clone()).or_default();
        section.push_str(line);
        section.push('\n');
    }
    sections
}

/// The lines of a document, and whether each lies within a fence.
fn lines(text: &str) -> impl Iterator<Item = (&str, bool)> {
    let mut fenced = false;
    text.lines().map(move |line| {
        let fence = line.trim_start().starts_with("```");
        let within = fenced || fence;
        fenced ^= fence;
        (line, within)
    })
}

/// The fenced blocks of a language.
fn blocks<'t>(text: &'t str, language: &str) -> Vec<&'t str> {
    text.split(&format!("\n```{language}\n"))
        .skip(1)
        .map(|rest| rest.split("\n```").next().unwrap_or_default())
        .collect()
}

/// Every Markdown file of the repository, from its root.
fn documents() -> Vec<PathBuf> {
    let mut waiting = vec![PathBuf::new(), PathBuf::from("docs")];
    let mut found = Vec::new();
    while let Some(folder) = waiting.pop() {
        for entry in fs::read_dir(root().join(&folder)).unwrap() {
            let entry = entry.unwrap();
            let path = folder.join(entry.file_name());
            if entry.path().is_dir() && folder.starts_with("docs") {
                waiting.push(path);
            } else if path.extension().is_some_and(|extension| extension == "md") {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

/// The name by which a heading is linked to.
fn anchor(heading: &str) -> String {
    heading
        .trim_start_matches('#')
        .trim()
        .to_lowercase()
        .chars()
        .filter(|sign| sign.is_alphanumeric() || matches!(sign, ' ' | '-' | '_'))
        .map(|sign| if sign == ' ' { '-' } else { sign })
        .collect()
}

fn anchors(text: &str) -> BTreeSet<String> {
    lines(text)
        .filter(|(line, fenced)| !fenced && line.starts_with('#'))
        .map(|(line, _)| anchor(line))
        .collect()
}

/// The targets of a document's links, outside of fences.
fn links(text: &str) -> Vec<String> {
    lines(text)
        .filter(|(_, fenced)| !fenced)
        .flat_map(|(line, _)| line.split("](").skip(1))
        .filter_map(|rest| rest.split(')').next())
        .map(str::to_owned)
        .collect()
}

fn assert_none(wrong: &[String]) {
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_command_and_option_is_in_the_usage() {
    let usage = sections(&read("docs/usage.md"));
    let commands = commands();
    let mut wrong = Vec::new();
    let global = options_in(&printed(&["--help"]));
    let everywhere = usage.get("Options of every command").map_or("", String::as_str);
    for option in &global {
        if !everywhere.contains(&format!("`{option}")) && !everywhere.contains(&format!(", {option}")) {
            wrong.push(format!("docs/usage.md does not explain {option}"));
        }
    }
    for (command, help) in &commands {
        let Some(section) = usage.get(&format!("`{command}`")) else {
            wrong.push(format!("docs/usage.md has no section `{command}`"));
            continue;
        };
        if !section.contains(&format!("sharewarden {command}")) {
            wrong.push(format!("docs/usage.md shows no example of `{command}`"));
        }
        for option in options_in(help).difference(&global) {
            if !section.contains(&format!("`{option}")) {
                wrong.push(format!("docs/usage.md does not explain {option} of `{command}`"));
            }
        }
    }
    for heading in usage.keys().filter_map(|heading| heading.strip_prefix('`')) {
        let command = heading.trim_end_matches('`');
        if !commands.contains_key(command) {
            wrong.push(format!(
                "docs/usage.md tells of a command that is not there: {command}"
            ));
        }
    }
    assert_none(&wrong);
}

#[test]
fn exit_codes_are_those_of_the_source() {
    let source = read("src/cli/exit.rs");
    let documented = read("docs/exit-codes.md");
    let mut meanings = BTreeMap::new();
    for line in source.lines().filter_map(|line| line.trim().strip_prefix("/// ")) {
        if let Some((code, meaning)) = line.split_once(": ")
            && let Ok(code) = code.parse::<u8>()
        {
            meanings.insert(code, meaning.trim_end_matches('.').to_owned());
        }
    }
    let codes: BTreeSet<u8> = Exit::ALL.iter().map(|exit| exit.code()).collect();
    assert_eq!(
        codes,
        meanings.keys().copied().collect(),
        "src/cli/exit.rs explains each code"
    );
    let rows: BTreeMap<u8, String> = documented
        .lines()
        .filter_map(|line| {
            let mut cells = line.strip_prefix("| ")?.split(" | ");
            Some((
                cells.next()?.trim().parse().ok()?,
                cells.next()?.trim().to_owned(),
            ))
        })
        .collect();
    assert_eq!(
        rows, meanings,
        "docs/exit-codes.md has the words of src/cli/exit.rs"
    );
    let mut combined: Vec<_> = Exit::ALL.to_vec();
    combined.sort_by(|one, other| other.cmp(one));
    let order: Vec<_> = combined
        .into_iter()
        .filter(|exit| !matches!(exit, Exit::Done | Exit::Usage | Exit::Interrupted))
        .map(|exit| exit.code().to_string())
        .collect();
    let words = format!("the order is {}", order.join(", "));
    assert!(
        documented.contains(&words),
        "docs/exit-codes.md does not say: {words}"
    );
}

#[test]
fn every_relative_link_leads_somewhere() {
    let mut wrong = Vec::new();
    for document in documents() {
        let text = fs::read_to_string(root().join(&document)).unwrap();
        for link in links(&text) {
            if link.contains("://") || link.starts_with("mailto:") {
                continue;
            }
            let (path, anchor) = link.split_once('#').unwrap_or((&link, ""));
            let folder = document.parent().unwrap_or(Path::new(""));
            let target = if path.is_empty() {
                document.clone()
            } else {
                folder.join(path)
            };
            let there = root().join(&target);
            if !there.exists() {
                wrong.push(format!("{}: {link} leads nowhere", document.display()));
            } else if !anchor.is_empty() && !anchors(&fs::read_to_string(&there).unwrap()).contains(anchor) {
                wrong.push(format!("{}: {link} names no heading", document.display()));
            }
        }
    }
    assert_none(&wrong);
}

#[test]
fn every_decision_is_in_the_list() {
    let list = read("docs/decisions/README.md");
    for document in documents() {
        if document.starts_with("docs/decisions") && !document.ends_with("README.md") {
            let name = document.file_name().unwrap().to_str().unwrap();
            assert!(list.contains(&format!("]({name})")), "{name} is not in the list");
        }
    }
}

#[test]
fn the_readmes_two_commands_are_those_of_the_gate() {
    let readme = read("README.md");
    let gate = read(".ci/run");
    let commands: Vec<_> = blocks(&readme, "sh").into_iter().take(2).collect();
    assert_eq!(commands, ["cargo run --release -- demo", "cargo test"]);
    for command in commands {
        assert!(
            gate.lines()
                .any(|line| line.starts_with("run ") && line.ends_with(&format!(" {command}"))),
            ".ci/run does not run `{command}`"
        );
    }
}

#[test]
fn the_configurations_in_the_documents_are_valid() {
    for document in [
        "README.md",
        "docs/usage.md",
        "docs/operation.md",
        "docs/install.md",
    ] {
        for block in blocks(&read(document), "toml") {
            assert_valid(block);
        }
    }
}

/// Runs `promtool` on files of a folder, where there is one.
fn promtool(folder: &Path, arguments: &[&str]) {
    let tool = std::env::var_os("SHAREWARDEN_PROMTOOL").unwrap_or_else(|| "promtool".into());
    let Ok(output) = Command::new(tool).args(arguments).current_dir(folder).output() else {
        return;
    };
    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {said}");
}

#[test]
fn the_alerts_in_the_documents_are_heard_when_they_should_be() {
    let operation = read("docs/operation.md");
    let rules: Vec<_> = blocks(&operation, "yaml")
        .into_iter()
        .filter(|block| block.starts_with("groups:"))
        .collect();
    let [rules] = rules.as_slice() else {
        panic!("one list of rules: {rules:?}")
    };
    let metrics: BTreeSet<&str> = rules
        .split(|sign: char| !sign.is_ascii_alphanumeric() && sign != '_')
        .filter(|word| word.starts_with("share_audit_"))
        .collect();
    for metric in &metrics {
        let row = format!("| `{metric}`");
        assert!(operation.contains(&row), "no metric is called {metric}");
    }
    assert!(metrics.len() >= 6);
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("alerts.yml"), format!("{rules}\n")).unwrap();
    fs::write(
        folder.path().join("nights.yml"),
        read("fixtures/prometheus/nights.yml"),
    )
    .unwrap();
    promtool(folder.path(), &["check", "rules", "alerts.yml"]);
    promtool(folder.path(), &["test", "rules", "nights.yml"]);
}

fn assert_valid(configuration: &str) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("sharewarden.toml");
    fs::write(&file, configuration).unwrap();
    printed(&["--config", file.to_str().unwrap(), "config", "show"]);
}

#[test]
fn the_configurations_that_are_installed_are_valid() {
    // The package's, with its example taken up: without, it names no source, and the program says so.
    let packaged = read("packaging/config.toml");
    let example: Vec<_> = packaged
        .lines()
        .map(|line| match line.strip_prefix("#     ") {
            Some(example) if example.contains(['[', '=']) => example,
            _ => line,
        })
        .collect();
    assert!(example.contains(&"[[source]]"), "{example:?}");
    assert_valid(&example.join("\n"));
    let cluster = read("packaging/kubernetes/common.yaml");
    let (_, rest) = cluster.split_once("config.toml: |\n").unwrap();
    let inside: Vec<_> = rest
        .lines()
        .take_while(|line| line.is_empty() || line.starts_with("    "))
        .collect();
    assert!(inside.iter().any(|line| line.trim() == "[[source]]"));
    assert_valid(&inside.join("\n"));
}

#[test]
fn the_code_map_names_every_folder_and_file_of_the_source() {
    let map = read("docs/architecture.md");
    let mut wrong = Vec::new();
    for entry in fs::read_dir(root().join("src")).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        let slash = if entry.path().is_dir() { "/" } else { "" };
        let name = format!("src/{name}{slash}");
        if !map.contains(&format!("`{name}`")) {
            wrong.push(format!("docs/architecture.md does not tell of {name}"));
        }
    }
    assert_none(&wrong);
}

#[test]
fn every_dependency_says_what_it_is_for() {
    let mut wrong = Vec::new();
    for path in ["Cargo.toml", "fuzz/Cargo.toml"] {
        // The programs that throw bytes at the library have a list of their own.
        let Ok(text) = fs::read_to_string(root().join(path)) else {
            assert_ne!(path, "Cargo.toml");
            continue;
        };
        let mut within = false;
        let mut reason = false;
        let mut found = 0;
        for line in text.lines() {
            if line.starts_with('[') {
                within = line.trim_matches(['[', ']']).ends_with("dependencies");
            } else if let Some((name, _)) = line.split_once('=').filter(|_| within) {
                found += 1;
                if !reason && !line.contains("path = ") {
                    wrong.push(format!("{path} does not say what {} is for", name.trim()));
                }
            }
            reason = line.starts_with("# ");
        }
        assert!(found > 0, "no dependency was found in {path}");
    }
    assert_none(&wrong);
}
