//! Nasty answers, thousands of them: each is refused in a sentence that is right and readable, or gives a project
//! that is what it claims to be.
//!
//! The answers come from [`answers`], what must be true of a refusal from [`refusals`], what of a project from
//! [`projects`]. They are rendered in memory; a part of them is emitted for real besides, and must be the same.
//! Everything follows from a seed: that of the first case, and each further case has the next number.

pub mod answers;
mod projects;
mod refusals;

use std::{
    collections::BTreeMap,
    fmt, fs,
    panic::{self, AssertUnwindSafe},
    path::Path,
    process::ExitCode,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, bail, ensure};
use indicatif::{ProgressBar, ProgressStyle};
use tempfile::TempDir;

use self::{answers::Case, projects::Projects};
use crate::{
    checks::render::{Failure, Rendered, Renderer},
    commands::new,
    interruption, repository,
};

/// What came of many cases.
#[derive(Default)]
pub struct Outcome {
    /// How many gave a project.
    pub accepted: usize,
    /// How many were refused, by rule.
    pub refused: BTreeMap<&'static str, usize>,
    /// How many were emitted for real, too.
    pub emitted: usize,
    /// How many of those were refused.
    pub emitted_refused: usize,
    /// How many files were read back. The same file is read once.
    pub read: usize,
    /// What was wrong: the case, and how.
    pub failures: Vec<(Case, String)>,
    /// How long it took.
    pub time: Duration,
}

/// Tries `count` cases from `seed` on, and emits one of `sample` for real.
///
/// # Errors
///
/// Where the template cannot be read.
pub fn try_cases(seed: u64, count: usize, sample: usize) -> anyhow::Result<Outcome> {
    let start = Instant::now();
    let bar = ProgressBar::new(count as u64).with_style(ProgressStyle::with_template(
        "{bar:30} {pos}/{len} hostile answers, {eta} left",
    )?);
    let threads = thread::available_parallelism().map_or(1, usize::from);
    let outcomes: Vec<anyhow::Result<Outcome>> = thread::scope(|scope| {
        let work = |first: usize| {
            let bar = &bar;
            scope.spawn(move || {
                let mut trial = Trial::new(&repository())?;
                for number in (first..count).step_by(threads) {
                    trial.one(seed.wrapping_add(number as u64), number % sample == 0);
                    bar.inc(1);
                    interruption::check()?;
                    // Where no bar can be drawn, as in the log of a CI.
                    if bar.is_hidden() && bar.position().is_multiple_of(5_000) {
                        eprintln!("{} of {count} hostile answers", bar.position());
                    }
                }
                Ok(trial.finished())
            })
        };
        let workers: Vec<_> = (0..threads).map(work).collect();
        workers
            .into_iter()
            .map(|worker| {
                worker
                    .join()
                    .unwrap_or_else(|_| Err(anyhow::anyhow!("a thread stopped")))
            })
            .collect()
    });
    bar.finish_and_clear();
    let mut all = Outcome::default();
    for outcome in outcomes {
        all.add(outcome?);
    }
    all.failures.sort_by_key(|(case, _)| case.seed);
    all.time = start.elapsed();
    Ok(all)
}

/// Tries cases on the template in a folder, in memory alone, until one fails.
///
/// # Errors
///
/// Where the template cannot be read.
pub fn first_failure(root: &Path, seed: u64, count: u64) -> anyhow::Result<Option<(Case, String)>> {
    let mut trial = Trial::new(root)?;
    for number in 0..count {
        trial.one(seed.wrapping_add(number), false);
        if let Some(failure) = trial.outcome.failures.pop() {
            return Ok(Some(failure));
        }
    }
    Ok(None)
}

/// What one thread works with.
struct Trial {
    folder: TempDir,
    renderer: Renderer,
    projects: Projects,
    outcome: Outcome,
}

impl Trial {
    fn new(root: &Path) -> anyhow::Result<Self> {
        let folder = crate::scratch_folder()?;
        let place = fs::canonicalize(folder.path())?;
        Ok(Self {
            renderer: Renderer::of(root, &place)?,
            projects: Projects::new()?,
            outcome: Outcome::default(),
            folder,
        })
    }

