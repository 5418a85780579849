//! Files that the filter opens, and I/O that it initiates.
//!
//! Documents: "`FltCreateFile` function (fltkernel.h)" and the reference pages of the functions. On the machine of a
//! test, the files are those of its file system. In a script, a file reads as zeroes, and writes are discarded.

use crate::act::Open;
use crate::imports::pool::{of_kind, owned};
use crate::lifecycle::catalogue::{self, IRP_NOCACHE, io, irp};
use crate::lifecycle::{arguments, bottom, files, filter, handles, pool, programs, volumes};
use crate::machine::declare::functions;
use crate::machine::events::{must, refuse};
use crate::machine::function::{Fails, Optional};
use crate::machine::ledger::{acquire, bad_handle, held_once, holds, must_release};
use crate::machine::space::Purpose;
use crate::machine::state::{is_test, with};
use crate::machine::system::{object_block, once};
use crate::machine::{guest, memory};
use crate::objects::operations::{Completed, Parameters, Value};
use crate::objects::volumes::Volume;
use crate::trace::Kind;
use crate::vocabulary::file::{disposition, option};
use crate::vocabulary::irql::{APC, DISPATCH, PASSIVE};
use crate::vocabulary::layout::{callback_data, file_object as layout};
use crate::vocabulary::major::{FLUSH_BUFFERS, QUERY_INFORMATION, READ, SET_INFORMATION, WRITE};
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
        filter: u64, _instance: Optional, handle: u64, access: u32, attributes: u64, io_status: u64, _size: Optional, file_attributes: u32,
        share: u32, disposition: u32, options: u32, _ea: Optional, _ea_length: u32, flags: u32,
    ) -> Status {
        filter::check(filter);
        let how = how(access, file_attributes, share, disposition, options, flags);
        open(Opened { handle, file: 0, io_status }, &volume(0), attributes, &how, false)
    }
    /// Opens a file. The I/O is sent to the filters below.
    [PASSIVE, OPEN_FAILS]
    fn FltCreateFileEx(
        filter: u64, instance: Optional, handle: u64, file: Optional, access: u32, attributes: u64, io_status: u64,
        _size: Optional, file_attributes: u32,
        share: u32, disposition: u32, options: u32, _ea: Optional, _ea_length: u32, flags: u32,
    ) -> Status {
        filter::check(filter);
        let how = how(access, file_attributes, share, disposition, options, flags);
        open(Opened { handle, file, io_status }, &volume(instance), attributes, &how, false)
    }
    /// Opens a file. The I/O is sent to the filters below.
    [PASSIVE, OPEN_FAILS]
    fn FltCreateFileEx2(
        filter: u64, instance: Optional, handle: u64, file: Optional, access: u32, attributes: u64, io_status: u64,
        _size: Optional, file_attributes: u32,
        share: u32, disposition: u32, options: u32, _ea: Optional, _ea_length: u32, flags: u32, _context: Optional,
    ) -> Status {
        filter::check(filter);
        let how = how(access, file_attributes, share, disposition, options, flags);
        open(Opened { handle, file, io_status }, &volume(instance), attributes, &how, false)
    }
    /// Closes a handle of `FltCreateFile`.
    [PASSIVE, Fails::Never]
    fn FltClose(handle: u64) -> Status {
        close(handle);
        status::SUCCESS
    }
    /// Reads from a file. The I/O is sent to the filters below.
    [PASSIVE, IO_FAILS]
    fn FltReadFile(
        instance: u64, file: u64, offset: Optional, length: u32, buffer: u64, flags: u32, read: Optional,
        _callback: Optional, _context: Optional,
    ) -> Status {
        check(instance, file);
        if let Some(status) = refused(file, offset, length, flags) {
            return status;
        }
        if let Some(completed) = transfer(READ, file, offset, vec![0; length as usize], flags) {
            guest::put(buffer, &completed.data);
            guest::write_if(read, completed.information as u32);
            return completed.status;
        }
        guest::fill(buffer, 0, length as usize);
        guest::write_if(read, length);
        status::SUCCESS
    }
    /// Writes to a file. The I/O is sent to the filters below.
    [PASSIVE, IO_FAILS]
    fn FltWriteFile(
        instance: u64, file: u64, offset: Optional, length: u32, buffer: u64, flags: u32, written: Optional,
        _callback: Optional, _context: Optional,
    ) -> Status {
        check(instance, file);
        if let Some(status) = refused(file, offset, length, flags) {
            return status;
        }
        if let Some(completed) = transfer(WRITE, file, offset, guest::bytes(buffer, length as usize), flags) {
            guest::write_if(written, completed.information as u32);
            return completed.status;
        }
        guest::touch(buffer, length as usize);
        guest::write_if(written, length);
        status::SUCCESS
    }
    /// Queries information of a file.
    [PASSIVE, Fails::With(&[status::VOLUME_DISMOUNTED])]
    fn FltQueryInformationFile(
        instance: u64, file: u64, buffer: u64, length: u32, class: u32, returned: Optional,
    ) -> Status {
        check(instance, file);
        let members = vec![(0, Value::U32(length)), (8, Value::U32(class)), (16, Value::Buffer)];
        let parameters = Parameters { members, buffer: vec![0; length as usize], flags: 0 };
        if let Some(completed) = programs::initiate(file, irp(QUERY_INFORMATION, 0, ""), parameters) {
            guest::put(buffer, &completed.data);
            guest::write_if(returned, completed.information as u32);
            return completed.status;
        }
        guest::fill(buffer, 0, length as usize);
        guest::write_if(returned, length);
        status::SUCCESS
    }
    /// Sets information of a file.
    [PASSIVE, IO_FAILS]
    fn FltSetInformationFile(instance: u64, file: u64, buffer: u64, length: u32, class: u32) -> Status {
        check(instance, file);
        let members = vec![(0, Value::U32(length)), (8, Value::U32(class)), (32, Value::Buffer)];
        let parameters = Parameters { members, buffer: guest::bytes(buffer, length as usize), flags: 0 };
        if let Some(completed) = programs::initiate(file, irp(SET_INFORMATION, 0, ""), parameters) {
            return completed.status;
        }
        guest::touch(buffer, length as usize);
        status::SUCCESS
    }
    /// Queries information of a volume.
    [PASSIVE, IO_FAILS]
    fn FltQueryVolumeInformation(
        instance: u64, io_status: u64, buffer: u64, length: u32, class: u32,
    ) -> Status {
        let Some(instance) = volumes::by_instance(instance) else {
            bad_handle("instance handle", instance);
        };
        if is_test() {
            let (status, information) = bottom::query_volume(&instance.volume, class, buffer, length);
            guest::write(io_status, status.0);
            guest::write(io_status + 8, information);
            return status;
        }
        guest::fill(buffer, 0, length as usize);
        guest::write(io_status, 0_u32);
        status::SUCCESS
    }
    /// Flushes a file.
    [PASSIVE, IO_FAILS]
    fn FltFlushBuffers(instance: u64, file: u64) -> Status {
        check(instance, file);
        let flushed = programs::initiate(file, irp(FLUSH_BUFFERS, 0, ""), Parameters::default());
        flushed.map_or(status::SUCCESS, |completed| completed.status)
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
    fn FltReuseCallbackData(data: u64) { check_own(data); }
    /// Sends the operation to the filters below. It succeeds.
    [APC, Fails::Never]
    fn FltPerformSynchronousIo(data: u64) {
        check_own(data);
        guest::write(data + callback_data::STATUS, status::SUCCESS.0);
    }
    /// Allocates pool that is aligned for the disk.
    [APC, Fails::Null]
    fn FltAllocatePoolAlignedWithTag(instance: u64, kind: u32, size: u64, tag: u32) -> u64 {
        if volumes::by_instance(instance).is_none() {
            bad_handle("instance handle", instance);
        }
        owned(of_kind(kind, size, tag), instance)
    }
    /// Frees aligned pool.
    [DISPATCH, Fails::Never]
    fn FltFreePoolAlignedWithTag(instance: u64, block: u64, tag: u32) {
        pool::free_as(block, tag, instance);
    }
}

