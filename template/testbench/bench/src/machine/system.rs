//! Structures of the system's that the driver may look into.

use super::events::must;
use super::guest;
use super::memory;
use super::space::Purpose;
use super::state::machine;

/// A structure of the system's that the driver may look into, zeroed.
#[must_use]
pub fn system_block(size: usize, what: &str) -> u64 {
    object_block(size, Purpose::System, what)
}

/// An object of the system's that functions recognize by its purpose, zeroed.
#[must_use]
pub fn object_block(size: usize, purpose: Purpose, what: &str) -> u64 {
    let address = must(memory::allocate(size, purpose, what.to_owned()));
    guest::fill(address, 0, size);
    address
}

/// A UTF-16 string with its `UNICODE_STRING`, in one block. Behind it stands a NUL, as behind Windows' own, which drivers
/// take for granted.
#[must_use]
pub fn system_string(text: &str, purpose: Purpose, what: &str) -> u64 {
    let units: Vec<u16> = text.encode_utf16().chain([0]).collect();
    let size = units.len() * 2;
    let address = must(memory::allocate(16 + size, purpose, what.to_owned()));
    guest::set_unicode(address, size - 2, size, address + 16);
    guest::put_wide(address + 16, &units);
    address
}

/// Something made once and found again by its name.
pub fn once(name: &str, make: impl FnOnce() -> u64) -> u64 {
    let known = || {
        let all = machine().once.borrow();
        all.iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| *value)
    };
    known().unwrap_or_else(|| {
        let value = make();
        machine().once.borrow_mut().push((name.to_owned(), value));
        value
    })
}

/// Where an opaque pointer of a structure points.
#[must_use]
pub fn opaque(what: &str) -> u64 {
    once(&format!("opaque {what}"), || {
        memory::handle(what.to_owned())
    })
}

/// A text that the driver may read.
#[must_use]
pub fn text(text: &str) -> u64 {
    once(&format!("text {text}"), || {
        let block = system_block(text.len() + 1, "a text of the system's");
        guest::put(block, text.as_bytes());
        block
    })
}

/// The process that everything happens in.
#[must_use]
pub fn current_process() -> u64 {
    once("process", || memory::handle("a process object".to_owned()))
}
