//! `rules`: lists the rules, or explains one in words that an owner understands.

use std::io::{self, Write};

use clap::Args;
use comfy_table::{ContentArrangement, Table};

use super::terminal::Output;
use super::{Exit, Global, scan, unwritten};
use crate::model::RuleId;
use crate::policy::{self, RuleInfo};

/// How wide explanations are set, at most.
const WIDTH: usize = 88;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The rule to explain
    #[arg(value_name = "RULE", value_parser = scan::rule)]
    rule: Option<RuleId>,
}

pub(super) fn run(global: &Global, arguments: &Arguments) -> Result<Exit, Exit> {
    let output = Output::Standard;
    let written = match arguments.rule {
        Some(rule) => output.write(|out| explain(policy::rule(rule), out)),
        None => output.write(|out| list(output.style(global.color).width, out)),
    };
    written.map_err(|error| unwritten(&error))?;
    Ok(Exit::Done)
}

fn list(width: Option<u16>, out: &mut dyn Write) -> io::Result<()> {
    let mut table = Table::new();
    table
        .load_style(comfy_table::TableStyle::new())
        .set_content_arrangement(ContentArrangement::Dynamic);
    if let Some(width) = width {
        table.set_width(width);
    }
    table.set_header(["rule", "level", "finds"]);
    for rule in policy::rules() {
        table.add_row([rule.id.as_str(), rule.level.as_str(), rule.title]);
    }
    for line in table.lines() {
        writeln!(out, "{}", line.trim_end())?;
    }
    writeln!(out, "\n`sharewarden rules RULE` explains one.")
}

fn explain(rule: &RuleInfo, out: &mut dyn Write) -> io::Result<()> {
    let sources = rule
        .sources
        .iter()
        .map(|kind| kind.as_str())
        .collect::<Vec<_>>()
        .join(", ");
    writeln!(out, "{} ({})\n", rule.id, rule.level)?;
    paragraph(rule.title, "", out)?;
    let parts = [
        ("Why it matters", rule.reason),
        ("When it fires", rule.fires),
        ("What to do", rule.remedy),
        ("What it needs", rule.needs),
        ("Where", sources.as_str()),
        (rule.guidance.name, rule.guidance.text),
    ];
    for (title, text) in parts {
        writeln!(out, "\n{title}")?;
        paragraph(text, "  ", out)?;
    }
    let settings = [&["policy.levels", "policy.override"], rule.settings]
        .concat()
        .join(", ");
    writeln!(out, "\nConfiguration")?;
    paragraph(&settings, "  ", out)
}

/// Sets our own text in lines of at most [`WIDTH`] columns.
fn paragraph(text: &str, indent: &str, out: &mut dyn Write) -> io::Result<()> {
    let mut line = String::new();
    for word in text.split_whitespace() {
        if !line.is_empty() && indent.len() + line.len() + 1 + word.len() > WIDTH {
            writeln!(out, "{indent}{line}")?;
            line.clear();
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    writeln!(out, "{indent}{line}")
}