functions! { pub NT_FILES = "ntoskrnl.exe", "wdm.h";
    /// Opens a file. The I/O is sent through all filters.
    [PASSIVE, OPEN_FAILS]
    fn ZwOpenFile(handle: u64, access: u32, attributes: u64, io_status: u64, share: u32, options: u32) -> Status {
        let how = how(access, 0, share, disposition::OPEN, options, 0);
        open_by_name(Opened { handle, file: 0, io_status }, attributes, &how)
    }
    /// Opens or creates a file. The I/O is sent through all filters.
    [PASSIVE, OPEN_FAILS]
    fn ZwCreateFile(
        handle: u64, access: u32, attributes: u64, io_status: u64, _size: Optional, file_attributes: u32,
        share: u32, disposition: u32, options: u32, _ea: Optional, _ea_length: u32,
    ) -> Status {
        let how = how(access, file_attributes, share, disposition, options, 0);
        open_by_name(Opened { handle, file: 0, io_status }, attributes, &how)
    }
}

fn open_by_name(opened: Opened, attributes: u64, how: &Open) -> Status {
    opened.touch();
    let up = with(|state| {
        let rounds = state.devices.rounds;
        state.scenario.script.files_can_be_opened(rounds)
    }) && (is_test() || is_in_a_directory(attributes));
    if up {
        open(opened, &volume(0), attributes, how, true)
    } else if let Err(refused) = check_open(attributes, how) {
        refused
    } else {
        status::OBJECT_NAME_NOT_FOUND
    }
}

