//! File name information.
//!
//! Documents: "Managing File Names", "`FLT_FILE_NAME_INFORMATION` structure (fltkernel.h)".

use crate::lifecycle::{bottom, files, parameters, volumes};
use crate::machine::declare::functions;
use crate::machine::events::{breach, misuse, must, refuse};
use crate::machine::function::Fails;
use crate::machine::ledger::{acquire, bad_handle, held_once, release};
use crate::machine::space::Purpose;
use crate::machine::state::with;
use crate::machine::system::{opaque, system_block};
use crate::machine::{guest, memory};
use crate::objects::names::Name;
use crate::trace::{Breach, Kind, Misuse};
use crate::vocabulary::file::sl::OPEN_TARGET_DIRECTORY;
use crate::vocabulary::irql::APC;
use crate::vocabulary::layout::{callback_data, file_object, iopb, name_information as offset};
use crate::vocabulary::major::{CREATE, SET_INFORMATION};
use crate::vocabulary::status::{self, Status};

const GET_FAILS: Fails = Fails::With(&[
    status::FLT_INVALID_NAME_REQUEST,
    status::INSUFFICIENT_RESOURCES,
]);

functions! { pub NAMES = "FLTMGR.SYS", "fltkernel.h";
    /// Gets the name of the file of an operation.
    [APC, GET_FAILS]
    fn FltGetFileNameInformation(data: u64, options: u32, out: u64) -> Status {
        let block = memory::block_at(data).filter(|block| !block.freed);
        if !block.is_some_and(|block| block.purpose == Purpose::CallbackData) {
            bad_handle("callback data", data);
        }
        let iopb = guest::read::<u64>(data + callback_data::IOPB);
        let paging = guest::read::<u32>(iopb + iopb::IRP_FLAGS) & 2 != 0;
        let flags = guest::read::<u32>(data + callback_data::FLAGS);
        let before = flags & callback_data::POST_OPERATION == 0;
        let major = guest::read::<u8>(iopb + iopb::MAJOR);
        let is_create = major == CREATE;
        // Of the file-system filter operations, only one has a name, before the operation.
        let refused = flags & callback_data::FS_FILTER != 0
            && !(before && major == ACQUIRE_FOR_SECTION_SYNCHRONIZATION);
        let short = options & 0xFF == SHORT && before && is_create;
        if let Err(refused) = check_options(options) {
            return refused;
        }
        if paging || refused || short {
            return status::FLT_INVALID_NAME_REQUEST;
        }
        let tunnels = before && options & 0xFF == NORMALIZED && matches!(major, CREATE | SET_INFORMATION);
        let from = if tunnels { data } else { 0 };
        let file = guest::read(iopb + iopb::FILE);
        let name = name_of(file);
        let flags = guest::read::<u8>(iopb + iopb::OPERATION_FLAGS);
        if before && is_create && flags & OPEN_TARGET_DIRECTORY != 0 {
            // The name is that of the directory, which the operation opens.
            let directory = name.rsplit_once('\\').map_or("", |(directory, _)| directory);
            return give(file, if directory.is_empty() { "\\" } else { directory }, options, out, from);
        }
        give(file, &name, options, out, from)
    }
    /// Gets the name of a file.
    [APC, GET_FAILS]
    fn FltGetFileNameInformationUnsafe(file: u64, _instance: u64, options: u32, out: u64) -> Status {
        if let Err(refused) = check_options(options) {
            return refused;
        }
        give(file, &name_of(file), options, out, 0)
    }
    /// Gets the destination name of a rename or a hard link operation.
    [APC, GET_FAILS]
    fn FltGetDestinationFileNameInformation(
        instance: u64, file: u64, _root: u64, name: u64, length: u32, options: u32, out: u64,
    ) -> Status {
        if volumes::by_instance(instance).is_none() {
            bad_handle("instance handle", instance);
        }
        let name = String::from_utf16_lossy(&guest::wide(name, length as usize / 2));
        give(file, &destination(file, name), options, out, 0)
    }
    /// Gets the tunneled name of a file. The model has no tunneled names.
    [APC, Fails::With(&[status::INSUFFICIENT_RESOURCES])]
    fn FltGetTunneledName(data: u64, information: u64, out: u64) -> Status {
        let information = checked(information);
        let data = parameters::checked(data);
        with(|state| state.names.tunneled.push(data));
        if guest::read::<u32>(information + offset::FORMAT) & 0xFF != NORMALIZED {
            return refuse(status::INVALID_PARAMETER, "only a normalized name has a tunneled name");
        }
        guest::write(out, 0_u64);
        status::SUCCESS
    }
    /// Parses the components of a name.
    [APC, Fails::With(&[status::INVALID_PARAMETER])]
    fn FltParseFileNameInformation(information: u64) -> Status {
        parse(checked(information));
        let content = content(information);
        change(information, |name| name.content = content);
        status::SUCCESS
    }
    /// Adds a reference to file name information.
    [APC, Fails::Never]
    fn FltReferenceFileNameInformation(information: u64) {
        let information = checked(information);
        change(information, |name| name.references += 1);
        acquire(Kind::NameInformation, information, WHAT);
    }
    /// Releases a reference to file name information.
    [APC, Fails::Never]
    fn FltReleaseFileNameInformation(information: u64) {
        let information = checked(information);
        let _ = release(Kind::NameInformation, information);
        change(information, |name| name.references -= 1);
        let gone = with(|state| {
            let live = &mut state.names.live;
            let before = live.len();
            live.retain(|name| name.references != 0);
            live.len() != before
        });
        if gone {
            must(memory::free(information, false));
        }
    }
}

