//! `cargo xtask matrix`: combinations of answers, each emitted, looked through, built and verified.
//!
//! [`combinations`] selects the combinations, [`checks`] has the checks. Combinations with the same code are built once:
//! most answers change an INF or a README and no code.

pub mod checks;
pub mod combinations;
pub mod snapshot;

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    path::{Path, PathBuf},
    process::ExitCode,
    sync::mpsc::{Receiver, sync_channel},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, anyhow, bail};
use indicatif::{ProgressBar, ProgressStyle};
use time::OffsetDateTime;

use self::{
    checks::{Emitted, Verified, Workshop},
    combinations::{Axis, Combination, Reason},
};
use crate::{
    checks::{
        cache::{self, Inputs},
        hostile,
        render::Renderer,
        shard::Shard,
        tools, versions,
    },
    commands::{options, setup},
    interruption, repository,
};

const REPOSITORY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

/// The files that determine, with the answers, the result of looking a project through.
const EMITTERS: [&str; 7] = [
    "cargo-generate.toml",
    "ci/Cargo.lock",
    "ci/Cargo.toml",
    "ci/files.toml",
    "ci/src",
    "hooks",
    "template",
];

/// Try combinations of answers: emit, check, build, verify
///
/// The combinations follow from cargo-generate.toml: the defaults, each option alone, everything on,
/// everything off, and as many more as it takes for every pair of answers to occur. Each is emitted
/// and looked through: its list of files, remains of Liquid, its INF, the same project rendered in
/// memory, and the project made again from its record. Those that differ in code are formatted,
/// linted, built and run in the bench as well. For each option alone, everything on and everything
/// off, the released cargo-generate must emit the same files, and the driver must link for ARM64.
///
/// Exit status: 0 all passed, 1 a combination failed, 2 it could not start.
///
/// Examples:
///   cargo xtask matrix                             what CI runs
///   cargo xtask matrix --shard 2/4                 the second quarter of it
///   cargo xtask matrix --full                      also every combination of the options that change the same file
///   cargo xtask matrix -d attach=manual            this one combination
///   cargo xtask matrix --snapshot                  write ci/snapshot anew
///   cargo xtask matrix --hostile 20000             20,000 hostile answers
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
#[allow(
    clippy::struct_excessive_bools,
    reason = "each is a flag of the command line"
)]
pub struct Args {
    /// Also run every combination of the options that change the same file
    #[arg(long)]
    full: bool,
    /// Only the K-th of N equal parts
    #[arg(long, value_name = "K/N")]
    shard: Option<Shard>,
    /// Only this combination: the answers that are not the defaults
    #[arg(short, long, value_name = "OPTION=VALUE", conflicts_with_all = ["full", "shard"])]
    define: Vec<String>,
    /// Write the project with everything on to ci/snapshot, so that the next commit shows what changed, and stop
    #[arg(long, conflicts_with_all = ["full", "shard", "define", "list"])]
    snapshot: bool,
    /// Print the digest of what all combinations emit, for ci/versions.toml, and stop
    #[arg(long, value_name = "CLONE", num_args = 0..=1, require_equals = true, default_missing_value = REPOSITORY, conflicts_with_all = ["full", "shard", "define", "list", "snapshot"])]
    digest: Option<PathBuf>,
    /// Instead of combinations, N hostile answers: rendered in memory and read back, one in a hundred emitted
    #[arg(long, value_name = "N", conflicts_with_all = ["full", "shard", "define", "list", "snapshot"])]
    hostile: Option<usize>,
    /// The seed of the hostile answers; each failure names the seed that repeats it [default: random]
    #[arg(long, requires = "hostile")]
    seed: Option<u64>,
    /// List the combinations and stop
    #[arg(long)]
    list: bool,
    /// Install nothing; say what is missing
    #[arg(long)]
    no_setup: bool,
}

