//! The bench on a driver in C that this project did not emit: nothing to find as it stands, and one
//! finding for each thing that is broken in it.

#![cfg(target_os = "linux")]

mod emitting;

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;
use std::{fs, thread};

use emitting::windows::Windows;
use serde_json::Value;
use tempfile::TempDir;
use xtask::openwdk::c::compile_c;

fn sources() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/drivers")
}

/// Builds the driver with one name defined.
fn build(folder: &TempDir, defect: &str) -> PathBuf {
    let source = folder.path().join(format!("{defect}.c"));
    let text = format!("#define {defect} 1\n#include \"minifilter.c\"\n");
    fs::write(&source, text).unwrap();
    let sys = folder.path().join(format!("{defect}.sys"));
    compile_c(&[source], &[sources()], &sys).unwrap_or_else(|error| panic!("{defect}: {error:#}"));
    sys
}

fn verify(sys: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_xtask"))
        .args(["verify", "--no-expect"])
        .args(arguments)
        .arg(sys)
        .output()
        .unwrap()
}

fn report(sys: &Path, arguments: &[&str]) -> Value {
    let output = verify(sys, &[arguments, &["--json"]].concat());
    let text = String::from_utf8_lossy(&output.stdout);
    serde_json::from_str(&text).unwrap_or_else(|error| {
        panic!("{error}: {text}{}", String::from_utf8_lossy(&output.stderr))
    })
}

fn rules(report: &Value, list: &str) -> Vec<String> {
    let mut rules: Vec<String> = report[list]
        .as_array()
        .unwrap()
        .iter()
        .map(|finding| finding["rule"].as_str().unwrap().to_owned())
        .collect();
    rules.dedup();
    rules
}

#[test]
fn a_good_driver_is_nobodys_business() {
    let folder = tempfile::tempdir().unwrap();
    let report = report(
        &build(&folder, "GOOD"),
        &["--policy", "refuse-non-mandatory"],
    );
    assert_eq!(report["findings"], Value::Array(Vec::new()), "{report:#}");
    assert_eq!(rules(&report, "advice"), [""; 0], "{report:#}");
    assert_eq!(report["observed"]["unload-policy"], "refuse-non-mandatory");
    assert_eq!(report["observed"]["service-stop"], true);
    assert!(
        report["faults-injected"].as_u64().unwrap() > 40,
        "{report:#}"
    );
    assert_eq!(report["log"][0]["strings"][0], "DriverEntry");
}

