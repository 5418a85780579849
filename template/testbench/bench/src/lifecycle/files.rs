//! File objects.

use crate::lifecycle::{contexts, volumes};
use crate::machine::events::must;
use crate::machine::space::Purpose;
use crate::machine::state::with;
use crate::machine::system::{object_block, opaque, system_block};
use crate::machine::{guest, memory};
use crate::objects::operations::File;
use crate::objects::volumes::Volume;
use crate::vocabulary::layout::{fcb_header, file_object};

/// Returns the volume of a file object.
#[must_use]
pub fn volume_of(file: u64) -> Option<Volume> {
    memory::block_at(file).filter(|block| !block.freed && block.purpose == Purpose::FileObject)?;
    let handle = with(|state| {
        let mut files = state.volumes.files.iter();
        files
            .find(|(object, _)| *object == file)
            .map(|(_, handle)| *handle)
    })?;
    let volumes = volumes::all();
    volumes.into_iter().find(|volume| volume.handle == handle)
}

/// Creates a file object on a volume for a file that is not open yet.
#[must_use]
pub fn new_file(volume: &Volume, name: &[u16], what: &str) -> u64 {
    let text = (file_object::SIZE as u64).next_multiple_of(16);
    let size = text as usize + name.len() * 2;
    let object = object_block(size, Purpose::FileObject, what);
    guest::write(object + file_object::HEAD, 0x00D8_0005_u32);
    guest::write(object + file_object::DEVICE, volume.device_object());
    guest::write(object + file_object::VPB, volume.parameter_block());
    guest::write(
        object + file_object::OBJECT_EXTENSION,
        opaque("FileObjectExtension of a file object"),
    );
    guest::put_wide(object + text, name);
    let length = name.len() * 2;
    guest::set_unicode(object + file_object::NAME, length, length, object + text);
    with(|state| state.volumes.files.push((object, volume.handle)));
    object
}

/// Creates the file control block of a stream. Pointers that its document describes as opaque point to inaccessible
/// memory. The file object's `SectionObjectPointer` points behind it.
#[must_use]
pub fn new_control_block(size: u64) -> u64 {
    let header = system_block(fcb_header::SIZE + 0x18, "a file control block");
    let file_system = "the file system's own file control block";
    guest::write(header + fcb_header::HEAD, 0x0070_0001_u32);
    guest::write(header + fcb_header::RESOURCE, opaque(file_system));
    guest::write(header + fcb_header::PAGING_RESOURCE, opaque(file_system));
    for place in fcb_header::SIZES {
        guest::write(header + place, size);
    }
    for link in [fcb_header::CONTEXTS, fcb_header::CONTEXTS + 8] {
        guest::write(header + link, header + fcb_header::CONTEXTS);
    }
    header
}

/// Stores the file system's structures in a file object.
pub fn set_open(object: u64, control_block: u64) {
    guest::write(object + file_object::FS_CONTEXT, control_block);
    let context = opaque("FsContext2 of a file object");
    guest::write(object + file_object::FS_CONTEXT2, context);
    let sections = control_block + fcb_header::SIZE as u64;
    guest::write(object + file_object::SECTION, sections);
}

/// Creates a file object on a volume for an open file.
#[must_use]
pub fn file_on(volume: &Volume, name: &str, what: &str) -> u64 {
    let units: Vec<u16> = name.encode_utf16().collect();
    let object = new_file(volume, &units, what);
    set_open(object, new_control_block(0x1000));
    object
}

/// Opens a file on a volume.
#[must_use]
pub fn open_file(volume: &Volume, name: &str) -> File {
    File {
        object: file_on(volume, name, "a file object"),
        volume: volume.clone(),
    }
}

/// Opens the stream of an open file again. [`free_file`] closes the second file object, before the file is closed.
#[must_use]
pub fn open_again(file: &File, name: &str) -> File {
    let units: Vec<u16> = name.encode_utf16().collect();
    let object = new_file(&file.volume, &units, "a file object");
    set_open(object, guest::read(file.object + file_object::FS_CONTEXT));
    File {
        object,
        volume: file.volume.clone(),
    }
}

/// Closes a file: the file system frees its structures.
pub fn close_file(file: &File) {
    let control_block = guest::read::<u64>(file.object + file_object::FS_CONTEXT);
    free_file(file.object);
    free_control_block(control_block);
}

/// Frees a file object.
pub fn free_file(object: u64) {
    contexts::remove_from_file(object);
    with(|state| state.volumes.files.retain(|(known, _)| *known != object));
    must(memory::free(object, false));
}

/// Frees a file control block.
pub fn free_control_block(address: u64) {
    contexts::remove_from_file(address);
    must(memory::free(address, false));
}
