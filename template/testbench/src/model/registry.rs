//! The registry: the service's key as an INF leaves it.
//!
//! Documents: "Accessing Registry Keys Safely", "Creating an INF File for a Minifilter Driver".

use super::{
    Fails, PASSIVE, acquire, bad_handle, functions, held_once, misuse, must_release, with,
};
use crate::guest;
use crate::scenario::Story;
use crate::status::{self, Status};
use crate::trace::{Kind, Misuse};

/// The keys that exist, and the handles to them.
#[derive(Debug, Clone, Default)]
pub struct Registry {
    keys: Vec<Key>,
    open: Vec<(u64, String)>,
    next: u64,
    odd: u32,
}

#[derive(Debug, Clone)]
struct Key {
    path: String,
    values: Vec<(String, u32, Vec<u8>)>,
}

const DWORD: u32 = 4;
const STRING: u32 = 1;

impl Registry {
    /// The keys of a service.
    #[must_use]
    pub fn new(service: &str) -> Self {
        let root = path_of(service);
        let text = |text: &str| -> Vec<u8> {
            text.encode_utf16()
                .chain([0])
                .flat_map(u16::to_le_bytes)
                .collect()
        };
        let dword = |value: u32| value.to_le_bytes().to_vec();
        let instance = format!("{service} Instance");
        let key = |path: String, values: Vec<(&str, u32, Vec<u8>)>| Key {
            path,
            values: values
                .into_iter()
                .map(|(name, kind, data)| (name.to_owned(), kind, data))
                .collect(),
        };
        Registry {
            keys: vec![
                key(
                    root.clone(),
                    vec![
                        ("Type", DWORD, dword(2)),
                        ("Start", DWORD, dword(3)),
                        ("ErrorControl", DWORD, dword(1)),
                        ("DisplayName", STRING, text(service)),
                        ("SupportedFeatures", DWORD, dword(3)),
                    ],
                ),
                key(
                    format!("{root}\\Parameters"),
                    vec![("SupportedFeatures", DWORD, dword(3))],
                ),
                key(
                    format!("{root}\\Instances"),
                    vec![("DefaultInstance", STRING, text(&instance))],
                ),
                key(
                    format!("{root}\\Parameters\\Instances"),
                    vec![("DefaultInstance", STRING, text(&instance))],
                ),
            ],
            open: Vec::new(),
            next: 0x8000_0000,
            odd: 0,
        }
    }
}

/// The path of a service's key, as `DriverEntry` gets it.
#[must_use]
pub fn path_of(service: &str) -> String {
    format!("\\REGISTRY\\MACHINE\\SYSTEM\\ControlSet001\\Services\\{service}")
}

functions! { pub REGISTRY = "ntoskrnl.exe", "wdm.h";
    /// Opens a key.
    [PASSIVE, Fails::With(&[status::ACCESS_DENIED])]
    fn ZwOpenKey(out: u64, _access: u32, attributes: u64) -> Status { open(out, attributes, false) }
    /// Opens a key, or makes it.
    [PASSIVE, Fails::With(&[status::ACCESS_DENIED])]
    fn ZwCreateKey(out: u64, _access: u32, attributes: u64, _index: u32, _class: u64, _options: u32, disposition: u64) -> Status {
        guest::write_if(disposition, 2_u32);
        open(out, attributes, true)
    }
    /// Opens a key of the driver's own.
    [PASSIVE, Fails::With(&[status::ACCESS_DENIED, status::OBJECT_NAME_NOT_FOUND])]
    fn IoOpenDriverRegistryKey(driver: u64, kind: u32, _access: u32, _flags: u32, out: u64) -> Status {
        if driver == 0 || with(|state| state.filter.driver) != driver {
            bad_handle("driver object", driver);
        }
        let service = with(|state| state.service.clone());
        let path = match kind {
            0 => format!("{}\\Parameters", path_of(&service)),
            _ => path_of(&service),
        };
        give(out, &path);
        status::SUCCESS
    }
    /// Reads a value.
    [PASSIVE, Fails::With(&[status::INSUFFICIENT_RESOURCES, status::OBJECT_NAME_NOT_FOUND])]
    fn ZwQueryValueKey(key: u64, name: u64, class: u32, buffer: u64, length: u32, returned: u64) -> Status {
        query(key, name, class, buffer, length as usize, returned)
    }
    /// Writes a value.
    [PASSIVE, Fails::With(&[status::ACCESS_DENIED])]
    fn ZwSetValueKey(key: u64, name: u64, _index: u32, kind: u32, data: u64, length: u32) -> Status {
        let path = checked(key);
        let (name, data) = (guest::unicode(name), guest::bytes(data, length as usize));
        with(|state| {
            for key in state.registry.keys.iter_mut().filter(|key| key.path == path) {
                key.values.retain(|(known, _, _)| !known.eq_ignore_ascii_case(&name));
                key.values.push((name.clone(), kind, data.clone()));
            }
        });
        status::SUCCESS
    }
    /// Closes a handle.
    [PASSIVE, Fails::Never]
    fn ZwClose(handle: u64) -> Status { close(handle); status::SUCCESS }
    /// Closes a handle.
    [PASSIVE, Fails::Never]
    fn NtClose(handle: u64) -> Status { close(handle); status::SUCCESS }
    /// Reads values by a table. No value exists: the defaults stand.
    [PASSIVE, Fails::With(&[status::INSUFFICIENT_RESOURCES])]
    fn RtlQueryRegistryValues(_relative: u32, _path: u64, _table: u64, _context: u64, _environment: u64) -> Status {
        status::SUCCESS
    }
    /// Reads values by a table. No value exists: the defaults stand.
    [PASSIVE, Fails::With(&[status::INSUFFICIENT_RESOURCES])]
    fn RtlQueryRegistryValuesEx(_relative: u32, _path: u64, _table: u64, _context: u64, _environment: u64) -> Status {
        status::SUCCESS
    }
}