    fn finished(mut self) -> Outcome {
        self.outcome.read = self.projects.read();
        self.outcome
    }

    fn one(&mut self, seed: u64, emit: bool) {
        let case = Case::of(seed, self.renderer.options());
        // A panic is a failure like any other, and must not take the case with it.
        let tried = panic::catch_unwind(AssertUnwindSafe(|| self.tried(&case, emit)))
            .unwrap_or_else(|_| bail!("it ended in a panic"));
        if let Err(error) = tried {
            self.outcome.failures.push((case, format!("{error:#}")));
        }
    }

    fn tried(&mut self, case: &Case, emit: bool) -> anyhow::Result<()> {
        let answers = case.answers();
        let rendered = self.renderer.render(&case.name, &answers);
        if emit {
            self.outcome.emitted += 1;
            self.outcome.emitted_refused += usize::from(rendered.is_err());
            self.emitted_the_same(case, &rendered)?;
        }
        match rendered {
            Ok(rendered) => {
                self.outcome.accepted += 1;
                self.projects
                    .judge(case, &rendered, self.renderer.options())
            }
            Err(Failure::Refused(sentence)) => {
                let rule = refusals::judge(case, &sentence, &self.renderer)
                    .with_context(|| format!("it was refused: {}", crate::visible(&sentence)))?;
                *self.outcome.refused.entry(rule).or_default() += 1;
                Ok(())
            }
            Err(fault @ Failure::Template(_)) => Err(fault.into()),
        }
    }

    fn emitted_the_same(
        &self,
        case: &Case,
        rendered: &Result<Rendered, Failure>,
    ) -> anyhow::Result<()> {
        match (
            new::emit(&case.name, &case.answers(), self.folder.path()),
            rendered,
        ) {
            (Ok(project), Ok(rendered)) => {
                rendered.is_in(&project).context("emitted for real")?;
                fs::remove_dir_all(project)?;
            }
            (Err(error), Err(Failure::Refused(sentence))) => {
                let said = format!("{error:#}");
                ensure!(
                    said == *sentence,
                    "refused for real with other words: {said}"
                );
            }
            (Err(error), _) => bail!("in memory it was accepted, but for real: {error:#}"),
            (Ok(_), Err(failure)) => bail!("accepted for real, but in memory: {failure}"),
        }
        let left = fs::read_dir(self.folder.path())
            .context("the destination is gone")?
            .count();
        ensure!(left == 0, "{left} files or folders were left behind");
        Ok(())
    }
}

impl Outcome {
    /// Adds what came of other cases.
    pub fn add(&mut self, other: Self) {
        self.accepted += other.accepted;
        for (rule, number) in other.refused {
            *self.refused.entry(rule).or_default() += number;
        }
        self.emitted += other.emitted;
        self.emitted_refused += other.emitted_refused;
        self.read += other.read;
        self.failures.extend(other.failures);
    }

    /// 0 where nothing failed.
    #[must_use]
    pub fn exit_code(&self) -> ExitCode {
        ExitCode::from(u8::from(!self.failures.is_empty()))
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (case, reason) in &self.failures {
            writeln!(f, "FAILED: {case}\n{}", crate::visible(reason))?;
            writeln!(
                f,
                "again: cargo xtask matrix --hostile 1 --seed {}\n",
                case.seed
            )?;
        }
        let refused: usize = self.refused.values().sum();
        writeln!(f, "{:>6}  accepted", self.accepted)?;
        writeln!(f, "{refused:>6}  refused:")?;
        for (rule, number) in &self.refused {
            writeln!(f, "{number:>14}  {rule}")?;
        }
        writeln!(
            f,
            "{:>6}  emitted for real as well, {} of them refused",
            self.emitted, self.emitted_refused
        )?;
        writeln!(f, "{:>6}  different files read back", self.read)?;
        writeln!(f, "{:>6}  failed", self.failures.len())?;
        write!(f, "{:>6}  seconds", self.time.as_secs())
    }
}
