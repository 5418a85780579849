//! The pipelines: which files there are, what their linters say, and which commands they run.

use std::{
    collections::{BTreeMap, BTreeSet},
    env, fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use regex::Regex;
use xtask::{
    checks::{
        matrix::combinations::{self, Axis},
        tools,
    },
    commands::{build, options},
    openwdk::target::{Arch, Profile},
};

use crate::{
    AZURE, DEPENDABOT, Step, WINDOWS, WORKFLOW, commands,
    emitting::{emit, folder, read, rendered, said},
    must_pass, read_yaml,
};

// ---------------------------------------------------------------------------------------------------------------------
// Which files there are, and what their linters say

#[test]
fn each_pipeline_has_its_files() {
    for (pipeline, there) in [
        (
            "github",
            &[WORKFLOW, DEPENDABOT, "scripts/Install-BuildTools.ps1"][..],
        ),
        ("azure", &[AZURE, "scripts/Install-BuildTools.ps1"]),
        ("none", &[]),
    ] {
        let (_place, project) = emit(&[("pipeline", pipeline)]);
        for name in [
            WORKFLOW,
            DEPENDABOT,
            AZURE,
            "scripts/Install-BuildTools.ps1",
        ] {
            let wanted = there.contains(&name);
            assert_eq!(project.join(name).is_file(), wanted, "{pipeline}: {name}");
        }
        assert_eq!(project.join(".github").exists(), pipeline == "github");
    }
}

/// Lints the workflows of a folder that has a `.github`.
pub fn lint_workflows(root: &Path) -> [Output; 3] {
    let linters = tools::ensure_linters().unwrap();
    let workflows: Vec<PathBuf> = fs::read_dir(root.join(".github/workflows"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    [
        linters
            .actionlint()
            .arg(".github/workflows/*.yml")
            .current_dir(root)
            .output()
            .unwrap(),
        linters
            .zizmor()
            .args(["--persona", "pedantic"])
            .arg(root.join(".github"))
            .output()
            .unwrap(),
        linters
            .check_jsonschema()
            .args(["--builtin-schema", "vendor.github-workflows"])
            .args(workflows)
            .output()
            .unwrap(),
    ]
}

fn lint_dependabot(file: &Path) -> Output {
    tools::ensure_linters()
        .unwrap()
        .check_jsonschema()
        .args(["--builtin-schema", "vendor.dependabot"])
        .arg(file)
        .output()
        .unwrap()
}

fn lint_azure(file: &Path) -> Output {
    tools::ensure_linters()
        .unwrap()
        .check_jsonschema()
        // Its patterns are not written for the Unicode mode.
        .args(["--regex-variant", "nonunicode"])
        .args(["--builtin-schema", "vendor.azure-pipelines"])
        .arg(file)
        .output()
        .unwrap()
}

/// Whatever the other answers are: each pipeline that any combination of the matrix gives is judged once.
#[test]
fn the_linters_have_nothing_to_say() {
    let axes: Vec<_> = options::declared().unwrap().iter().map(Axis::of).collect();
    let mut pipelines = BTreeSet::new();
    for combination in combinations::chosen(&axes) {
        let mut files = rendered(&combination.given());
        files.retain(|name, _| [WORKFLOW, DEPENDABOT, AZURE].contains(&name.as_str()));
        pipelines.insert(files);
    }
    // None, and each with and without the bench.
    assert_eq!(pipelines.len(), 5);

    let repository = xtask::repository();
    lint_workflows(&repository).iter().for_each(must_pass);
    must_pass(&lint_dependabot(&repository.join(DEPENDABOT)));
    for files in pipelines {
        let place = folder();
        for (name, bytes) in &files {
            let path = place.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, bytes).unwrap();
        }
        if files.contains_key(WORKFLOW) {
            lint_workflows(place.path()).iter().for_each(must_pass);
            must_pass(&lint_dependabot(&place.path().join(DEPENDABOT)));
        }
        if files.contains_key(AZURE) {
            must_pass(&lint_azure(&place.path().join(AZURE)));
        }
    }
}

/// The linters find what they are there for.
#[test]
fn the_linters_find_mistakes() {
    let (_place, project) = emit(&[]);
    let change = |name: &str, from: &str, to: &str| {
        let text = read(&project, name);
        assert!(text.contains(from), "{name} has no {from}");
        fs::write(project.join(name), text.replacen(from, to, 1)).unwrap();
    };
    change(WORKFLOW, "${{ matrix.target }}", "${{ matrix.taget }}");
    change(
        WORKFLOW,
        "          persist-credentials: false",
        "          fetch-depth: 1",
    );
    change(WORKFLOW, "timeout-minutes: 30", "timeout-minute: 30");
    let [actionlint, zizmor, schema] = lint_workflows(&project);
    assert!(!actionlint.status.success());
    assert!(
        said(&actionlint).contains("\"taget\""),
        "{}",
        said(&actionlint)
    );
    assert!(!zizmor.status.success());
    assert!(said(&zizmor).contains("artipacked"), "{}", said(&zizmor));
    assert!(!schema.status.success());
    change(DEPENDABOT, "interval: weekly", "interval: hourly");
    assert!(!lint_dependabot(&project.join(DEPENDABOT)).status.success());

    let (_place, project) = emit(&[("pipeline", "azure")]);
    let file = project.join(AZURE);
    let text = read(&project, AZURE).replacen("displayName: Lint\n", "displyName: Lint\n", 1);
    fs::write(&file, text).unwrap();
    let schema = lint_azure(&file);
    assert!(!schema.status.success());
    assert!(said(&schema).contains("'displyName'"), "{}", said(&schema));
}

/// A tag can be moved to another commit; a hash cannot.
#[test]
fn actions_are_pinned_by_hash_and_everywhere_by_the_same() {
    let pinned = Regex::new(r"^([\w/-]+)@([0-9a-f]{40}) # (v\d+\.\d+\.\d+)$").unwrap();
    let mut pins = BTreeMap::new();
    for root in [xtask::repository(), xtask::repository().join("template")] {
        for entry in fs::read_dir(root.join(".github/workflows")).unwrap() {
            let path = entry.unwrap().path();
            for line in fs::read_to_string(&path).unwrap().lines() {
                let Some((_, action)) = line.split_once("uses: ") else {
                    continue;
                };
                let [name, hash, version] = pinned
                    .captures(action)
                    .unwrap_or_else(|| panic!("{}: {action}", path.display()))
                    .extract()
                    .1;
                let pin = (hash.to_owned(), version.to_owned());
                let first = pins.entry(name.to_owned()).or_insert(pin.clone());
                assert_eq!(*first, pin, "{name}");
            }
        }
    }
    assert_eq!(pins.len(), 5, "{pins:?}");
}

/// Of the environment it would replace the flags of `.cargo/config.toml`.
#[test]
fn nothing_sets_rustflags() {
    let (_place, github) = emit(&[]);
    let (_place, azure) = emit(&[("pipeline", "azure")]);
    for file in [
        github.join(WORKFLOW),
        azure.join(AZURE),
        xtask::repository().join(WINDOWS),
    ] {
        for line in fs::read_to_string(&file).unwrap().lines() {
            let code = line.split('#').next().unwrap();
            assert!(!code.contains("RUSTFLAGS"), "{}: {line}", file.display());
        }
    }
}

// ---------------------------------------------------------------------------------------------------------------------
// The commands

#[test]
fn both_pipelines_run_the_same_commands() {
    let of_bench = |step: &&Step| step.folder == "testbench";
    for (testbench, steps) in [("true", 3), ("false", 0)] {
        let [github, azure] = commands(testbench);
        assert_eq!(github, azure);
        assert_eq!(github.iter().flatten().filter(of_bench).count(), steps);
    }
}

/// What runs on Linux, exactly as it is written. The tool that it installs is there already, and cargo says so. Not run:
/// what changes this machine's toolchain, what asks a server that only the pipeline reaches, and what runs for a tag
/// ([`crate::release`]).
#[test]
fn what_runs_here_passes_as_written() {
    let (_place, project) = emit(&[]);
    let tools = tools::ensure_cargo_deny().unwrap();
    let mut path = vec![tools.parent().unwrap().to_owned()];
    path.extend(env::split_paths(&env::var_os("PATH").unwrap()));
    let [[host, driver], _] = commands("true");
    let mut left_out = BTreeSet::new();
    let workflow = read_yaml(&project.join(WORKFLOW));
    let variables = [&workflow["env"], &workflow["jobs"]["host"]["env"]]
        .into_iter()
        .flat_map(|variables| variables.as_object().unwrap())
        .map(|(name, value)| (name, value.as_str().unwrap()));
    let run = |step: &Step| {
        let output = Command::new("bash")
            .args(["-e", "-c", &step.command])
            .current_dir(project.join(&step.folder))
            .envs(variables.clone())
            .env("PATH", env::join_paths(&path).unwrap())
            .env("CARGO_INSTALL_ROOT", tools::root())
            // The crates of the bench are compiled once for all tests.
            .env(
                "CARGO_TARGET_DIR",
                xtask::repository().join("ci/target/testbench"),
            )
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "{}:\n{}",
            step.command,
            said(&output)
        );
    };
    for step in host.iter().filter(|step| !step.of_tag) {
        if step.command.starts_with("rustup ") || step.command.ends_with(" advisories") {
            left_out.insert(step.command.as_str());
        } else {
            run(step);
        }
    }
    assert_eq!(
        left_out.into_iter().collect::<Vec<_>>(),
        [
            "cargo deny --locked check advisories",
            "rustup toolchain install --no-self-update",
        ]
    );

    // Of the Windows job: cargo's own commands on the driver, with the open WDK around them; then the bench on it.
    let mut ran = Vec::new();
    for step in &driver {
        if let Some(arguments) = step.command.strip_prefix("cargo clippy ") {
            for target in [Arch::Amd64.target(), Arch::Arm64.target()] {
                let output = build::cargo(&project, "clippy")
                    .unwrap()
                    .args(arguments.replace("$env:DRIVER_TARGET", target).split(' '))
                    .output()
                    .unwrap();
                assert!(
                    output.status.success(),
                    "{target}: {}:\n{}",
                    step.command,
                    said(&output)
                );
            }
            ran.push("clippy");
        } else if step.folder == "testbench" {
            for profile in [Profile::Dev, Profile::Release] {
                build::build_quietly(&project, profile, Arch::Amd64).unwrap();
                run(step);
            }
            ran.push("bench");
        }
    }
    assert_eq!(ran, ["clippy", "bench"]);
}

/// What the workflow on Windows calls everything is the project with everything on that the repository keeps.
#[test]
fn everything_on_windows_is_everything() {
    let windows = read_yaml(&xtask::repository().join(WINDOWS));
    let rows = &windows["jobs"]["project"]["strategy"]["matrix"]["include"];
    let mut rows = rows.as_array().unwrap().iter();
    let everything = rows.find(|row| row["name"] == "everything").unwrap();
    let record = "ci/snapshot/template.toml";
    assert_eq!(everything["answers"], format!("--values-file {record}"));
    assert!(xtask::repository().join(record).is_file());
}

/// The emitted pipelines and the tests here use one cargo-deny, and the README and the pipelines one cargo-wdk.
#[test]
fn one_version_of_each_tool_is_named() {
    let program = tools::ensure_cargo_deny().unwrap();
    let output = Command::new(program).arg("--version").output().unwrap();
    let deny = said(&output).trim().replace("cargo-deny ", "");
    let template = xtask::repository().join("template");
    for name in [WORKFLOW, AZURE] {
        let text = read(&template, name);
        assert!(
            text.contains(&format!("CARGO_DENY_VERSION: {deny}\n")),
            "{name}"
        );
        assert!(text.contains("CARGO_WDK_VERSION: 0.2.0\n"), "{name}");
    }
    let readme = read(&template, "README.md");
    assert!(readme.contains("cargo install cargo-wdk --version 0.2.0 --locked"));
    let script = read(&template, "scripts/Install-BuildTools.ps1");
    assert!(script.contains("Version = '17.0.6'; File = 'LLVM-17.0.6-win64.exe'"));
    let script = read(&template, "scripts/New-Package.ps1");
    assert!(script.contains("$cargoWdk = '0.2.0'\n"));
    assert!(readme.contains("LLVM.LLVM --version 17.0.6"));
}
