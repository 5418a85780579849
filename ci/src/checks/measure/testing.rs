//! Measures how long a test of ten operations takes, compared with starting a process that does nothing.

use std::{
    path::Path,
    process::{Command, Stdio},
};

use anyhow::{Context, ensure};
use testbench::{test::Builder, worker};

use super::{
    cost::{Cost, milliseconds},
    experiment::{Experiment, Needs, Progress, Row},
    statistics::Pair,
};
use crate::{
    commands::{build, new},
    interruption,
    openwdk::target::{Arch, Profile},
    program, scratch_folder,
};

pub static EXPERIMENT: Experiment = Experiment {
    name: "test",
    how: "a test loads the driver of the project with the defaults on a simulated machine, performs ten operations on a \
          file, and has the rules judge what happened",
    peer: Some("starts the same program in the same role without a job; it ends at once"),
    runs: 15,
    needs: Needs::Build,
    rows: &[Row {
        name: "test-of-ten-operations",
        unit: "ms",
        what: "time of one test",
    }],
    run,
};

fn run(runs: u16, progress: &Progress) -> anyhow::Result<Vec<Vec<Pair>>> {
    progress.say(0, "building the driver");
    let folder = scratch_folder()?;
    let project = new::emit("my-filter", &[], folder.path())?;
    let sys = build::build_quietly(&project, Profile::Dev, Arch::Amd64)?;
    let program = program()?;
    let mut samples = Vec::new();
    for run in 0..runs {
        progress.say(run, "a test and a process");
        let (test, ()) = Cost::of(|| ten_operations(&sys, &program))?;
        interruption::check()?;
        let (start, ()) = Cost::of(|| start_process(&program))?;
        interruption::check()?;
        samples.push(vec![Pair::beside(
            milliseconds(test.wall),
            milliseconds(start.wall),
        )]);
    }
    Ok(samples)
}

/// Performs ten operations on a file.
fn ten_operations(sys: &Path, program: &Path) -> anyhow::Result<()> {
    let machine = Builder::new(sys, program)
        .file(r"C:\documents\a.txt", b"text")
        .try_start()
        .map_err(anyhow::Error::msg)?;
    let editor = machine.process("editor.exe");
    let file = editor.edit(r"C:\documents\a.txt").unwrap();
    file.read(0, 4).returns(b"text");
    file.write(4, b" and more").unwrap();
    file.size().returns(&13);
    file.set_size(4).unwrap();
    file.flush().unwrap();
    file.lock(0, 4, true).unwrap();
    file.unlock(0, 4).unwrap();
    file.close().unwrap();
    editor.list(r"C:\documents").returns(&["a.txt"]);
    let findings = machine.end();
    ensure!(findings.is_empty(), "the bench has findings: {findings:?}");
    Ok(())
}

/// Starts the bench's worker. Without a job it exits with status 2.
fn start_process(program: &Path) -> anyhow::Result<()> {
    let status = Command::new(program)
        .env(worker::ROLE, "1")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .context("the worker cannot be started")?;
    ensure!(
        status.code() == Some(2),
        "a worker without a job ended with {status} instead of 2"
    );
    Ok(())
}
