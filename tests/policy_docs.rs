//! Compares `docs/rules.md` with the registry of rules: same rules, same levels, same words.

use sharewarden::model::{RuleId, SourceKind};
use sharewarden::policy::{RuleInfo, rules};

const DOCS: &str = include_str!("../docs/rules.md");

/// A rule's section as the registry has it.
fn section(info: &RuleInfo) -> String {
    let keys = ["policy.levels", "policy.override"].iter().chain(info.settings);
    let keys: Vec<_> = keys.map(|key| format!("`{key}`")).collect();
    let sources: Vec<_> = info
        .sources
        .iter()
        .map(|kind| match kind {
            SourceKind::Nextcloud => "Nextcloud",
            SourceKind::Microsoft365 => "Microsoft 365",
        })
        .collect();
    format!(
        "## {}\n\n{}. Level: **{}**. Sources: {}.\n\n**Fires when.** {}\n\n**Why.** {}\n\n**Remedy.** {}\n\n\
         **{}.** {}\n\n**Needs.** {}\n\n**Configuration.** {}.\n",
        info.id,
        info.title,
        info.level,
        sources.join(", "),
        info.fires,
        info.reason,
        info.remedy,
        info.guidance.name,
        info.guidance.text,
        info.needs,
        keys.join(", "),
    )
}

fn words(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn every_rule_has_its_heading_in_the_documented_order() {
    let rules: Vec<_> = RuleId::ALL.iter().map(|rule| rule.as_str()).collect();
    let headings: Vec<_> = DOCS.lines().filter_map(|line| line.strip_prefix("## ")).collect();
    let headings: Vec<_> = headings
        .into_iter()
        .filter(|heading| !heading.contains(' '))
        .collect();
    assert_eq!(headings, rules);
}

#[test]
fn every_section_says_what_the_registry_says() {
    let docs = words(DOCS);
    for info in rules() {
        let section = section(info);
        assert!(
            docs.contains(&words(&section)),
            "docs/rules.md should have this section:\n\n{section}"
        );
    }
}
