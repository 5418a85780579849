//! `cargo xtask options`: the options, what each takes, and what each answer adds to a project.

use std::{collections::BTreeSet, path::Path, process::ExitCode};

use console::style;
use serde::Serialize;

use super::{Choice, Declared, Kind, declared};
use crate::{checks::render::Renderer, commands::inf::groups::GROUPS};

/// List the options of the template: what each takes, and what each answer adds.
///
/// `load_order_group` is listed with the altitudes of each group.
///
/// The files that an answer adds or removes are found by comparing a project that has this answer, and otherwise the
/// defaults, with a project that has the defaults alone.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The options to list [default: all]
    #[arg(value_name = "OPTION")]
    options: Vec<String>,
    /// Print them as JSON
    #[arg(long)]
    json: bool,
}

const EXAMPLES: &str = "\
Examples:
  cargo xtask options
      all options
  cargo xtask options load_order_group
      the load-order groups and their altitudes
  cargo xtask options altitude pipeline
      two of them
  cargo xtask options --json | jq -r '.[] | \"\\(.name)=\\(.default)\"'
      the defaults, as -d takes them";

#[derive(Serialize)]
struct OptionRow {
    name: String,
    prompt: String,
    default: String,
    /// `text`, `choice`, `flag` or `list`.
    kind: &'static str,
    /// The rule for free text.
    #[serde(skip_serializing_if = "Option::is_none")]
    rule: Option<String>,
    /// The values of any other kind.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    values: Vec<ValueRow>,
}

/// A value.
#[derive(Serialize)]
struct ValueRow {
    value: String,
    label: String,
    /// The lowest and the highest altitude, for a load-order group.
    #[serde(skip_serializing_if = "Option::is_none")]
    altitudes: Option<(u32, u32)>,
    /// The files that a project has only with this value.
    adds: Vec<String>,
    /// The files that it has only with the default.
    removes: Vec<String>,
}

/// Runs the verb.
///
/// # Errors
///
/// A name is no option, or the template cannot be read.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let options = declared()?;
    for name in &args.options {
        super::find(&options, name)?;
    }
    let renderer = Renderer::new(Path::new("."))?;
    let names_with = |answers: &[(&str, &str)]| -> anyhow::Result<BTreeSet<String>> {
        let project = renderer.render("my-filter", answers)?;
        Ok(project.files.into_keys().collect())
    };
    let defaults = names_with(&[])?;
    let mut table = Vec::new();
    for option in options
        .iter()
        .filter(|it| args.options.is_empty() || args.options.contains(&it.name))
    {
        let mut values = Vec::new();
        for Choice { value, label } in choices(option) {
            let with_value = names_with(&[(&option.name, &value)])?;
            values.push(ValueRow {
                altitudes: altitudes(option, &value),
                adds: summary(with_value.difference(&defaults)),
                removes: match option.kind {
                    // The other items of the default can be chosen as well.
                    Kind::List(_) => Vec::new(),
                    _ => summary(defaults.difference(&with_value)),
                },
                value,
                label,
            });
        }
        table.push(OptionRow {
            name: option.name.clone(),
            prompt: option.prompt.clone(),
            default: option.default.clone(),
            kind: match option.kind {
                Kind::Text { .. } => "text",
                Kind::Choice(_) => "choice",
                Kind::Flag => "flag",
                Kind::List(_) => "list",
            },
            rule: match &option.kind {
                Kind::Text { rule, .. } => Some(rule.clone()),
                _ => None,
            },
            values,
        });
    }
    if args.json {
        println!("{}", serde_json::to_string_pretty(&table)?);
    } else {
        table.iter().for_each(print);
    }
    Ok(ExitCode::SUCCESS)
}

fn choices(option: &Declared) -> Vec<Choice> {
    match &option.kind {
        Kind::Text { .. } => Vec::new(),
        Kind::Choice(choices) | Kind::List(choices) => choices.clone(),
        Kind::Flag => ["false", "true"]
            .map(|value| Choice {
                value: value.to_owned(),
                label: value.to_owned(),
            })
            .to_vec(),
    }
}

/// The altitudes of a value of `load_order_group`.
fn altitudes(option: &Declared, value: &str) -> Option<(u32, u32)> {
    let mut groups = GROUPS.iter().filter(|_| option.name == "load_order_group");
    let range = &groups.find(|group| group.option == value)?.altitudes;
    Some((*range.start(), *range.end()))
}

/// Files by their paths, those of the test bench's own crate as one.
fn summary<'a>(files: impl Iterator<Item = &'a String>) -> Vec<String> {
    let names = files.map(|name| {
        if name.starts_with("testbench/bench/") {
            "testbench/bench/".to_owned()
        } else {
            name.clone()
        }
    });
    names.collect::<BTreeSet<_>>().into_iter().collect()
}

fn print(option: &OptionRow) {
    println!("{}  {}", style(&option.name).bold(), option.prompt);
    if let Some(rule) = &option.rule {
        println!("    {rule}");
        println!("    default: {}", option.default);
    }
    if option.name == "altitude" {
        println!("    ranges: cargo xtask options load_order_group");
    }
    for row in &option.values {
        let is_default = option.default.split(',').any(|it| it == row.value);
        println!(
            "    {}{}",
            row.label,
            if is_default { " (default)" } else { "" }
        );
        if let Some((low, high)) = row.altitudes {
            println!("        altitudes {low} to {high}, each with decimals");
        }
        for (what, files) in [("adds", &row.adds), ("removes", &row.removes)] {
            if !files.is_empty() {
                println!("        {what} {}", files.join(", "));
            }
        }
    }
    println!();
}
