//! Builds, lints and judges drivers for the tests, and keeps each result until one of its inputs changes.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use anyhow::{Context, ensure};
use serde_json::Value;
use testbench::{Bench, Expectations, Report};

use super::cache::{self, Inputs};
use crate::{
    commands::build,
    openwdk::{
        OpenWdk,
        target::{Arch, Profile, TARGET},
    },
    repository,
};

/// The parts of an emitted project that cargo reads.
const SOURCES: [&str; 6] = [
    ".cargo",
    "Cargo.lock",
    "Cargo.toml",
    "build",
    "rust-toolchain.toml",
    "src",
];

/// The sources in this repository that a built driver depends on.
const BUILDERS: [&str; 3] = ["ci/openwdk", "ci/src/openwdk", "ci/src/commands/build.rs"];

/// The sources that a verdict of the bench depends on, besides the driver and its expectations.
const BENCH: [&str; 6] = [
    "ci/Cargo.lock",
    "template/testbench/Cargo.lock",
    "template/testbench/Cargo.toml",
    "template/testbench/bench/Cargo.toml",
    "template/testbench/bench/examples",
    "template/testbench/bench/src",
];

/// A verdict that took at least this long is not kept: a time limit may have expired because the machine was busy.
pub const SLOW: Duration = Duration::from_secs(5);

fn sources(kind: &'static str, project: &Path) -> anyhow::Result<Inputs> {
    let mut inputs = Inputs::of(kind).with("rustc", cache::compiler()?);
    for place in SOURCES {
        inputs = inputs.with_files(project, place)?;
    }
    Ok(inputs)
}

fn with_builders(mut inputs: Inputs) -> anyhow::Result<Inputs> {
    // The name of the root is a digest of LLVM's path and of the headers and libraries of mingw-w64 and ci/openwdk.
    let root = OpenWdk::prepare()?.root;
    inputs = inputs.with("root", root.as_os_str().as_encoded_bytes());
    for place in BUILDERS {
        inputs = inputs.with_files(&repository(), place)?;
    }
    Ok(inputs)
}

/// Builds the driver of a project without printing progress, and returns the path of its `.sys`.
///
/// # Errors
///
/// Those of [`build::build_quietly`].
pub fn build(project: &Path, profile: Profile, arch: Arch) -> anyhow::Result<PathBuf> {
    if cfg!(windows) {
        return build::build_quietly(project, profile, arch);
    }
    let inputs = with_builders(sources("driver", project)?)?
        .with("profile", profile.name())
        .with("target", arch.target());
    let sys = build::sys(project, profile, arch)?;
    let driver = inputs.result(|| {
        let built = build::build_quietly(project, profile, arch)?;
        ensure!(built == sys, "the build made {}", built.display());
        Ok(fs::read(built)?)
    })?;
    if fs::read(&sys).is_ok_and(|there| there == driver) {
        return Ok(sys);
    }
    fs::create_dir_all(sys.parent().context("the driver has no folder")?)?;
    fs::write(&sys, driver)?;
    Ok(sys)
}

/// Checks a project with rustfmt and with clippy, with warnings denied.
///
/// # Errors
///
/// The difference that rustfmt reports, or the output of clippy.
pub fn lint(project: &Path) -> anyhow::Result<()> {
    let check = || {
        let format = Command::new("cargo")
            .args(["fmt", "--check"])
            .current_dir(project)
            .output()?;
        ensure!(
            format.status.success(),
            "rustfmt would format it differently:\n{}",
            String::from_utf8_lossy(&format.stdout)
        );
        let clippy = build::cargo(project, "clippy")?
            .args(["--locked", "--target", TARGET])
            .args(["--", "-D", "warnings"])
            // rustc 1.95 can panic when it reuses the incremental data of another project.
            .env("CARGO_INCREMENTAL", "0")
            .output()?;
        ensure!(
            clippy.status.success(),
            "clippy:\n{}",
            String::from_utf8_lossy(&clippy.stderr)
        );
        Ok(Vec::new())
    };
    with_builders(sources("lint", project)?)?
        .result(check)
        .map(drop)
}

