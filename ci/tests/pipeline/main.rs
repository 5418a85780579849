//! What is emitted beside the driver, by subject: [`yaml`] has the pipelines, judged by their linters and run as far as
//! they run here; [`powershell`] the scripts, parsed; [`packages`] the version of Cargo.toml, followed into the package,
//! and the licenses.

#[path = "../emitting/mod.rs"]
mod emitting;
mod packages;
mod powershell;
mod yaml;

use std::{fs, path::Path, process::Output};

use emitting::{emit, said};
use serde_json::Value;

const WORKFLOW: &str = ".github/workflows/ci.yml";
const DEPENDABOT: &str = ".github/dependabot.yml";
const AZURE: &str = "azure-pipelines.yml";

fn read_yaml(file: &Path) -> Value {
    let text =
        fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    serde_saphyr::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

fn must_pass(output: &Output) {
    assert!(output.status.success(), "{}", said(output));
}

/// A command of a pipeline.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Step {
    command: String,
    folder: String,
}

/// The commands of a job, in their order. Both kinds of pipeline have a list of steps there; a step is a map with a
/// command in one of some keys.
fn steps(job: &Value) -> Vec<Step> {
    let text = |step: &Value, keys: &[&str]| {
        keys.iter()
            .find_map(|key| step.get(key))
            .map(|value| value.as_str().unwrap().trim().to_owned())
    };
    job["steps"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|step| {
            Some(Step {
                command: text(step, &["run", "script", "pwsh"])?,
                folder: text(step, &["working-directory", "workingDirectory"]).unwrap_or_default(),
            })
        })
        .collect()
}

/// The commands of both pipelines: those on Linux, and those on Windows.
fn commands(testbench: &str) -> [[Vec<Step>; 2]; 2] {
    let (_place, github) = emit(&[("testbench", testbench)]);
    let workflow = read_yaml(&github.join(WORKFLOW));
    let (_place, azure) = emit(&[("pipeline", "azure"), ("testbench", testbench)]);
    let azure = read_yaml(&azure.join(AZURE));
    [
        [
            steps(&workflow["jobs"]["host"]),
            steps(&workflow["jobs"]["driver"]),
        ],
        [steps(&azure["jobs"][0]), steps(&azure["jobs"][1])],
    ]
}
