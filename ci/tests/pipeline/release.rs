//! What a tag does, and what is kept of a run.

use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use regex::Regex;
use serde_json::Value;

use crate::{
    AZURE, WINDOWS, WORKFLOW, commands,
    emitting::{self, emit, folder, read, said},
    read_yaml,
};

// ---------------------------------------------------------------------------------------------------------------------
// What a tag does

/// Runs a command of a pipeline in a folder, as the pipeline does.
fn bash(command: &str, folder: &Path, variables: &[(&str, &str)]) -> Output {
    Command::new("bash")
        .args(["-e", "-c", command])
        .current_dir(folder)
        .envs(variables.iter().copied())
        .output()
        .unwrap()
}

/// The step itself is the same in both pipelines: a test of [`crate::yaml`] compares all.
#[test]
fn a_tag_is_refused_that_is_not_the_version_or_has_no_notes() {
    let [[host, driver], _] = commands("true");
    let of_tag: Vec<_> = host.iter().filter(|step| step.of_tag).collect();
    assert_eq!(of_tag.len(), 1);
    assert!(driver.iter().all(|step| !step.of_tag));
    let (_place, project) = emit(&[]);
    let run = |tag: &str| bash(&of_tag[0].command, &project, &[("TAG", tag)]);
    let notes = || read(&project, "notes.md");

    let output = run("v0.1.0");
    assert!(output.status.success(), "{}", said(&output));
    assert_eq!(notes(), "\n- The first version.\n");
    for tag in ["v0.1.1", "v0.1", "0.1.0", "v0.1.0-rc.1"] {
        let output = run(tag);
        assert!(!output.status.success(), "{tag}");
        assert_eq!(
            said(&output),
            format!(
                "The tag is {tag}, and the version in Cargo.toml is 0.1.0: the tag must be v0.1.0.\n"
            )
        );
    }

    let own = Regex::new("name = \"my-filter\"\nversion = \"[^\"]+\"").unwrap();
    let set_version = |version: &str| {
        for name in ["Cargo.toml", "Cargo.lock"] {
            let text = read(&project, name);
            let text = own.replacen(
                &text,
                1,
                format!("name = \"my-filter\"\nversion = \"{version}\""),
            );
            fs::write(project.join(name), text.as_bytes()).unwrap();
        }
    };
    set_version("1.2.3-rc.5");
    let refusal =
        "CHANGELOG.md has no text below the heading ## 1.2.3-rc.5: describe this version there.\n";
    for changes in [
        "# Changes\n",
        "# Changes\n\n## 1.2.3-rc.5\n\n## 0.1.0\n\n- The first version.\n",
        "# Changes\n\n## 1.2.3-rc.50\n\n- Another version.\n",
        "# Changes\n\n## 1x2x3-rcx5\n\n- Another version.\n",
    ] {
        fs::write(project.join("CHANGELOG.md"), changes).unwrap();
        let output = run("v1.2.3-rc.5");
        assert!(!output.status.success(), "{changes}");
        assert_eq!(said(&output), refusal, "{changes}");
    }
    fs::write(
        project.join("CHANGELOG.md"),
        "# Changes\n\n## 1.2.3-rc.5\n\n- A `code` & \"text\".\n\n### Details\n\n- More.\n\n## 0.1.0\n\n- Older.\n",
    )
    .unwrap();
    let output = run("v1.2.3-rc.5");
    assert!(output.status.success(), "{}", said(&output));
    assert_eq!(
        notes(),
        "\n- A `code` & \"text\".\n\n### Details\n\n- More.\n\n"
    );
}

#[test]
fn a_fresh_project_can_be_released() {
    for pipeline in ["github", "azure", "none"] {
        let (_place, project) = emit(&[("pipeline", pipeline)]);
        assert!(read(&project, "Cargo.toml").contains("\nversion = \"0.1.0\"\n"));
        let changes = read(&project, "CHANGELOG.md");
        assert!(changes.contains("\n## 0.1.0\n\n- The first version.\n"));
        assert!(!changes.contains("\n\n\n"), "{changes}");
        assert_eq!(
            changes.contains("v0.1.0"),
            pipeline != "none",
            "{pipeline}: {changes}"
        );
    }
}

#[test]
fn both_pipelines_run_for_tags() {
    let (_place, github) = emit(&[]);
    let workflow = read_yaml(&github.join(WORKFLOW));
    assert_eq!(
        workflow["on"]["push"],
        serde_json::json!({ "branches": ["main", "master"], "tags": ["v*"] })
    );
    let (_place, azure) = emit(&[("pipeline", "azure")]);
    let azure = read_yaml(&azure.join(AZURE));
    assert_eq!(
        azure["trigger"]["tags"]["include"],
        serde_json::json!(["v*"])
    );
}

