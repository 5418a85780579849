//! What a driver finds behind its imports: the functions and variables of the kernel and of the filter manager.
//!
//! One file a subject. Each function is declared once, by the macro `functions!`, with the header of its document, its
//! highest IRQL and how it can fail; the body says what it does. The wrapper around the body records the call, and makes it
//! fail where the scenario says so.
//!
//! The model follows the documentation (each function's document is called "NAME function (HEADER)") and departs from it
//! in these points:
//!
//! - A thread runs until it waits; nothing is pre-empted.
//! - IRQL is a number. Pageable sections and paged pool are inaccessible at `DISPATCH_LEVEL`, and every call is checked
//!   against its documented limit; interrupts do not exist.
//! - Queued work runs when the driver waits for it or at the latest moment that Windows allows, and that is after the
//!   unload where nothing holds the unload back.
//! - Time passes by a fixed step a question, so that every run is the same.

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

/// Every function of the model.
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

/// Finds a function by name.
#[must_use]
pub fn function(name: &str) -> Option<&'static Function> {
    all().find(|function| function.name == name)
}

/// The address that an import is bound to.
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

/// Whether the model has an import.
#[must_use]
pub fn has(import: &Import) -> bool {
    let name = import.name.as_str();
    function(name).is_some() || process::VARIABLES.contains(&name) || STACK_PROBES.contains(&name)
}

/// Helpers of the compiler that must keep every register.
const STACK_PROBES: &[&str] = &["__chkstk", "___chkstk_ms"];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::function::Fails;

    /// Verbs by which a function gives something back, takes itself back or undoes something.
    const GIVES_BACK: &[&str] = &[
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

    /// A verb is a word of the name, and no part of another word.
    fn has_word(name: &str, word: &str) -> bool {
        name.match_indices(word).any(|(at, _)| {
            let next = name[at + word.len()..].chars().next();
            !next.is_some_and(|next| next.is_ascii_lowercase())
        })
    }

    #[test]
    fn what_gives_something_back_does_not_fail() {
        // It waits, and whoever cancels the wait is not the driver.
        let others = ["FltCancellableWaitForSingleObject"];
        let mut seen = 0;
        for function in all().filter(|function| !others.contains(&function.name)) {
            if GIVES_BACK.iter().any(|verb| has_word(function.name, verb)) {
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
    fn every_function_stands_in_one_table() {
        let mut names: Vec<_> = all().map(|function| function.name).collect();
        names.sort_unstable();
        for pair in names.windows(2) {
            assert_ne!(pair[0], pair[1]);
        }
    }
}
