//! Tests the template with thousands of hostile answers. Each case is either refused with a correct and readable
//! message, or gives a project whose files contain what was answered.
//!
//! [`answers`] generates the cases, [`refusals`] checks refusals, and [`projects`] checks projects. Cases are rendered
//! in memory. A sample is also emitted to disk, which must give the same result. A case is determined by its seed, and
//! the seeds of a run are consecutive numbers.

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

/// The results of a number of cases.
#[derive(Default)]
pub struct Outcome {
    /// The number of accepted cases.
    pub accepted: usize,
    /// The number of refused cases, by rule.
    pub refused: BTreeMap<&'static str, usize>,
    /// The number of cases that were also emitted to disk.
    pub emitted: usize,
    /// The number of refused cases among the emitted ones.
    pub emitted_refused: usize,
    /// The number of different files that were read back.
    pub read: usize,
    /// The cases that failed, with the reason.
    pub failures: Vec<(Case, String)>,
    /// How long it took.
    pub time: Duration,
}

/// Tries `count` cases, starting with `seed`, and emits one of every `sample` cases to disk.
///
/// # Errors
///
/// The template cannot be read.
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
                    // Without a terminal, as in CI, there is no bar.
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
                    .unwrap_or_else(|_| Err(anyhow::anyhow!("a thread panicked")))
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

/// Tries cases on the template in `root`, in memory only, until one fails.
///
/// # Errors
///
/// The template cannot be read.
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

/// The state of one thread.
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
        // A panic is reported as a failure of the case.
        let tried = panic::catch_unwind(AssertUnwindSafe(|| self.tried(&case, emit)))
            .unwrap_or_else(|_| bail!("the check panicked"));
        if let Err(error) = tried {
            self.outcome.failures.push((case, format!("{error:#}")));
        }
        // proc-macro2 keeps the text of everything that was parsed, for the places of its tokens.
        proc_macro2::extra::invalidate_current_thread_spans();
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
                rendered.is_in(&project).context("emitted to disk")?;
                fs::remove_dir_all(project)?;
            }
            (Err(error), Err(Failure::Refused(sentence))) => {
                let said = format!("{error:#}");
                ensure!(
                    said == *sentence,
                    "refused on disk with another message: {said}"
                );
            }
            (Err(error), _) => bail!("accepted in memory, but not on disk: {error:#}"),
            (Ok(_), Err(failure)) => bail!("accepted on disk, but not in memory: {failure}"),
        }
        let left = fs::read_dir(self.folder.path())
            .context("the destination is missing")?
            .count();
        ensure!(left == 0, "{left} files or folders were left behind");
        Ok(())
    }
}

impl Outcome {
    /// Adds the results of other cases.
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

    /// 0 if no case failed, otherwise 1.
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
                "to repeat: cargo xtask matrix --hostile 1 --seed {}\n",
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
            "{:>6}  also emitted to disk, {} of them refused",
            self.emitted, self.emitted_refused
        )?;
        writeln!(f, "{:>6}  different files read back", self.read)?;
        writeln!(f, "{:>6}  failed", self.failures.len())?;
        write!(f, "{:>6}  seconds", self.time.as_secs())
    }
}
