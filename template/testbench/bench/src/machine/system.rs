//! Structures of the system that the driver can access.

use super::events::must;
use super::guest;
use super::memory;
use super::space::Purpose;
use super::state::machine;

/// Allocates a zeroed structure of the system that the driver can access.
#[must_use]
pub fn system_block(size: usize, what: &str) -> u64 {
    object_block(size, Purpose::System, what)
}

/// Allocates a zeroed object of the system that functions identify by its purpose.
#[must_use]
pub fn object_block(size: usize, purpose: Purpose, what: &str) -> u64 {
    let address = must(memory::allocate(size, purpose, what.to_owned()));
    guest::fill(address, 0, size);
    address
}

/// Allocates a UTF-16 string with its `UNICODE_STRING`, in one block. A NUL follows the string, as on Windows, because
/// drivers rely on it.
#[must_use]
pub fn system_string(text: &str, purpose: Purpose, what: &str) -> u64 {
    let units: Vec<u16> = text.encode_utf16().chain([0]).collect();
    let size = units.len() * 2;
    let address = must(memory::allocate(16 + size, purpose, what.to_owned()));
    guest::set_unicode(address, size - 2, size, address + 16);
    guest::put_wide(address + 16, &units);
    address
}

/// Returns an object that is created once, by name.
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

/// Returns the name of an object that [`once`] created.
#[must_use]
pub fn known_by(value: u64) -> Option<String> {
    let all = machine().once.borrow();
    let mut found = all.iter().filter(|(_, known)| *known == value);
    found.next().map(|(name, _)| name.clone())
}

/// Returns the address for an opaque pointer of a structure.
#[must_use]
pub fn opaque(what: &str) -> u64 {
    once(&format!("opaque {what}"), || {
        memory::handle(what.to_owned())
    })
}

/// Returns the address of a text that the driver can read.
#[must_use]
pub fn text(text: &str) -> u64 {
    once(&format!("text {text}"), || {
        let block = system_block(text.len() + 1, "a text of the system");
        guest::put(block, text.as_bytes());
        block
    })
}
