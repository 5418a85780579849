//! What the documents demand, and which rules see a driver that does not do it.
//!
//! The table is the file `demands.tsv` in the folder of this crate. Its columns are separated by tabs:
//!
//! | Column | Content |
//! |---|---|
//! | function | an imported function or variable, a routine of the driver, or a structure |
//! | demand | what its document demands of a driver, in one sentence; `none` if it demands nothing |
//! | seen by | rules, or `not judged: CLASS`; `-` if the document demands nothing |
//!
//! A driver that does not do what a row demands has a finding of one of the rules, in a script or in a test that an author
//! writes. The classes are those of [`CLASSES`].
//!
//! The documents are the reference pages of the functions, routines and structures, and the guides to which they refer.
//! A document that repeats a demand of another one has a row of its own. Rows are sorted by function and demand.

/// The content of the table.
pub const TABLE: &str = include_str!("../../demands.tsv");

/// The classes of demands that are not judged, and their meaning.
pub const CLASSES: &[(&str, &str)] = &[
    (
        "always-true",
        "In the model, no driver can do otherwise: for example, the top-level IRP of a thread is always NULL.",
    ),
    (
        "author",
        "It depends on what the author of the driver intends.",
    ),
    ("build", "The compiler or the linker sees it."),
    (
        "concurrency",
        "It needs threads that run at the same time. A thread of the model runs until it waits.",
    ),
    (
        "not-modelled",
        "The model does not have the object, the routine or the case.",
    ),
    (
        "open",
        "A rule or a check in the model can see it. There is none yet.",
    ),
    ("performance", "It makes the driver or the system faster."),
    (
        "refused",
        "The function refuses the call with a status, as on Windows. No rule judges the call itself.",
    ),
    (
        "unrecorded",
        "Calls of the function are frequent and are recorded at a forbidden IRQL alone, so no rule sees their arguments.",
    ),
];

/// A row of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Demand<'a> {
    /// The function, the variable, the routine or the structure.
    pub function: &'a str,
    /// What its document demands, or `none`.
    pub text: &'a str,
    /// Who sees it.
    pub seen_by: SeenBy<'a>,
}

/// Who sees a driver that does not do what a document demands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SeenBy<'a> {
    /// The rules, separated by spaces.
    Rules(&'a str),
    /// Nobody. The class is one of [`CLASSES`].
    NotJudged(&'a str),
    /// The document demands nothing.
    Nothing,
}

/// Returns the rows of the table.
pub fn all() -> impl Iterator<Item = Demand<'static>> {
    TABLE.lines().skip(1).filter_map(demand)
}

/// Reads a row. Returns `None` if it does not have three columns.
fn demand(line: &str) -> Option<Demand<'_>> {
    let mut columns = line.split('\t');
    let (function, text, seen_by) = (columns.next()?, columns.next()?, columns.next()?);
    let seen_by = match seen_by.strip_prefix("not judged: ") {
        Some(class) => SeenBy::NotJudged(class),
        None if seen_by == "-" => SeenBy::Nothing,
        None => SeenBy::Rules(seen_by),
    };
    columns.next().is_none().then_some(Demand {
        function,
        text,
        seen_by,
    })
}

#[cfg(test)]
mod tests {
    use super::super::{all as rules, by_name};
    use super::*;
    use crate::imports;
    use crate::trace::{Callback, Routine};
    use std::collections::BTreeSet;