/// Runs the verb.
///
/// # Errors
///
/// The options cannot be read, a tool is missing, or an answer names no option.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    if let Some(count) = args.hostile {
        let seed = args.seed.unwrap_or_else(|| fastrand::u64(..1_000_000_000));
        println!("{count} hostile answers from seed {seed}");
        interruption::survive()?;
        let outcome = hostile::try_cases(seed, count, 100)?;
        println!("{outcome}");
        return Ok(outcome.exit_code());
    }
    if let Some(clone) = &args.digest {
        println!("{}", versions::digest(clone)?);
        return Ok(ExitCode::SUCCESS);
    }
    let axes = axes()?;
    if args.snapshot {
        println!("{}", snapshot::write(&axes)?.display());
        return Ok(ExitCode::SUCCESS);
    }
    let mut combinations = if args.define.is_empty() {
        combinations::chosen(&axes)
    } else {
        vec![asked(&axes, &args.define)?]
    };
    if args.full {
        combinations = all(&axes)?;
    }
    if let Some(shard) = args.shard {
        combinations = shard.keep(combinations);
    }
    if args.list {
        for combination in &combinations {
            println!(
                "{:<18}{}",
                combination.reason.to_string(),
                command(&axes, combination)
            );
        }
        println!("{} combinations", combinations.len());
        return Ok(ExitCode::SUCCESS);
    }
    setup::ensure(&[setup::Group::Build], !args.no_setup)?;
    tools::ensure_cargo_generate()?;
    interruption::survive()?;
    let outcome = try_all(&axes, &combinations, None)?;
    outcome.report(&axes);
    Ok(ExitCode::from(u8::from(!outcome.passed())))
}

/// The options of cargo-generate.toml, with the values that are tried of each.
///
/// # Errors
///
/// The file cannot be read.
pub fn axes() -> anyhow::Result<Vec<Axis>> {
    Ok(options::declared()?.iter().map(Axis::of).collect())
}

/// What CI tries, and the products of the options that change the same source file. The other options have their
/// defaults.
///
/// # Errors
///
/// A project cannot be emitted.
pub fn all(axes: &[Axis]) -> anyhow::Result<Vec<Combination>> {
    let mut combinations = combinations::chosen(axes);
    let mut known: BTreeSet<_> = combinations.iter().map(|it| it.answers.clone()).collect();
    for options in options_of_a_file(axes)? {
        for combination in combinations::product(axes, &options) {
            if known.insert(combination.answers.clone()) {
                combinations.push(combination);
            }
        }
    }
    Ok(combinations)
}

/// The one combination that the command line names.
///
/// # Errors
///
/// An answer names no option.
pub fn asked(axes: &[Axis], define: &[String]) -> anyhow::Result<Combination> {
    let mut answers: Vec<_> = axes
        .iter()
        .map(|axis| (axis.name.clone(), axis.values[0].clone()))
        .collect();
    for definition in define {
        let (name, value) = definition
            .split_once('=')
            .with_context(|| format!("{definition} is no answer: write OPTION=VALUE"))?;
        let Some(answer) = answers.iter_mut().find(|(option, _)| option == name) else {
            let names: Vec<_> = axes.iter().map(|axis| axis.name.as_str()).collect();
            bail!("{name} is no option; the options are {}", names.join(", "));
        };
        value.clone_into(&mut answer.1);
    }
    Ok(Combination {
        answers,
        reason: Reason::Asked,
    })
}

/// For each source file, the options that change it: one answer is changed at a time, beside the defaults and beside
/// everything on. Sets that are contained in others are left out.
fn options_of_a_file(axes: &[Axis]) -> anyhow::Result<Vec<BTreeSet<String>>> {
    let renderer = Renderer::new(Path::new("/nowhere"))?;
    let sources = |combination: &Combination| {
        let project = renderer
            .render(checks::NAME, &combination.given())
            .map_err(|failure| anyhow!("{failure}"))?;
        let files = project.files.into_iter();
        let files = files.map(|(name, bytes)| (name.into(), bytes.to_vec()));
        checks::sources(files.collect())
    };
    let mut of_file: BTreeMap<PathBuf, BTreeSet<String>> = BTreeMap::new();
    for base in [combinations::defaults(axes), combinations::everything(axes)] {
        let before = sources(&base)?;
        for (position, axis) in axes.iter().enumerate() {
            for value in &axis.values {
                let mut changed = base.clone();
                changed.answers[position].1.clone_from(value);
                if changed == base {
                    continue;
                }
                let after = sources(&changed)?;
                for file in before.keys().chain(after.keys()) {
                    if before.get(file) != after.get(file) {
                        let options = of_file.entry(file.clone()).or_default();
                        options.insert(axis.name.clone());
                    }
                }
            }
        }
    }
    let sets: BTreeSet<_> = of_file.into_values().collect();
    let contained = |set: &BTreeSet<String>| {
        sets.iter()
            .any(|other| other != set && set.is_subset(other))
    };
    Ok(sets.iter().filter(|set| !contained(set)).cloned().collect())
}

