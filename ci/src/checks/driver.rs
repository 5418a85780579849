//! Drivers that the tests build, lint and judge: each once, as long as nothing changes that the result depends on.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use anyhow::{Context, ensure};
use serde_json::Value;
use testbench::{Bench, Expectations};

use super::cache::{self, Inputs};
use crate::{
    commands::build,
    openwdk::{
        OpenWdk,
        target::{Arch, Profile, TARGET},
    },
    repository,
};

/// What cargo reads of an emitted project.
const SOURCES: [&str; 6] = [
    ".cargo",
    "Cargo.lock",
    "Cargo.toml",
    "build",
    "rust-toolchain.toml",
    "src",
];

/// What builds a driver here, beside the tools.
const BUILDERS: [&str; 3] = ["ci/openwdk", "ci/src/openwdk", "ci/src/commands/build.rs"];

/// What decides a verdict of the bench, beside the driver and what is expected of it.
const BENCH: [&str; 5] = [
    "ci/Cargo.lock",
    "template/testbench/Cargo.lock",
    "template/testbench/Cargo.toml",
    "template/testbench/examples",
    "template/testbench/src",
];

/// A verdict that took this long may hold a time limit that only a busy machine exceeds.
pub const SLOW: Duration = Duration::from_secs(5);

fn sources(kind: &'static str, project: &Path) -> anyhow::Result<Inputs> {
    let mut inputs = Inputs::of(kind).with("rustc", cache::compiler()?);
    for place in SOURCES {
        inputs = inputs.with_files(project, place)?;
    }
    Ok(inputs)
}

fn with_builders(mut inputs: Inputs) -> anyhow::Result<Inputs> {
    // Its name is made of LLVM's path, mingw-w64's and our headers and libraries.
    let root = OpenWdk::prepare()?.root;
    inputs = inputs.with("root", root.as_os_str().as_encoded_bytes());
    for place in BUILDERS {
        inputs = inputs.with_files(&repository(), place)?;
    }
    Ok(inputs)
}

/// Builds the driver of a project without a word, and returns the path of its `.sys`.
///
/// # Errors
///
/// As those of [`build::build_quietly`].
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
        ensure!(built == sys, "{} was built", built.display());
        Ok(fs::read(built)?)
    })?;
    if fs::read(&sys).is_ok_and(|there| there == driver) {
        return Ok(sys);
    }
    fs::create_dir_all(sys.parent().context("a driver lies in a folder")?)?;
    fs::write(&sys, driver)?;
    Ok(sys)
}

/// Formats and lints a project, with warnings denied.
///
/// # Errors
///
/// What rustfmt would write otherwise, or what clippy says.
pub fn lint(project: &Path) -> anyhow::Result<()> {
    let check = || {
        let format = Command::new("cargo")
            .args(["fmt", "--check"])
            .current_dir(project)
            .output()?;
        ensure!(
            format.status.success(),
            "rustfmt would write it otherwise:\n{}",
            String::from_utf8_lossy(&format.stdout)
        );
        let clippy = build::cargo(project)?
            .args(["clippy", "--locked", "--target", TARGET])
            .args(["--", "-D", "warnings"])
            // What rustc 1.95 remembers of one project can make it panic at the next.
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

/// What a verdict on a driver depends on: the bench as it is on `host`, the file, what is expected.
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

/// The report of the bench on a driver, of which this is expected.
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
    let mut bench = Bench::open(sys)?.worker(crate::program()?);
    if let Some(expectations) = expectations {
        bench = bench.expect(expectations);
    }
    let report = bench.run()?;
    let slow = report.milliseconds >= SLOW.as_millis();
    let report = serde_json::to_value(report)?;
    if !slow {
        inputs.keep(&serde_json::to_vec(&report)?)?;
    }
    Ok(report)
}

/// The same, where `testbench.toml` in a folder above the driver says what is expected.
///
/// # Errors
///
/// As those of [`judge`], or the file cannot be read.
pub fn judge_as_expected(sys: &Path) -> anyhow::Result<Value> {
    let expectations = Expectations::find(sys)?.map(|(_, expectations)| expectations);
    judge(sys, expectations)
}

/// Refuses a report with findings.
///
/// # Errors
///
/// The findings, a line each.
pub fn must_be_clean(report: &Value) -> anyhow::Result<()> {
    let findings: Vec<String> = report["findings"]
        .as_array()
        .context("a report has findings")?
        .iter()
        .map(|finding| {
            let text = |key: &str| finding[key].as_str().unwrap_or_default();
            format!("{}: {}", text("rule"), text("seen"))
        })
        .collect();
    ensure!(
        findings.is_empty(),
        "the bench found in {}:\n{}",
        report["driver"].as_str().unwrap_or_default(),
        findings.join("\n")
    );
    Ok(())
}