    /// Routines of a driver, by the name of their document.
    const ROUTINES: &[&str] = &[
        "CbdqAcquire",
        "CbdqCompleteCanceledIo",
        "CbdqInsertIo",
        "CbdqPeekNextIo",
        "CbdqRelease",
        "CbdqRemoveIo",
        "DRIVER_DISPATCH",
        "DRIVER_INITIALIZE",
        "DRIVER_REINITIALIZE",
        "DRIVER_UNLOAD",
        "EX_CALLBACK_FUNCTION",
        "IO_COMPLETION_ROUTINE",
        "IO_WORKITEM_ROUTINE",
        "KDEFERRED_ROUTINE",
        "PCREATE_PROCESS_NOTIFY_ROUTINE",
        "PCREATE_PROCESS_NOTIFY_ROUTINE_EX",
        "PCREATE_THREAD_NOTIFY_ROUTINE",
        "PFLT_COMPLETED_ASYNC_IO_CALLBACK",
        "PFLT_CONNECT_NOTIFY",
        "PFLT_CONTEXT_ALLOCATE_CALLBACK",
        "PFLT_CONTEXT_CLEANUP_CALLBACK",
        "PFLT_CONTEXT_FREE_CALLBACK",
        "PFLT_DEFERRED_IO_WORKITEM_ROUTINE",
        "PFLT_DISCONNECT_NOTIFY",
        "PFLT_FILTER_UNLOAD_CALLBACK",
        "PFLT_GENERATE_FILE_NAME",
        "PFLT_GENERIC_WORKITEM_ROUTINE",
        "PFLT_GET_OPERATION_STATUS_CALLBACK",
        "PFLT_INSTANCE_QUERY_TEARDOWN_CALLBACK",
        "PFLT_INSTANCE_SETUP_CALLBACK",
        "PFLT_INSTANCE_TEARDOWN_CALLBACK",
        "PFLT_MESSAGE_NOTIFY",
        "PFLT_NORMALIZE_CONTEXT_CLEANUP",
        "PFLT_NORMALIZE_NAME_COMPONENT",
        "PFLT_NORMALIZE_NAME_COMPONENT_EX",
        "PFLT_POST_OPERATION_CALLBACK",
        "PFLT_PRE_OPERATION_CALLBACK",
        "PFLT_SECTION_CONFLICT_NOTIFICATION_CALLBACK",
        "PFLT_TRANSACTION_NOTIFICATION_CALLBACK",
        "PLOAD_IMAGE_NOTIFY_ROUTINE",
        "RTL_QUERY_REGISTRY_ROUTINE",
        "SafePostCallback",
        "WORKER_THREAD_ROUTINE",
    ];

    /// Structures that a driver fills in or reads.
    const STRUCTURES: &[&str] = &[
        "DRIVER_OBJECT",
        "FLT_CALLBACK_DATA",
        "FLT_CONTEXT_REGISTRATION",
        "FLT_FILE_NAME_INFORMATION",
        "FLT_IO_PARAMETER_BLOCK",
        "FLT_OPERATION_REGISTRATION",
        "FLT_PARAMETERS",
        "FLT_REGISTRATION",
        "FLT_RELATED_OBJECTS",
        "FLT_VOLUME_PROPERTIES",
        "IO_ERROR_LOG_PACKET",
    ];

    /// Rules about instructions, about the bench and about `testbench.toml`, which the document of no function demands.
    const WITHOUT_DEMAND: &[&str] = &[
        "bench-error",
        "expected-reinitialization",
        "expected-settings",
        "fail-fast",
        "privileged-instruction",
    ];

