//! The resources that the driver holds.

use super::events::{emit, misuse};
use super::memory::{self, FILL};
use super::state::{Held, with};
use crate::trace::{Event, Kind, Misuse};

/// Records that the driver acquired a resource. `key` identifies it.
pub fn acquire(kind: Kind, key: u64, what: impl Into<String>) {
    let what = what.into();
    let id = with(|state| {
        state.held.push(Held {
            kind,
            key,
            what: what.clone(),
            live: true,
        });
        state.held.len() as u32
    });
    emit(&Event::Acquire { id, kind, what });
}

/// Records that the driver released a resource. Returns `false` if the driver does not hold it.
#[must_use]
pub fn release(kind: Kind, key: u64) -> bool {
    let id = with(|state| {
        let index = state
            .held
            .iter()
            .rposition(|held| held.live && held.kind == kind && held.key == key)?;
        state.held[index].live = false;
        Some(index as u32 + 1)
    });
    if let Some(id) = id {
        emit(&Event::Release { id });
    }
    id.is_some()
}

/// Returns whether the driver holds a resource.
#[must_use]
pub fn holds(kind: Kind, key: u64) -> bool {
    with(|state| {
        state
            .held
            .iter()
            .any(|held| held.live && held.kind == kind && held.key == key)
    })
}

/// Returns the description of a resource that the driver held and released.
#[must_use]
pub fn held_once(kind: Kind, key: u64) -> Option<String> {
    with(|state| {
        state
            .held
            .iter()
            .rev()
            .find(|held| held.kind == kind && held.key == key)
            .map(|held| held.what.clone())
    })
}

/// The value of a pointer in uninitialized memory.
const UNSET: u64 = u64::from_ne_bytes([FILL; 8]);

/// Ends the scenario because a handle or an object has the wrong type.
pub fn bad_handle(expected: &str, given: u64) -> ! {
    let freed = memory::block_at(given).filter(|block| block.freed);
    let description = match (given, memory::handle_name(given), freed) {
        (0, _, _) => "NULL".to_owned(),
        (UNSET, _, _) => "a value from uninitialized memory".to_owned(),
        (_, Some(name), _) => name,
        (_, None, Some(block)) => format!("{}, which was freed before", block.what),
        (_, None, None) => format!("an address that is not a valid {expected}"),
    };
    misuse(Misuse::Handle {
        expected: expected.to_owned(),
        given: description,
        unset: given == 0,
        released_in_teardown: false,
    })
}

/// Ends the scenario because an object is not in the state that a function requires.
pub fn unfit(expected: &str, given: impl Into<String>) -> ! {
    misuse(Misuse::Handle {
        expected: expected.to_owned(),
        given: given.into(),
        unset: false,
        released_in_teardown: false,
    })
}

/// Releases a resource. If it cannot be released, ends the scenario with the reason.
pub fn must_release(kind: Kind, key: u64) {
    if release(kind, key) {
        return;
    }
    match held_once(kind, key) {
        Some(what) => misuse(Misuse::ReleasedTwice {
            what: format!("{kind} {what}"),
        }),
        None => bad_handle(&kind.to_string(), key),
    }
}