/// What is broken, the rule that sees it, and a part of what it says.
const DEFECTS: &[(&str, &str, &str)] = &[
    (
        "PAGEABLE_CODE_AT_DISPATCH",
        "irql",
        "section PAGE, which is pageable, at DISPATCH_LEVEL",
    ),
    (
        "SYNCHRONIZES_FAST_IO_ONLY",
        "callback-status",
        "only fast I/O can be disallowed so",
    ),
    (
        "IGNORES_DRAINING",
        "draining-only-frees",
        "calls FltParseFileNameInformation",
    ),
    (
        "KEEPS_A_CONTEXT",
        "context-released",
        "from FltGetInstanceContext",
    ),
    (
        "RELEASES_A_CONTEXT_TWICE",
        "context-released",
        "more often than it was referenced",
    ),
    (
        "LOSES_AN_ENTRY",
        "unload-leak",
        "pool block (of 8 bytes, tag 'Test')",
    ),
    (
        "LOOKS_INTO_A_HANDLE",
        "bad-handle",
        "reads memory behind the instance handle on a fixed NTFS disk, which is opaque",
    ),
    (
        "TAKES_A_LOCK_TWICE",
        "hang",
        "it waits for a spin lock that it holds itself",
    ),
    (
        "KEEPS_A_SPIN_LOCK",
        "lock-balance",
        "entered at PASSIVE_LEVEL returned at DISPATCH_LEVEL",
    ),
    (
        "FAILS_WITHOUT_A_REASON",
        "clean-load",
        "DriverEntry returns STATUS_INVALID_PARAMETER (0xC000000D) although no call failed",
    ),
    (
        "NEVER_RETURNS",
        "hang",
        "the pre-operation callback of IRP_MJ_CLEANUP did not return within",
    ),
    (
        "WAITS_FOR_NOBODY",
        "hang",
        "it waits for an object that nobody signals any more",
    ),
    (
        "TRUSTS_A_MESSAGE",
        "crash",
        "MessageNotifyCallback writes address 0x0, a NULL pointer",
    ),
    ("KEEPS_A_DESCRIPTOR", "unload-leak", "security descriptor"),
    (
        "FORGETS_A_REQUEST",
        "lock-balance",
        "without IoCompleteRequest",
    ),
    (
        "DELETES_THE_DEVICE_FIRST",
        "notification-before-device",
        "while the shutdown notification is registered",
    ),
    ("LOGS_AN_ODD_OFFSET", "error-packet", "StringOffset is"),
    (
        "QUEUES_WORK_AND_GOES",
        "late-call",
        "WORKER_THREAD_ROUTINE runs the driver's image after it was unloaded",
    ),
    (
        "FREES_GLOBALS_FIRST",
        "filter-outlives-globals",
        "uses the pool block of 4 bytes, tag 'Test', which was freed before that call",
    ),
    (
        "DELETES_A_LOCK_FIRST",
        "filter-outlives-globals",
        "uses an ERESOURCE that was deleted",
    ),
    (
        "HOLDS_A_LOCK_WHILE_UNREGISTERING",
        "hang",
        "held by a thread which waits for this callback to return",
    ),
    (
        "REGISTERS_DATA_AS_CODE",
        "registration-valid",
        "InstanceQueryTeardownCallback",
    ),
    (
        "HAS_NO_END_OF_CONTEXTS",
        "registration-valid",
        "is FLT_CONTEXT_END missing at the end?",
    ),
    ("HITS_A_BREAKPOINT", "crash", "runs int3, a breakpoint"),
    (
        "FAILS_AN_ASSERTION",
        "crash",
        "fails an assertion (int 2Ch)",
    ),
    (
        "CALLS_THE_DEBUGGER",
        "crash",
        "asks for the debugger (int 2Dh)",
    ),
    (
        "FINDS_A_LIST_CORRUPT",
        "fail-fast",
        "stops with int 29h, code 3 (FAST_FAIL_CORRUPT_LIST_ENTRY)",
    ),
    (
        "RUNS_NO_INSTRUCTION",
        "crash",
        "runs an instruction that does not exist",
    ),
    ("DIVIDES_BY_ZERO", "crash", "divides by zero"),
    (
        "READS_THE_PROCESSOR_REGION",
        "privileged-instruction",
        "reads the processor control region at gs:[20h]",
    ),
    (
        "WRITES_THE_PROCESSOR_REGION",
        "privileged-instruction",
        "writes the processor control region at gs:[20h]",
    ),
    (
        "READS_A_KERNEL_ADDRESS",
        "crash",
        "reads 0xffff800000001000, kernel memory that the bench has not",
    ),
    (
        "READS_NO_ADDRESS",
        "crash",
        "reads memory that is not there",
    ),
    (
        "RUNS_DATA",
        "crash",
        "runs section .data, whose protection forbids it",
    ),
    ("RUNS_OUT_OF_STACK", "crash", "uses up the stack"),
    (
        "READS_A_MODEL_SPECIFIC_REGISTER",
        "privileged-instruction",
        "runs rdmsr",
    ),
];

/// What Wine 8 does otherwise than Windows: it keeps no room for a handler where a stack ends (it commits all of it, and
/// `SetThreadStackGuarantee` moves nothing), so it ends the thread without a word.
const UNLIKE_WINDOWS: (&str, &str) = ("RUNS_OUT_OF_STACK", "did not return within 5000 ms");

#[test]
fn each_defect_is_found_by_its_rule_and_no_other_under_wine_as_well() {
    let folder = tempfile::tempdir().unwrap();
    let built: Vec<(PathBuf, Value)> = thread::scope(|scope| {
        let drivers = ["GOOD"]
            .into_iter()
            .chain(DEFECTS.iter().map(|(defect, ..)| *defect));
        let reports: Vec<_> = drivers
            .map(|defect| {
                let folder = &folder;
                scope.spawn(move || {
                    let sys = build(folder, defect);
                    let report = report(&sys, &[]);
                    (sys, report)
                })
            })
            .collect();
        reports
            .into_iter()
            .map(|report| report.join().unwrap())
            .collect()
    });
    let wrong: Vec<String> = DEFECTS
        .iter()
        .zip(&built[1..])
        .filter_map(|((defect, rule, says), (_, report))| {
            let found = rules(report, "findings");
            let all = report["findings"].to_string();
            (found != [*rule] || !all.contains(says))
                .then(|| format!("{defect}: {rule} is to say {says:?}; found {found:?}: {all}"))
        })
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));

    let windows = Windows::new();
    let (unlike, alike): (Vec<_>, Vec<_>) = built
        .iter()
        .map(|(sys, report)| (sys.as_path(), report))
        .partition(|(sys, _)| sys.file_stem().is_some_and(|stem| stem == UNLIKE_WINDOWS.0));
    windows.assert_agrees(alike);
    // Said differently, and so seen: the comparison can fail.
    let differences = windows.differences(unlike);
    let seen = |difference: &String| {
        difference.contains(": findings: ") && difference.contains(UNLIKE_WINDOWS.1)
    };
    assert!(differences.iter().any(seen), "{}", differences.join("\n"));
}

