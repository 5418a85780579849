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
//!
//! `InfVerif` judges an INF too: it is a part of the Windows Driver Kit, and runs on Windows and under Wine.
//! [`INFVERIF`] is the version of which it was seen what it says of INFs that are broken on purpose.

pub mod answers;
pub mod groups;
pub mod installed;
pub mod promises;
pub mod reader;
pub mod rules;
mod text;

use std::{
    collections::BTreeMap,
    fmt, fs,
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Context, bail, ensure};
use serde::{Serialize, Serializer, ser::SerializeStruct as _};
use testbench::Expectations;

use self::reader::Inf;

/// The version of `InfVerif` whose codes are called seen.
pub const INFVERIF: &str = "10.0.26100.3323";

/// Judge the INX or INF of a minifilter.
///
/// The file may be that of any minifilter: an INX, or the INF that stampinf makes of it, in ASCII or UTF-16. A breach
/// of a rule of Microsoft's documentation is a finding. A breach of a recommendation is advice.
///
/// Beside an emitted project's file testbench.toml, which says what that driver promises, the INF is also compared with
/// it: the driver's name, its event source, and the features that its operations support.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The INX or INF
    #[arg(value_name = "FILE", required_unless_present = "list_rules")]
    file: Option<PathBuf>,

    /// What the driver promises [default: testbench.toml in a folder above FILE]
    #[arg(long, value_name = "testbench.toml")]
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
  cargo xtask inf my-filter/my_filter.inx
      what is wrong, one finding after the other
  cargo xtask inf other.inf --no-answers
      the same, whatever lies in the folders above
  cargo xtask inf my_filter.inx --json | jq -r '.findings[] | \"\\(.line) \\(.rule)\"'
      for a script

A code of InfVerif is called seen where InfVerif, of the version that --list-rules names,
reports it for such an INF, and documented where Microsoft's pages have it and that version was
not seen to report it.

Exit status: 0 no findings, 1 findings, 2 the file could not be read or is no INF.";

/// How much a rule counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// Microsoft's documentation or `InfVerif` demands it: a breach is a finding.
    Must,
    /// It is recommended: a breach is advice.
    Should,
}

/// Something that an INF must keep.
#[derive(Debug)]
pub struct Rule {
    /// Its name.
    pub name: &'static str,
    /// How much it counts.
    pub level: Level,
    /// The codes under which `InfVerif` was seen to report it.
    pub seen: &'static [u16],
    /// The codes that the documentation has for it, and that `InfVerif` was not seen to report.
    pub documented: &'static [u16],
    /// What it asks.
    pub asks: &'static str,
    /// The title of the page that asks for it.
    pub document: &'static str,
}

/// All rules.
pub fn all_rules() -> impl Iterator<Item = &'static Rule> {
    reader::RULES
        .iter()
        .copied()
        .chain(rules::RULES.iter().map(|(rule, _)| rule))
        .chain(answers::RULES.iter().copied())
        .chain(promises::RULES.iter().copied())
}

/// What `InfVerif` calls it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Code {
    /// [`INFVERIF`] reports it for such an INF.
    Seen(u16),
    /// The documentation has it, and it was not seen.
    Documented(u16),
}

impl Code {
    /// The code.
    #[must_use]
    pub fn number(self) -> u16 {
        match self {
            Self::Seen(code) | Self::Documented(code) => code,
        }
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Seen(code) => write!(f, "{code}, seen"),
            Self::Documented(code) => write!(f, "{code}, documented and not seen"),
        }
    }
}

impl Serialize for Code {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut fields = serializer.serialize_struct("Code", 2)?;
        fields.serialize_field("number", &self.number())?;
        fields.serialize_field("seen", &matches!(self, Self::Seen(_)))?;
        fields.end()
    }
}

