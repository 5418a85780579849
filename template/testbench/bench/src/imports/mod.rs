//! The functions and variables of the kernel and of the filter manager that drivers import.
//!
//! There is one file for each subject. The macro `functions!` declares each function once, with the header of its
//! document, its maximum IRQL and its possible failures. The body implements the function. A wrapper around the body
//! records the call, and injects a failure if the scenario requires it.
//!
//! The model follows the documentation, with the differences below. The document of each function has the title "NAME
//! function (HEADER)".
//!
//! - A thread runs until it waits. Threads are not preempted.
//! - IRQL is a number. Pageable sections and paged pool are inaccessible at `DISPATCH_LEVEL`, and each call is checked
//!   against its documented maximum IRQL. There are no interrupts.
//! - Queued work runs when the driver waits for it, or at the latest time that Windows allows. That time is after the
//!   unload, unless the work item delays the unload.
//! - The time advances by a fixed step at each query, so that runs are reproducible.

mod contexts;
mod debug;
mod devices;
mod errorlog;
mod filter;
mod io;
mod locks;
mod names;
mod operations;
mod pool;
mod ports;
mod process;
mod registry;
mod runtime;
mod security;
mod strings;
mod text;
mod volumes;
mod work;

use crate::image::Import;
use crate::machine::function::Function;
use crate::machine::thunks;

/// Returns every function of the model.
pub fn all() -> impl Iterator<Item = &'static Function> {
    [
        filter::FILTER,
        volumes::VOLUMES,
        operations::OPERATIONS,
        contexts::CONTEXTS,
        names::NAMES,
        ports::PORTS,
        io::FILES,
        io::NT_FILES,
        pool::POOL,
        pool::MDL,
        locks::LOCKS,
        locks::FLT_LOCKS,
        locks::NTIFS_LOCKS,
        work::WORK,
        work::FLT_WORK,
        work::QUEUES,
        devices::DEVICES,
        devices::NTDDK_DEVICES,
        devices::WDMSEC,
        errorlog::ERROR_LOG,
        registry::REGISTRY,
        security::SECURITY,
        security::WDM_SECURITY,
        security::WDMSEC_SECURITY,
        strings::STRINGS,
        strings::NTDDK_STRINGS,
        text::TEXT,
        debug::DEBUG,
        process::PROCESS,
        process::VERSION,
        process::FLT_PROCESS,
        runtime::RUNTIME,
    ]
    .into_iter()
    .flatten()
}

/// Returns the names of the exported variables of the model.
pub fn variables() -> impl Iterator<Item = &'static str> {
    process::VARIABLES.iter().copied()
}

/// Looks up a function by name.
#[must_use]
pub fn function(name: &str) -> Option<&'static Function> {
    all().find(|function| function.name == name)
}

/// Returns the address for an import.
#[must_use]
pub fn bind(import: &Import) -> u64 {
    if let Some(address) = process::variable(&import.name) {
        return address;
    }
    if STACK_PROBES.contains(&import.name.as_str()) {
        return thunks::stack_probe();
    }
    thunks::thunk(&import.dll, &import.name)
}

/// Returns whether the bench models an import.
#[must_use]
pub fn has(import: &Import) -> bool {
    let name = import.name.as_str();
    function(name).is_some() || process::VARIABLES.contains(&name) || STACK_PROBES.contains(&name)
}

/// Compiler helper functions that must preserve all registers.
const STACK_PROBES: &[&str] = &["__chkstk", "___chkstk_ms"];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::function::Fails;

    /// Verbs in the names of functions that release an object or undo an operation.
    const RELEASING: &[&str] = &[
        "Cancel",
        "Clear",
        "Close",
        "Delete",
        "Dereference",
        "Detach",
        "Disable",
        "Free",
        "Leave",
        "Put",
        "Release",
        "Remove",
        "UnRegister",
        "Uninitialize",
        "Unlock",
        "Unmap",
        "Unregister",
    ];

    /// Returns whether a verb is a whole word of a name.
    fn has_word(name: &str, word: &str) -> bool {
        name.match_indices(word).any(|(at, _)| {
            let next = name[at + word.len()..].chars().next();
            !next.is_some_and(|next| next.is_ascii_lowercase())
        })
    }

    #[test]
    fn functions_that_release_do_not_fail() {
        // The wait can be cancelled, but not by the driver.
        let others = ["FltCancellableWaitForSingleObject"];
        let mut seen = 0;
        for function in all().filter(|function| !others.contains(&function.name)) {
            if RELEASING.iter().any(|verb| has_word(function.name, verb)) {
                seen += 1;
                assert!(
                    matches!(function.fails, Fails::Never | Fails::Quiet),
                    "{} can fail",
                    function.name
                );
            }
        }
        assert!(seen > 50, "{seen}");
    }

    #[test]
    fn every_function_is_in_exactly_one_table() {
        let mut names: Vec<_> = all().map(|function| function.name).collect();
        names.sort_unstable();
        for pair in names.windows(2) {
            assert_ne!(pair[0], pair[1]);
        }
    }
}
