//! The public interface of the bench.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::explore::{Progress, Run, Setting};
use super::player::Player;
use super::verdict;
use crate::assume::Assumptions;
use crate::expect::Expectations;
use crate::image::{Image, Refusal};
use crate::imports;
use crate::report::{Import, Outcome, Report};
use crate::settings::Settings;

/// A test bench for one driver.
pub struct Bench<'a> {
    image: Image,
    expectations: Option<Expectations>,
    registry: Settings,
    assume: Assumptions,
    player: Player,
    progress: Box<dyn Fn(Progress) + Sync + 'a>,
}

impl<'a> Bench<'a> {
    /// Opens a driver.
    ///
    /// # Errors
    ///
    /// Returns one sentence that states why the file cannot be loaded.
    pub fn open(driver: &Path) -> Result<Self, Refusal> {
        let driver = std::path::absolute(driver).unwrap_or_else(|_| driver.to_path_buf());
        let image = Image::open(&driver)?;
        if !image.is_minifilter() {
            return Err(Refusal(format!(
                "{} is not a minifilter: it imports no function of the filter manager (FLTMGR.SYS); give the .sys of a minifilter.",
                driver.display()
            )));
        }
        Ok(Bench {
            image,
            expectations: None,
            registry: Settings::default(),
            assume: Assumptions::default(),
            player: Player {
                program: std::env::current_exe().unwrap_or_default(),
                limit: Duration::from_secs(5),
            },
            progress: Box::new(|_| {}),
        })
    }

    /// Sets the expectations. The registry values that they list are added to the registry.
    #[must_use]
    pub fn expect(mut self, expectations: Expectations) -> Self {
        let given = std::mem::replace(&mut self.registry, expectations.registry.clone());
        self.registry.replace(&given);
        let given = std::mem::replace(&mut self.assume, expectations.assume.clone());
        self.assume.replace(&given);
        self.expectations = Some(expectations);
        self
    }

    /// Adds registry values. They replace values with the same name in the expectations.
    #[must_use]
    pub fn registry(mut self, settings: &Settings) -> Self {
        self.registry.replace(settings);
        self
    }

    /// Adds assumed results. They replace those for the same functions in the expectations.
    #[must_use]
    pub fn assume(mut self, assume: &Assumptions) -> Self {
        self.assume.replace(assume);
        self
    }

    /// Sets the program that runs a scenario. The default is the current program, whose `main` must call
    /// [`worker::serve`](crate::worker::serve) first.
    #[must_use]
    pub fn worker(mut self, program: impl Into<PathBuf>) -> Self {
        self.player.program = program.into();
        self
    }

    /// Sets the time limit of a scenario. The default is five seconds.
    #[must_use]
    pub fn limit(mut self, limit: Duration) -> Self {
        self.player.limit = limit;
        self
    }

    /// Sets the function that receives progress reports.
    #[must_use]
    pub fn progress(mut self, progress: impl Fn(Progress) + Sync + 'a) -> Self {
        self.progress = Box::new(progress);
        self
    }

    /// Runs all scenarios and judges them.
    ///
    /// # Errors
    ///
    /// Returns one sentence if the worker cannot be started.
    pub fn run(self) -> Result<Report, Refusal> {
        let begin = Instant::now();
        let mut run = Run::new(Setting {
            player: &self.player,
            driver: &self.image.path,
            registry: &self.registry,
            assume: &self.assume,
            expectations: self.expectations.as_ref(),
            progress: &self.progress,
        });
        let observed = run.everything()?;
        let strict = self
            .expectations
            .as_ref()
            .is_some_and(|expectations| !expectations.lenient);
        let (findings, advice) = verdict::of(&run.played, strict);
        let imports = self.image.imports.iter().map(|import| Import {
            dll: import.dll.clone(),
            name: import.name.clone(),
            modelled: imports::has(import) || self.assume.result(&import.name).is_some(),
        });
        Ok(Report {
            driver: self.image.path.display().to_string(),
            size: self.image.data.len(),
            bench: env!("CARGO_PKG_VERSION"),
            imports: imports.collect(),
            observed,
            scenarios: run.played.len(),
            faults_injected: run.faults,
            fault_points: run.listed_points,
            truncated: run.truncated,
            log: run.log,
            outcome: Outcome::of(&findings, &run.not_judged),
            complete: run.not_judged.is_empty() && !run.truncated,
            reached: run.reached,
            findings,
            advice,
            not_judged: run.not_judged,
            expectations: self.expectations.clone(),
            registry: self.registry.clone(),
            assume: self.assume.clone(),
            milliseconds: begin.elapsed().as_millis(),
        })
    }
}
