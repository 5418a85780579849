//! Handles.

use crate::machine::ledger::acquire;
use crate::machine::state::with;
use crate::trace::Kind;

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
