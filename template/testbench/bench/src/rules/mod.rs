//! The rules: what the documentation asks, as functions from what happened to what is wrong.
//!
//! A rule is pure: it reads a [`Case`], nothing else, and says what it saw. One defect is meant to be
//! seen by one rule: what follows from it (a leak after a crash, a late call after a teardown that
//! did not happen) is left out.

mod device;
mod endings;
mod load;
mod log;
mod operations;
mod registration;
mod unload;
pub mod view;

use serde::{Deserialize, Serialize};

use crate::expect::Expectations;
use crate::scenario::{Injected, Scenario};
use crate::trace::{Place, Trace};
use view::View;

/// How much a rule weighs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Level {
    /// The documentation demands it: a breach is a finding.
    Must,
    /// The documentation recommends it, or the emitted projects promise it: a breach is advice,
    /// and a finding where expectations are given.
    Should,
}

/// A rule.
#[derive(Debug, Clone, Copy)]
pub struct Rule {
    /// Its stable name.
    pub name: &'static str,
    /// What the documentation asks, in one sentence.
    pub asks: &'static str,
    /// The titles of the documents.
    pub documents: &'static [&'static str],
    /// How much it weighs.
    pub level: Level,
    judge: fn(&Case) -> Vec<Seen>,
}

/// One scenario and what happened in it.
#[derive(Debug)]
pub struct Case<'a> {
    /// The scenario.
    pub scenario: &'a Scenario,
    /// What happened.
    pub trace: &'a Trace,
    /// The same with its nesting.
    pub view: View<'a>,
    /// The same story with the volumes attached only after `DriverEntry`.
    pub quiet: Option<&'a Trace>,
    /// What is expected of the driver.
    pub expectations: Option<&'a Expectations>,
    /// The keys of what was seen in the same scenario without its last failure.
    pub base: &'a [String],
}

impl<'a> Case<'a> {
    /// A case with nothing to compare it with.
    #[must_use]
    pub fn new(scenario: &'a Scenario, trace: &'a Trace) -> Self {
        Case {
            scenario,
            trace,
            view: View::new(trace),
            quiet: None,
            expectations: None,
            base: &[],
        }
    }

    /// Whether nothing fails and nothing is informational.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.scenario.faults.is_empty()
    }

    /// Whether a call returned an informational status.
    #[must_use]
    pub fn is_informational(&self) -> bool {
        self.scenario
            .faults
            .iter()
            .any(|fault| !fault.result.is_failure())
    }

    /// Whether the last failure is that of the error log, after another.
    #[must_use]
    pub fn is_log_failure(&self) -> bool {
        self.scenario.faults.len() > 1
            && self.scenario.faults.last().is_some_and(|fault| {
                fault.function == "IoAllocateErrorLogEntry" && fault.result == Injected::Zero
            })
    }

    /// Whether the expectations make advice count.
    #[must_use]
    pub fn is_strict(&self) -> bool {
        self.expectations
            .is_some_and(|expectations| !expectations.lenient)
    }
}

/// What a rule saw.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// What was seen.
    pub seen: String,
    /// The same defect has the same key in every scenario.
    pub key: String,
    /// Where in the driver.
    pub place: Option<Place>,
    /// It weighs less than the rule does.
    pub advice: bool,
}

impl Seen {
    /// Something, with what tells it from other things that the same rule sees.
    #[must_use]
    pub fn new(key: impl Into<String>, seen: impl Into<String>) -> Self {
        Seen {
            seen: seen.into(),
            key: key.into(),
            place: None,
            advice: false,
        }
    }

    /// Where in the driver.
    #[must_use]
    pub fn at(mut self, place: &Place) -> Self {
        self.place = Some(place.clone());
        self
    }

    /// At a call.
    #[must_use]
    pub fn called(mut self, function: &str, site: u32) -> Self {
        self.place = Some(Place {
            rva: Some(site),
            section: None,
            function: Some(function.to_owned()),
        });
        self
    }

