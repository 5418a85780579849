//! The emitted files other than the driver: [`yaml`] lints the pipelines and runs those of their commands that can run
//! here; [`release`] tests what a tag does, and what is kept of a run; [`powershell`] parses the scripts; [`packages`] tests
//! the version in the package, the signature and the licenses; [`updates`] runs the workflow that updates a project. `../scripts` has the tests that run the scripts.

#[path = "../emitting/mod.rs"]
mod emitting;
mod packages;
mod powershell;
mod release;
mod updates;
mod yaml;

use std::{fs, path::Path, process::Output};

use emitting::{emit, said};
use serde_json::Value;

const WORKFLOW: &str = ".github/workflows/ci.yml";
const DEPENDABOT: &str = ".github/dependabot.yml";
const AZURE: &str = "azure-pipelines.yml";
/// The workflow of this repository that runs on Windows.
const WINDOWS: &str = ".github/workflows/windows.yml";

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
    /// Whether it runs for a tag only.
    of_tag: bool,
}

/// The commands of a job, in order. In both kinds of pipeline, a job has a list of steps, and a step is a map that has
/// its command under one of several keys.
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
                of_tag: text(step, &["if", "condition"]).is_some_and(|condition| {
                    condition == "github.ref_type == 'tag'"
                        || condition
                            .contains("startsWith(variables['Build.SourceBranch'], 'refs/tags/')")
                }),
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
