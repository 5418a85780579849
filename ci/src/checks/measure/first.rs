//! Measures the time from a fresh clone to the verdict on a first driver.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, ensure};

use super::{
    cost::Cost,
    experiment::{Experiment, Needs, Progress, Row},
    statistics::Pair,
};
use crate::repository;

pub static EXPERIMENT: Experiment = Experiment {
    name: "first-verified",
    how: "clones the last commit of this repository into a temporary folder, and runs `cargo xtask new`, \
          `cargo xtask build --release` and `cargo xtask verify` there, including all compilation, with cargo's \
          downloads and the installed tools of this machine",
    peer: None,
    runs: 1,
    needs: Needs::Build,
    rows: &[
        Row {
            name: "first-verified-wall",
            unit: "s",
            what: "time from git clone to the verdict",
        },
        Row {
            name: "first-verified-cpu",
            unit: "s",
            what: "processor time from git clone to the verdict",
        },
    ],
    run,
};

/// Environment variables that would make the clone reuse earlier build results or change how it compiles.
const NOT_PASSED_ON: [&str; 4] = [
    "CARGO_TARGET_DIR",
    "CARGO_BUILD_TARGET_DIR",
    "CARGO_BUILD_BUILD_DIR",
    "RUSTFLAGS",
];

fn run(runs: u16, progress: &Progress) -> anyhow::Result<Vec<Vec<Pair>>> {
    (0..runs)
        .map(|run| Ok(pairs(first_verified(run, progress)?)))
        .collect()
}

/// The numbers of one repetition, in the order of the rows.
fn pairs(cost: Cost) -> Vec<Pair> {
    vec![
        Pair::alone(cost.wall.as_secs_f64()),
        Pair::alone(cost.cpu.as_secs_f64()),
    ]
}

fn first_verified(run: u16, progress: &Progress) -> anyhow::Result<Cost> {
    let place = tempfile::Builder::new()
        .prefix("first-verified-")
        .tempdir()?;
    let clone = place.path().join("clone");
    progress.say(run, "git clone");
    let mut git = Command::new("git");
    git.args(["clone", "--quiet"]).arg(repository()).arg(&clone);
    let (mut sum, _) = Cost::of_program(&mut git)?;

    let mut xtask = |arguments: &[&str], last: &Path| {
        progress.say(run, &format!("cargo xtask {}", arguments[0]));
        let mut command = Command::new("cargo");
        command
            .arg("xtask")
            .args(arguments)
            .arg(last)
            .current_dir(&clone);
        for name in NOT_PASSED_ON {
            command.env_remove(name);
        }
        let (cost, output) = Cost::of_program(&mut command)?;
        sum = sum + cost;
        anyhow::Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    };
    xtask(
        &["new", "my-filter", "--silent", "--destination"],
        place.path(),
    )?;
    let built = xtask(
        &["build", "--release", "--no-setup"],
        &place.path().join("my-filter"),
    )?;
    let sys = sys_in(&built)?;
    xtask(&["verify"], &sys)?;
    Ok(sum)
}

/// The path of the `.sys`, which is the last line of the output of `cargo xtask build`.
fn sys_in(said: &str) -> anyhow::Result<PathBuf> {
    let line = said.lines().last().context("the build named no .sys")?;
    let sys = PathBuf::from(line);
    ensure!(
        sys.extension().is_some_and(|extension| extension == "sys"),
        "the build named {line} instead of a .sys"
    );
    Ok(sys)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn each_row_has_its_number() {
        let cost = Cost {
            wall: Duration::from_millis(1500),
            cpu: Duration::from_secs(2),
        };
        let pairs = pairs(cost);
        assert_eq!(pairs.len(), EXPERIMENT.rows.len());
        assert_eq!(pairs, [Pair::alone(1.5), Pair::alone(2.0)]);
    }

    #[test]
    fn the_last_line_is_the_path_of_the_driver() {
        assert_eq!(
            sys_in("note\n/a/my_filter.sys\n").unwrap(),
            Path::new("/a/my_filter.sys")
        );
        assert!(sys_in("").is_err());
        assert!(sys_in("/a/my_filter.dll").is_err());
    }
}
