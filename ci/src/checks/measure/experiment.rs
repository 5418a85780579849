//! The form of an experiment.

use std::{thread, time::Duration};

use indicatif::ProgressBar;

use super::statistics::Pair;

/// What is done to measure, and the numbers that it gives.
pub struct Experiment {
    pub name: &'static str,
    /// What is done in one repetition.
    pub how: &'static str,
    /// What does the same work, where there is something.
    pub peer: Option<&'static str>,
    /// How often it is repeated unless the command line says otherwise.
    pub runs: u16,
    /// What has to be installed.
    pub needs: Needs,
    pub rows: &'static [Row],
    /// Repeats it. A repetition has one pair for each row, in their order.
    pub run: fn(runs: u16, progress: &Progress) -> anyhow::Result<Vec<Vec<Pair>>>,
}

/// One number.
pub struct Row {
    pub name: &'static str,
    pub unit: &'static str,
    pub what: &'static str,
}

/// What has to be installed before an experiment.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Needs {
    /// The released cargo-generate.
    Generator,
    /// What builds drivers.
    Build,
    /// Both.
    Both,
}

/// How many processes run at the same time, where an experiment runs several.
pub fn cores() -> usize {
    thread::available_parallelism().map_or(1, usize::from)
}

/// Says on stderr how far an experiment is.
pub struct Progress {
    name: &'static str,
    runs: u16,
    bar: ProgressBar,
}

impl Progress {
    pub fn of(experiment: &Experiment, runs: u16) -> Self {
        let bar = ProgressBar::new_spinner();
        bar.enable_steady_tick(Duration::from_millis(200));
        Self {
            name: experiment.name,
            runs,
            bar,
        }
    }

    /// `run` counts from 0.
    pub fn say(&self, run: u16, what: &str) {
        let line = format!("{} {}/{}: {what}", self.name, run + 1, self.runs);
        if self.bar.is_hidden() {
            eprintln!("{line}");
        } else {
            self.bar.set_message(line);
        }
    }

    /// Clears the line, for what shows its own progress.
    pub fn clear(&self) {
        self.bar.finish_and_clear();
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.clear();
    }
}