    /// No more than advice, whatever the rule.
    #[must_use]
    pub fn as_advice(mut self) -> Self {
        self.advice = true;
        self
    }
}

/// What a rule saw, with the rule.
#[derive(Debug, Clone)]
pub struct Judgement {
    /// The rule.
    pub rule: &'static Rule,
    /// What it saw.
    pub seen: Seen,
}

impl Judgement {
    /// The key of the defect among those of all rules.
    #[must_use]
    pub fn key(&self) -> String {
        format!("{}: {}", self.rule.name, self.seen.key)
    }
}

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

macro_rules! rules {
    ($($name:literal $level:ident [$($document:expr),*] $asks:literal $judge:path;)*) => {
        /// The rules, in the order in which a report shows them.
        pub static RULES: &[Rule] = &[$(Rule {
            name: $name,
            asks: $asks,
            documents: &[$($document),*],
            level: Level::$level,
            judge: $judge,
        }),*];
    };
}

rules! {
    // Loading
    "clean-load" Must [ENTRY]
        "With nothing failing, DriverEntry succeeds." load::clean_load;
    "register-before-start" Must [ENTRY]
        "DriverEntry initializes what is global, calls FltRegisterFilter, then FltStartFiltering, and returns, in that order." load::register_before_start;
    "start-filtering" Must [ENTRY, INITIATING]
        "A minifilter that stays loaded has called FltStartFiltering, and the call did not fail." load::start_filtering;
    "ready-before-start" Must [INITIATING]
        "Callbacks may run before FltStartFiltering returns, so everything they use is ready before it is called." load::ready_before_start;
    "failed-load-undone" Must [RETURNING, RETURN_VALUES]
        "A DriverEntry that fails frees everything it acquired, since no unload routine is called." load::failed_load_undone;
    "undo-in-reverse" Should [CLEANUP, UNLOAD]
        "What was acquired in order is given back in reverse." load::undo_in_reverse;
    "original-status" Must [RETURNING, RETURN_VALUES]
        "DriverEntry returns the status of the call that failed." load::original_status;
    "success-is-exact" Must [RETURNING, "Use NTSTATUS Values"]
        "A status that is not negative is a success: DriverEntry goes on, keeps everything and returns STATUS_SUCCESS." load::success_is_exact;
    "dispatch-reset" Must [RETURN_VALUES]
        "A DriverEntry that fails resets the dispatch entries for IRP_MJ_FLUSH_BUFFERS and IRP_MJ_SHUTDOWN that it had set." load::dispatch_reset;
    "reinitialize-last" Must ["IoRegisterDriverReinitialization function (ntddk.h)"]
        "IoRegisterDriverReinitialization is called only just before DriverEntry returns STATUS_SUCCESS." load::reinitialize_last;
    "error-logged" Should [RETURN_VALUES, LOGGING]
        "A DriverEntry that fails logs an error before it returns." log::error_logged;
    "error-packet" Must [LOGGING, PACKET]
        "An error log packet is whole: its size, strings and dump data fit, and its code has a message." log::error_packet;
    "error-log-failure-tolerated" Must ["IoAllocateErrorLogEntry function (wdm.h)"]
        "IoAllocateErrorLogEntry may return NULL, and nothing else changes then." NO_JUDGE;
    "odd-setting-logged" Should ["Using the Registry in a Driver", LOGGING]
        "An invalid value in the registry is logged, and the driver starts without it." log::odd_setting_logged;
    "null-dacl" Should ["FltBuildDefaultSecurityDescriptor function (fltkernel.h)", "RtlSetDaclSecurityDescriptor function (wdm.h)"]
        "An object that programs can open has a DACL that says who may: a NULL DACL grants all access to every user." device::null_dacl;
    "device-secured" Should ["WdmlibIoCreateDeviceSecure function (wdmsec.h)", "Controlling Device Access"]
        "A device with a name is given its security when it is made, as IoCreateDeviceSecure does." device::device_secured;
    // Registration
    "registration-valid" Must [REGISTRATION, OPERATION_REGISTRATION, "FLT_CONTEXT_REGISTRATION structure (fltkernel.h)"]
        "The registration has its version and size, terminated lists, and only what can be registered." registration::registration_valid;
    "expected-operations" Must [OPERATION_REGISTRATION]
        "The operations with callbacks are those that the driver's expectations list." registration::expected_operations;
    // Operations
    "with-callback-needs-post" Must [PRE, "Bug Check 0xF5 FLTMGR_FILE_SYSTEM"]
        "FLT_PREOP_SUCCESS_WITH_CALLBACK and FLT_PREOP_SYNCHRONIZE are answered only where a post-operation callback is registered (bug check 0xF5, 0x66)." endings::with_callback_needs_post;
    "callback-status" Must [PRE, "Writing Preoperation and Postoperation Callback Routines", POST]
        "A callback answers with a status that exists for this kind of operation." operations::callback_status;
    "draining-only-frees" Must [POST]
        "A post-operation callback with FLTFL_POST_OPERATION_DRAINING only frees what the pre-operation callback left, and answers FLT_POSTOP_FINISHED_PROCESSING." operations::draining_only_frees;
    "never-fail-cleanup-close" Must ["IRP_MJ_CLEANUP", "IRP_MJ_CLOSE"]
        "IRP_MJ_CLEANUP and IRP_MJ_CLOSE do not fail." operations::never_fail_cleanup_close;
    "irql" Must ["Managing Hardware Priorities"]
        "A function is called at an IRQL that its document allows; pageable code and data are not touched at DISPATCH_LEVEL." operations::irql;
    "name-information-released" Must ["FltReleaseFileNameInformation function (fltkernel.h)"]
        "Every file name information is released." operations::name_information_released;
    "context-released" Must ["Releasing Contexts"]
        "Every reference to a context is released, once." operations::context_released;
    "reference-balance" Must ["FltObjectDereference function (fltkernel.h)", "FltUnregisterFilter function (fltkernel.h)"]
        "References to filter, instances and volumes are taken back; FltUnregisterFilter waits for them." unload::reference_balance;
    // Unloading
    "port-closed-before-unregister" Must ["Closing the Communication Server Port"]
        "The server port is closed before FltUnregisterFilter is called, or the system may hang." unload::port_closed_before_unregister;
    "notification-before-device" Must ["IoUnregisterShutdownNotification function (wdm.h)"]
        "A shutdown notification is unregistered before its device is deleted." unload::notification_before_device;
    "filter-outlives-globals" Must [CLEANUP, "Unregistering the Minifilter"]
        "What callbacks use is freed after FltUnregisterFilter returned, since they run until then." unload::filter_outlives_globals;
    "mandatory-unload-tears-down" Must [UNLOAD_CALLED, UNLOAD_STATUS]
        "A mandatory unload cannot be refused: the callback unregisters the filter, or its code is gone while it is still called." unload::mandatory_unload_tears_down;
    "unload-tears-down" Must [UNLOAD, UNLOAD_STATUS]
        "A FilterUnloadCallback that agrees to the unload has unregistered the filter." unload::unload_tears_down;
    "refusal-keeps-filtering" Must [UNLOAD_STATUS]
        "A FilterUnloadCallback that refuses leaves everything as it was, and the filter goes on." unload::refusal_keeps_filtering;
    "unload-leak" Must [CLEANUP]
        "An unloaded driver holds nothing any more." unload::unload_leak;
    "device-in-use" Should ["Unload Routine Environment", UNLOAD_STATUS]
        "While a handle to the driver's device is open, an unload that may be refused is refused." device::device_in_use;
    "reinitialization-holds-unload" Should ["IoRegisterDriverReinitialization function (ntddk.h)", "DRIVER_REINITIALIZE callback function (ntddk.h)"]
        "No call takes a reinitialization routine off its queue, so an unload waits until it has had its turn." device::reinitialization_holds_unload;
    "unload-policy" Must [UNLOAD_CALLED, REGISTRATION]
        "Requests to unload are answered as the driver's expectations say." unload::unload_policy;
    // What ends a scenario
    "late-call" Must ["Making Drivers Pageable", CLEANUP]
        "Code that Windows has discarded is not run: the INIT section after DriverEntry, the image after the unload." endings::late_call;
    "released-once" Must ["Bug Check 0xC2 BAD_POOL_CALLER"]
        "What was given back is not given back again." endings::released_once;
    "use-after-free" Must ["Bug Check 0xCC PAGE_FAULT_IN_FREED_SPECIAL_POOL", "DRIVER_INITIALIZE callback function (wdm.h)"]
        "Memory that was freed is not touched; the registry path is freed when DriverEntry returns." endings::use_after_free;
    "pool-overrun" Must ["Bug Check 0x19 BAD_POOL_HEADER"]
        "Only the bytes of a block are touched." endings::pool_overrun;
    "bad-handle" Must ["Windows Kernel Opaque Structures"]
        "A function gets the kind of object it takes, set up and not yet given back; what is opaque is not looked into." endings::bad_handle;
    "lock-balance" Must ["Introduction to Spin Locks", "ERESOURCE Structure and Routines"]
        "Locks are released by who holds them, requests completed, and the IRQL is as it was when a routine returns." endings::lock_balance;
    "crash" Must ["Bug Check 0x7E SYSTEM_THREAD_EXCEPTION_NOT_HANDLED"]
        "The driver raises no processor exception: it touches memory that is there, runs valid instructions and divides by no zero." endings::crash;
    "assertion" Must ["ASSERTMSG macro (wdm.h)", "Bug Check 0x7E SYSTEM_THREAD_EXCEPTION_NOT_HANDLED"]
        "The driver's own assertions hold." endings::assertion;
    "breakpoint" Must ["DbgBreakPoint function (wdm.h)"]
        "The driver stops at no breakpoint: where no kernel debugger is attached, that is a bug check." endings::breakpoint;
    "bugcheck" Must ["KeBugCheckEx function (wdm.h)"]
        "The driver does not stop the system." endings::bugcheck;
    "fail-fast" Must ["Bug Check 0x139 KERNEL_SECURITY_CHECK_FAILURE"]
        "The driver's own security checks pass." endings::fail_fast;
    "hang" Must ["FltUnregisterFilter function (fltkernel.h)"]
        "Every call comes to an end." endings::hang;
    "privileged-instruction" Must ["Windows Kernel-Mode HAL Library"]
        "The processor is reached through the kernel's routines; the bench cannot run the rest." endings::privileged_instruction;
    "unmodelled-import" Must ["the bench's own model"]
        "The driver calls only what the bench models; what is behind the call was not judged." endings::unmodelled_import;
    "bench-error" Must ["the bench's own model"]
        "The bench itself does not fail." endings::bench_error;
}