/// The answers that are not the defaults.
fn changed<'a>(
    axes: &'a [Axis],
    combination: &'a Combination,
) -> impl Iterator<Item = &'a (String, String)> {
    axes.iter()
        .zip(&combination.answers)
        .filter(|(axis, (_, value))| axis.values[0] != *value)
        .map(|(_, answer)| answer)
}

/// The command that tries one combination again.
fn command(axes: &[Axis], combination: &Combination) -> String {
    let mut command = "cargo xtask matrix".to_owned();
    for (name, value) in changed(axes, combination) {
        let quote = if value.contains(' ') { "'" } else { "" };
        let _ = write!(command, " -d {quote}{name}={value}{quote}");
    }
    // Without any answer the verb would try all of them.
    if let Some((name, value)) = combination
        .answers
        .first()
        .filter(|_| command.ends_with("matrix"))
    {
        let _ = write!(command, " -d '{name}={value}'");
    }
    command
}

/// The result for all combinations.
#[derive(Default)]
pub struct Outcome {
    tried: BTreeMap<Reason, usize>,
    built: usize,
    linked_for_arm64: usize,
    faults: usize,
    failures: Vec<(Combination, String)>,
    time: Duration,
}

/// Tries combinations in their order, until the time limit.
///
/// # Errors
///
/// Where the folder of the built project cannot be made, or after Ctrl-C.
pub fn try_all(
    axes: &[Axis],
    combinations: &[Combination],
    limit: Option<Duration>,
) -> anyhow::Result<Outcome> {
    let start = Instant::now();
    let workshop = Workshop::open()?;
    let bar = ProgressBar::new(combinations.len() as u64).with_style(ProgressStyle::with_template(
        "{bar:30} {pos}/{len}, {eta} left  {wide_msg}",
    )?);
    let mut outcome = Outcome::default();
    let emitters = emitters()?;
    thread::scope(|scope| {
        // While cargo builds one, the next are emitted and looked through.
        let (send, looked_through) = sync_channel(4);
        scope.spawn(move || {
            let mut known = BTreeSet::new();
            for combination in combinations {
                if limit.is_some_and(|limit| start.elapsed() > limit) {
                    break;
                }
                let project = look_through(combination, emitters.clone(), &mut known);
                let project = project.map_err(|error| format!("{error:#}"));
                // After Ctrl-C the receiver is gone.
                if send.send((combination, project)).is_err() {
                    break;
                }
            }
        });
        outcome.take(axes, &workshop, looked_through, &bar)
    })?;
    bar.finish_and_clear();
    outcome.time = start.elapsed();
    Ok(outcome)
}

/// A project that passed the checks that need no build.
struct LookedThrough {
    /// Identifies the driver's code and what the bench expects of it.
    code: String,
    /// `None` if this code occurred before.
    emitted: Option<Emitted>,
}

