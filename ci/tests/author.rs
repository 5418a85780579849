//! Tests of what the author of a driver does with the test bench: the tests in `testbench/tests/`, their messages, and
//! `cargo xtask try`.

mod emitting;

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use emitting::{windows::Windows, wine::Wine};
use serde::Deserialize;
use xtask::{
    changes::{Changed, Edit},
    checks::driver,
    commands::{
        new,
        options::{self, Kind},
        test_driver,
    },
    openwdk::{
        target::{Arch, Profile},
        toolchain::GNU_TARGET,
    },
    repository,
};

/// A file of this test program.
fn source(name: &str) -> String {
    fs::read_to_string(repository().join("ci/tests/author").join(name)).unwrap()
}

fn example() -> Changed {
    let text = fs::read_to_string(repository().join("ci/tests/example.toml")).unwrap();
    toml::from_str(&text).unwrap()
}

/// The test programs of all projects are compiled into this folder, so that the bench is compiled once.
fn target() -> PathBuf {
    repository().join("ci/target/author")
}

/// Emits a project, whose tests use the bench of the template: the same files at a path that does not change, so that it
/// is compiled once.
fn emit(changed: &Changed, folder: &Path) -> PathBuf {
    let project = new::emit(&changed.name, &changed.given(), folder).unwrap();
    let manifest = project.join("testbench/Cargo.toml");
    let text = fs::read_to_string(&manifest).unwrap();
    let bench = repository().join("template/testbench/bench");
    let path = toml::Value::from(bench.to_str().unwrap()).to_string();
    let changed = text.replace("path = \"bench\"", &format!("path = {path}"));
    assert_ne!(changed, text);
    fs::write(manifest, changed).unwrap();
    project
}

/// Runs the tests of a project with a driver.
fn test(project: &Path, sys: &Path, arguments: &[&str]) -> Output {
    test_driver::command(&project.join("testbench"), sys)
        .args(["--quiet", "--no-fail-fast"])
        .args(arguments)
        .env("CARGO_TARGET_DIR", target())
        .output()
        .unwrap()
}

fn text(output: &Output) -> String {
    let [out, err] = [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes));
    format!("{out}\n{err}")
}

/// Whether the tests passed, by their names. Their output is not quiet.
fn results(output: &Output) -> BTreeMap<String, bool> {
    let text = text(output);
    let lines = text.lines().filter_map(|line| line.strip_prefix("test "));
    lines
        .filter_map(|line| line.split_once(" ... "))
        .map(|(name, result)| (name.to_owned(), result.starts_with("ok")))
        .collect()
}

/// The mutants of the example.
#[derive(Deserialize)]
struct Mutants {
    mutant: Vec<Mutant>,
}

#[derive(Deserialize)]
struct Mutant {
    name: String,
    #[serde(flatten)]
    edit: Edit,
}

#[test]
fn the_tests_of_the_example_pass_here_and_under_wine_and_each_mutant_fails_one() {
    let folder = emitting::folder();
    let example = example();
    let project = emit(&example, folder.path());
    let _applied = example.apply(&project).unwrap();
    for profile in [Profile::Dev, Profile::Release] {
        let sys = driver::build(&project, profile, Arch::Amd64).unwrap();
        let output = test(&project, &sys, &[]);
        assert!(output.status.success(), "{}", text(&output));
        let windows = Windows::new();
        let (status, said) = Wine::said(
            windows
                .cargo()
                .args(["test", "--quiet", "--target", GNU_TARGET])
                .args(["--test", "create", "--test", "read"])
                .current_dir(project.join("testbench"))
                .env("CARGO_TARGET_DIR", repository().join("ci/target/testbench"))
                .env("DRIVER_SYS", Wine::path(&sys)),
        );
        assert!(status.success(), "{said}");
    }
    let mutants: Mutants = toml::from_str(&source("mutants.toml")).unwrap();
    assert_eq!(mutants.mutant.len(), 5);
    for Mutant { name, edit } in mutants.mutant {
        let changed = Changed {
            name: name.clone(),
            answers: BTreeMap::new(),
            edit: vec![edit],
        };
        let applied = changed.apply(&project).unwrap();
        let sys = driver::build(&project, Profile::Dev, Arch::Amd64).unwrap();
        drop(applied);
        let output = test(&project, &sys, &["--test", "create", "--test", "read"]);
        assert_eq!(output.status.code(), Some(101), "{name}: {}", text(&output));
    }
}

