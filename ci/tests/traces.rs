//! An option that is off emits no file, no line and no name of its own, whatever other options are on.

mod emitting;

use emitting::{Tree, rendered};
use xtask::commands::options::{self, Kind};

/// An option, and names that occur in the emitted files only with one of its answers.
struct Part {
    option: &'static str,
    on: &'static str,
    off: &'static str,
    names: &'static [&'static str],
}

const PARTS: &[Part] = &[
    Part {
        option: "control_device",
        on: "true",
        off: "false",
        names: &[
            "control_device",
            "control device",
            "ControlDevice",
            "IoCreateSymbolicLink",
            "IoRegisterShutdownNotification",
            "PDRIVER_DISPATCH",
            "wdmsec",
            r"\Device\my_filter",
        ],
    },
    Part {
        option: "reinitialize",
        on: "true",
        off: "false",
        names: &[
            "reinitializ",
            "Reinitializ",
            "FltObjectReference",
            "files_reachable",
            r"\SystemRoot",
        ],
    },
    Part {
        option: "parameters",
        on: "true",
        off: "false",
        names: &[
            "src/parameters.rs",
            "crate::parameters",
            "Parameters::",
            "setting_refused",
            "SETTING_REFUSED",
            "IoOpenDriverRegistryKey",
            "ZwQueryValueKey",
            "AttachToNetwork",
            "MaximumInstances",
        ],
    },
    Part {
        option: "bypass_io",
        on: "veto",
        off: "pass",
        names: &["bypass_io.rs", "BypassIo", "FltVetoBypassIo"],
    },
    Part {
        option: "dev_drive",
        on: "skip",
        off: "attach",
        names: &["if volume.is_dev_volume()"],
    },
    Part {
        option: "error_log",
        on: "event-log",
        off: "debugger",
        names: &[
            "messages.rs",
            "message_table",
            "IoAllocateErrorLogEntry",
            "EventMessageFile",
            "event log",
            "event source",
            "wevtutil",
        ],
    },
    Part {
        option: "error_log",
        on: "debugger",
        off: "event-log",
        names: &["Failure, trace::debug_print}"],
    },
    Part {
        option: "service_stop",
        on: "false",
        off: "true",
        names: &["UnloadCallback::new().without_service_stop()"],
    },
    Part {
        option: "pipeline",
        on: "github",
        off: "azure",
        // The scripts decide at run time which of the pipelines they run in, and are the same for each.
        names: &[".github", "dependabot"],
    },
    Part {
        option: "pipeline",
        on: "azure",
        off: "github",
        names: &["azure-pipelines"],
    },
    Part {
        option: "pipeline",
        on: "github",
        off: "none",
        names: &[".github", "dependabot", "Install-BuildTools"],
    },
    Part {
        option: "unload_policy",
        on: "always",
        off: "never",
        names: &["impl Unload for State"],
    },
    Part {
        option: "testbench",
        on: "true",
        off: "false",
        names: &["testbench", "test bench"],
    },
];

/// The files of a project with all options on, except for one option.
fn everything_but(option: &str, value: &str) -> Tree {
    let declared = options::declared().unwrap();
    let answers: Vec<(String, String)> = declared
        .iter()
        .map(|declared| {
            let answer = match &declared.kind {
                _ if declared.name == option => value.to_owned(),
                Kind::Flag => "true".to_owned(),
                Kind::List(choices) => {
                    let all: Vec<_> = choices.iter().map(|choice| choice.value.as_str()).collect();
                    all.join(",")
                }
                _ => declared.default.clone(),
            };
            (declared.name.clone(), answer)
        })
        .collect();
    let answers: Vec<_> = answers
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    let mut files = rendered(&answers);
    // The test bench is the same in every project and has the names of all options.
    files.retain(|name, _| !name.starts_with("testbench/"));
    // The record has the answer to every option.
    files.remove("template.toml");
    files
}

/// The files, and the lines of files, that contain the name.
fn places(files: &Tree, name: &str) -> Vec<String> {
    let mut places = Vec::new();
    for (file, bytes) in files {
        if file.contains(name) {
            places.push(file.clone());
        }
        for (number, line) in String::from_utf8_lossy(bytes).lines().enumerate() {
            if line.contains(name) {
                places.push(format!("{file}:{}: {line}", number + 1));
            }
        }
    }
    places
}

/// Asserts that a name occurs in `with` and not in `without`.
fn assert_gone(with: &Tree, without: &Tree, name: &str, off: &str) {
    assert!(
        !places(with, name).is_empty(),
        "{name:?} does not occur without {off}: choose another name"
    );
    let left = places(without, name);
    assert!(left.is_empty(), "{off} leaves:\n{}", left.join("\n"));
}

#[test]
fn an_option_that_is_off_leaves_no_trace() {
    for part in PARTS {
        let (with, without) = (
            everything_but(part.option, part.on),
            everything_but(part.option, part.off),
        );
        for name in part.names {
            assert_gone(
                &with,
                &without,
                name,
                &format!("{}={}", part.option, part.off),
            );
        }
    }
}

/// Tests each item of the list separately.
#[test]
fn an_operation_that_is_not_filtered_leaves_no_trace() {
    let declared = options::declared().unwrap();
    let operations = declared.iter().find(|it| it.name == "operations").unwrap();
    let Kind::List(choices) = &operations.kind else {
        panic!("{operations:?}")
    };
    let all: Vec<_> = choices.iter().map(|choice| choice.value.as_str()).collect();
    let with = own_files(everything_but("operations", &all.join(",")));
    for operation in &all {
        let others: Vec<_> = all.iter().filter(|it| *it != operation).copied().collect();
        let without = own_files(everything_but("operations", &others.join(",")));
        let snake = operation.replace('-', "_");
        for name in [
            format!("src/operations/{snake}.rs"),
            format!("mod {snake};"),
            format!("\"{operation}\""),
            format!("IRP_MJ_{}", snake.to_uppercase()),
        ] {
            assert_gone(&with, &without, &name, &format!("no {operation}"));
        }
    }
}

/// Removes the layer, which has the types of all operations.
fn own_files(mut files: Tree) -> Tree {
    files.retain(|name, _| !name.starts_with("src/flt/"));
    files
}

/// Fails for a new flag that `PARTS` does not have.
#[test]
fn every_flag_has_a_part() {
    for option in options::declared().unwrap() {
        assert!(
            !matches!(option.kind, Kind::Flag)
                || PARTS.iter().any(|part| part.option == option.name),
            "{} has no entry in PARTS",
            option.name
        );
    }
}