fn close(handle: u64) {
    with(|state| state.registry.open.retain(|(known, _)| *known != handle));
    must_release(Kind::Handle, handle);
}

/// A new handle, as numbers go.
#[must_use]
pub fn new_handle(kind: Kind, what: &str) -> u64 {
    let handle = with(|state| {
        state.registry.next += 4;
        state.registry.next
    });
    acquire(kind, handle, what);
    handle
}

fn give(out: u64, path: &str) {
    let handle = new_handle(Kind::Handle, &format!("to the key {path}"));
    with(|state| state.registry.open.push((handle, path.to_owned())));
    guest::write(out, handle);
}

fn checked(handle: u64) -> String {
    let path = with(|state| {
        let mut open = state.registry.open.iter();
        open.find(|(known, _)| *known == handle)
            .map(|(_, path)| path.clone())
    });
    path.unwrap_or_else(|| match held_once(Kind::Handle, handle) {
        Some(what) => misuse(Misuse::Handle {
            expected: "key handle".to_owned(),
            given: format!("a handle {what} that was closed"),
            unset: false,
            released_in_teardown: false,
        }),
        None => bad_handle("key handle", handle),
    })
}

/// Opens the key of an `OBJECT_ATTRIBUTES`.
fn open(out: u64, attributes: u64, make: bool) -> Status {
    let root = guest::read::<u64>(attributes + 8);
    let name = guest::unicode(guest::read(attributes + 0x10));
    let path = if root == 0 {
        name
    } else {
        format!("{}\\{name}", checked(root))
    };
    let path = with(|state| {
        let mut keys = state.registry.keys.iter();
        let found = keys
            .find(|key| key.path.eq_ignore_ascii_case(&path))
            .map(|key| key.path.clone());
        if found.is_none() && make {
            state.registry.keys.push(Key {
                path: path.clone(),
                values: Vec::new(),
            });
            return Some(path);
        }
        found
    });
    match path {
        Some(path) => {
            give(out, &path);
            status::SUCCESS
        }
        None => status::OBJECT_NAME_NOT_FOUND,
    }
}

/// In the story of odd settings a value that an INF would not have put there: a number that nobody means, a
/// text where a number is wanted, or a number of the wrong size, in turn.
fn odd_setting(name: &str) -> Option<(String, u32, Vec<u8>)> {
    let turn = with(|state| {
        state.registry.odd += 1;
        (state.scenario.story == Story::OddSettings).then_some(state.registry.odd)
    })?;
    let (kind, data) = match turn % 3 {
        1 => (STRING, "o\0d\0d\0\0\0".bytes().collect()),
        2 => (DWORD, u32::MAX.to_le_bytes().to_vec()),
        _ => (DWORD, vec![1, 0]),
    };
    Some((name.to_owned(), kind, data))
}

fn query(key: u64, name: u64, class: u32, buffer: u64, length: usize, returned: u64) -> Status {
    let path = checked(key);
    let name = guest::unicode(name);
    let found = with(|state| {
        let key = state.registry.keys.iter().find(|key| key.path == path)?;
        let mut values = key.values.iter();
        values
            .find(|(known, _, _)| known.eq_ignore_ascii_case(&name))
            .cloned()
    });
    let Some((name, kind, data)) = found.or_else(|| odd_setting(&name)) else {
        return status::OBJECT_NAME_NOT_FOUND;
    };
    // KeyValueFullInformation or KeyValuePartialInformation
    let name: Vec<u8> = name.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let (header, tail) = match class {
        1 => (20 + name.len().next_multiple_of(8), true),
        2 => (12, false),
        _ => return status::INVALID_PARAMETER,
    };
    let needed = header + data.len();
    guest::write(returned, needed as u32);
    if length < if tail { 20 } else { 12 } {
        return status::BUFFER_TOO_SMALL;
    }
    guest::write(buffer, 0_u32);
    guest::write(buffer + 4, kind);
    if tail {
        guest::write(buffer + 8, header as u32);
        guest::write(buffer + 12, data.len() as u32);
        guest::write(buffer + 16, name.len() as u32);
    } else {
        guest::write(buffer + 8, data.len() as u32);
    }
    if length < needed {
        return status::BUFFER_OVERFLOW;
    }
    if tail {
        guest::put(buffer + 20, &name);
    }
    guest::put(buffer + header as u64, &data);
    status::SUCCESS
}