/// Every rule.
#[must_use]
pub fn all() -> &'static [Rule] {
    RULES
}

/// A rule by its name.
#[must_use]
pub fn by_name(name: &str) -> Option<&'static Rule> {
    RULES.iter().find(|rule| rule.name == name)
}

/// Judges a case by every rule.
#[must_use]
pub fn judge(case: &Case) -> Vec<Judgement> {
    let mut judgements: Vec<Judgement> = RULES
        .iter()
        .flat_map(|rule| {
            (rule.judge)(case)
                .into_iter()
                .map(move |seen| Judgement { rule, seen })
        })
        .collect();
    if judgements
        .iter()
        .any(|judgement| judgement.rule.name == "success-is-exact")
    {
        // A driver that took a success for a failure is in no state that says more.
        judgements.retain(|judgement| judgement.rule.name == "success-is-exact");
    }
    if judgements
        .iter()
        .any(|judgement| judgement.rule.name == "callback-status")
    {
        // What a callback wanted with an answer that does not exist, nobody knows; so what it left
        // behind says nothing.
        judgements.retain(|judgement| !AFTER_CALLBACKS.contains(&judgement.rule.name));
    }
    if case.is_log_failure()
        && let Some(rule) = by_name("error-log-failure-tolerated")
    {
        // Whatever is wrong only when the log fails is wrong about the log.
        judgements.retain(|judgement| judgement.rule.name != "error-logged");
        for judgement in &mut judgements {
            if !case.base.contains(&judgement.key()) {
                judgement.seen.seen =
                    format!("when the error log gives no entry, {}", judgement.seen.seen);
                judgement.seen.advice |= judgement.rule.level == Level::Should;
                judgement.rule = rule;
            }
        }
    }
    judgements
}

