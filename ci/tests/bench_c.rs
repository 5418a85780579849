//! The bench on drivers in C, which this project did not emit: no finding for a correct driver, and
//! one finding for each defect.

#![cfg(target_os = "linux")]

mod emitting;

use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;
use std::{fs, thread};

use emitting::windows::Windows;
use serde_json::Value;
use tempfile::TempDir;
use xtask::{checks::driver, openwdk::c::compile_c};

fn sources() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/drivers")
}

/// Builds `minifilter.c` with one macro defined.
fn build(folder: &TempDir, defect: &str) -> PathBuf {
    build_of(folder, "minifilter.c", defect)
}

/// Builds one of the drivers with one macro defined.
fn build_of(folder: &TempDir, file: &str, defect: &str) -> PathBuf {
    let source = folder.path().join(format!("{defect}.c"));
    let text = format!("#define {defect} 1\n#include \"{file}\"\n");
    fs::write(&source, text).unwrap();
    let sys = folder.path().join(format!("{defect}.sys"));
    compile_c(&[source], &[sources()], &sys).unwrap_or_else(|error| panic!("{defect}: {error:#}"));
    sys
}

fn xtask() -> Command {
    Command::new(env!("CARGO_BIN_EXE_xtask"))
}

fn verify(sys: &Path, arguments: &[&str]) -> Output {
    xtask()
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
fn a_correct_driver_has_no_findings() {
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

/// The defects: the macro, the rule that finds the defect, and a part of the finding.
const DEFECTS: &[(&str, &str, &str)] = &[
    (
        "PAGEABLE_CODE_AT_DISPATCH",
        "irql",
        "section PAGE, which is pageable, at DISPATCH_LEVEL",
    ),
    (
        "DISALLOWS_FAST_IO_FOR_AN_IRP",
        "callback-status",
        "only fast I/O can be disallowed so",
    ),
    (
        "IGNORES_DRAINING",
        "draining-only-frees",
        "calls FltParseFileNameInformation",
    ),
    (
        "DOES_NOT_RELEASE_A_CONTEXT",
        "context-released",
        "from FltGetInstanceContext",
    ),
    (
        "RELEASES_A_CONTEXT_TWICE",
        "context-released",
        "more often than it was referenced",
    ),
    (
        "LEAKS_AN_ENTRY",
        "unload-leak",
        "pool block (of 8 bytes, tag 'Test')",
    ),
    (
        "READS_BEHIND_A_HANDLE",
        "bad-handle",
        "reads memory behind the instance handle on a fixed NTFS disk, which is opaque",
    ),
    (
        "TAKES_A_LOCK_TWICE",
        "hang",
        "waits for a spin lock that it holds itself",
    ),
    (
        "DOES_NOT_RELEASE_A_SPIN_LOCK",
        "lock-balance",
        "entered at PASSIVE_LEVEL returned at DISPATCH_LEVEL",
    ),
    (
        "FAILS_THOUGH_NO_CALL_FAILED",
        "clean-load",
        "DriverEntry returns STATUS_INVALID_PARAMETER (0xC000000D) although no call failed",
    ),
    (
        "NEVER_RETURNS",
        "hang",
        "the pre-operation callback of IRP_MJ_CLEANUP did not return within",
    ),
    (
        "WAITS_FOR_AN_EVENT_THAT_IS_NEVER_SET",
        "hang",
        "waits for an object that nobody signals any more",
    ),
    (
        "DOES_NOT_CHECK_A_MESSAGE",
        "crash",
        "MessageNotifyCallback writes address 0x0, a NULL pointer",
    ),
    ("LEAKS_A_DESCRIPTOR", "unload-leak", "security descriptor"),
    (
        "DOES_NOT_COMPLETE_A_REQUEST",
        "request-completed",
        "without IoCompleteRequest",
    ),
    (
        "COMPLETES_A_REQUEST_WITH_A_SPIN_LOCK",
        "lock-balance",
        "IofCompleteRequest is called while a spin lock is held",
    ),
    (
        "COMPLETES_A_REQUEST_TWICE",
        "request-completed",
        "a second time",
    ),
    (
        "PENDS_AN_UNMARKED_REQUEST",
        "request-completed",
        "without IoMarkIrpPending",
    ),
    (
        "DOES_NOT_SET_THE_STATUS_OF_A_REQUEST",
        "request-completed",
        "without setting IoStatus.Status",
    ),
    (
        "WRITES_TO_A_COMPLETED_REQUEST",
        "use-after-free",
        "writes an IRP after it was freed",
    ),
    (
        "FAILS_A_CLOSE",
        "never-fail-cleanup-close",
        "the dispatch routine of IRP_MJ_CLOSE fails it with STATUS_UNSUCCESSFUL",
    ),
    (
        "COMPLETES_WITHOUT_A_STATUS",
        "result-set",
        "completes it without setting IoStatus.Status",
    ),
    (
        "COMPLETES_WITHOUT_INFORMATION",
        "result-set",
        "completes it without setting IoStatus.Information",
    ),
    (
        "CHANGES_PARAMETERS",
        "changes-marked-dirty",
        "changes its parameters without FltSetCallbackDataDirty",
    ),
    (
        "ALLOCATES_EXECUTABLE_POOL",
        "pool-not-executable",
        "pool of type 0 can be executed",
    ),
    (
        "UNREGISTERS_AND_SUCCEEDS",
        "start-filtering",
        "after FltUnregisterFilter: no filter is registered",
    ),
    (
        "REGISTERS_NO_CALLBACK",
        "registration-valid",
        "IRP_MJ_WRITE is registered without a callback",
    ),
    (
        "RETURNS_PENDING_FROM_ITS_SETUP",
        "callback-status",
        "InstanceSetupCallback returns STATUS_PENDING",
    ),
    (
        "DELETES_THE_DEVICE_FIRST",
        "notification-before-device",
        "while the shutdown notification is registered",
    ),
    ("LOGS_AN_ODD_OFFSET", "error-packet", "StringOffset is"),
    (
        "UNLOADS_WITH_QUEUED_WORK",
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
        "waits for an ERESOURCE that FilterUnloadCallback (mandatory) holds",
    ),
    (
        "REGISTERS_DATA_AS_CODE",
        "registration-valid",
        "InstanceQueryTeardownCallback",
    ),
    (
        "REGISTERS_CONTEXTS_WITHOUT_END",
        "registration-valid",
        "is FLT_CONTEXT_END missing at the end?",
    ),
    ("HITS_A_BREAKPOINT", "breakpoint", "runs int3"),
    ("CALLS_A_BREAKPOINT", "breakpoint", "calls DbgBreakPoint"),
    (
        "CALLS_THE_DEBUGGER",
        "breakpoint",
        "calls the debugger (int 2Dh)",
    ),
    (
        "FAILS_AN_ASSERTION",
        "assertion",
        "an assertion does not hold (int 2Ch, as FLT_ASSERT",
    ),
    (
        "FAILS_A_CHECKED_ASSERTION",
        "assertion",
        "the assertion Reads < 0 does not hold (",
    ),
    (
        "CALLS_KE_BUG_CHECK_EX",
        "bugcheck",
        "stops the system with bug check 0xE2: MANUALLY_INITIATED_CRASH",
    ),
    (
        "REPORTS_A_CORRUPT_LIST",
        "fail-fast",
        "stops with int 29h, code 3 (FAST_FAIL_CORRUPT_LIST_ENTRY)",
    ),
    (
        "RUNS_AN_UNDEFINED_INSTRUCTION",
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
        "READS_A_NON_CANONICAL_ADDRESS",
        "crash",
        "reads memory that is not there",
    ),
    (
        "RUNS_DATA",
        "crash",
        "runs section .data, whose protection forbids it",
    ),
    (
        "RUNS_OUT_OF_STACK",
        "crash",
        "uses up the stack, which has 24 KB",
    ),
    (
        "READS_A_MODEL_SPECIFIC_REGISTER",
        "privileged-instruction",
        "runs rdmsr",
    ),
];

/// The defects of `system.c`.
const SYSTEM_DEFECTS: &[(&str, &str, &str)] = &[
    (
        "READS_BEHIND_A_DEVICE_EXTENSION",
        "bad-handle",
        "reads memory behind DeviceObjectExtension of a device object, which is opaque",
    ),
    (
        "READS_BEHIND_A_DRIVER_SECTION",
        "bad-handle",
        "reads memory behind DriverSection of the driver object, which is opaque",
    ),
    (
        "READS_BEHIND_FS_CONTEXT_2",
        "bad-handle",
        "reads memory behind FsContext2 of a file object, which is opaque",
    ),
    (
        "READS_BEHIND_A_FILE_EXTENSION",
        "bad-handle",
        "reads memory behind FileObjectExtension of a file object, which is opaque",
    ),
    (
        "DOES_NOT_REMOVE_A_NOTIFY_ROUTINE",
        "unload-leak",
        "from PsSetCreateProcessNotifyRoutine in DriverEntry",
    ),
    (
        "LEAKS_A_LIST_WHEN_UNLOADED",
        "unload-leak",
        "lookaside list (of entries of 64 bytes)",
    ),
    (
        "LEAKS_A_LIST_WHEN_LOADING_FAILS",
        "failed-load-undone",
        "still holds: lookaside list (of entries of 64 bytes)",
    ),
];

/// The defects of `documents.c`.
const DOCUMENT_DEFECTS: &[(&str, &str, &str)] = &[
    (
        "RETURNS_WITH_A_PUSH_LOCK",
        "lock-balance",
        "returns while it holds the push lock",
    ),
    (
        "ACQUIRES_A_SHARED_PUSH_LOCK_TWICE",
        "lock-balance",
        "that the thread holds for shared access",
    ),
    (
        "RELEASES_A_SHARED_PUSH_LOCK_AS_EXCLUSIVE",
        "lock-balance",
        "is held for shared access is released as one for exclusive access",
    ),
    (
        "ACQUIRES_A_RESOURCE_WITH_APCS",
        "lock-balance",
        "is called while normal kernel APCs are enabled",
    ),
    (
        "LEAVES_A_REGION_THAT_IT_DID_NOT_ENTER",
        "lock-balance",
        "leaves a critical region that it did not enter",
    ),
    (
        "IGNORES_THAT_A_RESOURCE_IS_NOT_FREE",
        "lock-balance",
        "an ERESOURCE that is not held is released",
    ),
    (
        "RETURNS_IN_A_CRITICAL_REGION",
        "lock-balance",
        "returns in another number of critical regions",
    ),
    (
        "RELEASES_A_MUTEX_THAT_IT_DOES_NOT_HOLD",
        "lock-balance",
        "a mutex that is not held is released",
    ),
    (
        "RELEASES_RUNDOWN_PROTECTION_TWICE",
        "lock-balance",
        "released more often than it was acquired",
    ),
    (
        "SETS_A_TIMER_THAT_IS_NOT_INITIALIZED",
        "bad-handle",
        "to KeSetTimer as dispatcher object",
    ),
    (
        "FREES_A_TIMER_THAT_IS_SET",
        "object-in-freed-memory",
        "is freed with what a queued KDEFERRED_ROUTINE of a timer uses",
    ),
    (
        "HAS_A_TAG_THAT_IS_NOT_PRINTABLE",
        "argument-refused",
        "the tag 0x00000007 does not consist of printable characters",
    ),
    (
        "LOCKS_PAGES_TWICE",
        "locked-pages",
        "pages are locked that are locked or nonpaged already",
    ),
    (
        "QUEUES_A_WORK_ITEM_OF_ANOTHER_FAMILY",
        "bad-handle",
        "a work item of FltAllocateGenericWorkItem to FltQueueDeferredIoWorkItem",
    ),
    (
        "ALLOCATES_A_CONTEXT_OF_NO_BYTES",
        "argument-refused",
        "the size of a context is 0",
    ),
    (
        "ENUMERATES_THE_INSTANCES_OF_NOTHING",
        "argument-refused",
        "Volume and Filter are NULL",
    ),
    (
        "READS_HALF_A_SECTOR",
        "argument-refused",
        "noncached I/O of 256 bytes at 0 is not aligned to the sector",
    ),
    ("KEEPS_THE_OLD_CONTEXT", "context-released", ""),
    (
        "READS_WITHOUT_ALIGNMENT",
        "argument-refused",
        "noncached I/O of 10 bytes at 0 is not aligned to the sector",
    ),
    (
        "RELEASES_A_SEMAPHORE_BEYOND_ITS_LIMIT",
        "lock-balance",
        "adds 2 to a semaphore with the limit 1",
    ),
    (
        "RELEASES_A_QUEUED_SPIN_LOCK_AS_AN_ORDINARY_ONE",
        "lock-balance",
        "a queued spin lock is released as a spin lock",
    ),
    (
        "ACQUIRES_A_SPIN_LOCK_BELOW_DISPATCH_LEVEL",
        "irql",
        "KeAcquireSpinLockAtDpcLevel is called at PASSIVE_LEVEL; its document requires DISPATCH_LEVEL",
    ),
    (
        "HAS_AN_EVENT_IN_PAGED_POOL",
        "irql",
        "is in paged pool; it must be in nonpaged memory",
    ),
    (
        "SETS_AN_EVENT_THAT_IS_NOT_INITIALIZED",
        "bad-handle",
        "memory that was never set up as a dispatcher object",
    ),
    (
        "FREES_A_RESOURCE_WITH_ITS_MEMORY",
        "object-in-freed-memory",
        "is freed with an ERESOURCE that is not deleted",
    ),
    (
        "FREES_WITH_ANOTHER_TAG",
        "bad-handle",
        "tag 'Test', with the tag 'Othr'",
    ),
    (
        "FREES_AN_ALIGNED_BLOCK_AS_POOL",
        "bad-handle",
        "which another function, lookaside list or instance allocated",
    ),
    (
        "MAPS_PAGES_THAT_ARE_NOT_LOCKED",
        "locked-pages",
        "pages are mapped that are not locked",
    ),
    (
        "DOES_NOT_UNLOCK_PAGES",
        "locked-pages",
        "is freed while its pages are locked",
    ),
    (
        "LOCKS_PAGES_OUTSIDE_TRY",
        "bugcheck",
        "raised by MmProbeAndLockPages",
    ),
    (
        "FREES_A_QUEUED_WORK_ITEM",
        "bad-handle",
        "passes a work item that is queued to FltFreeGenericWorkItem",
    ),
    (
        "QUEUES_A_WORK_ITEM_TWICE",
        "bad-handle",
        "passes a work item that is queued to FltQueueGenericWorkItem",
    ),
    (
        "OPENS_A_HANDLE_OF_THE_PROGRAM",
        "kernel-handle",
        "without OBJ_KERNEL_HANDLE",
    ),
    (
        "HAS_AN_EXPRESSION_IN_LOWER_CASE",
        "argument-refused",
        "the expression is not in upper case",
    ),
    (
        "DOES_NOT_HANDLE_THAT_MEMORY_IS_SHORT",
        "bugcheck",
        "raised by FsRtlIsNameInExpression",
    ),
    (
        "CANCELS_AN_OPEN_BEFORE_IT",
        "allowed-routine",
        "FltCancelFileOpen is called in the pre-operation callback of IRP_MJ_CREATE",
    ),
    (
        "COMPLETES_AN_OPERATION_BEFORE_IT",
        "bad-handle",
        "an operation that is not in its post-operation callback",
    ),
    (
        "SETS_THE_RESULT_OF_AN_OPERATION_THAT_IT_PASSES_ON",
        "callback-status",
        "sets IoStatus and returns 0",
    ),
    (
        "CHANGES_THE_RELATED_OBJECTS",
        "read-only-data",
        "changes the FLT_RELATED_OBJECTS",
    ),
    (
        "READS_A_COMPONENT_BEFORE_A_PARSE",
        "bad-handle",
        "a component of a name that is not parsed, which is opaque",
    ),
    (
        "CHANGES_A_NAME",
        "read-only-data",
        "the driver changes file name information",
    ),
    (
        "SETS_A_CONTEXT_THAT_NO_CALLBACK_GETS",
        "callback-status",
        "sets CompletionContext and returns 1",
    ),
    (
        "USES_A_NAME_THAT_CAN_BE_TUNNELED",
        "tunneled-name",
        "does not call FltGetTunneledName",
    ),
    (
        "FAILS_AN_OPEN_WITHOUT_CANCELING_IT",
        "failed-open-canceled",
        "without FltCancelFileOpen: the file stays open",
    ),
    (
        "READS_A_USER_BUFFER_OUTSIDE_TRY",
        "crash",
        "which the program has freed, and does not handle the exception",
    ),
    (
        "SYNCHRONIZES_AN_ASYNCHRONOUS_READ",
        "callback-status",
        "the operation cannot be synchronized",
    ),
    (
        "IGNORES_THE_STATUS_THAT_IT_RECEIVES",
        "callback-status",
        "stored 1 in RetPostOperationStatus",
    ),
    (
        "CHANGES_THE_INFORMATION_THAT_IS_SET",
        "read-only-data",
        "changes the buffer, which the operation only reads",
    ),
    (
        "PENDS_AND_SYNCHRONIZES",
        "callback-status",
        "a pended operation cannot be completed with FLT_PREOP_SYNCHRONIZE",
    ),
    (
        "WAITS_IN_ITS_SETUP",
        "allowed-routine",
        "outside InstanceSetupCallback",
    ),
    (
        "LEAVES_A_DEVICE_INITIALIZING",
        "device-initialized",
        "does not clear DO_DEVICE_INITIALIZING",
    ),
    (
        "DOES_NOT_CHECK_THE_TYPE_OF_A_VALUE",
        "registry-type-check",
        "the value Number is stored directly",
    ),
];

/// The drivers of `documents.c` that are correct.
const DOCUMENT_GOOD: &[&str] = &[
    "FAILS_AND_CANCELS_AN_OPEN",
    "PENDS_AN_OPERATION",
    "CREATES_A_DEVICE_LATE",
];

#[test]
fn what_documents_demand_is_judged() {
    let folder = tempfile::tempdir().unwrap();
    judged(&folder, "documents.c", DOCUMENT_DEFECTS);
    correct(&folder, "documents.c", DOCUMENT_GOOD);
}

/// The defects of `refused.c`.
const REFUSED: &[(&str, &str, &str)] = &[
    (
        "ALLOCATES_A_CONTEXT_OF_ANOTHER_SIZE",
        "argument-refused",
        "no registered context has the type FLT_STREAM_CONTEXT and room for 32 bytes",
    ),
    (
        "ALLOCATES_POOL_WITHOUT_A_TYPE",
        "argument-refused",
        "the flags 0x2 do not have exactly one of POOL_FLAG_NON_PAGED",
    ),
    (
        "ATTRIBUTES_HAVE_AN_UNKNOWN_BIT",
        "argument-refused",
        "Attributes of OBJECT_ATTRIBUTES is 0x10240",
    ),
    (
        "CREATES_A_PORT_WITHOUT_A_KERNEL_HANDLE",
        "argument-refused",
        "does not have OBJ_KERNEL_HANDLE",
    ),
    (
        "DELETES_THE_LINK_OF_ANOTHER_DRIVER",
        "foreign-link",
        "which another driver created, is deleted",
    ),
    (
        "HAS_A_RELATIVE_NAME",
        "argument-refused",
        "it does not begin with a backslash",
    ),
    (
        "HAS_NO_NAME",
        "argument-refused",
        "neither a name nor a root directory",
    ),
    (
        "HAS_NO_ROUTINE_FOR_CREATES",
        "device-usable",
        "the driver has no routine for IRP_MJ_CREATE",
    ),
    (
        "LEAKS_IF_TWO_CALLS_FAIL",
        "unload-leak",
        "pool block (of 8 bytes, tag 'Test')",
    ),
    (
        "LENGTH_OF_THE_ATTRIBUTES_IS_ZERO",
        "argument-refused",
        "Length of OBJECT_ATTRIBUTES is 0; it is 48",
    ),
    (
        "LINKS_IN_A_MISSING_DIRECTORY",
        "argument-refused",
        "there is no object directory",
    ),
    (
        "LINKS_OUTSIDE_OF_DOSDEVICES",
        "device-usable",
        "it is not in",
    ),
    (
        "LINKS_TO_NO_DEVICE",
        "device-usable",
        "its target is no device of the driver",
    ),
    (
        "LINKS_WITHOUT_A_PATH",
        "argument-refused",
        "does not begin with a backslash",
    ),
    (
        "MAXIMUM_LENGTH_IS_TOO_SMALL",
        "argument-refused",
        "Length of UNICODE_STRING is 22, and MaximumLength is 2",
    ),
    (
        "OPENS_A_DIRECTORY_THAT_IS_NONE",
        "argument-refused",
        "both FILE_DIRECTORY_FILE and FILE_NON_DIRECTORY_FILE",
    ),
    (
        "OPENS_TO_DELETE_WITHOUT_DELETE",
        "argument-refused",
        "DesiredAccess does not have DELETE",
    ),
    (
        "OPENS_WITHOUT_SYNCHRONIZE",
        "argument-refused",
        "DesiredAccess does not have SYNCHRONIZE",
    ),
    (
        "QUERIES_A_NAME_WITHOUT_A_METHOD",
        "argument-refused",
        "it has one format and one query method",
    ),
    (
        "SECURES_ITS_DEVICE_WITH_AN_OWNER",
        "argument-refused",
        "is no DACL in the format of",
    ),
    (
        "SHARES_WITH_AN_UNKNOWN_BIT",
        "argument-refused",
        "ShareAccess has bits other than",
    ),
];

/// Asserts that `verify` refuses these arguments with a sentence that has this part.
fn assert_refused(sys: &Path, arguments: &[&str], part: &str) {
    let output = verify(sys, arguments);
    assert_eq!(output.status.code(), Some(2), "{arguments:?}");
    assert!(output.stdout.is_empty());
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains(part), "{arguments:?}: {said}");
}

/// Builds and judges a driver without a defect, which has no finding, and with each defect, which its rule finds.
fn judged(folder: &TempDir, file: &str, defects: &[(&str, &str, &str)]) -> Vec<(PathBuf, Value)> {
    let built: Vec<(PathBuf, Value)> = thread::scope(|scope| {
        let drivers = ["GOOD"]
            .into_iter()
            .chain(defects.iter().map(|(defect, ..)| *defect));
        let reports: Vec<_> = drivers
            .map(|defect| {
                scope.spawn(move || {
                    let sys = build_of(folder, file, defect);
                    let report = driver::judge(&sys, None).unwrap();
                    (sys, report)
                })
            })
            .collect();
        reports
            .into_iter()
            .map(|report| report.join().unwrap())
            .collect()
    });
    let (_, good) = &built[0];
    assert_eq!(rules(good, "findings"), [""; 0], "{good:#}");
    assert_eq!(rules(good, "advice"), [""; 0], "{good:#}");
    let wrong: Vec<String> = defects
        .iter()
        .zip(&built[1..])
        .filter_map(|((defect, rule, says), (_, report))| {
            // What a rule recommends is advice here: the drivers have no expectations.
            let list = match report["findings"].as_array() {
                Some(findings) if findings.is_empty() => "advice",
                _ => "findings",
            };
            let found = rules(report, list);
            let all = report[list].to_string();
            (found != [*rule] || !all.contains(says))
                .then(|| format!("{defect}: {rule} is to say {says:?}; {list}: {found:?}: {all}"))
        })
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    built
}

/// The drivers of `minifilter.c` that are correct.
const GOOD: &[&str] = &["CHANGES_PARAMETERS_AND_SAYS_SO", "PENDS_A_REQUEST"];

/// Builds and judges correct drivers.
fn correct(folder: &TempDir, file: &str, names: &[&str]) -> Vec<(PathBuf, Value)> {
    let judged = names.iter().map(|name| {
        let sys = build_of(folder, file, name);
        let report = driver::judge(&sys, None).unwrap();
        driver::must_be_clean(&report).unwrap_or_else(|error| panic!("{name}: {error}"));
        (sys, report)
    });
    judged.collect()
}

#[test]
fn each_defect_is_found_only_by_its_rule_here_and_under_wine() {
    let folder = tempfile::tempdir().unwrap();
    let mut built = judged(&folder, "minifilter.c", DEFECTS);
    built.extend(correct(&folder, "minifilter.c", GOOD));
    Windows::new().assert_agrees(built.iter().map(|(sys, report)| (sys.as_path(), report)));
}

#[test]
fn notifications_and_system_structures_are_as_documented() {
    let folder = tempfile::tempdir().unwrap();
    judged(&folder, "system.c", SYSTEM_DEFECTS);
}

#[test]
fn arguments_that_windows_refuses_are_found() {
    let folder = tempfile::tempdir().unwrap();
    judged(&folder, "refused.c", REFUSED);
}

/// The drivers of `machine.c` that are correct.
const MACHINE_GOOD: &[&str] = &[
    "COPIES_FROM_A_BAD_USER_ADDRESS",
    "HANDLES_IN_A_LOOP",
    "NEEDS_AN_ORDER_OF_WORK_ITEMS",
    "NESTS_WITHIN_THE_STACK",
    "PROBES_USER_BUFFERS",
    "RAISES_A_STATUS",
    "READS_A_BAD_USER_ADDRESS_IN_TRY",
    "READS_NULL_IN_TRY",
    "TERMINATES_BEFORE_IT_HANDLES",
];

/// The defects of `machine.c`.
const MACHINE_DEFECTS: &[(&str, &str, &str)] = &[
    (
        "NO_FILTER_TAKES_IT",
        "crash",
        "reads memory that is not there",
    ),
    (
        "NO_FILTER_TAKES_A_RAISED_STATUS",
        "bugcheck",
        "KMODE_EXCEPTION_NOT_HANDLED, STATUS_INSUFFICIENT_RESOURCES (0xC000009A), raised by ExRaiseStatus",
    ),
    (
        "READS_FREED_POOL_IN_TRY",
        "use-after-free",
        "reads the pool block of 64 bytes, tag 'Test' after it was freed",
    ),
    (
        "LEAKS_WHEN_IT_HANDLES",
        "unload-leak",
        "pool block (of 64 bytes, tag 'Test')",
    ),
    (
        "USES_UP_THE_STACK",
        "crash",
        "uses up the stack, which has 24 KB",
    ),
    (
        "HAS_A_LARGE_LOCAL",
        "crash",
        "uses up the stack, which has 24 KB",
    ),
    (
        "BLOCKS_FOREVER",
        "hang",
        "the pre-operation callback of IRP_MJ_CREATE waits for an object that nobody signals any more; DriverEntry waits for the pre-operation callback of IRP_MJ_CREATE to return",
    ),
    (
        "ALLOCATES_WITHOUT_END",
        "unload-leak",
        "pool block (of 16777216 bytes, tag 'Test')",
    ),
];

/// The drivers of `machine.c` that make system calls of Linux.
const SYSTEM_CALLS: &[&str] = &[
    "FORKS",
    "KILLS_ITS_PARENT",
    "OPENS_A_SOCKET",
    "WRITES_A_FILE",
];

/// The drivers of `machine.c` that call what the bench does not model: how far each comes, and the routine that calls.
const NOT_JUDGED: &[(&str, &str, &[&str])] = &[
    (
        "CALLS_UNMODELLED_IN_DRIVERENTRY",
        "nothing",
        &["DriverEntry"],
    ),
    (
        "CALLS_UNMODELLED_IN_A_CALLBACK",
        "unload",
        &["the pre-operation callback of IRP_MJ_CREATE"],
    ),
    (
        "CALLS_UNMODELLED_IN_A_WORK_ITEM",
        "operations",
        &["PFLT_GENERIC_WORKITEM_ROUTINE"],
    ),
    (
        "CALLS_UNMODELLED_IN_UNLOAD",
        "operations",
        &[
            "FilterUnloadCallback (not mandatory)",
            "FilterUnloadCallback (mandatory)",
        ],
    ),
];

#[test]
fn the_stack_waits_and_exceptions_are_those_of_the_kernel_here_and_under_wine() {
    let folder = tempfile::tempdir().unwrap();
    let mut built = judged(&folder, "machine.c", MACHINE_DEFECTS);
    built.extend(correct(&folder, "machine.c", MACHINE_GOOD));
    Windows::new().assert_agrees(built.iter().map(|(sys, report)| (sys.as_path(), report)));
}

#[test]
fn a_driver_reaches_nothing_outside_its_machine() {
    let folder = tempfile::tempdir().unwrap();
    let file = Path::new("/tmp/written-by-a-driver");
    assert!(!file.exists(), "{} exists before the test", file.display());
    for name in SYSTEM_CALLS {
        let report = driver::judge(&build_of(&folder, "machine.c", name), None).unwrap();
        let found = rules(&report, "findings");
        assert_eq!(found, ["privileged-instruction"], "{name}: {report:#}");
        assert_eq!(
            report["findings"][0]["seen"],
            "the pre-operation callback of IRP_MJ_CREATE runs syscall"
        );
        assert!(!file.exists(), "{name}");
    }
}

/// The events of a worker that plays this job, without the results of calls: addresses differ from run to run.
fn played(job: &Value) -> Vec<Value> {
    let mut worker = xtask()
        .env(testbench::worker::ROLE, "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    // Closed when the worker has ended: that of the parent would end it.
    let mut input = worker.stdin.take().unwrap();
    writeln!(input, "{job}").unwrap();
    let mut text = String::new();
    let mut output = worker.stdout.take().unwrap();
    output.read_to_string(&mut text).unwrap();
    worker.wait().unwrap();
    text.lines()
        .map(|line| {
            let mut event: Value = serde_json::from_str(line).unwrap();
            event.as_object_mut().unwrap().remove("result");
            event
        })
        .collect()
}

#[test]
fn a_run_that_is_written_down_is_replayed() {
    let folder = tempfile::tempdir().unwrap();
    let sys = build_of(&folder, "machine.c", "NEEDS_AN_ORDER_OF_WORK_ITEMS");
    let with = |schedule: &[u8]| {
        let scenario = serde_json::json!({
            "script": "service-stop", "quiet_start": false, "faults": [], "schedule": schedule,
        });
        played(&serde_json::json!({
            "driver": sys, "scenario": scenario, "registry": {}, "assume": {},
        }))
    };
    let ends = |events: &[Value], how: &str| events.last().unwrap()["ending"]["how"] == how;
    let first = with(&[]);
    assert!(ends(&first, "completed"), "{:?}", first.last());
    assert_eq!(with(&[]), first);
    assert_eq!(
        with(&[0, 0]),
        first,
        "the first thread runs where nothing is said"
    );
    // The second work item runs first.
    let second = with(&[1]);
    assert!(ends(&second, "trap"), "{:?}", second.last());
    assert_eq!(with(&[1]), second);
}

#[test]
fn what_is_not_modelled_is_no_finding() {
    let folder = tempfile::tempdir().unwrap();
    for (name, reached, routines) in NOT_JUDGED {
        let sys = build_of(&folder, "machine.c", name);
        let output = verify(&sys, &[]);
        let text = String::from_utf8_lossy(&output.stdout);
        assert_eq!(output.status.code(), Some(3), "{name}: {text}");
        assert!(
            text.contains("not judged ntoskrnl.exe!KeGetRecommendedSharedDataAlignment"),
            "{text}"
        );
        let incomplete = report(&sys, &[]);
        assert_eq!(incomplete["findings"], Value::Array(Vec::new()), "{name}");
        assert_eq!(incomplete["outcome"], "not-judged", "{name}");
        assert_eq!(incomplete["complete"], false, "{name}");
        assert_eq!(incomplete["reached"], *reached, "{name}");
        let within: Vec<&str> = incomplete["not-judged"]
            .as_array()
            .unwrap()
            .iter()
            .map(|part| part["within"].as_str().unwrap())
            .collect();
        assert_eq!(within, *routines, "{name}");

        // With a result, everything is judged.
        let assume = "KeGetRecommendedSharedDataAlignment=64";
        let assumed = report(&sys, &["--assume", assume]);
        assert_eq!(assumed["outcome"], "clean", "{name}: {assumed:#}");
        assert_eq!(
            assumed["assume"]["KeGetRecommendedSharedDataAlignment"],
            "64"
        );
        let file = folder.path().join("testbench.toml");
        fs::write(
            &file,
            "[assume]\nKeGetRecommendedSharedDataAlignment = \"0x40\"\n",
        )
        .unwrap();
        let expect = ["verify", "--json", "--expect", file.to_str().unwrap()];
        let output = xtask().args(expect).arg(&sys).output().unwrap();
        let by_table: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(by_table["complete"], true, "{name}: {by_table:#}");
        fs::remove_file(file).unwrap();
    }
}

#[test]
fn an_invalid_assumption_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let sys = build(&folder, "GOOD");
    for (arguments, says) in [
        (
            &["--assume", "PsGetVersion"][..],
            "the assumption \"PsGetVersion\" has no result; write NAME=RESULT, such as PsGetVersion=STATUS_SUCCESS",
        ),
        (
            &["--assume", "PsGetVersion=STATUS_NO_SUCH_STATUS"],
            "the result \"STATUS_NO_SUCH_STATUS\" of PsGetVersion is not known; write the name of a status",
        ),
        (
            &["--assume", "PsGetVersion=0", "--assume", "PsGetVersion=1"],
            "PsGetVersion is given two results; give it one",
        ),
    ] {
        assert_refused(&sys, arguments, says);
    }
}

/// The rules that no driver breaks: they are about the bench.
const OF_THE_BENCH: &[&str] = &["bench-error"];

/// The correct counterparts are the drivers without the macro or the edit, which the tests also judge.
#[test]
fn each_rule_has_a_broken_driver() {
    let text = fs::read_to_string(sources().join("../broken.toml")).unwrap();
    let table: toml::Table = toml::from_str(&text).unwrap();
    let emitted = table["driver"].as_array().unwrap().iter();
    let emitted = emitted.map(|driver| driver["rule"].as_str().unwrap());
    let written = [
        DEFECTS,
        SYSTEM_DEFECTS,
        MACHINE_DEFECTS,
        REFUSED,
        DOCUMENT_DEFECTS,
    ]
    .concat();
    let written = written.iter().map(|(_, rule, _)| *rule);
    let broken: Vec<&str> = emitted.chain(written).collect();
    for rule in testbench::rules::all() {
        let name = rule.name;
        let exempt = OF_THE_BENCH.contains(&name);
        assert_eq!(
            broken.contains(&name),
            !exempt,
            "{name} needs a broken driver"
        );
    }
}

#[test]
fn every_driver_of_the_sources_is_tested() {
    let machine = MACHINE_DEFECTS.iter().map(|(defect, ..)| *defect);
    let machine: Vec<&str> = machine
        .chain(MACHINE_GOOD.iter().copied())
        .chain(SYSTEM_CALLS.iter().copied())
        .chain(NOT_JUDGED.iter().map(|(name, ..)| *name))
        .collect();
    let names = |defects: &[(&'static str, &str, &str)]| -> Vec<&str> {
        defects.iter().map(|(defect, ..)| *defect).collect()
    };
    for (file, tested) in [
        (
            "minifilter.c",
            [&names(DEFECTS)[..], GOOD, &[OWN_POINTER]].concat(),
        ),
        ("system.c", names(SYSTEM_DEFECTS)),
        (
            "documents.c",
            [&names(DOCUMENT_DEFECTS)[..], DOCUMENT_GOOD].concat(),
        ),
        ("refused.c", names(REFUSED)),
        ("machine.c", machine),
    ] {
        let text = fs::read_to_string(sources().join(file)).unwrap();
        for line in text.lines() {
            let name = ["#ifdef ", "#ifndef ", "#if defined(", "#elif defined("]
                .iter()
                .find_map(|start| line.strip_prefix(start));
            if let Some(name) = name.map(|name| name.trim_end_matches(')')) {
                assert!(tested.contains(&name), "{file}: {name}");
            }
        }
    }
}

/// A driver that changes a pointer of the filter manager.
const OWN_POINTER: &str = "CHANGES_THE_POINTER_TO_THE_PARAMETERS";

/// What a driver writes to `Iopb` is no error of the bench.
#[test]
fn a_changed_pointer_to_the_parameters_is_not_followed() {
    let folder = tempfile::tempdir().unwrap();
    let report = report(&build(&folder, OWN_POINTER), &[]);
    assert_eq!(rules(&report, "findings"), [""; 0], "{report:#}");
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
fn the_exit_status_reports_the_verdict() {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(verify(&build(&folder, "GOOD"), &[]).status.code(), Some(0));
    let broken = build(&folder, "DOES_NOT_RELEASE_A_CONTEXT");
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
fn an_unexpected_unload_policy_is_a_finding() {
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

/// Builds a driver and copies it under several names. The name selects what the driver does.
fn named(folder: &TempDir, file: &str, names: &[&str]) -> Vec<PathBuf> {
    let built = folder.path().join("built.sys");
    compile_c(&[sources().join(file)], &[], &built).unwrap_or_else(|error| panic!("{error:#}"));
    let copies = names.iter().map(|name| {
        let copy = folder.path().join(format!("{name}.sys"));
        fs::copy(&built, &copy).unwrap();
        copy
    });
    copies.collect()
}

/// The cases of `arguments.c`: those in the list `CASES`, and the one in `InstanceSetup`.
fn cases(text: &str) -> Vec<&str> {
    let listed = text
        .lines()
        .filter_map(|line| line.trim_start().strip_prefix("X(")?.split(',').next());
    listed.chain(["RtlAppendUnicodeStringToString_1"]).collect()
}

#[test]
fn a_bad_pointer_is_a_crash_of_the_call_that_passes_it_here_and_under_wine() {
    let folder = tempfile::tempdir().unwrap();
    let text = fs::read_to_string(sources().join("arguments.c")).unwrap();
    let names = cases(&text);
    assert!(names.len() > 70, "{names:?}");
    let drivers = named(&folder, "arguments.c", &names);
    let reports: Vec<Value> = drivers
        .iter()
        .map(|sys| driver::judge(sys, None).unwrap())
        .collect();
    let mut wrong = Vec::new();
    for (name, report) in names.iter().zip(&reports) {
        let mut parts = name[1..].split('_');
        let function = format!("{}{}", &name[..1], parts.next().unwrap());
        let argument = parts.next().unwrap();
        let member = parts
            .next()
            .map(|member| format!("the member {member} of "));
        let says = format!(
            "calls {function}, which through {}argument {argument} ",
            member.unwrap_or_default()
        );
        let seen = report["findings"][0]["seen"].as_str().unwrap_or_default();
        if rules(report, "findings") != ["crash"] || !seen.contains(&says) {
            wrong.push(format!("{name}: {says:?}: {}", report["findings"]));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let jump = &reports.last().unwrap()["findings"][0]["where"]["rva"];
    assert!(jump.is_null(), "the compiler did not emit a jump: {jump}");
    let drivers = drivers.iter().map(PathBuf::as_path);
    Windows::new().assert_agrees(drivers.zip(&reports));
}

#[test]
fn security_descriptors_are_as_documented() {
    let folder = tempfile::tempdir().unwrap();
    let good = report(&build_of(&folder, "security.c", "GOOD"), &[]);
    assert_eq!(good["findings"], Value::Array(Vec::new()), "{good:#}");
    assert_eq!(rules(&good, "advice"), [""; 0], "{good:#}");
    for import in good["imports"].as_array().unwrap() {
        assert_eq!(import["modelled"], true, "{import}");
    }

    let open = report(&build_of(&folder, "security.c", "NULL_DACL"), &[]);
    assert_eq!(open["findings"], Value::Array(Vec::new()), "{open:#}");
    assert_eq!(rules(&open, "advice"), ["null-dacl"], "{open:#}");
    assert_eq!(
        open["advice"][0]["seen"],
        "the server port \\SecurityPort gets a security descriptor with a NULL DACL"
    );

    let freed = build_of(&folder, "security.c", "READS_A_FREED_DESCRIPTOR");
    let freed = report(&freed, &[]);
    assert_eq!(rules(&freed, "findings"), ["use-after-free"], "{freed:#}");
}

/// The settings that `settings.c` requires.
const SETTINGS: [&str; 7] = [
    "\\Debug=dword:1",
    "Mode=dword:1",
    "Limit=qword:0x100000000",
    "Text=string:C:\\data",
    "Root=expand-string:%SystemRoot%",
    "List=multi-string:a|b",
    "Rules\\Bytes=binary:01 FF 00",
];

/// The settings as `--reg` arguments.
fn reg<'a>(settings: &[&'a str]) -> Vec<&'a str> {
    settings
        .iter()
        .flat_map(|setting| ["--reg", setting])
        .collect()
}

#[test]
fn a_driver_finds_the_settings_that_are_given() {
    let folder = tempfile::tempdir().unwrap();
    let sys = build_of(&folder, "settings.c", "GOOD");
    let with = report(&sys, &reg(&SETTINGS));
    assert_eq!(with["findings"], Value::Array(Vec::new()), "{with:#}");
    assert_eq!(with["observed"]["loads"], true);
    assert_eq!(with["registry"]["Rules\\Bytes"], "binary:01 FF 00");
    // Each setting is required, and the report says which one is missing and how to pass it.
    for (number, missing) in SETTINGS.iter().enumerate() {
        let (name, _) = missing.split_once('=').unwrap();
        let mut others = SETTINGS.to_vec();
        others.remove(number);
        let report = report(&sys, &reg(&others));
        assert_eq!(rules(&report, "findings"), ["clean-load"], "{name}");
        let seen = report["findings"][0]["seen"].as_str().unwrap();
        let hint = if name == "Rules\\Bytes" {
            "Rules\\NAME"
        } else {
            name
        };
        let hint = format!(
            "(--reg '{hint}=TYPE:VALUE' gives it, or the table [registry] of testbench.toml)"
        );
        assert!(seen.contains(&hint), "{name}: {seen}");
    }
    // The bench also judges what the driver does after it has read the settings.
    let broken = build_of(&folder, "settings.c", "CRASHES_LATER");
    let broken = report(&broken, &reg(&SETTINGS));
    assert_eq!(rules(&broken, "findings"), ["crash"], "{broken:#}");
}

#[test]
fn the_command_line_overrides_settings_of_testbench_toml_here_and_under_wine() {
    let folder = tempfile::tempdir().unwrap();
    let sys = build_of(&folder, "settings.c", "GOOD");
    let lines = SETTINGS.map(|setting| {
        let (name, value) = setting.split_once('=').unwrap();
        format!("'{name}' = '{value}'\n")
    });
    let table = lines.concat();
    let file = folder.path().join("testbench.toml");
    let write = |table: &str| fs::write(&file, format!("[registry]\n{table}")).unwrap();
    let judge = |arguments: &[&str]| -> Value {
        let output = xtask()
            .args(["verify", "--json"])
            .args(arguments)
            .arg(&sys)
            .output()
            .unwrap();
        serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)))
    };
    write(&table.replace("'dword:1'", "'dword:0'"));
    let wrong = judge(&[]);
    assert_eq!(wrong["observed"]["loads"], false);
    let right = judge(&["--reg", "mode=dword:1", "--reg", "\\debug=dword:1"]);
    assert_eq!(right["observed"]["loads"], true, "{right:#}");
    write(&table);
    let right = judge(&[]);
    // The only finding is the message code, which is not in the message table of the driver.
    assert_eq!(rules(&right, "findings"), ["error-packet"], "{right:#}");
    Windows::new().assert_agrees([(sys.as_path(), &right)]);
    write("Mode = 'dword:x'\n");
    let output = xtask().arg("verify").arg(&sys).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        said.contains("testbench.toml is not what the bench expects: the value \"x\" of Mode is not a number from 0 to 4294967295; write it in decimal, or in hexadecimal with 0x."),
        "{said}"
    );
}