/// Nothing is published that another run has made: the packages are those of the jobs before, and no cache is used.
#[test]
fn a_release_has_only_what_its_run_has_verified() {
    let (_place, project) = emit(&[]);
    let workflow = read_yaml(&project.join(WORKFLOW));
    let jobs = workflow["jobs"].as_object().unwrap();
    let release = &jobs["release"];
    assert_eq!(release["if"], "github.ref_type == 'tag'");
    assert_eq!(release["needs"], serde_json::json!(["host", "driver"]));
    assert_eq!(
        release["permissions"],
        serde_json::json!({ "contents": "write", "id-token": "write", "attestations": "write" })
    );
    assert_eq!(
        workflow["permissions"],
        serde_json::json!({ "contents": "read" })
    );
    for step in jobs
        .values()
        .flat_map(|job| job["steps"].as_array().unwrap())
    {
        if step["uses"]
            .as_str()
            .is_some_and(|uses| uses.starts_with("actions/cache@"))
        {
            assert_eq!(step["if"], "github.ref_type != 'tag'", "{step}");
        }
        // Without a run-id, the action takes the artifacts of this run.
        if step["uses"]
            .as_str()
            .is_some_and(|uses| uses.starts_with("actions/download-artifact@"))
        {
            let with = step["with"].as_object().unwrap();
            assert!(
                !with.contains_key("run-id") && !with.contains_key("repository"),
                "{step}"
            );
        }
    }
}

/// The commands of the release, with a `gh` that writes down its arguments.
#[test]
fn a_release_gets_the_packages_and_the_notes() {
    let (_place, project) = emit(&[]);
    let workflow = read_yaml(&project.join(WORKFLOW));
    let steps = crate::steps(&workflow["jobs"]["release"]);
    let [archives, release] = steps.as_slice() else {
        panic!("{steps:?}");
    };
    let place = folder();
    let root = place.path();
    let gh = root.join("bin/gh");
    fs::create_dir(root.join("bin")).unwrap();
    fs::write(&gh, "#!/bin/sh\nprintf '%s\\n' \"$@\" > \"$SEEN\"\n").unwrap();
    fs::set_permissions(&gh, fs::Permissions::from_mode(0o755)).unwrap();
    for arch in ["amd64", "arm64"] {
        let driver = root.join(format!("packages/my-filter-0.1.0-{arch}-release/driver"));
        fs::create_dir_all(&driver).unwrap();
        fs::write(driver.join("my_filter.sys"), arch).unwrap();
    }
    let output = bash(&archives.command, &root.join(&archives.folder), &[]);
    assert!(output.status.success(), "{}", said(&output));
    assert_eq!(
        emitting::names(&root.join("packages")),
        [
            "my-filter-0.1.0-amd64-release",
            "my-filter-0.1.0-amd64-release.zip",
            "my-filter-0.1.0-arm64-release",
            "my-filter-0.1.0-arm64-release.zip",
        ]
    );

    let seen = root.join("seen");
    let path = format!(
        "{}:{}",
        root.join("bin").display(),
        std::env::var("PATH").unwrap()
    );
    for (tag, more) in [("v0.1.0", ""), ("v0.1.0-rc.1", "--prerelease\n")] {
        let output = bash(
            &release.command,
            root,
            &[
                ("PATH", &path),
                ("SEEN", seen.to_str().unwrap()),
                ("TAG", tag),
                ("GITHUB_REPOSITORY", "owner/my-filter"),
            ],
        );
        assert!(output.status.success(), "{}", said(&output));
        assert_eq!(
            fs::read_to_string(&seen).unwrap(),
            format!(
                "release\ncreate\n{tag}\npackages/my-filter-0.1.0-amd64-release.zip\n\
                 packages/my-filter-0.1.0-arm64-release.zip\n--repo\nowner/my-filter\n--verify-tag\n--title\n{tag}\n\
                 --notes-file\nnotes.md\n{more}"
            )
        );
    }
}

// ---------------------------------------------------------------------------------------------------------------------
// What is kept

/// What is wrong with the artifacts of a workflow. upload-artifact refuses a path with `.` or `..` as a part, and a name
/// with one of nine characters (actions/toolkit, packages/artifact, path-and-artifact-name-validation.ts).
fn refused_artifacts(workflow: &Value) -> Vec<String> {
    let expression = Regex::new(r"\$\{\{\s*([\w.]+)\s*\}\}").unwrap();
    let mut found = Vec::new();
    for job in workflow["jobs"].as_object().unwrap().values() {
        let matrix = values_of(&job["strategy"]["matrix"]);
        for step in job["steps"].as_array().unwrap() {
            if !step["uses"]
                .as_str()
                .is_some_and(|uses| uses.starts_with("actions/upload-artifact@"))
            {
                continue;
            }
            let name = step["with"]["name"].as_str().unwrap();
            let parts = expression
                .captures_iter(name)
                .filter_map(|found| matrix.get(found[1].strip_prefix("matrix.")?))
                .flatten()
                .cloned();
            for part in parts.chain([expression.replace_all(name, "").into_owned()]) {
                if part.contains(['"', ':', '<', '>', '|', '*', '?', '\r', '\n', '\\', '/']) {
                    found.push(format!("name: {part}"));
                }
            }
            let path = step["with"]["path"].as_str().unwrap();
            if path
                .split(['/', '\\', '\n'])
                .any(|part| part == ".." || part == ".")
            {
                found.push(format!("path: {path}"));
            }
        }
    }
    found
}

