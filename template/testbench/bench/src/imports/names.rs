//! File name information.
//!
//! Documents: "Managing File Names", "`FLT_FILE_NAME_INFORMATION` structure (fltkernel.h)".

use crate::lifecycle::{bottom, files, volumes};
use crate::machine::declare::functions;
use crate::machine::events::{misuse, must};
use crate::machine::function::Fails;
use crate::machine::ledger::{acquire, bad_handle, held_once, release};
use crate::machine::space::Purpose;
use crate::machine::state::with;
use crate::machine::system::system_block;
use crate::machine::{guest, memory};
use crate::trace::{Kind, Misuse};
use crate::vocabulary::file::sl::OPEN_TARGET_DIRECTORY;
use crate::vocabulary::irql::APC;
use crate::vocabulary::layout::{callback_data, file_object, iopb, name_information as offset};
use crate::vocabulary::major::CREATE;
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
        let fs_filter = guest::read::<u32>(data + callback_data::FLAGS) & callback_data::FS_FILTER != 0;
        if paging || fs_filter {
            return status::FLT_INVALID_NAME_REQUEST;
        }
        let file = guest::read(iopb + iopb::FILE);
        let name = name_of(file);
        let before = guest::read::<u32>(data + callback_data::FLAGS) & callback_data::POST_OPERATION == 0;
        let flags = guest::read::<u8>(iopb + iopb::OPERATION_FLAGS);
        let is_create = guest::read::<u8>(iopb + iopb::MAJOR) == CREATE;
        if before && is_create && flags & OPEN_TARGET_DIRECTORY != 0 {
            // The name is that of the directory, which the operation opens.
            let directory = name.rsplit_once('\\').map_or("", |(directory, _)| directory);
            return give(file, if directory.is_empty() { "\\" } else { directory }, options, out);
        }
        give(file, &name, options, out)
    }
    /// Gets the name of a file.
    [APC, GET_FAILS]
    fn FltGetFileNameInformationUnsafe(file: u64, _instance: u64, options: u32, out: u64) -> Status {
        give(file, &name_of(file), options, out)
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
        give(file, &destination(file, name), options, out)
    }
    /// Gets the tunneled name of a file. The model has no tunneled names.
    [APC, Fails::With(&[status::INSUFFICIENT_RESOURCES])]
    fn FltGetTunneledName(_data: u64, information: u64, out: u64) -> Status {
        let _ = checked(information);
        guest::write(out, 0_u64);
        status::SUCCESS
    }
    /// Parses the components of a name.
    [APC, Fails::With(&[status::INVALID_PARAMETER])]
    fn FltParseFileNameInformation(information: u64) -> Status {
        parse(checked(information));
        status::SUCCESS
    }
    /// Adds a reference to file name information.
    [APC, Fails::Never]
    fn FltReferenceFileNameInformation(information: u64) {
        let information = checked(information);
        change(information, |references| *references += 1);
        acquire(Kind::NameInformation, information, WHAT);
    }
    /// Releases a reference to file name information.
    [APC, Fails::Never]
    fn FltReleaseFileNameInformation(information: u64) {
        let information = checked(information);
        let _ = release(Kind::NameInformation, information);
        change(information, |references| *references -= 1);
        let gone = with(|state| {
            let live = &mut state.names.live;
            let before = live.len();
            live.retain(|(_, references)| *references != 0);
            live.len() != before
        });
        if gone {
            must(memory::free(information, false));
        }
    }
}

const WHAT: &str = "FltGetFileNameInformation";

fn change(information: u64, action: impl FnOnce(&mut u32)) {
    with(|state| {
        let mut live = state.names.live.iter_mut();
        if let Some((_, references)) = live.find(|(address, _)| *address == information) {
            action(references);
        }
    });
}

fn checked(information: u64) -> u64 {
    if with(|state| {
        state
            .names
            .live
            .iter()
            .any(|(address, _)| *address == information)
    }) {
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

fn give(file: u64, name: &str, options: u32, out: u64) -> Status {
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
    with(|state| state.names.live.push((address, 1)));
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