/// Runs the checks that need no build, unless they passed on the same inputs before.
fn look_through(
    combination: &Combination,
    emitters: Inputs,
    known: &mut BTreeSet<String>,
) -> anyhow::Result<LookedThrough> {
    let mut inputs = emitters;
    for (name, value) in &combination.answers {
        inputs = inputs.with(name, value);
    }
    let closely = combination.reason.is_looked_at_closely();
    inputs = inputs.with("closely", [u8::from(closely)]);
    let mut emitted = None;
    let code = inputs.result(|| {
        let project = Emitted::new(combination)?;
        project.check(combination)?;
        if closely {
            project.compare_with_released(combination)?;
        }
        let code = format!("{} {:?}", project.code()?, project.expectations()?);
        emitted = Some(project);
        Ok(code.into_bytes())
    })?;
    let code = String::from_utf8(code).context("the kept result is not text")?;
    if !known.insert(code.clone()) {
        emitted = None;
    } else if emitted.is_none() {
        emitted = Some(Emitted::new(combination)?);
    }
    Ok(LookedThrough { code, emitted })
}

/// The files that emit a project and look it through.
fn emitters() -> anyhow::Result<Inputs> {
    let mut inputs = Inputs::of("looked-through")
        .with("rustc", cache::compiler()?)
        // It is in the licence.
        .with("year", OffsetDateTime::now_utc().year().to_string());
    for place in EMITTERS {
        inputs = inputs.with_files(&repository(), place)?;
    }
    Ok(inputs)
}

impl Outcome {
    /// Receives the projects, and verifies those that differ in code.
    fn take(
        &mut self,
        axes: &[Axis],
        workshop: &Workshop,
        looked_through: Receiver<(&Combination, Result<LookedThrough, String>)>,
        bar: &ProgressBar,
    ) -> anyhow::Result<()> {
        let mut verified: BTreeMap<String, Result<(), String>> = BTreeMap::new();
        let mut told = Instant::now();
        for (combination, project) in looked_through {
            bar.set_message(command(axes, combination));
            *self.tried.entry(combination.reason).or_default() += 1;
            let verdict = project.and_then(|project| {
                let Some(emitted) = project.emitted else {
                    return verified[&project.code].clone();
                };
                let closely = combination.reason.is_looked_at_closely();
                let result = workshop
                    .verify(&emitted, closely)
                    .map_err(|error| format!("{error:#}"));
                self.count(&result);
                let verdict = result.map(|_| ());
                verified.insert(project.code, verdict.clone());
                verdict
            });
            // What Ctrl-C ended is no failure.
            interruption::check()?;
            if let Err(reason) = verdict {
                bar.suspend(|| eprintln!("FAILED: {}", command(axes, combination)));
                self.failures.push((combination.clone(), reason));
            }
            bar.inc(1);
            // Where no bar can be drawn, as in the log of a CI, a line a minute says how far it is.
            if bar.is_hidden() && told.elapsed() > Duration::from_mins(1) {
                told = Instant::now();
                let all = bar.length().unwrap_or_default();
                eprintln!("{} of {all} combinations", bar.position());
            }
        }
        Ok(())
    }

    fn count(&mut self, result: &Result<Verified, String>) {
        self.built += 1;
        if let Ok(result) = result {
            self.faults += result.faults;
            self.linked_for_arm64 += usize::from(result.linked_for_arm64);
        }
    }

    /// Whether none failed.
    #[must_use]
    pub fn passed(&self) -> bool {
        self.failures.is_empty()
    }

    /// How many of them differed in code, and were linted, built and verified.
    #[must_use]
    pub fn built(&self) -> usize {
        self.built
    }

    /// How many were tried.
    #[must_use]
    pub fn tried(&self) -> usize {
        self.tried.values().sum()
    }

    /// Prints the failures, and how many there were of what.
    pub fn report(&self, axes: &[Axis]) {
        for (combination, reason) in &self.failures {
            println!("\nFAILED: {}\n{reason}", command(axes, combination));
        }
        println!();
        for (reason, number) in &self.tried {
            println!("{number:>6}  {reason}");
        }
        println!(
            "{:>6}  combinations emitted and looked through",
            self.tried()
        );
        println!(
            "{:>6}  differed in code or in what is expected of it: linted, built and verified",
            self.built
        );
        println!("{:>6}  of them linked for ARM64 too", self.linked_for_arm64);
        println!("{:>6}  faults injected", self.faults);
        println!("{:>6}  combinations failed", self.failures.len());
        println!("{:>6}  seconds", self.time.as_secs());
    }
}
