//! Files that the filter opens, and I/O that it initiates.
//!
//! Documents: "`FltCreateFile` function (fltkernel.h)" and the reference pages of the functions. A file reads as
//! zeroes. Writes succeed, and their data is discarded.

use crate::lifecycle::{files, filter, handles, pool, volumes};
use crate::machine::declare::functions;
use crate::machine::events::must;
use crate::machine::function::{Fails, Optional};
use crate::machine::ledger::{acquire, bad_handle, held_once, must_release};
use crate::machine::space::Purpose;
use crate::machine::state::with;
use crate::machine::system::{object_block, once};
use crate::machine::{guest, memory};
use crate::objects::volumes::Volume;
use crate::trace::Kind;
use crate::vocabulary::irql::{APC, DISPATCH, PASSIVE};
use crate::vocabulary::layout::callback_data;
use crate::vocabulary::status::{self, Status};

const OPEN_FAILS: Fails = Fails::With(&[
    status::OBJECT_NAME_NOT_FOUND,
    status::INSUFFICIENT_RESOURCES,
]);

const IO_FAILS: Fails = Fails::With(&[status::INSUFFICIENT_RESOURCES]);

functions! { pub FILES = "FLTMGR.SYS", "fltkernel.h";
    /// Opens a file. The I/O is sent to the filters below.
    [PASSIVE, OPEN_FAILS]
    fn FltCreateFile(
        filter: u64, _instance: Optional, handle: u64, _access: u32, attributes: u64, io_status: u64, _size: Optional, _file_attributes: u32,
        _share: u32, _disposition: u32, _options: u32, _ea: Optional, _ea_length: u32, _flags: u32,
    ) -> Status {
        filter::check(filter);
        let _ = guest::object_name(attributes);
        open(handle, 0, io_status, &volume(0))
    }
    /// Opens a file. The I/O is sent to the filters below.
    [PASSIVE, OPEN_FAILS]
    fn FltCreateFileEx(
        filter: u64, instance: Optional, handle: u64, file: Optional, _access: u32, attributes: u64, io_status: u64,
        _size: Optional, _file_attributes: u32,
        _share: u32, _disposition: u32, _options: u32, _ea: Optional, _ea_length: u32, _flags: u32,
    ) -> Status {
        filter::check(filter);
        let _ = guest::object_name(attributes);
        open(handle, file, io_status, &volume(instance))
    }
    /// Opens a file. The I/O is sent to the filters below.
    [PASSIVE, OPEN_FAILS]
    fn FltCreateFileEx2(
        filter: u64, instance: Optional, handle: u64, file: Optional, _access: u32, attributes: u64, io_status: u64,
        _size: Optional, _file_attributes: u32,
        _share: u32, _disposition: u32, _options: u32, _ea: Optional, _ea_length: u32, _flags: u32, _context: Optional,
    ) -> Status {
        filter::check(filter);
        let _ = guest::object_name(attributes);
        open(handle, file, io_status, &volume(instance))
    }
    /// Closes a handle of `FltCreateFile`.
    [PASSIVE, Fails::Never]
    fn FltClose(handle: u64) -> Status {
        must_release(Kind::Handle, handle);
        status::SUCCESS
    }
    /// Reads from a file. The I/O is sent to the filters below.
    [PASSIVE, IO_FAILS]
    fn FltReadFile(
        instance: u64, file: u64, _offset: u64, length: u32, buffer: u64, _flags: u32, read: Optional,
        _callback: Optional, _context: Optional,
    ) -> Status {
        check(instance, file);
        guest::fill(buffer, 0, length as usize);
        guest::write_if(read, length);
        status::SUCCESS
    }
    /// Writes to a file. The I/O is sent to the filters below.
    [PASSIVE, IO_FAILS]
    fn FltWriteFile(
        instance: u64, file: u64, _offset: u64, length: u32, buffer: u64, _flags: u32, written: Optional,
        _callback: Optional, _context: Optional,
    ) -> Status {
        check(instance, file);
        guest::touch(buffer, length as usize);
        guest::write_if(written, length);
        status::SUCCESS
    }
    /// Queries information of a file.
    [PASSIVE, Fails::With(&[status::VOLUME_DISMOUNTED])]
    fn FltQueryInformationFile(
        instance: u64, file: u64, buffer: u64, length: u32, _class: u32, returned: Optional,
    ) -> Status {
        check(instance, file);
        guest::fill(buffer, 0, length as usize);
        guest::write_if(returned, length);
        status::SUCCESS
    }
    /// Sets information of a file.
    [PASSIVE, IO_FAILS]
    fn FltSetInformationFile(instance: u64, file: u64, buffer: u64, length: u32, _class: u32) -> Status {
        check(instance, file);
        guest::touch(buffer, length as usize);
        status::SUCCESS
    }
    /// Queries information of a volume.
    [PASSIVE, IO_FAILS]
    fn FltQueryVolumeInformation(
        instance: u64, io_status: u64, buffer: u64, length: u32, _class: u32,
    ) -> Status {
        if volumes::by_instance(instance).is_none() {
            bad_handle("instance handle", instance);
        }
        guest::fill(buffer, 0, length as usize);
        guest::write(io_status, 0_u32);
        status::SUCCESS
    }
    /// Flushes a file.
    [PASSIVE, IO_FAILS]
    fn FltFlushBuffers(instance: u64, file: u64) -> Status {
        check(instance, file);
        status::SUCCESS
    }
    /// Sends a control code to the file system, which does not support it.
    [PASSIVE, IO_FAILS]
    fn FltFsControlFile(
        instance: u64, file: u64, _code: u32, input: u64, length: u32, _output: u64, _output_length: u32, returned: Optional,
    ) -> Status {
        check(instance, file);
        guest::touch(input, length as usize);
        guest::write_if(returned, 0_u32);
        status::INVALID_DEVICE_REQUEST
    }
    /// Sends a control code to the device, which does not support it.
    [PASSIVE, IO_FAILS]
    fn FltDeviceIoControlFile(
        instance: u64, file: u64, _code: u32, input: u64, length: u32, _output: u64, _output_length: u32, returned: Optional,
    ) -> Status {
        check(instance, file);
        guest::touch(input, length as usize);
        guest::write_if(returned, 0_u32);
        status::INVALID_DEVICE_REQUEST
    }
    /// Allocates callback data for an operation that the filter initiates.
    [APC, Fails::With(&[status::INSUFFICIENT_RESOURCES])]
    fn FltAllocateCallbackData(instance: u64, _file: u64, out: u64) -> Status {
        if volumes::by_instance(instance).is_none() {
            bad_handle("instance handle", instance);
        }
        let data = object_block(
            callback_data::SIZE + 0x48,
            Purpose::CallbackData,
            "the callback data that the driver allocated",
        );
        guest::write(data + callback_data::IOPB, data + callback_data::SIZE as u64);
        acquire(Kind::CallbackData, data, "FltAllocateCallbackData");
        guest::write(out, data);
        status::SUCCESS
    }
    /// Frees callback data.
    [DISPATCH, Fails::Never]
    fn FltFreeCallbackData(data: u64) {
        must_release(Kind::CallbackData, data);
        must(memory::free(data, false));
    }
    /// Reinitializes callback data for another operation.
    [APC, Fails::Never]
    fn FltReuseCallbackData(_data: u64) {}
    /// Sends the operation to the filters below. It succeeds.
    [APC, Fails::Never]
    fn FltPerformSynchronousIo(data: u64) {
        guest::write(data + callback_data::STATUS, status::SUCCESS.0);
    }
    /// Allocates pool that is aligned for the disk.
    [APC, Fails::Null]
    fn FltAllocatePoolAlignedWithTag(instance: u64, kind: u32, size: u64, tag: u32) -> u64 {
        if volumes::by_instance(instance).is_none() {
            bad_handle("instance handle", instance);
        }
        pool::allocate(size, tag, kind & 1 != 0, false)
    }
    /// Frees aligned pool.
    [DISPATCH, Fails::Never]
    fn FltFreePoolAlignedWithTag(_instance: u64, block: u64, _tag: u32) {
        pool::free(block);
    }
}