/// Checks `FLT_FILE_NAME_OPTIONS`: one format and one query method.
fn check_options(options: u32) -> Result<(), Status> {
    let (format, method) = (options & 0xFF, options >> 8 & 0xFF);
    if (1..=3).contains(&format) && (1..=4).contains(&method) {
        return Ok(());
    }
    let reason = format!(
        "NameOptions is 0x{options:x}; it has one format and one query method, such as FLT_FILE_NAME_NORMALIZED | FLT_FILE_NAME_QUERY_DEFAULT"
    );
    Err(refuse(status::INVALID_PARAMETER, reason))
}

const WHAT: &str = "FltGetFileNameInformation";

/// `FLT_FILE_NAME_NORMALIZED`.
const NORMALIZED: u32 = 1;

/// `FLT_FILE_NAME_SHORT`.
const SHORT: u32 = 3;

/// `IRP_MJ_ACQUIRE_FOR_SECTION_SYNCHRONIZATION`.
const ACQUIRE_FOR_SECTION_SYNCHRONIZATION: u8 = 0xFF;

fn change(information: u64, action: impl FnOnce(&mut Name)) {
    with(|state| {
        let mut live = state.names.live.iter_mut();
        if let Some(name) = live.find(|name| name.address == information) {
            action(name);
        }
    });
}

/// Returns the content of file name information, with the name.
fn content(information: u64) -> Vec<u8> {
    let size = memory::block_at(information).map_or(0, |block| block.size);
    guest::bytes(information, size)
}

fn checked(information: u64) -> u64 {
    let known = with(|state| {
        let mut live = state.names.live.iter();
        live.find(|name| name.address == information).cloned()
    });
    if let Some(name) = known {
        if content(information) != name.content {
            breach(Breach::ReadOnly, "the driver changes file name information");
        }
        return information;
    }
    match held_once(Kind::NameInformation, information) {
        Some(_) => misuse(Misuse::ReleasedTwice {
            what: "file name information".to_owned(),
        }),
        None => bad_handle("file name information", information),
    }
}

/// Returns the name of a file on its volume. After the open, it is the one in the file system, which a rename changes.
fn name_of(file: u64) -> String {
    let Some(volume) = files::volume_of(file) else {
        bad_handle("file object", file);
    };
    let related = guest::read::<u64>(file + file_object::RELATED);
    match bottom::name_of(file, &volume) {
        Some(name) => name,
        None if related != 0 => {
            let name = guest::unicode(file + file_object::NAME);
            format!("{}\\{name}", name_of(related).trim_end_matches('\\'))
        }
        None => guest::unicode(file + file_object::NAME),
    }
}

/// Returns the new name of a file that is renamed. A name without a path is in the same directory.
fn destination(file: u64, name: String) -> String {
    if let Some((volume, rest)) = volumes::resolve(&name) {
        let root = bottom::root_of(&volume);
        return format!("{root}{}", rest.strip_prefix(root).unwrap_or(&rest));
    }
    if name.starts_with('\\') {
        return name;
    }
    let from = name_of(file);
    let directory = from
        .rsplit_once('\\')
        .map_or("", |(directory, _)| directory);
    format!("{directory}\\{name}")
}

fn give(file: u64, name: &str, options: u32, out: u64, before: u64) -> Status {
    let Some(volume) = files::volume_of(file) else {
        bad_handle("file object", file);
    };
    let name = format!("{}{name}", volume.device);
    let units: Vec<u16> = name.encode_utf16().collect();
    let size = units.len() * 2;
    let address = system_block(offset::SIZE + size, "file name information");
    let text = address + offset::SIZE as u64;
    for (at, unit) in units.iter().enumerate() {
        guest::write(text + 2 * at as u64, *unit);
    }
    guest::write(address + offset::LENGTH, offset::SIZE as u16);
    guest::write(address + offset::FORMAT, options & 0xFF);
    guest::set_unicode(address + offset::NAME, size, size, text);
    let prefix = volume.device.len() * 2;
    guest::set_unicode(address + offset::VOLUME, prefix, prefix, text);
    // The components are valid only after FltParseFileNameInformation.
    for place in offset::PARTS {
        guest::set_unicode(
            address + place,
            2,
            2,
            opaque("a component of a name that is not parsed"),
        );
    }
    let name = Name {
        address,
        references: 1,
        content: content(address),
        before,
    };
    with(|state| state.names.live.push(name));
    acquire(Kind::NameInformation, address, WHAT);
    guest::write(out, address);
    status::SUCCESS
}

fn parse(address: u64) {
    let units = guest::unicode_units(address + offset::NAME);
    let text = guest::read::<u64>(address + offset::NAME + 8);
    let volume = usize::from(guest::read::<u16>(address + offset::VOLUME)) / 2;
    let part = |place: u64, begin: usize, end: usize| {
        let size = (end - begin) * 2;
        guest::set_unicode(address + place, size, size, text + 2 * begin as u64);
    };
    for place in offset::PARTS {
        guest::set_unicode(address + place, 0, 0, 0);
    }
    let slash = units
        .iter()
        .rposition(|unit| *unit == u16::from(b'\\'))
        .filter(|at| *at >= volume);
    if let Some(slash) = slash {
        part(offset::PARENT, volume, slash + 1);
        part(offset::FINAL, slash + 1, units.len());
        let dot = units
            .iter()
            .rposition(|unit| *unit == u16::from(b'.'))
            .filter(|at| *at > slash);
        if let Some(dot) = dot {
            part(offset::EXTENSION, dot + 1, units.len());
        }
    }
    guest::write(address + offset::PARSED, 0xF_u16);
}