/// The code in the README of the tests, as test programs.
fn readme() -> Vec<String> {
    let file = repository().join("template/testbench/README.md");
    let text = fs::read_to_string(file).unwrap();
    let blocks = text.split("```rust\n").skip(1);
    blocks
        .map(|rest| rest.split("```").next().unwrap().to_owned())
        .collect()
}

#[test]
fn the_code_in_the_readme_is_emitted_or_passes_with_the_example() {
    let blocks = readme();
    let [first, others @ ..] = &blocks[..] else {
        panic!("there is no code")
    };
    assert!(!others.is_empty());
    let emitted = repository().join("template/testbench/tests/create.rs");
    assert!(fs::read_to_string(emitted).unwrap().contains(first));
    let folder = emitting::folder();
    let example = example();
    let project = emit(&example, folder.path());
    let _applied = example.apply(&project).unwrap();
    let tests = project.join("testbench/tests");
    for (number, code) in others.iter().enumerate() {
        fs::write(tests.join(format!("readme_{number}.rs")), code).unwrap();
    }
    let sys = driver::build(&project, Profile::Dev, Arch::Amd64).unwrap();
    let output = test(&project, &sys, &["--test", "readme_*"]);
    assert!(output.status.success(), "{}", text(&output));
}

/// The names of the emitted files of tests.
fn emitted_tests(answers: &[(&str, &str)]) -> Vec<String> {
    let files = emitting::rendered(answers).into_keys();
    files
        .filter_map(|file| Some(file.strip_prefix("testbench/tests/")?.to_owned()))
        .collect()
}

#[test]
fn each_operation_has_a_test_that_passes() {
    assert_eq!(
        emitted_tests(&[("operations", "create,query-ea")]),
        ["create.rs", "driver.rs", "query_ea.rs", "unit.rs"]
    );
    let folder = emitting::folder();
    let declared = options::declared().unwrap();
    let Kind::List(choices) = &options::find(&declared, "operations").unwrap().kind else {
        panic!("operations is a list")
    };
    let operations: Vec<_> = choices.iter().map(|choice| choice.value.as_str()).collect();
    let operations = operations.join(",");
    let every = Changed {
        name: "every".to_owned(),
        answers: BTreeMap::from([("operations".to_owned(), operations.clone())]),
        edit: Vec::new(),
    };
    let project = emit(&every, folder.path());
    for operation in operations.split(',') {
        let file = format!("testbench/tests/{}.rs", operation.replace('-', "_"));
        assert!(project.join(&file).is_file(), "{file}");
    }
    let sys = driver::build(&project, Profile::Dev, Arch::Amd64).unwrap();
    let output = test(&project, &sys, &[]);
    assert!(output.status.success(), "{}", text(&output));
}