/// Returns whether the name of a file begins with a directory or a link of the object manager.
fn is_in_a_directory(attributes: u64) -> bool {
    const FIRST: [&str; 6] = [
        "??",
        "ArcName",
        "Device",
        "DosDevices",
        "GLOBAL??",
        "SystemRoot",
    ];
    let root = guest::read::<u64>(attributes + 8);
    let name = guest::object_name(attributes);
    let first = name.split('\\').nth(1).unwrap_or_default();
    root != 0 || FIRST.iter().any(|known| known.eq_ignore_ascii_case(first))
}

/// Checks the arguments of a function that opens a file.
fn check_open(attributes: u64, how: &Open) -> Result<(), Status> {
    arguments::attributes(attributes, how.options & option::BY_FILE_ID != 0)?;
    let share = u32::from(how.share);
    arguments::opening(how.access, share, how.disposition, how.options)
}

fn check(instance: u64, file: u64) {
    if volumes::by_instance(instance).is_none() {
        bad_handle("instance handle", instance);
    }
    if files::volume_of(file).is_none() && memory::handle_name(file).is_none() {
        bad_handle("file object", file);
    }
}

/// Ends the scenario if callback data is not one that the driver allocated.
fn check_own(data: u64) {
    if !holds(Kind::CallbackData, data) {
        bad_handle("callback data of FltAllocateCallbackData", data);
    }
}

/// Returns a status if the offset, the length or the flags of a transfer are not valid.
fn refused(file: u64, offset: u64, length: u32, flags: u32) -> Option<Status> {
    const NON_CACHED: u32 = 0x1; // FLTFL_IO_OPERATION_NON_CACHED
    const PAGING: u32 = 0x2; // FLTFL_IO_OPERATION_PAGING
    const SYNCHRONOUS_PAGING: u32 = 0x8; // FLTFL_IO_OPERATION_SYNCHRONOUS_PAGING
    const SECTOR: u64 = 512;
    let begin: u64 = if offset == 0 { 0 } else { guest::read(offset) };
    let aligned = begin.is_multiple_of(SECTOR) && u64::from(length).is_multiple_of(SECTOR);
    let is_unbuffered = files::volume_of(file).is_some()
        && guest::read::<u32>(file + layout::FLAGS) & layout::NO_BUFFERING != 0;
    if (flags & NON_CACHED != 0 || is_unbuffered) && !aligned {
        let reason =
            format!("noncached I/O of {length} bytes at {begin} is not aligned to the sector");
        return Some(refuse(status::INVALID_PARAMETER, reason));
    }
    (flags & (PAGING | SYNCHRONOUS_PAGING) == SYNCHRONOUS_PAGING).then(|| {
        let reason = "a flag for paging I/O is set without FLTFL_IO_OPERATION_PAGING";
        refuse(status::INVALID_PARAMETER, reason)
    })
}

/// The description of a file handle.
const A_FILE: &str = "a file";

