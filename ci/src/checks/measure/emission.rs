//! How long a project takes to emit, beside the released cargo-generate on a template of aya-template's size.

use std::{path::Path, process::Command, time::Duration};

use anyhow::ensure;

use super::{
    cost::{Cost, milliseconds},
    experiment::{Experiment, Needs, Progress, Row},
    peer,
    statistics::Pair,
};
use crate::{checks::tools, commands::new, files_below, program, scratch_folder};

const NAME: &str = "my-filter";

pub static EXPERIMENT: Experiment = Experiment {
    name: "emission",
    how: "the xtask program's `new` and the released cargo-generate each emit this template with its defaults, into a \
          folder in memory where there is one; cargo-generate with its own defaults, which run rustfmt and git init. \
          Neither program is optimized: cargo xtask and ci/src/checks/tools.rs build them so",
    peer: Some(
        "the same cargo-generate, emitting a template of the size of aya-template (ci/src/checks/measure/peer.rs)",
    ),
    runs: 5,
    needs: Needs::Generator,
    rows: &[
        Row {
            name: "emission-new-cpu",
            unit: "ms",
            what: "processor time of cargo xtask new, a project",
        },
        Row {
            name: "emission-new-cpu-file",
            unit: "ms",
            what: "processor time of cargo xtask new, an emitted file",
        },
        Row {
            name: "emission-generate-cpu",
            unit: "ms",
            what: "processor time of cargo generate, a project",
        },
        Row {
            name: "emission-generate-cpu-file",
            unit: "ms",
            what: "processor time of cargo generate, an emitted file",
        },
    ],
    run,
};

/// What one emission took, and how many files it made.
#[derive(Clone, Copy)]
struct Emission {
    /// Processor time.
    cpu: Duration,
    files: usize,
}

fn run(runs: u16, progress: &Progress) -> anyhow::Result<Vec<Vec<Pair>>> {
    let ours = new::staged()?;
    let theirs = tempfile::tempdir()?;
    peer::write(theirs.path())?;
    let (ours, theirs) = (ours.path(), theirs.path());
    let mut samples = Vec::new();
    // What is read for the first time is not in memory yet.
    for run in 0..=runs {
        progress.say(
            run.saturating_sub(1),
            if run == 0 {
                "once, not counted"
            } else {
                "emitting"
            },
        );
        // In turn, and each is the first and the last equally often.
        let mut emissions = [None; 3];
        for turn in 0..3 {
            let which = (turn + usize::from(run)) % 3;
            let folder = scratch_folder()?;
            let mut command = match which {
                0 => by_new(folder.path())?,
                1 => by_generate(ours, folder.path())?,
                _ => by_generate(theirs, folder.path())?,
            };
            let (cost, _) = Cost::of_program(&mut command)?;
            let files = files_below(&folder.path().join(NAME))?.len();
            ensure!(files > 0, "nothing was emitted");
            emissions[which] = Some(Emission {
                cpu: cost.cpu,
                files,
            });
        }
        if let [Some(new), Some(generate), Some(peer)] = emissions
            && run > 0
        {
            samples.push(pairs(new, generate, peer));
        }
    }
    Ok(samples)
}

/// The numbers of one repetition, in the order of the rows.
fn pairs(new: Emission, generate: Emission, peer: Emission) -> Vec<Pair> {
    [new, generate]
        .into_iter()
        .flat_map(|ours| {
            [(1, 1), (ours.files, peer.files)]
                .map(|(files, peers)| Pair::beside(share(ours.cpu, files), share(peer.cpu, peers)))
        })
        .collect()
}

fn share(time: Duration, count: usize) -> f64 {
    milliseconds(time) / f64::from(u32::try_from(count).unwrap_or(u32::MAX))
}

fn by_new(destination: &Path) -> anyhow::Result<Command> {
    let mut command = Command::new(program()?);
    command
        .args(["new", NAME, "--silent", "--destination"])
        .arg(destination);
    Ok(command)
}

fn by_generate(template: &Path, destination: &Path) -> anyhow::Result<Command> {
    tools::cargo_generate(["--path", &template.to_string_lossy()], NAME, destination)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_row_has_its_pair() {
        let emission = |cpu, files| Emission {
            cpu: Duration::from_millis(cpu),
            files,
        };
        let pairs = pairs(emission(100, 50), emission(300, 50), emission(20, 10));
        assert_eq!(pairs.len(), EXPERIMENT.rows.len());
        let expected = [
            ("emission-new-cpu", 100.0, 20.0),
            ("emission-new-cpu-file", 2.0, 2.0),
            ("emission-generate-cpu", 300.0, 20.0),
            ("emission-generate-cpu-file", 6.0, 2.0),
        ];
        for ((row, pair), (name, value, peer)) in EXPERIMENT.rows.iter().zip(pairs).zip(expected) {
            assert_eq!(row.name, name);
            assert_eq!(pair, Pair::beside(value, peer), "{name}");
        }
    }
}
