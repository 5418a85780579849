//! The registry.
//!
//! Document: "Accessing Registry Keys Safely" and the reference pages of the functions.

use crate::imports::io;
use crate::lifecycle::{arguments, handles, pool};
use crate::machine::declare::functions;
use crate::machine::events::{breach, emit, misuse, must, refuse};
use crate::machine::function::{Fails, Optional};
use crate::machine::ledger::{bad_handle, held_once};
use crate::machine::schedule::enter;
use crate::machine::state::with;
use crate::machine::system::system_block;
use crate::machine::{guest, memory, threads};
use crate::objects::registry::{self, CONTROL_SET, Value};
use crate::scenario::Script;
use crate::settings::{self, DWORD, EXPAND_STRING, MULTI_STRING, STRING};
use crate::trace::{Breach, Callback, Event, Kind, Misuse, Routine};
use crate::vocabulary::irql::PASSIVE;
use crate::vocabulary::status::{self, Status};

functions! { pub REGISTRY = "ntoskrnl.exe", "wdm.h";
    /// Opens a key.
    [PASSIVE, Fails::With(&[status::ACCESS_DENIED])]
    fn ZwOpenKey(out: u64, access: u32, attributes: u64) -> Status { open(out, access, attributes, false) }
    /// Opens or creates a key.
    [PASSIVE, Fails::With(&[status::ACCESS_DENIED])]
    fn ZwCreateKey(out: u64, access: u32, attributes: u64, _index: u32, _class: u64, _options: u32, disposition: Optional) -> Status {
        guest::write_if(disposition, 2_u32);
        open(out, access, attributes, true)
    }
    /// Opens a registry key of the driver.
    [PASSIVE, Fails::With(&[status::ACCESS_DENIED, status::OBJECT_NAME_NOT_FOUND])]
    fn IoOpenDriverRegistryKey(driver: u64, kind: u32, access: u32, flags: u32, out: u64) -> Status {
        if driver == 0 || with(|state| state.filter.driver) != driver {
            bad_handle("driver object", driver);
        }
        if kind > 2 || flags != 0 {
            return refuse(status::INVALID_PARAMETER, format!("RegKeyType is {kind} and Flags is {flags}; RegKeyType is at most 2, and Flags is 0"));
        }
        let service = with(|state| state.service.clone());
        let path = match kind {
            0 => format!("{}\\Parameters", registry::path_of(&service)),
            _ => registry::path_of(&service),
        };
        give(out, access, &path);
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
        let path = match permitted(key, KEY_SET_VALUE, "KEY_SET_VALUE") {
            Ok(path) => path,
            Err(refused) => return refused,
        };
        let (name, data) = (guest::unicode(name), guest::bytes(data, length as usize));
        with(|state| state.registry.set(&path, &name, kind, &data));
        status::SUCCESS
    }
    /// Closes a handle.
    [PASSIVE, Fails::Never]
    fn ZwClose(handle: u64) -> Status { close(handle); status::SUCCESS }
    /// Closes a handle.
    [PASSIVE, Fails::Never]
    fn NtClose(handle: u64) -> Status { close(handle); status::SUCCESS }
    /// Queries several values with a query table.
    [PASSIVE, Fails::With(&[status::INSUFFICIENT_RESOURCES])]
    fn RtlQueryRegistryValues(relative: u32, path: u64, table: u64, context: u64, _environment: u64) -> Status {
        query_table(relative, path, table, context)
    }
    /// Queries several values with a query table.
    [PASSIVE, Fails::With(&[status::INSUFFICIENT_RESOURCES])]
    fn RtlQueryRegistryValuesEx(relative: u32, path: u64, table: u64, context: u64, _environment: u64) -> Status {
        query_table(relative, path, table, context)
    }
}

fn close(handle: u64) {
    with(|state| state.registry.open.retain(|(known, ..)| *known != handle));
    io::close(handle);
}

fn give(out: u64, access: u32, path: &str) {
    let handle = handles::new_handle(Kind::Handle, &format!("to the key {path}"));
    with(|state| state.registry.open.push((handle, path.to_owned(), access)));
    guest::write(out, handle);
}