/// Returns the file object of a handle to a file.
#[must_use]
pub fn file_of(handle: u64) -> Option<u64> {
    if held_once(Kind::Handle, handle).as_deref() != Some(A_FILE) {
        return None;
    }
    let file = once(&of_handle(handle), || file_object(&volumes::first()));
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

/// The outputs of a function that opens a file.
#[derive(Clone, Copy)]
struct Opened {
    handle: u64,
    file: u64,
    io_status: u64,
}

impl Opened {
    /// Accesses the places of the results. An invalid place is found before an argument is refused.
    fn touch(self) {
        guest::touch(self.handle, 8);
        guest::touch(self.io_status, 16);
    }
}

fn how(
    access: u32,
    attributes: u32,
    share: u32,
    disposition: u32,
    options: u32,
    flags: u32,
) -> Open {
    const IGNORE_SHARE_ACCESS_CHECK: u32 = 0x800; // IO_IGNORE_SHARE_ACCESS_CHECK
    Open {
        access,
        share: share as u16,
        disposition,
        options,
        attributes,
        id: None,
        ignore_share: flags & IGNORE_SHARE_ACCESS_CHECK != 0,
    }
}

/// Opens a file. On the machine of a test, it is one of its file system.
fn open(opened: Opened, volume: &Volume, attributes: u64, how: &Open, through: bool) -> Status {
    opened.touch();
    if let Err(refused) = check_open(attributes, how) {
        return refused;
    }
    handles::check_attributes(guest::read(attributes + 0x18));
    let name = guest::object_name(attributes);
    let (object, information) = if is_test() {
        match programs::open_for_filter(&name, how, through) {
            Ok((object, information)) => (Some(object), information),
            Err(status) => return status,
        }
    } else {
        (None, 1)
    };
    let handle = handles::new_handle(Kind::Handle, A_FILE);
    guest::write(opened.handle, handle);
    if let Some(object) = object {
        let _ = once(&of_handle(handle), || object);
    }
    if opened.file != 0 {
        let object = object.unwrap_or_else(|| file_object(volume));
        if how.options & option::NO_BUFFERING != 0 {
            let flags = guest::read::<u32>(object + layout::FLAGS);
            guest::write(object + layout::FLAGS, flags | layout::NO_BUFFERING);
        }
        acquire(
            Kind::Reference,
            object,
            "the file object that the driver opened",
        );
        guest::write(opened.file, object);
    }
    guest::write(opened.io_status, 0_u32);
    guest::write(opened.io_status + 8, information);
    status::SUCCESS
}

fn of_handle(handle: u64) -> String {
    format!("the file object of handle {handle}")
}

/// Closes a handle. On the machine of a test, a file is closed with it.
pub fn close(handle: u64) {
    let file = held_once(Kind::Handle, handle).as_deref() == Some(A_FILE);
    must_release(Kind::Handle, handle);
    if file && is_test() {
        programs::close_for_filter(once(&of_handle(handle), || 0));
    }
}

/// Reads or writes a file of a test. Returns `None` for another file.
fn transfer(major: u8, file: u64, offset: u64, buffer: Vec<u8>, flags: u32) -> Option<Completed> {
    const NON_CACHED: u32 = 1; // FLTFL_IO_OPERATION_NON_CACHED
    const KEEP_POSITION: u32 = 4; // FLTFL_IO_OPERATION_DO_NOT_UPDATE_BYTE_OFFSET
    let position = file + layout::POSITION;
    let begin: u64 = if offset == 0 {
        guest::read::<u64>(position)
    } else {
        guest::read(offset)
    };
    let parameters = Parameters {
        members: vec![
            (0, Value::U32(buffer.len() as u32)),
            (16, Value::U64(begin)),
            (24, Value::Buffer),
        ],
        buffer,
        flags: 0,
    };
    let spec = if flags & NON_CACHED == 0 {
        irp(major, 0, "")
    } else {
        io(major, catalogue::NON_CACHED, IRP_NOCACHE)
    };
    let completed = programs::initiate(file, spec, parameters)?;
    if flags & KEEP_POSITION == 0 && completed.status.is_success() {
        guest::write(position, begin + completed.information);
    }
    Some(completed)
}
