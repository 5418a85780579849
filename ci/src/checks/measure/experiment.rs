//! The definition of an experiment.

use std::{thread, time::Duration};

use indicatif::ProgressBar;

use super::statistics::Pair;

/// An experiment, and the numbers that it measures.
pub struct Experiment {
    pub name: &'static str,
    /// What one repetition does.
    pub how: &'static str,
    /// What the peer does, if there is one.
    pub peer: Option<&'static str>,
    /// The default number of repetitions.
    pub runs: u16,
    /// What has to be installed.
    pub needs: Needs,
    pub rows: &'static [Row],
    /// Runs the repetitions, and returns for each of them one pair per row, in the order of `rows`.
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
    /// The tools that build drivers.
    Build,
    /// Both.
    Both,
}

/// The number of processes that an experiment runs at the same time, if it runs several.
pub fn cores() -> usize {
    thread::available_parallelism().map_or(1, usize::from)
}

/// Shows the progress of an experiment on stderr.
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

    /// Clears the line, before other code shows its own progress.
    pub fn clear(&self) {
        self.bar.finish_and_clear();
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.clear();
    }
}
