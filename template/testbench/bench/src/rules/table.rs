//! The table of rules.

use super::case::{Case, Hides, Level, Rule, Seen, Within};
use super::{
    breaches, device, endings, expected, load, log, operations, registration, routines, unload,
};

use crate::trace::Breach;

const NO_JUDGE: fn(&Case) -> Vec<Seen> = |_| Vec::new();

const ENTRY: &str = "Writing a DriverEntry Routine for a Minifilter Driver";
const RETURNING: &str = "Returning Status from a Minifilter DriverEntry Routine";
const RETURN_VALUES: &str = "DriverEntry Return Values";
const INITIATING: &str = "Initiating Filtering";
const LOGGING: &str = "Logging Errors";
const PACKET: &str = "IO_ERROR_LOG_PACKET structure (wdm.h)";
const REGISTRATION: &str = "FLT_REGISTRATION structure (fltkernel.h)";
const OPERATION_REGISTRATION: &str = "FLT_OPERATION_REGISTRATION structure (fltkernel.h)";
const PRE: &str = "PFLT_PRE_OPERATION_CALLBACK callback function (fltkernel.h)";
const POST: &str = "PFLT_POST_OPERATION_CALLBACK callback function (fltkernel.h)";
const UNLOAD: &str = "Writing a FilterUnloadCallback Routine";
const UNLOAD_CALLED: &str = "When the FilterUnloadCallback Routine Is Called";
const UNLOAD_STATUS: &str = "Returning Status from a FilterUnloadCallback Routine";
const CLEANUP: &str = "Performing Global Cleanup";

/// The rules about the ending of a scenario.
const ENDINGS: &[&str] = &[
    "with-callback-needs-post",
    "late-call",
    "released-once",
    "use-after-free",
    "pool-overrun",
    "bad-handle",
    "lock-balance",
    "crash",
    "assertion",
    "breakpoint",
    "fail-fast",
    "privileged-instruction",
];

macro_rules! rules {
    ($($name:literal $level:ident [$($document:expr),*] $asks:literal $judge:expr
       $(, hides $($within:ident $hidden:expr),+)?;)*) => {
        /// The rules, in the order of the report.
        pub static RULES: &[Rule] = &[$(Rule {
            name: $name,
            asks: $asks,
            documents: &[$($document),*],
            level: Level::$level,
            judge: $judge,
            hides: &[$($(Hides { within: Within::$within, rules: $hidden }),+)?],
        }),*];
    };
}