functions! { pub NT_FILES = "ntoskrnl.exe", "wdm.h";
    /// Opens a file. The I/O is sent through all filters.
    [PASSIVE, OPEN_FAILS]
    fn ZwOpenFile(handle: u64, _access: u32, attributes: u64, io_status: u64, _share: u32, _options: u32) -> Status {
        open_by_name(handle, attributes, io_status)
    }
    /// Opens or creates a file. The I/O is sent through all filters.
    [PASSIVE, OPEN_FAILS]
    fn ZwCreateFile(
        handle: u64, _access: u32, attributes: u64, io_status: u64, _size: Optional, _file_attributes: u32,
        _share: u32, _disposition: u32, _options: u32, _ea: Optional, _ea_length: u32,
    ) -> Status {
        open_by_name(handle, attributes, io_status)
    }
}

fn open_by_name(handle: u64, attributes: u64, io_status: u64) -> Status {
    if guest::read::<u64>(attributes + 0x10) == 0 {
        return status::INVALID_PARAMETER;
    }
    let up = with(|state| {
        let rounds = state.devices.rounds;
        state.scenario.script.files_can_be_opened(rounds)
    });
    if up {
        open(handle, 0, io_status, &volume(0))
    } else {
        status::OBJECT_NAME_NOT_FOUND
    }
}

fn check(instance: u64, file: u64) {
    if volumes::by_instance(instance).is_none() {
        bad_handle("instance handle", instance);
    }
    if files::volume_of(file).is_none() && memory::handle_name(file).is_none() {
        bad_handle("file object", file);
    }
}

/// The description of a file handle.
const A_FILE: &str = "a file";

/// Returns the file object of a handle to a file.
#[must_use]
pub fn file_of(handle: u64) -> Option<u64> {
    if held_once(Kind::Handle, handle).as_deref() != Some(A_FILE) {
        return None;
    }
    let file = once(&format!("the file object of handle {handle}"), || {
        file_object(&volumes::first())
    });
    Some(file)
}

fn file_object(volume: &Volume) -> u64 {
    let what = "a file object that the driver opened";
    files::file_on(volume, "\\documents\\opened.txt", what)
}

/// Returns the volume of an instance, or the first volume if there is no instance.
fn volume(instance: u64) -> Volume {
    if instance == 0 {
        return volumes::first();
    }
    match volumes::by_instance(instance) {
        Some(instance) => instance.volume,
        None => bad_handle("instance handle", instance),
    }
}

fn open(out: u64, file: u64, io_status: u64, volume: &Volume) -> Status {
    let handle = handles::new_handle(Kind::Handle, A_FILE);
    guest::write(out, handle);
    if file != 0 {
        let object = file_object(volume);
        acquire(
            Kind::Reference,
            object,
            "the file object that the driver opened",
        );
        guest::write(file, object);
    }
    guest::write(io_status, 0_u32);
    guest::write(io_status + 8, 1_u64);
    status::SUCCESS
}