fn checked(handle: u64) -> String {
    let path = with(|state| {
        let mut open = state.registry.open.iter();
        open.find(|(known, ..)| *known == handle)
            .map(|(_, path, _)| path.clone())
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

const KEY_QUERY_VALUE: u32 = 0x1;

const KEY_SET_VALUE: u32 = 0x2;

/// Returns the path of an open key. Refuses the call if the key was opened without a right.
fn permitted(handle: u64, right: u32, name: &str) -> Result<String, Status> {
    // Generic rights and MAXIMUM_ALLOWED: GENERIC_READ and GENERIC_EXECUTE contain KEY_QUERY_VALUE, GENERIC_WRITE
    // contains KEY_SET_VALUE.
    const ALL: u32 = 0x1200_0000;
    const READ: u32 = 0xA000_0000;
    const WRITE: u32 = 0x4000_0000;
    let path = checked(handle);
    let generic = if right == KEY_SET_VALUE { WRITE } else { READ };
    let granted = with(|state| {
        let mut open = state.registry.open.iter();
        open.any(|(known, _, access)| *known == handle && access & (right | generic | ALL) != 0)
    });
    if granted {
        Ok(path)
    } else {
        let reason = format!("the key {path} was opened without {name}");
        Err(refuse(status::ACCESS_DENIED, reason))
    }
}

/// Opens or creates the key of an `OBJECT_ATTRIBUTES`.
fn open(out: u64, access: u32, attributes: u64, make: bool) -> Status {
    guest::touch(out, 8);
    if let Err(refused) = arguments::attributes(attributes, false) {
        return refused;
    }
    handles::check_attributes(guest::read(attributes + 0x18));
    let root = guest::read::<u64>(attributes + 8);
    let name = guest::object_name(attributes);
    let path = if root == 0 {
        name
    } else {
        format!("{}\\{name}", checked(root))
    };
    let path = registry::normal(&path);
    let found = with(|state| {
        let registry = &mut state.registry;
        if make {
            Some(registry.make(&path))
        } else {
            registry.find(&path).map(|key| key.path.clone())
        }
    });
    if let Some(path) = found {
        give(out, access, &path);
        status::SUCCESS
    } else {
        missing(&path, None, false);
        status::OBJECT_NAME_NOT_FOUND
    }
}

/// Records that a key or a value does not exist.
fn missing(key: &str, value: Option<&str>, odd: bool) {
    let own = registry::path_of(&with(|state| state.service.clone()));
    let below = match key.get(..own.len()) {
        Some(begin) if begin.eq_ignore_ascii_case(&own) => match &key[own.len()..] {
            "" => Some(""),
            below => below.strip_prefix('\\'),
        },
        _ => None,
    };
    emit(&Event::NotInRegistry {
        key: key.to_owned(),
        value: value.map(str::to_owned),
        setting: below.map(|below| settings::name_of(below, value.unwrap_or("NAME"))),
        odd,
    });
}

/// In the script with invalid settings, returns an invalid value. The values alternate: a number above every limit, a
/// string instead of a number, a number of the wrong size.
fn odd_setting(name: &str) -> Option<(String, u32, Vec<u8>)> {
    let turn = with(|state| {
        state.registry.odd += 1;
        (state.scenario.script == Script::OddSettings).then_some(state.registry.odd)
    })?;
    let (kind, data) = match turn % 3 {
        1 => (STRING, "o\0d\0d\0\0\0".bytes().collect()),
        2 => (DWORD, u32::MAX.to_le_bytes().to_vec()),
        _ => (DWORD, vec![1, 0]),
    };
    Some((name.to_owned(), kind, data))
}

fn query(key: u64, name: u64, class: u32, buffer: u64, length: usize, returned: u64) -> Status {
    let path = match permitted(key, KEY_QUERY_VALUE, "KEY_QUERY_VALUE") {
        Ok(path) => path,
        Err(refused) => return refused,
    };
    let name = guest::unicode(name);
    let found = with(|state| state.registry.value(&path, &name));
    let found = found.or_else(|| {
        let odd = odd_setting(&name);
        missing(&path, Some(&name), odd.is_some());
        odd
    });
    let Some((name, kind, data)) = found else {
        return status::OBJECT_NAME_NOT_FOUND;
    };
    let name: Vec<u8> = name.encode_utf16().flat_map(u16::to_le_bytes).collect();
    if class == 0 {
        return basic(kind, &name, buffer, length, returned);
    }
    // KeyValueFullInformation or KeyValuePartialInformation.
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

/// Stores `KEY_VALUE_BASIC_INFORMATION`.
fn basic(kind: u32, name: &[u8], buffer: u64, length: usize, returned: u64) -> Status {
    const HEADER: usize = 12;
    guest::write(returned, (HEADER + name.len()) as u32);
    if length < HEADER {
        return status::BUFFER_TOO_SMALL;
    }
    for (at, value) in [(0, 0), (4, kind), (8, name.len() as u32)] {
        guest::write(buffer + at, value);
    }
    if length < HEADER + name.len() {
        return status::BUFFER_OVERFLOW;
    }
    guest::put(buffer + HEADER as u64, name);
    status::SUCCESS
}

/// `RTL_REGISTRY_HANDLE`, `RTL_REGISTRY_OPTIONAL`.
const BY_HANDLE: u32 = 0x4000_0000;

const OPTIONAL: u32 = 0x8000_0000;

/// An `RTL_QUERY_REGISTRY_TABLE`.
struct Query {
    routine: u64,
    flags: u32,
    name: u64,
    context: u64,
    default: (u32, u64, u32),
}

impl Query {
    const SIZE: u64 = 0x38;
    const SUBKEY: u32 = 0x1;
    const TOPKEY: u32 = 0x2;
    const REQUIRED: u32 = 0x4;
    const NOVALUE: u32 = 0x8;
    const NOEXPAND: u32 = 0x10;
    const DIRECT: u32 = 0x20;
    const DELETE: u32 = 0x40;
    const TYPECHECK: u32 = 0x100;

    fn read(at: u64) -> Self {
        Query {
            routine: guest::read(at),
            flags: guest::read(at + 0x08),
            name: guest::read(at + 0x10),
            context: guest::read(at + 0x18),
            default: (
                guest::read(at + 0x20),
                guest::read(at + 0x28),
                guest::read(at + 0x30),
            ),
        }
    }

    fn has(&self, flag: u32) -> bool {
        self.flags & flag != 0
    }

    /// Returns the default value, which replaces a value that does not exist.
    fn default_value(&self, name: &str) -> Option<Value> {
        let (kind, data, length) = self.default;
        let kind = kind & 0xFF;
        if kind == 0 {
            return None;
        }
        let bytes = match length as usize {
            0 if matches!(kind, STRING | EXPAND_STRING | MULTI_STRING) => guest::wide(data, 0x7FFE)
                .into_iter()
                .chain([0])
                .flat_map(u16::to_le_bytes)
                .collect(),
            length => guest::bytes(data, length),
        };
        Some((name.to_owned(), kind, bytes))
    }
}

/// Returns the key of a query table, or `None` if it does not exist.
fn top_key(relative: u32, path: u64) -> Option<String> {
    const MACHINE: &str = "\\REGISTRY\\MACHINE";
    if relative & BY_HANDLE != 0 {
        return Some(checked(path));
    }
    let path = String::from_utf16_lossy(&guest::wide(path, 0x7FFE));
    let below = match relative & !OPTIONAL {
        1 => format!("{CONTROL_SET}\\Services\\"),
        2 => format!("{CONTROL_SET}\\Control\\"),
        3 => format!("{MACHINE}\\SOFTWARE\\Microsoft\\Windows NT\\CurrentVersion\\"),
        4 => format!("{MACHINE}\\HARDWARE\\DeviceMap\\"),
        5 => "\\REGISTRY\\USER\\.DEFAULT\\".to_owned(),
        _ => String::new(),
    };
    let path = registry::normal(&format!("{below}{path}"));
    let found = with(|state| state.registry.find(&path).map(|key| key.path.clone()));
    if found.is_none() {
        missing(&path, None, false);
    }
    found
}

fn query_table(relative: u32, path: u64, table: u64, context: u64) -> Status {
    let top = top_key(relative, path);
    if top.is_none() && relative & OPTIONAL == 0 {
        return status::OBJECT_NAME_NOT_FOUND;
    }
    let mut key = top.clone();
    for number in 0.. {
        let query = Query::read(table + Query::SIZE * number);
        if query.routine == 0 && query.name == 0 {
            break;
        }
        let name = String::from_utf16_lossy(&match query.name {
            0 => Vec::new(),
            name => guest::wide(name, 0x7FFE),
        });
        if query.has(Query::TOPKEY | Query::SUBKEY) {
            key.clone_from(&top);
        }
        if query.has(Query::SUBKEY) {
            if query.name == 0 {
                return refuse(
                    status::INVALID_PARAMETER,
                    "an entry with RTL_QUERY_REGISTRY_SUBKEY has no name",
                );
            }
            let path = top.as_ref().map(|top| format!("{top}\\{name}"));
            key = path.filter(|path| with(|state| state.registry.find(path).is_some()));
            if key.is_none() && query.has(Query::REQUIRED) {
                return status::OBJECT_NAME_NOT_FOUND;
            }
            continue;
        }
        if query.has(Query::DIRECT) && !query.has(Query::TYPECHECK) {
            let problem =
                format!("the value {name} is stored directly, and its type is not checked");
            breach(Breach::TypeCheck, problem);
        }
        let result = match (query.has(Query::DIRECT), query.name, query.routine) {
            (true, 0, _) | (false, _, 0) => {
                return refuse(
                    status::INVALID_PARAMETER,
                    "an entry has neither RTL_QUERY_REGISTRY_DIRECT with a name nor a query routine",
                );
            }
            (false, ..) if query.has(Query::NOVALUE) => {
                call(&query, context, &(name, 0, Vec::new()))
            }
            (false, 0, _) => query_all(&query, context, key.as_deref()),
            _ => query_one(&query, context, key.as_deref(), &name),
        };
        if !result.is_success() {
            return result;
        }
    }
    status::SUCCESS
}

/// Queries every value of a key.
fn query_all(query: &Query, context: u64, key: Option<&str>) -> Status {
    let values = with(|state| {
        let key = key.and_then(|key| state.registry.find(key));
        key.map(|key| key.values.clone()).unwrap_or_default()
    });
    if values.is_empty() && query.has(Query::REQUIRED) {
        return status::OBJECT_NAME_NOT_FOUND;
    }
    let mut results = values.iter().map(|value| call(query, context, value));
    results
        .find(|status| !status.is_success())
        .unwrap_or(status::SUCCESS)
}

fn query_one(query: &Query, context: u64, key: Option<&str>, name: &str) -> Status {
    let found = with(|state| key.and_then(|key| state.registry.value(key, name)));
    let is_there = found.is_some();
    if !is_there && let Some(key) = key {
        missing(key, Some(name), false);
    }
    if !is_there && query.has(Query::REQUIRED) {
        return status::OBJECT_NAME_NOT_FOUND;
    }
    let Some(value) = found.or_else(|| query.default_value(name)) else {
        return status::SUCCESS;
    };
    let wanted = query.default.0 >> 24;
    let result = if !query.has(Query::DIRECT) {
        call(query, context, &value)
    } else if is_there && query.has(Query::TYPECHECK) && wanted != value.1 {
        status::OBJECT_TYPE_MISMATCH
    } else {
        store(query.context, &value)
    };
    if is_there
        && query.has(Query::DELETE)
        && let Some(key) = key
    {
        with(|state| state.registry.remove(key, name));
    }
    result
}

/// Calls the query routine of the driver with a value. For a list of strings, calls it once for each string.
fn call(query: &Query, context: u64, (name, kind, data): &Value) -> Status {
    if *kind == MULTI_STRING && !query.has(Query::NOEXPAND) {
        let units: Vec<u16> = data
            .chunks_exact(2)
            .map(|unit| u16::from_le_bytes([unit[0], unit[1]]))
            .collect();
        let strings = units.split(|unit| *unit == 0);
        for string in strings.take_while(|string| !string.is_empty()) {
            let data = string
                .iter()
                .chain(&[0])
                .flat_map(|unit| unit.to_le_bytes());
            let result = call(query, context, &(name.clone(), STRING, data.collect()));
            if !result.is_success() {
                return result;
            }
        }
        return status::SUCCESS;
    }
    let name: Vec<u16> = name.encode_utf16().chain([0]).collect();
    let block = system_block(name.len() * 2, "the name of a registry value");
    guest::put_wide(block, &name);
    let buffer = system_block(data.len(), "the data of a registry value");
    guest::put(buffer, data);
    let (address, length) = if *kind == 0 {
        (0, 0)
    } else {
        (buffer, data.len() as u64)
    };
    let arguments = [
        block,
        u64::from(*kind),
        address,
        length,
        context,
        query.context,
    ];
    let routine = Routine::Other {
        callback: Callback::RegistryQuery,
    };
    let thread = threads::current();
    let answer = enter(routine, PASSIVE, thread, query.routine, &arguments);
    must(memory::free(block, false));
    must(memory::free(buffer, false));
    match Status(answer as u32) {
        status::BUFFER_TOO_SMALL => status::SUCCESS,
        status => status,
    }
}

/// Stores a value at the address in the table: a string in a `UNICODE_STRING`, a number directly, longer data after its
/// size.
fn store(at: u64, (_, kind, data): &Value) -> Status {
    let length = data.len();
    if matches!(*kind, STRING | EXPAND_STRING | MULTI_STRING) {
        if guest::read::<u64>(at + 8) == 0 {
            let tag = u32::from_le_bytes(*b"RqRv");
            let buffer = pool::allocate(length as u64, tag, true, false);
            guest::set_unicode(at, 0, length, buffer);
        }
        if usize::from(guest::read::<u16>(at + 2)) < length {
            return status::BUFFER_TOO_SMALL;
        }
        guest::put(guest::read(at + 8), data);
        guest::write(at, length.saturating_sub(2) as u16);
        return status::SUCCESS;
    }
    if length <= 4 {
        guest::put(at, data);
        return status::SUCCESS;
    }
    let size = guest::read::<i32>(at);
    let (header, room) = (if size < 0 { 0 } else { 8 }, size.unsigned_abs() as usize);
    if room < header + length {
        return status::BUFFER_TOO_SMALL;
    }
    if header != 0 {
        guest::write(at, length as u32);
        guest::write(at + 4, *kind);
    }
    guest::put(at + header as u64, data);
    status::SUCCESS
}