rules! {
    // Loading
    "clean-load" Must [ENTRY]
        "With nothing failing, DriverEntry succeeds." load::clean_load,
        hides Driver &["start-filtering", "original-status", "success-is-exact", "odd-setting-logged"];
    "register-before-start" Must [ENTRY]
        "DriverEntry initializes what is global, calls FltRegisterFilter, then FltStartFiltering, and returns, in that order." load::register_before_start,
        hides Scenario &["bad-handle"], Driver &["undo-in-reverse", "expected-failures"];
    "start-filtering" Must [ENTRY, INITIATING]
        "A minifilter that stays loaded is registered and has called FltStartFiltering, and the call did not fail." load::start_filtering,
        hides Driver &["success-is-exact", "unload-policy", "expected-volumes"];
    "ready-before-start" Must [INITIATING]
        "Callbacks may run before FltStartFiltering returns, so everything they use is ready before it is called." load::ready_before_start,
        hides Scenario ENDINGS;
    "failed-load-undone" Must [RETURNING, RETURN_VALUES]
        "A DriverEntry that fails frees everything it acquired, since no unload routine is called." load::failed_load_undone;
    "undo-in-reverse" Should [CLEANUP, UNLOAD]
        "Resources are released in the reverse order of acquisition." load::undo_in_reverse;
    "original-status" Must [RETURNING, RETURN_VALUES]
        "DriverEntry returns the status of the call that failed." load::original_status;
    "success-is-exact" Must [RETURNING, "Use NTSTATUS Values"]
        "A status that is not negative is a success: DriverEntry continues, keeps its resources and returns STATUS_SUCCESS." load::success_is_exact,
        hides Scenario &[];
    "dispatch-reset" Must [RETURN_VALUES]
        "A DriverEntry that fails resets the dispatch entries for IRP_MJ_FLUSH_BUFFERS and IRP_MJ_SHUTDOWN that it had set." load::dispatch_reset;
    "reinitialize-last" Must ["IoRegisterDriverReinitialization function (ntddk.h)"]
        "IoRegisterDriverReinitialization is called only just before DriverEntry returns STATUS_SUCCESS." load::reinitialize_last;
    "error-logged" Should [RETURN_VALUES, LOGGING]
        "A DriverEntry that fails logs an error before it returns." log::error_logged;
    "error-packet" Must [LOGGING, PACKET]
        "An error log packet is valid: its size, strings and dump data are consistent, and its code has a message." log::error_packet,
        hides Driver &["expected-failures"];
    "error-log-failure-tolerated" Must ["IoAllocateErrorLogEntry function (wdm.h)"]
        "IoAllocateErrorLogEntry may return NULL; the driver otherwise behaves the same." NO_JUDGE;
    "odd-setting-logged" Should ["Using the Registry in a Driver", LOGGING]
        "An invalid value in the registry is logged, and the driver starts without it." log::odd_setting_logged;
    "null-dacl" Should ["FltBuildDefaultSecurityDescriptor function (fltkernel.h)", "RtlSetDaclSecurityDescriptor function (wdm.h)"]
        "An object that programs can open has a DACL that restricts access: a NULL DACL grants all access to every user." |case| breaches::at_calls(case, Breach::NullDacl);
    "device-secured" Should ["WdmlibIoCreateDeviceSecure function (wdmsec.h)", "Controlling Device Access", "Controlling Device Namespace Access"]
        "A named device is created with its security descriptor, as IoCreateDeviceSecure does, and with FILE_DEVICE_SECURE_OPEN." device::device_secured,
        hides Driver &["expected-device"];
    "pool-not-executable" Should ["No-Execute (NX) Nonpaged Pool", "POOL_FLAGS enumeration (wdm.h)"]
        "Pool is allocated without permission to execute it: NonPagedPoolNx, POOL_FLAG_NON_PAGED or POOL_NX_ALLOCATION." |case| breaches::at_calls(case, Breach::ExecutablePool);
    "argument-refused" Must ["OBJECT_ATTRIBUTES structure (ntdef.h)", "UNICODE_STRING structure (ntdef.h)"]
        "The arguments of a call are those that its document permits." breaches::argument_refused,
        hides Driver &["clean-load", "odd-setting-logged", "expected-volumes", "expected-device", "expected-reinitialization", "expected-failures", "expected-settings", "error-packet"];
    // Registration
    "registration-valid" Must [REGISTRATION, OPERATION_REGISTRATION, "FLT_CONTEXT_REGISTRATION structure (fltkernel.h)"]
        "The registration has its version and size, terminated lists, and only what can be registered." |case| breaches::of(case, Breach::Registration),
        hides Driver &["clean-load", "expected-operations"];
    "expected-operations" Must [OPERATION_REGISTRATION]
        "The operations with callbacks are those that the driver's expectations list." registration::expected_operations;
    "expected-volumes" Must ["PFLT_INSTANCE_SETUP_CALLBACK callback function (fltkernel.h)", REGISTRATION]
        "The filter attaches to the volumes that the driver's expectations list, and is detached as they say." expected::volumes;
    "expected-failures" Must [RETURN_VALUES, LOGGING]
        "A failure of a function that the driver's expectations list fails DriverEntry, and is logged with its name, its status and its number." expected::load_failures;
    "expected-settings" Must ["Using the Registry in a Driver"]
        "A value of a setting that the driver's expectations allow is accepted, a missing one has its default, and one that is not allowed is reported with the expected status." expected::settings,
        hides Driver &["expected-volumes"];
    "expected-device" Must ["Creating a Device Object", "Introduction to MS-DOS Device Names"]
        "The driver has the device, the symbolic link and the dispatch routines that its expectations list." expected::device,
        hides Driver &["device-usable"];
    "expected-reinitialization" Must ["IoRegisterDriverReinitialization function (ntddk.h)"]
        "The reinitialization routine is called as often as the driver's expectations specify." expected::reinitialization;
    // Operations
    "with-callback-needs-post" Must [PRE, "Bug Check 0xF5 FLTMGR_FILE_SYSTEM"]
        "FLT_PREOP_SUCCESS_WITH_CALLBACK and FLT_PREOP_SYNCHRONIZE are returned only if a post-operation callback is registered (bug check 0xF5, 0x66)." endings::with_callback_needs_post;
    "callback-status" Must [PRE, "Writing Preoperation and Postoperation Callback Routines", POST]
        "A callback returns a status that is valid for the operation." operations::callback_status,
        hides Scenario &["name-information-released", "context-released", "unload-leak"];
    "result-set" Must [PRE, "IO_STATUS_BLOCK structure (wdm.h)"]
        "A callback that completes an operation sets IoStatus.Status and, if the operation does not fail, IoStatus.Information." |case| breaches::of(case, Breach::Result),
        hides Scenario &["bypass-io", "never-fail-cleanup-close"];
    "changes-marked-dirty" Must ["FltSetCallbackDataDirty function (fltkernel.h)", "Modifying the Parameters for an I/O Operation"]
        "A callback that changes the parameters of an operation calls FltSetCallbackDataDirty; otherwise, the changes have no effect." |case| breaches::of(case, Breach::NotDirty);
    "read-only-data" Must ["FltDecodeParameters function (fltkernel.h)", "FLT_RELATED_OBJECTS structure (fltkernel.h)", "FLT_FILE_NAME_INFORMATION structure (fltkernel.h)"]
        "A driver does not change what it may only read: the data of a write or set operation, FLT_RELATED_OBJECTS, file name information." |case| breaches::of(case, Breach::ReadOnly);
    "allowed-routine" Must ["FltCancelFileOpen function (fltkernel.h)", "FltDoCompletionProcessingWhenSafe function (fltkernel.h)", "PFLT_INSTANCE_SETUP_CALLBACK callback function (fltkernel.h)"]
        "A function is called only in the routines and for the operations that its document names." routines::allowed_routine,
        hides Scenario &["failed-open-canceled"];
    "failed-open-canceled" Must ["Failing an I/O Operation in a Postoperation Callback Routine", "FltCancelFileOpen function (fltkernel.h)"]
        "A post-create callback that fails an open that succeeded calls FltCancelFileOpen." routines::failed_open_canceled;
    "tunneled-name" Should ["FltGetTunneledName function (fltkernel.h)"]
        "A post-operation callback that gets a normalized name from the pre-operation callback of a create or rename operation calls FltGetTunneledName." breaches::tunneled_name;
    "kernel-handle" Must ["InitializeObjectAttributes macro (wdm.h)", "OBJECT_ATTRIBUTES structure (ntdef.h)"]
        "In a thread of a program, a handle is opened with OBJ_KERNEL_HANDLE, so that the program cannot use it." |case| breaches::at_calls(case, Breach::UserHandle);
    "registry-type-check" Must ["RtlQueryRegistryValues function (wdm.h)"]
        "RtlQueryRegistryValues stores a value directly only if its type is checked (RTL_QUERY_REGISTRY_TYPECHECK)." |case| breaches::at_calls(case, Breach::TypeCheck);
    "locked-pages" Must ["MmProbeAndLockPages function (wdm.h)", "MmUnlockPages function (wdm.h)", "Bug Check 0x76 PROCESS_HAS_LOCKED_PAGES"]
        "The pages of a memory descriptor list are locked once before they are mapped, and unlocked before the list is freed." |case| breaches::at_calls(case, Breach::LockedPages);
    "object-in-freed-memory" Must ["Bug Check 0xC4 DRIVER_VERIFIER_DETECTED_VIOLATION"]
        "Memory that is freed contains no held lock, ERESOURCE, lookaside list, set timer or queued work item." |case| breaches::at_calls(case, Breach::FreedObject),
        hides Scenario &[];
    "device-initialized" Must ["Creating a Device Object", "IoCreateDevice function (wdm.h)"]
        "A routine other than DriverEntry that creates a device clears DO_DEVICE_INITIALIZING." |case| breaches::of(case, Breach::DeviceInitializing);
    "bypass-io" Must ["BypassIO operations", "FltVetoBypassIo function (fltkernel.h)"]
        "A request to enable or query BypassIO is passed on, or vetoed with FltVetoBypassIo and completed with its status; other requests are passed on." operations::bypass_io;
    "draining-only-frees" Must [POST]
        "A post-operation callback with FLTFL_POST_OPERATION_DRAINING only frees what the pre-operation callback allocated, and returns FLT_POSTOP_FINISHED_PROCESSING." operations::draining_only_frees;
    "never-fail-cleanup-close" Must ["IRP_MJ_CLEANUP", "IRP_MJ_CLOSE", "IRP_MJ_SHUTDOWN"]
        "IRP_MJ_CLEANUP and IRP_MJ_CLOSE do not fail, and a device does not fail IRP_MJ_SHUTDOWN." operations::never_fail_cleanup_close,
        hides Driver &["expected-device"];
    "irql" Must ["Managing Hardware Priorities"]
        "A function is called at an IRQL that its document allows; pageable code and data are not accessed at DISPATCH_LEVEL." operations::irql;
    "name-information-released" Must ["FltReleaseFileNameInformation function (fltkernel.h)"]
        "Every file name information is released." operations::name_information_released;
    "context-released" Must ["Releasing Contexts"]
        "Every reference to a context is released, once." operations::context_released;
    "reference-balance" Must ["FltObjectDereference function (fltkernel.h)", "FltUnregisterFilter function (fltkernel.h)"]
        "References to filter, instances and volumes are released; FltUnregisterFilter waits for them." unload::reference_balance,
        hides Scenario &["hang"];
    "request-completed" Must ["IoCompleteRequest macro (wdm.h)", "IoMarkIrpPending macro (wdm.h)", "DRIVER_DISPATCH callback function (wdm.h)"]
        "A dispatch routine sets IoStatus, completes the request once and returns its status, or marks it pending and returns STATUS_PENDING." |case| breaches::at_calls(case, Breach::Request),
        hides Driver &["expected-device"];
    "device-usable" Should ["Introduction to MS-DOS Device Names", "IRP_MJ_CREATE"]
        "A device with a symbolic link can be opened: the link leads to the device, and the driver has a routine for IRP_MJ_CREATE." device::device_usable;
    "foreign-link" Must ["IoDeleteSymbolicLink function (wdm.h)", "IoCreateSymbolicLink function (wdm.h)"]
        "A driver deletes only the symbolic links that it created." breaches::foreign_link;
    // Unloading
    "port-closed-before-unregister" Must ["Closing the Communication Server Port"]
        "The server port is closed before FltUnregisterFilter is called; otherwise, the system may hang." unload::port_closed_before_unregister,
        hides Driver &["undo-in-reverse"];
    "notification-before-device" Must ["IoUnregisterShutdownNotification function (wdm.h)"]
        "A shutdown notification is unregistered before its device is deleted." unload::notification_before_device,
        hides Driver &["undo-in-reverse"];
    "filter-outlives-globals" Must [CLEANUP, "Unregistering the Minifilter"]
        "Data that callbacks use is freed after FltUnregisterFilter returned, because callbacks run until then." unload::filter_outlives_globals,
        hides Scenario ENDINGS, Driver &["undo-in-reverse"];
    "mandatory-unload-tears-down" Must [UNLOAD_CALLED, UNLOAD_STATUS]
        "A mandatory unload cannot be refused: the callback unregisters the filter, because Windows unloads the image in any case." unload::mandatory_unload_tears_down;
    "unload-tears-down" Must [UNLOAD, UNLOAD_STATUS]
        "A FilterUnloadCallback that accepts the unload unregisters the filter." unload::unload_tears_down;
    "refusal-keeps-filtering" Must [UNLOAD_STATUS]
        "A FilterUnloadCallback that refuses the unload releases nothing, and the filter continues to work." unload::refusal_keeps_filtering;
    "unload-leak" Must [CLEANUP]
        "An unloaded driver holds no resources." unload::unload_leak,
        hides Place &["failed-load-undone"];
    "device-in-use" Should ["Unload Routine Environment", UNLOAD_STATUS]
        "While a handle to the driver's device is open, an unload that may be refused is refused." device::device_in_use;
    "reinitialization-holds-unload" Should ["IoRegisterDriverReinitialization function (ntddk.h)", "DRIVER_REINITIALIZE callback function (ntddk.h)"]
        "No function removes a queued reinitialization routine, so an unload waits until the routine has run." device::reinitialization_holds_unload,
        hides Scenario &["late-call"];
    "unload-policy" Must [UNLOAD_CALLED, REGISTRATION]
        "Unload requests have the result that the driver's expectations specify." unload::unload_policy;
    // Endings
    "late-call" Must ["Making Drivers Pageable", CLEANUP]
        "Code that Windows has discarded is not executed: the INIT section after DriverEntry, the image after the unload." endings::late_call;
    "released-once" Must ["Bug Check 0xC2 BAD_POOL_CALLER"]
        "Each resource is released only once." endings::released_once;
    "use-after-free" Must ["Bug Check 0xCC PAGE_FAULT_IN_FREED_SPECIAL_POOL", "DRIVER_INITIALIZE callback function (wdm.h)"]
        "Memory that was freed is not accessed; the registry path is freed when DriverEntry returns." endings::use_after_free;
    "pool-overrun" Must ["Bug Check 0x19 BAD_POOL_HEADER"]
        "Accesses to a block are within its bounds." endings::pool_overrun;
    "bad-handle" Must ["Windows Kernel Opaque Structures"]
        "A function receives an object of the required type, initialized and not yet released; opaque objects are not accessed." endings::bad_handle;
    "lock-balance" Must ["Introduction to Spin Locks", "ERESOURCE Structure and Routines"]
        "Locks are released by the thread that holds them, and a routine returns at the IRQL at which it was called." endings::lock_balance;
    "crash" Must ["Bug Check 0x7E SYSTEM_THREAD_EXCEPTION_NOT_HANDLED"]
        "The driver causes no processor exception: it accesses valid memory, executes valid instructions and does not divide by zero." endings::crash;
    "assertion" Must ["ASSERTMSG macro (wdm.h)", "Bug Check 0x7E SYSTEM_THREAD_EXCEPTION_NOT_HANDLED"]
        "The driver's own assertions hold." endings::assertion;
    "breakpoint" Must ["DbgBreakPoint function (wdm.h)"]
        "The driver executes no breakpoint: without a kernel debugger, it causes a bug check." endings::breakpoint;
    "bugcheck" Must ["KeBugCheckEx function (wdm.h)"]
        "The driver does not stop the system with a bug check." endings::bugcheck;
    "fail-fast" Must ["Bug Check 0x139 KERNEL_SECURITY_CHECK_FAILURE"]
        "The driver's own security checks pass." endings::fail_fast;
    "hang" Must ["FltUnregisterFilter function (fltkernel.h)"]
        "Every call returns." endings::hang;
    "privileged-instruction" Must ["Windows Kernel-Mode HAL Library"]
        "The driver accesses the processor through kernel routines; the bench cannot execute privileged instructions." endings::privileged_instruction;
    "bench-error" Must ["the bench's own model"]
        "The bench itself does not fail." endings::bench_error;
}
