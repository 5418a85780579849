//! The INF: read, held against the rules that a program can check without Windows, and against what the driver is
//! meant to be.
//!
//! | layer | what it knows |
//! |---|---|
//! | [`reader`] | the syntax of INF files |
//! | [`rules`], [`groups`] | what Microsoft asks of any minifilter's INF |
//! | [`installed`] | what an INF puts into the registry |
//! | [`answers`] | what the answers to this template's options call for |
//! | [`promises`] | what an emitted project's testbench.toml says of the driver |
//! | [`finding`], [`verdict`] | what is said of an INF |
//!
//! `InfVerif` judges an INF too: it is a part of the Windows Driver Kit, and runs on Windows and under Wine.
//! [`INFVERIF`] is the version of which it was seen what it says of INFs that are broken on purpose.

pub mod answers;
pub mod finding;
pub mod groups;
pub mod installed;
pub mod promises;
pub mod reader;
pub mod rules;
mod text;
pub mod verdict;

use std::{
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Context, bail};
use testbench::Expectations;

use self::verdict::{Promised, Verdict};
pub use self::{
    finding::{Code, Finding, INFVERIF, Level, Rule},
    verdict::{all_rules, broken_rules, check, findings},
};

/// Judge the INX or INF of a minifilter.
///
/// The file may be that of any minifilter: an INX, or the INF that stampinf makes of it, in ASCII or UTF-16. A breach
/// of a rule of Microsoft's documentation is a finding. A breach of a recommendation is advice.
///
/// Beside an emitted project's file testbench.toml, which says what that driver promises, the INF is also compared with
/// it: the driver's name, its event source, and the features that its operations support. With the project's record,
/// template.toml, as --answers it is compared with all that was answered.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The INX or INF
    #[arg(value_name = "FILE", required_unless_present = "list_rules")]
    file: Option<PathBuf>,

    /// What the driver promises: a testbench.toml, or a template.toml [default: testbench.toml in a folder above FILE]
    #[arg(long, value_name = "TOML")]
    answers: Option<PathBuf>,

    /// Look for no testbench.toml: judge by the documented rules alone
    #[arg(long, conflicts_with = "answers")]
    no_answers: bool,

    /// Print the findings as JSON, and nothing else
    #[arg(long)]
    json: bool,

    /// List the rules: what they ask, where it is written, their codes
    #[arg(long)]
    list_rules: bool,
}

const EXAMPLES: &str = "\
Examples:
  cargo xtask inf ../my-filter/my_filter.inx
      what is wrong, one finding after the other
  cargo xtask inf ../my-filter/my_filter.inx --answers ../my-filter/template.toml
      compared with all that was answered as well
  cargo xtask inf other.inf --no-answers
      by the documented rules alone
  cargo xtask inf my_filter.inx --json | jq -r '.findings[] | \"\\(.line) \\(.rule)\"'
      for a script

A code of InfVerif is called seen where InfVerif, of the version that --list-rules names,
reports it for such an INF, and documented where Microsoft's pages have it and that version was
not seen to report it.

Exit status: 0 no findings (advice is possible), 1 findings, 2 the file could not be read or is no INF.";

/// Runs the verb.
///
/// # Errors
///
/// A sentence that says why the file could not be read, or that it is no INF.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    if args.list_rules {
        text::rules();
        return Ok(ExitCode::SUCCESS);
    }
    let file = args
        .file
        .as_deref()
        .context("say which INX or INF is to be judged")?;
    let bytes = fs::read(file).with_context(|| format!("{} cannot be read", file.display()))?;
    let promised = match &args.answers {
        Some(answers) => Some((answers.clone(), Promised::read(answers)?)),
        None if args.no_answers => None,
        None => promised_above(file)?,
    };
    let verdict = Verdict::of(file, &bytes, promised)?;
    if args.json {
        println!("{}", serde_json::to_string_pretty(&verdict)?);
    } else {
        text::print(&verdict);
    }
    Ok(if verdict.findings.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(1)
    })
}

/// What a `testbench.toml` in a folder above the file promises.
fn promised_above(file: &Path) -> anyhow::Result<Option<(PathBuf, Promised)>> {
    let found = Expectations::find(file)?;
    Ok(found.map(|(path, expected)| (path, Promised::Driver(Box::new(expected)))))
}

/// Refuses a file with findings, which is no INF of a package.
///
/// # Errors
///
/// All findings, a line each.
pub fn refuse(file: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    let verdict = Verdict::of(file, bytes, promised_above(file)?)?;
    let shown = file.display();
    let lines = verdict.findings.iter().map(|finding| match finding.line {
        Some(line) => format!("{shown}:{line}: {}: {}", finding.rule.name, finding.text),
        None => format!("{shown}: {}: {}", finding.rule.name, finding.text),
    });
    let lines: Vec<_> = lines.collect();
    if lines.is_empty() {
        return Ok(());
    }
    bail!(
        "no package is made, because the INF breaks these rules (cargo xtask inf {shown} shows each in full):\n{}",
        lines.join("\n")
    )
}