/// Rules about what callbacks leave behind.
const AFTER_CALLBACKS: &[&str] = &[
    "name-information-released",
    "context-released",
    "unload-leak",
];

/// Rules whose breach explains that of others in the same driver: those are left out then.
pub const EXPLAINS: &[(&str, &[&str])] = &[
    ("port-closed-before-unregister", &["undo-in-reverse"]),
    ("notification-before-device", &["undo-in-reverse"]),
    ("filter-outlives-globals", &["undo-in-reverse"]),
    ("registration-valid", &["clean-load"]),
    (
        "clean-load",
        &[
            "start-filtering",
            "original-status",
            "success-is-exact",
            "odd-setting-logged",
        ],
    ),
];

#[cfg(test)]
pub(crate) mod testing {
    //! Hand-made traces for the rules' own tests.

    use super::*;
    use crate::trace::{Ending, Event, Kind, Routine, Stage};
    use crate::vocabulary::status::Status;

    /// A trace that is written down event by event.
    #[derive(Default)]
    pub struct Story {
        trace: Trace,
        ids: u32,
    }

    impl Story {
        pub fn new() -> Self {
            Story::default().stage(Stage::Load)
        }

        pub fn event(mut self, event: Event) -> Self {
            self.trace.events.push(event);
            self
        }

