//! `cargo xtask mutate`: mutants of the emitted driver, judged as the driver is.
//!
//! [`operators`] makes the mutants, [`judge`] builds and judges them, [`equivalents`] reads the list of those that
//! behave like the driver, and [`report`] prints the result.

pub mod equivalents;
pub mod judge;
pub mod operators;
pub mod report;

use std::{
    process::ExitCode,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use anyhow::{anyhow, ensure};
use indicatif::{ProgressBar, ProgressStyle};

use self::{
    equivalents::Equivalent,
    judge::{Project, Verdict, Worker},
    operators::Mutant,
    report::{Outcome, Tried},
};
use crate::{
    checks::{
        matrix::{
            self,
            combinations::{self, Combination},
        },
        shard::Shard,
    },
    commands::setup,
    interruption, repository,
};

/// The score that each project must have, in percent.
pub const REQUIRED: f64 = 95.0;

/// The score in a part of the mutants, which can by chance have more than its share of the survivors.
pub const REQUIRED_OF_A_PART: f64 = 90.0;

/// How many mutants are built and judged at the same time.
pub const JOBS: usize = 2;

/// Try mutants of the emitted driver: small changes, each built and judged as the driver is
///
/// The sources of two projects are mutated, those with the defaults and with everything on. A mutant
/// is killed if the bench has a finding, by the rules and by the testbench.toml of the project, or
/// if it refuses to load the driver. A mutant of a file that both projects have is killed if it is
/// killed in one of them. A mutant that does not compile, or that is compiled to the same code, is
/// not counted. `bench-error` is no finding: it reports a failure of the bench itself.
///
/// ci/mutants.toml lists the mutants that behave like the driver, each with a reason. They are not
/// counted, and are at most 5 % of all. A listed mutant that is killed or does not exist is refused.
///
/// Verdicts are kept until one of their inputs changes.
///
/// Exit status: 0 each project has the score, 1 one has not, or the list is wrong, 2 it could not
/// start.
///
/// Examples:
///   cargo xtask mutate                                 all mutants
///   cargo xtask mutate --file src/flt/instance.rs      those of a file
///   cargo xtask mutate --sample 40 --seed 7            40 of them
///   cargo xtask mutate -d attach=manual                those of another project
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub struct Args {
    /// Only mutants of this file, such as src/driver.rs; can be repeated
    #[arg(long, value_name = "FILE")]
    file: Vec<String>,
    /// Only N mutants, chosen at random
    #[arg(long, value_name = "N", conflicts_with = "shard")]
    sample: Option<usize>,
    /// The seed of the sample [default: random]
    #[arg(long, requires = "sample")]
    seed: Option<u64>,
    /// Only the K-th of N equal parts
    #[arg(long, value_name = "K/N")]
    shard: Option<Shard>,
    /// Instead of the two projects, that with these answers
    #[arg(short, long, value_name = "OPTION=VALUE")]
    define: Vec<String>,
    /// The score that each project must have, in percent
    #[arg(long, value_name = "PERCENT", default_value_t = REQUIRED)]
    min: f64,
    /// How many mutants are built and judged at the same time
    #[arg(long, value_name = "N", default_value_t = JOBS)]
    jobs: usize,
    /// Print the result as JSON, with every mutant
    #[arg(long)]
    json: bool,
    /// List the mutants and stop
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
/// A file is in no project, an answer is refused, the list of equivalents is wrong, or a project has findings without a
/// change.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    setup::ensure(&[setup::Group::Build], !args.no_setup)?;
    interruption::survive()?;
    let mut run = if args.define.is_empty() {
        Run::of_template()?
    } else {
        let asked = matrix::asked(&matrix::axes()?, &args.define)?;
        // The list is about the other projects.
        let mut run = Run::new(&[asked], Vec::new())?;
        run.entries = equivalents::read(&repository().join(equivalents::FILE))?;
        run
    };
    for file in &args.file {
        let known = run.trials.iter().any(|trial| trial.mutant.file == *file);
        ensure!(known, "{file} has no mutants; name it as in src/driver.rs");
    }
    if !args.file.is_empty() {
        run.keep(|mutant| args.file.contains(&mutant.file));
    }
    if let Some(count) = args.sample {
        let seed = args.seed.unwrap_or_else(|| fastrand::u64(..1_000_000_000));
        run.sample(count, seed);
    }
    if let Some(shard) = args.shard {
        run.shard(shard);
    }
    if args.list {
        for Trial { mutant: it, .. } in &run.trials {
            println!(
                "{}:{}:{}: {} → {} ({}, {})",
                it.file, it.line, it.column, it.find, it.replace, it.operator, it.function
            );
        }
        println!("{} mutants", run.trials.len());
        return Ok(ExitCode::SUCCESS);
    }
    let outcome = run.judge(args.jobs, None)?;
    if args.json {
        println!("{}", serde_json::to_string_pretty(&outcome.json())?);
    } else {
        outcome.print();
    }
    Ok(ExitCode::from(u8::from(!outcome.passed(args.min))))
}

/// A mutant, and the projects that have its file with the same text.
struct Trial {
    mutant: Mutant,
    projects: Vec<usize>,
}

/// The names of the projects of a trial.
fn names_of(projects: &[Project], trial: &Trial) -> Vec<String> {
    let names = trial.projects.iter().map(|&at| projects[at].name.clone());
    names.collect()
}

/// The mutants of some projects.
pub struct Run {
    projects: Vec<Project>,
    trials: Vec<Trial>,
    entries: Vec<Equivalent>,
    of: usize,
    seed: Option<u64>,
}

impl Run {
    /// The mutants of the projects with everything on and with the defaults.
    ///
    /// # Errors
    ///
    /// Those of [`Run::new`], or the list of equivalents cannot be read.
    pub fn of_template() -> anyhow::Result<Self> {
        let axes = matrix::axes()?;
        let entries = equivalents::read(&repository().join(equivalents::FILE))?;
        let both = [
            combinations::everything(&axes),
            combinations::defaults(&axes),
        ];
        Self::new(&both, entries)
    }

    /// The mutants of projects. A mutant is tried in the first of them that has it, and in the others if it survives.
    ///
    /// # Errors
    ///
    /// A project cannot be emitted, or an entry is no mutant.
    pub fn new(combinations: &[Combination], entries: Vec<Equivalent>) -> anyhow::Result<Self> {
        let projects = combinations
            .iter()
            .map(|it| Project::new(&it.reason.to_string(), it))
            .collect::<anyhow::Result<Vec<_>>>()?;
        let mut trials: Vec<Trial> = Vec::new();
        for (at, project) in projects.iter().enumerate() {
            for mutant in &project.mutants {
                if projects[..at].iter().any(|it| it.has(project, mutant)) {
                    continue;
                }
                let has = |&other: &usize| projects[other].has(project, mutant);
                trials.push(Trial {
                    mutant: mutant.clone(),
                    projects: (at..projects.len()).filter(has).collect(),
                });
            }
        }
        let names = |trial: &Trial| names_of(&projects, trial);
        equivalents::check(
            &entries,
            &trials.iter().map(|trial| (&trial.mutant, names(trial))),
        )?;
        Ok(Self {
            of: trials.len(),
            projects,
            trials,
            entries,
            seed: None,
        })
    }

    /// Keeps the mutants for which `keep` returns true.
    pub fn keep(&mut self, keep: impl Fn(&Mutant) -> bool) {
        self.trials.retain(|trial| keep(&trial.mutant));
    }

    /// Keeps so many mutants, chosen at random.
    pub fn sample(&mut self, count: usize, seed: u64) {
        fastrand::Rng::with_seed(seed).shuffle(&mut self.trials);
        self.trials.truncate(count);
        self.seed = Some(seed);
    }

    /// Keeps a part of the mutants.
    pub fn shard(&mut self, shard: Shard) {
        self.trials = shard.keep(std::mem::take(&mut self.trials));
    }

    /// How many mutants there are, with those that are not kept.
    #[must_use]
    pub fn of(&self) -> usize {
        self.of
    }

    /// Builds and judges the mutants in their order, until the time limit.
    ///
    /// # Errors
    ///
    /// A project has findings without a change, or cannot be built; or after Ctrl-C.
    pub fn judge(&self, jobs: usize, limit: Option<Duration>) -> anyhow::Result<Outcome> {
        let queue = Queue {
            next: AtomicUsize::new(0),
            judged: Mutex::default(),
            told: Mutex::new(Instant::now()),
            end: limit.map(|limit| Instant::now() + limit),
            bar: ProgressBar::new(self.trials.len() as u64).with_style(
                ProgressStyle::with_template(
                    "{bar:30} {pos}/{len} mutants, {eta} left  {wide_msg}",
                )?,
            ),
        };
        let results: Vec<anyhow::Result<()>> = thread::scope(|scope| {
            let workers: Vec<_> = (0..jobs.max(1))
                .map(|_| scope.spawn(|| self.work(&queue)))
                .collect();
            let ended = workers.into_iter().map(|worker| {
                let ended = worker.join();
                ended.unwrap_or_else(|_| Err(anyhow!("a thread panicked")))
            });
            ended.collect()
        });
        queue.bar.finish_and_clear();
        results.into_iter().collect::<anyhow::Result<()>>()?;
        let judged = queue.judged.into_inner();
        let mut judged = judged.unwrap_or_else(PoisonError::into_inner);
        judged.sort_by_key(|&(at, _)| {
            let it = &self.trials[at].mutant;
            (&it.file, it.span.start, it.span.end, at)
        });
        let mut outcome = Outcome {
            of: self.of,
            seed: self.seed,
            ..Outcome::default()
        };
        for (at, verdict) in judged {
            let trial = &self.trials[at];
            let tried = Tried {
                mutant: trial.mutant.clone(),
                projects: names_of(&self.projects, trial),
                verdict,
                equivalent: None,
            };
            outcome.add(tried, &self.entries);
        }
        Ok(outcome)
    }

    /// Judges mutants until none is left. An error also ends the other workers.
    fn work(&self, queue: &Queue) -> anyhow::Result<()> {
        let mut worker = Worker::default();
        loop {
            let at = queue.next.fetch_add(1, Ordering::Relaxed);
            let Some(trial) = self.trials.get(at) else {
                return Ok(());
            };
            if queue.end.is_some_and(|end| Instant::now() > end) {
                return Ok(());
            }
            let place = format!("{}:{}", trial.mutant.file, trial.mutant.line);
            queue.bar.set_message(place);
            let verdict = self.verdict(trial, &mut worker);
            // What Ctrl-C ended has no verdict.
            let verdict = interruption::check().and(verdict).inspect_err(|_| {
                queue.next.store(self.trials.len(), Ordering::Relaxed);
            })?;
            let mut judged = queue.judged.lock().unwrap_or_else(PoisonError::into_inner);
            judged.push((at, verdict));
            drop(judged);
            queue.tell();
        }
    }

    /// The verdict on a mutant: that of the first project, unless it survives there and another one has its file.
    fn verdict(&self, trial: &Trial, worker: &mut Worker) -> anyhow::Result<Verdict> {
        let mut survived = None;
        for &at in &trial.projects {
            match self.projects[at].judge(&trial.mutant, worker)? {
                Verdict::Survived(mark) => {
                    survived.get_or_insert(Verdict::Survived(mark));
                }
                killed @ Verdict::Killed(_) => return Ok(killed),
                // It is the same in the other projects, which have no more of the code.
                not_counted => return Ok(survived.unwrap_or(not_counted)),
            }
        }
        Ok(survived.unwrap_or(Verdict::DoesNotCompile))
    }
}

/// The work of several workers.
struct Queue {
    next: AtomicUsize,
    judged: Mutex<Vec<(usize, Verdict)>>,
    told: Mutex<Instant>,
    end: Option<Instant>,
    bar: ProgressBar,
}

impl Queue {
    /// Where no bar can be drawn, as in the log of a CI, a line a minute says how far it is.
    fn tell(&self) {
        self.bar.inc(1);
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if self.bar.is_hidden() && told.elapsed() > Duration::from_mins(1) {
            *told = Instant::now();
            let all = self.bar.length().unwrap_or_default();
            eprintln!("{} of {all} mutants", self.bar.position());
        }
    }
}