#[test]
fn an_invalid_setting_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let sys = build_of(&folder, "settings.c", "GOOD");
    for (arguments, says) in [
        (
            &["--reg", "Mode"][..],
            "\"Mode\" has no \"=\"; write NAME=TYPE:VALUE, such as Mode=dword:1",
        ),
        (
            &["--reg", "Mode=word:1"],
            "the type \"word\" of Mode does not exist; the types are dword, qword, string, expand-string, multi-string, binary",
        ),
        (
            &["--reg", "Mode=dword:1", "--reg", "MODE=dword:2"],
            "the value MODE is given twice, as \"dword:1\" and as \"dword:2\"",
        ),
    ] {
        assert_refused(&sys, arguments, says);
    }
}

#[test]
fn a_message_code_of_another_file_is_advice() {
    let folder = tempfile::tempdir().unwrap();
    let report = report(&build_of(&folder, "settings.c", "GOOD"), &reg(&SETTINGS));
    assert_eq!(rules(&report, "advice"), ["error-packet"], "{report:#}");
    let seen = report["advice"][0]["seen"].as_str().unwrap();
    assert!(seen.contains("EventMessageFile"), "{seen}");
}

#[test]
fn a_driver_that_is_no_minifilter_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let source = folder.path().join("plain.c");
    let text = "#include <ntddk.h>\nNTSTATUS NTAPI DriverEntry(PDRIVER_OBJECT Driver, PUNICODE_STRING Path) { DbgPrint(\"x\"); return STATUS_SUCCESS; }\n";
    fs::write(&source, text).unwrap();
    let sys = folder.path().join("plain.sys");
    compile_c(&[source], &[], &sys).unwrap();
    let output = verify(&sys, &["--json"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(output.stdout.is_empty());
    assert_eq!(
        String::from_utf8_lossy(&output.stderr),
        format!(
            "error: {} is not a minifilter: it imports no function of the filter manager (FLTMGR.SYS); give the .sys of a minifilter.\n",
            sys.display()
        )
    );
}

fn wait_until(what: &str, done: impl Fn() -> bool) {
    for _ in 0..500 {
        if done() {
            return;
        }
        thread::sleep(Duration::from_millis(10));
    }
    panic!("timed out waiting for {what}");
}

#[test]
fn a_killed_bench_leaves_no_worker_behind() {
    let folder = tempfile::tempdir().unwrap();
    let sys = build(&folder, "NEVER_RETURNS");
    let mut bench = xtask()
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
fn the_html_report_loads_no_other_file() {
    let folder = tempfile::tempdir().unwrap();
    let page = folder.path().join("verdict.html");
    let sys = build(&folder, "DOES_NOT_RELEASE_A_CONTEXT");
    let output = verify(&sys, &["--report", page.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(1));
    let text = fs::read_to_string(page).unwrap();
    assert!(text.starts_with("<!DOCTYPE html>"), "{text}");
    assert!(text.contains("context-released"), "{text}");
    for link in ["http://", "https://", "src=", "<link"] {
        assert!(!text.contains(link), "{link}");
    }
}
