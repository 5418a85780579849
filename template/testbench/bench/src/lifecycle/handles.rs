//! Handles.

use crate::machine::events::breach;
use crate::machine::ledger::acquire;
use crate::machine::state::with;
use crate::machine::threads;
use crate::trace::{Breach, Kind};

/// Checks the attributes with which a handle is opened: in a thread of a program, it is to be a kernel handle.
pub fn check_attributes(attributes: u32) {
    const KERNEL_HANDLE: u32 = 0x200; // OBJ_KERNEL_HANDLE
    if attributes & KERNEL_HANDLE == 0 && threads::process_of(threads::current()) != 0 {
        let problem = "a handle is opened in a thread of a program without OBJ_KERNEL_HANDLE";
        breach(Breach::UserHandle, problem);
    }
}

/// Creates a handle with a numeric value.
#[must_use]
pub fn new_handle(kind: Kind, what: &str) -> u64 {
    let handle = with(|state| {
        state.registry.next += 4;
        state.registry.next
    });
    acquire(kind, handle, what);
    handle
}