    /// Returns the document of a routine that the bench calls. A new routine does not compile without one.
    fn document(routine: &Routine) -> &'static str {
        match routine {
            Routine::DriverEntry => "DRIVER_INITIALIZE",
            Routine::FilterUnload { .. } => "PFLT_FILTER_UNLOAD_CALLBACK",
            Routine::DriverUnload => "DRIVER_UNLOAD",
            Routine::InstanceSetup { .. } => "PFLT_INSTANCE_SETUP_CALLBACK",
            Routine::InstanceQueryTeardown { .. } => "PFLT_INSTANCE_QUERY_TEARDOWN_CALLBACK",
            Routine::InstanceTeardownStart { .. } | Routine::InstanceTeardownComplete { .. } => {
                "PFLT_INSTANCE_TEARDOWN_CALLBACK"
            }
            Routine::Pre { .. } => "PFLT_PRE_OPERATION_CALLBACK",
            Routine::Post { .. } => "PFLT_POST_OPERATION_CALLBACK",
            Routine::Other { callback } => match callback {
                Callback::Connect => "PFLT_CONNECT_NOTIFY",
                Callback::Disconnect => "PFLT_DISCONNECT_NOTIFY",
                Callback::Message => "PFLT_MESSAGE_NOTIFY",
                Callback::ContextCleanup(_) => "PFLT_CONTEXT_CLEANUP_CALLBACK",
                Callback::Reinitialize => "DRIVER_REINITIALIZE",
                Callback::Dispatch(_) => "DRIVER_DISPATCH",
                Callback::IoWorkItem => "IO_WORKITEM_ROUTINE",
                Callback::WorkerThread => "WORKER_THREAD_ROUTINE",
                Callback::GenericWorkItem => "PFLT_GENERIC_WORKITEM_ROUTINE",
                Callback::DeferredIoWorkItem => "PFLT_DEFERRED_IO_WORKITEM_ROUTINE",
                Callback::Dpc | Callback::TimerDpc => "KDEFERRED_ROUTINE",
                Callback::OperationStatus => "PFLT_GET_OPERATION_STATUS_CALLBACK",
                Callback::SafePost => "SafePostCallback",
                Callback::RegistryQuery => "RTL_QUERY_REGISTRY_ROUTINE",
            },
        }
    }

    #[test]
    fn every_function_routine_and_structure_has_rows() {
        let functions = imports::all().map(|function| function.name);
        let wanted: BTreeSet<&str> = functions
            .chain(imports::variables())
            .chain(ROUTINES.iter().copied())
            .chain(STRUCTURES.iter().copied())
            .collect();
        let found: BTreeSet<&str> = all().map(|demand| demand.function).collect();
        let missing: Vec<_> = wanted.difference(&found).collect();
        assert!(missing.is_empty(), "without a row: {missing:?}");
        let unknown: Vec<_> = found.difference(&wanted).collect();
        assert!(unknown.is_empty(), "not modelled: {unknown:?}");
    }

    #[test]
    fn every_routine_that_the_bench_calls_has_a_document() {
        let callbacks = [
            Callback::Connect,
            Callback::Dispatch(0),
            Callback::Reinitialize,
        ];
        let others = callbacks.map(|callback| Routine::Other { callback });
        for routine in [Routine::DriverEntry, Routine::DriverUnload]
            .iter()
            .chain(&others)
        {
            assert!(ROUTINES.contains(&document(routine)), "{routine:?}");
        }
    }

    #[test]
    fn rows_are_complete_sorted_and_unique() {
        let mut lines = TABLE.lines();
        assert_eq!(lines.next(), Some("function\tdemand\tseen by"));
        let rows: Vec<_> = lines
            .map(|line| demand(line).unwrap_or_else(|| panic!("not three columns: {line}")))
            .collect();
        for pair in rows.windows(2) {
            let key = |row: &Demand<'static>| (row.function, row.text);
            assert!(
                key(&pair[0]) < key(&pair[1]),
                "not sorted, or twice: {pair:?}"
            );
        }
        for row in &rows {
            assert!(!row.function.is_empty() && row.text.is_ascii(), "{row:?}");
            let is_none = row.text == "none";
            assert!(is_none || row.text.ends_with('.'), "no sentence: {row:?}");
            assert_eq!(is_none, row.seen_by == SeenBy::Nothing, "{row:?}");
            let others = rows.iter().filter(|other| other.function == row.function);
            assert!(!is_none || others.count() == 1, "more than none: {row:?}");
        }
    }

    #[test]
    fn rules_and_classes_exist() {
        for row in all() {
            match row.seen_by {
                SeenBy::Rules(names) => {
                    let names: Vec<&str> = names.split(' ').collect();
                    assert!(names.is_sorted_by(|one, other| one < other), "{row:?}");
                    for name in names {
                        assert!(by_name(name).is_some(), "no rule {name}: {row:?}");
                    }
                }
                SeenBy::NotJudged(class) => {
                    assert!(CLASSES.iter().any(|(name, _)| *name == class), "{row:?}");
                }
                SeenBy::Nothing => {}
            }
        }
        for (class, meaning) in CLASSES {
            assert!(meaning.ends_with('.'));
            let mut rows = all();
            assert!(
                rows.any(|row| row.seen_by == SeenBy::NotJudged(class)),
                "no row has the class {class}"
            );
        }
    }

    #[test]
    fn every_rule_sees_a_demand() {
        for rule in rules() {
            let is_named = all().any(|row| match row.seen_by {
                SeenBy::Rules(names) => names.split(' ').any(|name| name == rule.name),
                _ => false,
            });
            assert_ne!(
                is_named,
                WITHOUT_DEMAND.contains(&rule.name),
                "{}",
                rule.name
            );
        }
    }
}