        pub fn stage(self, stage: Stage) -> Self {
            self.event(Event::Stage { stage })
        }

        pub fn enter(self, routine: Routine) -> Self {
            self.event(Event::Enter { routine, irql: 0 })
        }

        pub fn leave(self, answer: Status) -> Self {
            self.event(Event::Leave {
                answer: u64::from(answer.0),
            })
        }

        pub fn begin(self, function: &str) -> Self {
            self.begin_at(function, 0)
        }

        pub fn begin_at(self, function: &str, irql: u8) -> Self {
            self.event(Event::Call {
                function: function.to_owned(),
                site: 0x1000,
                irql,
                point: Some(0),
            })
        }

        pub fn end(self, status: Status) -> Self {
            self.event(Event::Return {
                result: u64::from(status.0),
                injected: false,
            })
        }

        pub fn call(self, function: &str, status: Status) -> Self {
            self.begin(function).end(status)
        }

        pub fn fails(self, function: &str, status: Status) -> Self {
            self.begin(function).event(Event::Return {
                result: u64::from(status.0),
                injected: true,
            })
        }

        pub fn acquires(mut self, function: &str, kind: Kind) -> Self {
            self.ids += 1;
            let id = self.ids;
            self.begin(function)
                .event(Event::Acquire {
                    id,
                    kind,
                    what: function.to_owned(),
                })
                .end(Status(0))
        }

        pub fn releases(self, function: &str, id: u32) -> Self {
            self.begin(function)
                .event(Event::Release { id })
                .end(Status(0))
        }

        pub fn done(self) -> Trace {
            self.ends(Ending::Completed)
        }

        pub fn ends(self, ending: Ending) -> Trace {
            self.event(Event::End { ending }).trace
        }
    }

    /// The names of the rules that see something, each once.
    pub fn names(case: &Case) -> Vec<&'static str> {
        let mut names: Vec<_> = judge(case)
            .iter()
            .map(|judgement| judgement.rule.name)
            .collect();
        names.dedup();
        names
    }
}