/// The inputs of a verdict on a driver: the bench on `host`, the `.sys` and the expectations.
///
/// # Errors
///
/// A file cannot be read.
pub fn verdict(
    host: &str,
    sys: &Path,
    expectations: Option<&Expectations>,
) -> anyhow::Result<Inputs> {
    let mut inputs = Inputs::of("verdict")
        .with("host", host)
        .with("rustc", cache::compiler()?);
    for place in BENCH {
        inputs = inputs.with_files(&repository(), place)?;
    }
    let lenient = expectations.is_some_and(|expectations| expectations.lenient);
    Ok(inputs
        .with(
            "name",
            sys.file_name().unwrap_or_default().as_encoded_bytes(),
        )
        .with("driver", fs::read(sys)?)
        .with("expectations", serde_json::to_vec(&expectations)?)
        .with("lenient", [u8::from(lenient)]))
}

/// The report of the bench on a driver with these expectations.
///
/// # Errors
///
/// The bench refuses the file, or cannot be started.
pub fn judge(sys: &Path, expectations: Option<Expectations>) -> anyhow::Result<Value> {
    let inputs = verdict("here", sys, expectations.as_ref())?;
    if let Some(kept) = inputs.kept() {
        let mut report: Value = serde_json::from_slice(&kept)?;
        report["driver"] = sys.display().to_string().into();
        return Ok(report);
    }
    let report = report(sys, expectations)?;
    let slow = report.milliseconds >= SLOW.as_millis();
    let report = serde_json::to_value(report)?;
    if !slow {
        inputs.keep(&serde_json::to_vec(&report)?)?;
    }
    Ok(report)
}

/// The report of the bench on a driver, which is not kept.
///
/// # Errors
///
/// Those of [`judge`].
pub fn report(sys: &Path, expectations: Option<Expectations>) -> anyhow::Result<Report> {
    let mut bench = Bench::open(sys)?.worker(crate::program()?);
    if let Some(expectations) = expectations {
        bench = bench.expect(expectations);
    }
    Ok(bench.run()?)
}

/// The inputs of the verdict on a mutant, besides the mutated file: the project and what builds and judges it.
///
/// # Errors
///
/// A file cannot be read, or a tool is missing.
pub fn inputs_of_mutants(project: &Path) -> anyhow::Result<Inputs> {
    let mut inputs =
        with_builders(sources("mutant", project)?)?.with_files(project, "testbench.toml")?;
    for place in BENCH.iter().chain(&["ci/src/checks/mutate/judge.rs"]) {
        inputs = inputs.with_files(&repository(), place)?;
    }
    Ok(inputs)
}

/// The same as [`judge`], with the expectations of the `testbench.toml` in a folder above the driver.
///
/// # Errors
///
/// Those of [`judge`], or `testbench.toml` cannot be read.
pub fn judge_as_expected(sys: &Path) -> anyhow::Result<Value> {
    let expectations = Expectations::find(sys)?.map(|(_, expectations)| expectations);
    judge(sys, expectations)
}

/// Refuses a report with findings, or of a driver that was not judged completely.
///
/// # Errors
///
/// The findings, or what was not judged, one per line.
pub fn must_be_clean(report: &Value) -> anyhow::Result<()> {
    let findings: Vec<String> = report["findings"]
        .as_array()
        .context("the report has no list of findings")?
        .iter()
        .map(|finding| {
            let text = |key: &str| finding[key].as_str().unwrap_or_default();
            format!("{}: {}", text("rule"), text("seen"))
        })
        .collect();
    ensure!(
        findings.is_empty(),
        "the bench has findings in {}:\n{}",
        report["driver"].as_str().unwrap_or_default(),
        findings.join("\n")
    );
    ensure!(
        report["outcome"] == "clean",
        "the bench did not judge everything in {}: {}",
        report["driver"].as_str().unwrap_or_default(),
        report["not-judged"]
    );
    Ok(())
}