/// What is wrong with an INF.
#[derive(Clone, Debug)]
pub struct Finding {
    /// The rule that is broken.
    pub rule: &'static Rule,
    /// The line, from 1; `None` where something is missing from the file.
    pub line: Option<usize>,
    /// What `InfVerif` calls it.
    pub code: Option<Code>,
    /// What is wrong, and what would be right.
    pub text: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            rule,
            line,
            code,
            text,
        } = self;
        if let Some(line) = line {
            write!(f, "line {line}: ")?;
        }
        write!(f, "{text} ({}", rule.name)?;
        if let Some(code) = code {
            write!(f, "; InfVerif {code}")?;
        }
        write!(f, "; \"{}\")", rule.document)
    }
}

impl Serialize for Finding {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut fields = serializer.serialize_struct("Finding", 6)?;
        fields.serialize_field("rule", self.rule.name)?;
        fields.serialize_field("line", &self.line)?;
        fields.serialize_field("text", &self.text)?;
        fields.serialize_field("asks", self.rule.asks)?;
        fields.serialize_field("infverif", &self.code)?;
        fields.serialize_field("document", self.rule.document)?;
        fields.end()
    }
}

/// All breaches of rules, in the order of the lines.
#[must_use]
pub fn broken_rules(inf: &Inf) -> Vec<Finding> {
    let mut findings = inf.findings.clone();
    findings.extend(rules::findings(inf));
    findings.sort_by_key(|finding| finding.line);
    findings
}

/// All that is wrong with an emitted INX. What it means is compared with the answers once it keeps the rules: before
/// that, it may mean anything.
///
/// # Errors
///
/// Where an answer is missing or has no meaning.
pub fn findings(inx: &str, answers: &BTreeMap<&str, &str>) -> anyhow::Result<Vec<Finding>> {
    let inf = Inf::read(inx);
    let broken = broken_rules(&inf);
    if broken.is_empty() {
        answers::findings(&inf, answers)
    } else {
        Ok(broken)
    }
}

/// Holds an emitted INX against the rules and against the answers that it was emitted with: those to all options,
/// and the project's name as `project-name`. What is advice for others counts, and lines end as Windows ends them.
///
/// # Errors
///
/// All that is wrong, a line each.
pub fn check(inx: &str, answers: &BTreeMap<&str, &str>) -> anyhow::Result<()> {
    let findings = findings(inx, answers)?;
    let lines: Vec<_> = findings.iter().map(Finding::to_string).collect();
    ensure!(lines.is_empty(), "the INF:\n{}", lines.join("\n"));
    let mut ends = inx.split_inclusive('\n');
    if let Some(at) = ends.position(|line| !line.ends_with("\r\n")) {
        bail!(
            "the INF: line {} does not end with carriage return and line feed",
            at + 1
        );
    }
    Ok(())
}

/// What is to be said of a file.
#[derive(Debug, Serialize)]
struct Verdict {
    file: PathBuf,
    /// The file with what the driver promises.
    answers: Option<PathBuf>,
    findings: Vec<Finding>,
    advice: Vec<Finding>,
}

impl Verdict {
    /// Judges a file by the rules, and by what the driver promises.
    fn of(
        file: &Path,
        bytes: &[u8],
        promised: Option<(PathBuf, Expectations)>,
    ) -> anyhow::Result<Self> {
        let mut inf = Inf::decode(bytes)
            .with_context(|| format!("{} cannot be read as an INF", file.display()))?;
        inf.is_inx |= file
            .extension()
            .is_some_and(|extension| extension.eq_ignore_ascii_case("inx"));
        let mut said = broken_rules(&inf);
        let mut answers = None;
        if let Some((file, promised)) = promised {
            said.extend(promises::findings(&inf, &promised));
            said.sort_by_key(|finding| finding.line);
            answers = Some(file);
        }
        let (findings, advice) = said
            .into_iter()
            .partition(|finding| finding.rule.level == Level::Must);
        Ok(Self {
            file: file.to_owned(),
            answers,
            findings,
            advice,
        })
    }
}

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
        Some(answers) => Some((answers.clone(), Expectations::read(answers)?)),
        None if args.no_answers => None,
        None => Expectations::find(file)?,
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

/// Refuses a file with findings, which is no INF of a package.
///
/// # Errors
///
/// All findings, a line each.
pub fn refuse(file: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    let verdict = Verdict::of(file, bytes, Expectations::find(file)?)?;
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