#[test]
fn every_defect_of_the_source_is_tried() {
    let text = fs::read_to_string(sources().join("minifilter.c")).unwrap();
    for line in text.lines() {
        let name = ["#ifdef ", "#ifndef ", "#elif defined("]
            .iter()
            .find_map(|start| line.strip_prefix(start));
        if let Some(name) = name.map(|name| name.trim_end_matches(')')) {
            assert!(
                DEFECTS.iter().any(|(defect, _, _)| *defect == name),
                "{name}"
            );
        }
    }
}

#[test]
fn the_same_driver_gets_the_same_verdict() {
    let folder = tempfile::tempdir().unwrap();
    let sys = build(&folder, "FREES_GLOBALS_FIRST");
    let verdict = || {
        let mut report = report(&sys, &[]);
        report["milliseconds"] = Value::Null;
        report
    };
    assert_eq!(verdict(), verdict());
}

#[test]
fn the_exit_status_tells_the_verdict() {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(verify(&build(&folder, "GOOD"), &[]).status.code(), Some(0));
    let broken = build(&folder, "KEEPS_A_CONTEXT");
    let output = verify(&broken, &[]);
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(text.contains("finding context-released"), "{text}");
    assert!(
        !text.contains('\u{1b}'),
        "colours are for terminals: {text}"
    );
    let source = sources().join("minifilter.c");
    let output = verify(&source, &[]);
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(
        String::from_utf8_lossy(&output.stderr),
        format!(
            "error: {} is no Windows program file: it does not begin with MZ; give the .sys that the build made.\n",
            source.display()
        )
    );
}

#[test]
fn a_policy_that_is_not_kept_is_a_finding() {
    let folder = tempfile::tempdir().unwrap();
    let sys = build(&folder, "GOOD");
    for (arguments, says) in [
        (
            &["--policy", "always"][..],
            "the policy is to be always, and fltmc unload is refused with STATUS_FLT_DO_NOT_DETACH (0xC01C0010)",
        ),
        (
            &["--policy", "never"],
            "the policy is to be never, and fltmc unload is refused with STATUS_FLT_DO_NOT_DETACH (0xC01C0010)",
        ),
        (
            &["--no-service-stop"],
            "a service stop is not to be supported, and FLTFL_REGISTRATION_DO_NOT_SUPPORT_SERVICE_STOP is not set",
        ),
    ] {
        let report = report(&sys, arguments);
        assert_eq!(rules(&report, "findings"), ["unload-policy"], "{report:#}");
        assert_eq!(report["findings"][0]["seen"], says);
    }
}

fn wait_until(what: &str, done: impl Fn() -> bool) {
    for _ in 0..500 {
        if done() {
            return;
        }
        thread::sleep(Duration::from_millis(10));
    }
    panic!("{what} did not come about");
}

#[test]
fn a_killed_bench_leaves_no_worker_behind() {
    let folder = tempfile::tempdir().unwrap();
    let sys = build(&folder, "NEVER_RETURNS");
    let mut bench = Command::new(env!("CARGO_BIN_EXE_xtask"))
        .args(["verify", "--json"])
        .arg(&sys)
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    // The workers are children of the thread that started them.
    let workers = |bench: u32| -> Vec<u32> {
        let tasks = fs::read_dir(format!("/proc/{bench}/task"))
            .into_iter()
            .flatten()
            .flatten();
        tasks
            .filter_map(|task| fs::read_to_string(task.path().join("children")).ok())
            .flat_map(|text| {
                text.split_whitespace()
                    .filter_map(|child| child.parse().ok())
                    .collect::<Vec<u32>>()
            })
            .collect()
    };
    wait_until("a worker", || !workers(bench.id()).is_empty());
    let worker = workers(bench.id())[0];
    bench.kill().unwrap();
    bench.wait().unwrap();
    wait_until("the end of the worker", || {
        !Path::new(&format!("/proc/{worker}")).exists()
    });
}

#[test]
fn the_page_stands_on_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let page = folder.path().join("verdict.html");
    let sys = build(&folder, "KEEPS_A_CONTEXT");
    let output = verify(&sys, &["--report", page.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(1));
    let text = fs::read_to_string(page).unwrap();
    assert!(text.starts_with("<!DOCTYPE html>"), "{text}");
    assert!(text.contains("context-released"), "{text}");
    for link in ["http://", "https://", "src=", "<link"] {
        assert!(!text.contains(link), "{link}");
    }
}