/// The messages of the tests that fail, by the name of the test. Each part is in the message.
const MESSAGES: [(&str, &[&str]); 14] = [
    (
        "success_is_required",
        &[
            r"editor.exe opens C:\missing.txt: STATUS_OBJECT_NAME_NOT_FOUND (0xC0000034)",
            "it must succeed",
            "pre-operation callback of IRP_MJ_CREATE\n      FltGetFileNameInformation: STATUS_SUCCESS",
            r"the file system: IRP_MJ_CREATE of C:\missing.txt: STATUS_OBJECT_NAME_NOT_FOUND",
        ],
    ),
    (
        "a_failure_is_required",
        &[
            r"editor.exe opens C:\a.txt: STATUS_SUCCESS",
            "it must fail with STATUS_ACCESS_DENIED (0xC0000022)",
        ],
    ),
    (
        "other_data_is_required",
        &[
            r#"C:\a.txt: STATUS_SUCCESS (0x00000000), "text""#,
            r#"it must return "other""#,
        ],
    ),
    (
        "the_driver_crashes",
        &[
            r"editor.exe writes C:\a.crash: the driver has stopped",
            "crash: the pre-operation callback of IRP_MJ_CREATE reads address 0x8, a NULL pointer",
        ],
    ),
    (
        "the_driver_hangs",
        &["hang: the pre-operation callback of IRP_MJ_CREATE did not return within 500 ms"],
    ),
    (
        "the_driver_leaks",
        &[
            "the driver breaks a rule:",
            "name-information-released: the file name information from FltGetFileNameInformation",
        ],
    ),
    (
        "a_finding_is_expected",
        &["the test expects a finding of the rule crash, and there is none"],
    ),
    (
        "the_driver_does_not_start",
        &[
            "the driver does not start: DriverEntry returns STATUS_INSUFFICIENT_RESOURCES",
            "FltRegisterFilter: STATUS_INSUFFICIENT_RESOURCES (0xC000009A), injected",
        ],
    ),
    (
        "a_control_code_is_not_modelled",
        &["not modelled: the control code 0x00090240 for the file system on a fixed NTFS disk"],
    ),
    (
        "a_status_that_is_not_modelled_is_compared",
        &["not modelled: the control code 0x00090240"],
    ),
    (
        "an_impossible_act_is_dropped",
        &["not possible: the bench does not model a function FltNothing"],
    ),
    (
        "a_volume_does_not_exist",
        &[
            r#"not possible: "E:\\a.txt" is on E:, and the machine has no such volume; add it with volume('E', …)"#,
        ],
    ),
    (
        "a_value_is_invalid",
        &[r#"the value "1" of Mode has no type; write TYPE:VALUE, such as dword:1"#],
    ),
    (
        "a_fault_is_not_tolerated",
        &[
            "with the fault that FltGetFileNameInformation in the pre-operation callback of IRP_MJ_CREATE returns",
            "there is a fault",
        ],
    ),
];

#[test]
fn each_failure_has_its_message_and_the_other_tests_go_on() {
    let folder = emitting::folder();
    let changed: Changed = toml::from_str(&source("misbehaving.toml")).unwrap();
    let project = emit(&changed, folder.path());
    let _applied = changed.apply(&project).unwrap();
    fs::write(
        project.join("testbench/tests/failing.rs"),
        source("failing.rs"),
    )
    .unwrap();
    let sys = driver::build(&project, Profile::Dev, Arch::Amd64).unwrap();
    let run = |arguments: &[&str]| {
        let output = test_driver::command(&project.join("testbench"), &sys)
            .args(["--test", "failing", "--", "--test-threads=1"])
            .args(arguments)
            .env("CARGO_TARGET_DIR", target())
            .output();
        output.unwrap()
    };
    let output = run(&[]);
    let all = text(&output);
    let results = results(&output);
    let expected: BTreeMap<_, _> = MESSAGES
        .iter()
        .map(|(name, _)| ((*name).to_owned(), false))
        .chain(
            [
                "a_file_is_renamed_by_a_path_from_the_root_of_all_objects",
                "a_request_needs_its_right",
                "a_request_that_is_complete_is_cancelled",
                "an_expected_crash",
                "generic_rights_are_those_of_files",
                "an_expected_leak",
                "an_expected_failure_of_the_start",
            ]
            .map(|name| (format!("passing::{name}"), true)),
        )
        .collect();
    assert_eq!(results, expected, "{all}");
    for (name, parts) in MESSAGES {
        let output = run(&["--exact", name]);
        assert_eq!(output.status.code(), Some(101), "{name}");
        let message = text(&output);
        for part in parts {
            assert!(
                message.contains(part),
                "{name}: {part:?} is not in\n{message}"
            );
        }
    }
    // The names are listed without the driver.
    let listed = test_driver::command(&project.join("testbench"), Path::new("missing.sys"))
        .args(["--test", "failing", "--", "--list", "--format", "terse"])
        .env("CARGO_TARGET_DIR", target())
        .output()
        .unwrap();
    let names = String::from_utf8(listed.stdout).unwrap();
    let names: Vec<_> = names
        .lines()
        .map(|line| line.trim_end_matches(": test"))
        .collect();
    assert_eq!(names.len(), expected.len(), "{names:?}");
    agrees_with_nextest(&project, &sys, &results);
}

/// `cargo nextest` gives every test the same result.
fn agrees_with_nextest(project: &Path, sys: &Path, expected: &BTreeMap<String, bool>) {
    let mut nextest = Command::new("cargo");
    nextest
        .args(["nextest", "run", "--no-fail-fast", "--test", "failing"])
        .args(["--status-level", "all", "--color", "never"])
        .current_dir(project.join("testbench"))
        .env("CARGO_TARGET_DIR", target())
        .env("DRIVER_SYS", sys);
    let output = nextest.output().unwrap();
    let all = text(&output);
    if all.contains("no such command") {
        emitting::skipped(expected.len(), "cargo-nextest is not installed");
        return;
    }
    for (name, passes) in expected {
        let word = if *passes { "PASS" } else { "FAIL" };
        let is_result =
            |line: &str| line.trim().starts_with(word) && line.ends_with(&format!(" {name}"));
        assert!(all.lines().any(is_result), "{name} is not {word} in\n{all}");
    }
}

#[test]
fn a_driver_that_is_not_built_is_one_failure() {
    let folder = emitting::folder();
    let project = new::emit("my-filter", &[("operations", "create,read")], folder.path()).unwrap();
    let output = Command::new("cargo")
        .args(["test", "--quiet", "--test", "create"])
        .current_dir(project.join("testbench"))
        .env("CARGO_TARGET_DIR", target())
        .env_remove("DRIVER_SYS")
        .output()
        .unwrap();
    let all = text(&output);
    assert_eq!(output.status.code(), Some(101), "{all}");
    assert_eq!(
        all.matches("there is no my_filter.sys for x64").count(),
        1,
        "{all}"
    );
    assert!(all.contains("build the driver first"), "{all}");
}

/// Runs `cargo xtask try` with a script.
fn try_driver(sys: &Path, script: &str) -> Output {
    let folder = emitting::folder();
    let file = folder.path().join("steps.txt");
    fs::write(&file, script).unwrap();
    Command::new(env!("CARGO_BIN_EXE_xtask"))
        .arg("try")
        .arg(sys)
        .arg("--script")
        .arg(file)
        .output()
        .unwrap()
}

#[test]
fn a_driver_is_tried_with_a_script() {
    let folder = emitting::folder();
    let example = example();
    let project = emit(&example, folder.path());
    let _applied = example.apply(&project).unwrap();
    let sys = driver::build(&project, Profile::Dev, Arch::Amd64).unwrap();
    let output = try_driver(
        &sys,
        "file C:\\a.blocked x\nfile C:\\a.txt text\nload\nopen C:\\a.blocked as alice\nopen C:\\a.txt as bob\nread\nunload\n",
    );
    let all = text(&output);
    assert_eq!(output.status.code(), Some(0), "{all}");
    for part in [
        "> open C:\\a.blocked as alice\nalice opens C:\\a.blocked: STATUS_ACCESS_DENIED (0xC0000022)\n",
        "returns FLT_PREOP_COMPLETE with STATUS_ACCESS_DENIED",
        "bob reads 65536 bytes at 0 of C:\\a.txt: STATUS_SUCCESS (0x00000000), \"text\"",
        "fltmc unload: STATUS_SUCCESS",
    ] {
        assert!(all.contains(part), "{part:?} is not in\n{all}");
    }
    for (script, why) in [
        ("open C:\\a.txt", "the driver is not loaded; type `load`"),
        ("jump", "there is no command \"jump\"; `help` lists them"),
        ("load\nread", "no file is open; type `open PATH`"),
        (
            "volume C zfs",
            "\"zfs\" is not a kind of volume; the kinds are ntfs, fat, exfat, refs, network and removable",
        ),
        (
            "load\nfail Nothing",
            "the bench does not model a function Nothing",
        ),
    ] {
        let output = try_driver(&sys, script);
        let all = text(&output);
        assert!(all.contains(why), "{script}: {all}");
        assert_eq!(output.status.code(), Some(2), "{script}");
    }
}
