//! File objects.

use crate::lifecycle::{contexts, volumes};
use crate::machine::events::must;
use crate::machine::space::Purpose;
use crate::machine::system::{object_block, opaque};
use crate::machine::{guest, memory};
use crate::objects::operations::File;
use crate::objects::volumes::{Instance, Volume};
use crate::vocabulary::layout::{fcb_header, file_object};

/// Returns the volume of a file object.
#[must_use]
pub fn volume_of(file: u64) -> Option<Volume> {
    let context = memory::block_at(file)
        .filter(|block| !block.freed && block.purpose == Purpose::FileObject)
        .map(|_| guest::read::<u64>(file + file_object::FS_CONTEXT2))?;
    let volumes = volumes::all();
    volumes
        .into_iter()
        .find(|volume| volume.file_context == context)
}

/// Creates a file object on a volume. Pointers that its document describes as opaque point to inaccessible memory.
#[must_use]
pub fn file_on(volume: &Volume, name: &str, what: &str) -> u64 {
    const FCB_HEADER: u64 = file_object::SIZE as u64 + 0x08;
    const SECTIONS: u64 = FCB_HEADER + fcb_header::SIZE as u64;
    let units: Vec<u16> = name.encode_utf16().collect();
    let size = file_object::SIZE + 0x100 + units.len() * 2;
    let object = object_block(size, Purpose::FileObject, what);
    guest::write(object + file_object::HEAD, 0x00D8_0005_u32);
    guest::write(object + file_object::DEVICE, volume.device_object());
    guest::write(object + file_object::VPB, volume.parameter_block());
    let header = object + FCB_HEADER;
    let file_system = "the file system's own file control block";
    guest::write(header + fcb_header::HEAD, 0x0070_0001_u32);
    guest::write(header + fcb_header::RESOURCE, opaque(file_system));
    guest::write(header + fcb_header::PAGING_RESOURCE, opaque(file_system));
    for size in fcb_header::SIZES {
        guest::write(header + size, 0x1000_u64);
    }
    for link in [fcb_header::CONTEXTS, fcb_header::CONTEXTS + 8] {
        guest::write(header + link, header + fcb_header::CONTEXTS);
    }
    guest::write(object + file_object::FS_CONTEXT, header);
    guest::write(object + file_object::FS_CONTEXT2, volume.file_context);
    guest::write(object + file_object::SECTION, object + SECTIONS);
    guest::write(
        object + file_object::OBJECT_EXTENSION,
        opaque("FileObjectExtension of a file object"),
    );
    let text = object + file_object::SIZE as u64 + 0x100;
    guest::put_wide(text, &units);
    guest::set_unicode(
        object + file_object::NAME,
        units.len() * 2,
        units.len() * 2,
        text,
    );
    object
}

/// Opens a file on the volume of an instance.
#[must_use]
pub fn open_file(instance: &Instance, name: &str) -> File {
    File {
        object: file_on(&instance.volume, name, "a file object"),
        instance: instance.clone(),
    }
}

/// Closes a file: the file system frees its structures.
pub fn close_file(file: &File) {
    contexts::remove_from_file(file.object);
    must(memory::free(file.object, false));
}