/// The values of each variable of a matrix.
fn values_of(matrix: &Value) -> BTreeMap<String, Vec<String>> {
    let mut values: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (name, list) in matrix.as_object().into_iter().flatten() {
        for value in list.as_array().into_iter().flatten() {
            if let Some(text) = value.as_str() {
                values
                    .entry(name.clone())
                    .or_default()
                    .push(text.to_owned());
            }
            for (name, value) in value.as_object().into_iter().flatten() {
                values
                    .entry(name.clone())
                    .or_default()
                    .push(value.as_str().unwrap().to_owned());
            }
        }
    }
    values
}

#[test]
fn artifacts_have_names_and_paths_that_are_accepted() {
    let (_place, project) = emit(&[]);
    let mut workflows: Vec<PathBuf> = vec![project.join(WORKFLOW)];
    for entry in fs::read_dir(xtask::repository().join(".github/workflows")).unwrap() {
        workflows.push(entry.unwrap().path());
    }
    for workflow in workflows {
        assert_eq!(
            refused_artifacts(&read_yaml(&workflow)),
            Vec::<String>::new(),
            "{}",
            workflow.display()
        );
    }
    let workflow: Value = serde_saphyr::from_str(
        "jobs: {job: {strategy: {matrix: {name: ['a', 'b: c']}}, steps: [{uses: actions/upload-artifact@x, \
         with: {name: '${{ matrix.name }} (x)', path: '${{ github.workspace }}/../my-filter'}}]}}",
    )
    .unwrap();
    assert_eq!(
        refused_artifacts(&workflow),
        ["name: b: c", "path: ${{ github.workspace }}/../my-filter"]
    );
}

/// The name of an artifact has the version, which New-Package.ps1 reads of Cargo.toml.
#[test]
fn the_artifact_of_a_driver_has_the_name_of_its_package() {
    let (_place, project) = emit(&[]);
    let workflow = read_yaml(&project.join(WORKFLOW));
    let keep = workflow["jobs"]["driver"]["steps"]
        .as_array()
        .unwrap()
        .last()
        .unwrap();
    assert_eq!(keep["with"]["name"], "${{ env.DRIVER_PACKAGE }}");
    assert_eq!(
        keep["with"]["path"],
        "target/package/${{ env.DRIVER_PACKAGE }}/"
    );
    let (_place, azure) = emit(&[("pipeline", "azure")]);
    let azure = read_yaml(&azure.join(AZURE));
    let keep = azure["jobs"][1]["steps"]
        .as_array()
        .unwrap()
        .last()
        .unwrap();
    assert_eq!(keep["publish"], "target/package/$(DRIVER_PACKAGE)");
    assert_eq!(keep["artifact"], "$(DRIVER_PACKAGE)");
    let script = read(&project, "scripts/New-Package.ps1");
    assert!(script.contains("Set-PipelineVariable 'DRIVER_PACKAGE' $name\n"));
}

// ---------------------------------------------------------------------------------------------------------------------
// The workflow of this repository

/// The files and folders that the commands of windows.yml name are there.
#[test]
fn the_workflow_on_windows_names_files_that_exist() {
    let windows = read_yaml(&xtask::repository().join(WINDOWS));
    let named = Regex::new(r"(?:^\./|-(?:File|Path|Settings) )([\w/\\.-]+)").unwrap();
    let mut count = 0;
    for job in windows["jobs"].as_object().unwrap().values() {
        for step in crate::steps(job) {
            let root = match step.folder.as_str() {
                "" | "clone" => xtask::repository(),
                "my-filter" | "my-filter/testbench" => xtask::repository().join("ci/snapshot"),
                "my-filter/target/package/${{ env.DRIVER_PACKAGE }}" => {
                    xtask::repository().join("ci/snapshot/scripts")
                }
                other => panic!("{other}"),
            };
            for file in step
                .command
                .lines()
                .filter_map(|line| named.captures(line.trim()))
            {
                let path = root.join(file[1].replace('\\', "/"));
                assert!(path.exists(), "{}: {}", step.command, path.display());
                count += 1;
            }
        }
    }
    assert_eq!(count, 10);
}
