//! What programs do with files: the I/O manager, the cache manager and the memory manager send the operations.
//!
//! Documents: "IRP Major Function Codes", "`NtReadFile` function", "When Are IRPs Sent", "Fast I/O", "File Mapping".
//!
//! - A synchronous handle uses fast I/O after the first cached read or write, as for basic and standard information,
//!   locks and control codes of devices.
//! - Cached data is read and written in pages by paging I/O. The lazy writer writes dirty pages when a test requests it,
//!   in the system process.
//! - While the cache or a view refers to a file, its `IRP_MJ_CLOSE` is delayed.

use crate::act::{Number, Open, Reply};
use crate::file_system::{Answer, Features, FileSystem, PAGE, Refused, StreamId};
use crate::lifecycle::bottom::{
    cache_file, change, open_file, page_in, root_of, with_files, write_back,
};
use crate::lifecycle::catalogue::{
    IRP_NOCACHE, NON_CACHED, UNLOCK, fast, fs_filter, io, irp, late, paging,
};
use crate::lifecycle::operations::{self, PAGING_FILE, send, send_below};
use crate::lifecycle::{files, volumes};
use crate::machine::guest;
use crate::machine::process::{self, SYSTEM};
use crate::machine::schedule::{Queued, run_queued};
use crate::machine::state::with;
use crate::machine::threads::{self, new_thread_of};
use crate::objects::operations::{Completed, File, Parameters, Send, Sent, Spec, Value};
use crate::objects::programs::{OpenFile, Request, View};
use crate::objects::volumes::{Volume, VolumeKind};
use crate::vocabulary::buffers::SYSTEM_BUFFER;
use crate::vocabulary::file::{access, attribute, class, disposition, option, share, sl};
use crate::vocabulary::irql::PASSIVE;
use crate::vocabulary::layout::file_object;
use crate::vocabulary::major::{
    ACQUIRE_FOR_FLUSH, ACQUIRE_FOR_MOD_WRITE, ACQUIRE_FOR_SECTION, CLEANUP, CLOSE, CREATE,
    DEVICE_CONTROL, DIRECTORY_CONTROL, FILE_SYSTEM_CONTROL, FLUSH_BUFFERS, LOCK_CONTROL,
    NETWORK_QUERY_OPEN, QUERY_EA, QUERY_INFORMATION, QUERY_OPEN, QUERY_SECURITY,
    QUERY_VOLUME_INFORMATION, READ, RELEASE_FOR_FLUSH, RELEASE_FOR_MOD_WRITE, RELEASE_FOR_SECTION,
    SET_EA, SET_INFORMATION, SET_SECURITY, SET_VOLUME_INFORMATION, WRITE,
};
use crate::vocabulary::status::{self, Status};

/// Returns an operation whose result the file system determines.
const fn real(spec: Spec) -> Spec {
    Spec {
        result: None,
        ..spec
    }
}

/// Creates the file system of a volume, empty.
pub fn format(volume: &Volume) {
    if let Some(features) = Features::of(volume.kind.file_system) {
        let time = with(|state| state.clock);
        let files = FileSystem::new(features, time);
        with(|state| state.programs.file_systems.push((volume.handle, files)));
    }
}

/// Creates the volumes and the files of the machine before the driver is loaded.
///
/// # Errors
///
/// Returns one sentence for a file that cannot be created.
pub fn prepare() -> Result<(), String> {
    let Some(setup) = with(|state| state.setup.clone()) else {
        return Ok(());
    };
    for volume in volumes::all_known() {
        format(&volume);
    }
    if let Some(volume) = volumes::all_known().first() {
        let _ = place(volume, PAGING_FILE, &[0; PAGE as usize * 4]);
        let _ = place(volume, &format!("{}\\System32\\", volumes::WINDOWS), &[]);
    }
    for (path, data) in &setup.files {
        put(path, data)?;
    }
    Ok(())
}

/// Splits a path such as `C:\a.txt` into the volume and the path on it.
fn locate(path: &str) -> Result<(Volume, &str), String> {
    let mut letters = path.chars();
    let (letter, colon) = (letters.next(), letters.next());
    let rest = letters.as_str();
    let (Some(letter), Some(':'), true) =
        (letter, colon, rest.is_empty() || rest.starts_with('\\'))
    else {
        return Err(format!(
            "{path:?} is not an absolute path; write a drive letter and a path, such as C:\\a.txt"
        ));
    };
    match volumes::by_letter(letter) {
        Some(volume) => Ok((volume, rest)),
        None => Err(format!(
            "{path:?} is on {letter}:, and the machine has no such volume; add it with volume({letter:?}, …)"
        )),
    }
}

/// Creates a file on the disk, without the driver. A path that ends with a backslash is a directory.
fn put(path: &str, data: &[u8]) -> Result<(), String> {
    let (volume, path_on_it) = locate(path)?;
    match place(&volume, path_on_it, data) {
        Ok(()) => Ok(()),
        Err(Refused::Status(status)) => Err(format!("{path:?} cannot be created: {status}")),
        Err(Refused::NotModelled(what)) => Err(format!(
            "{path:?} cannot be created: {what} is not modelled"
        )),
    }
}

fn place(volume: &Volume, path: &str, data: &[u8]) -> Answer<()> {
    use crate::file_system::Create;
    with_files(volume, |files| {
        let request = |path: &str, options| Create {
            path: path.to_owned(),
            disposition: disposition::OPEN_IF,
            options,
            access: access::READ_ATTRIBUTES,
            share: share::ALL,
            ..Create::default()
        };
        for (at, _) in path.match_indices('\\').skip(1) {
            let created = files.create(&request(&path[..at], option::DIRECTORY))?;
            files.clean_up(created.open);
            files.close(created.open);
        }
        if path.ends_with('\\') {
            return Ok(());
        }
        let created = files.create(&request(path, 0))?;
        let stream = files.data_of(created.open)?;
        let written = files.write_disk(stream, 0, data, false);
        files.clean_up(created.open);
        files.close(created.open);
        written
    })
}

/// Reads a file on the disk, without the driver.
#[must_use]
pub fn disk(path: &str) -> Reply {
    use crate::file_system::Create;
    let (volume, path) = match locate(path) {
        Ok(found) => found,
        Err(why) => return Reply::refused(why),
    };
    let request = Create {
        path: path.to_owned(),
        disposition: disposition::OPEN,
        access: access::READ_ATTRIBUTES,
        share: share::ALL,
        ..Create::default()
    };
    let read = with_files(&volume, |files| {
        let created = files.create(&request)?;
        let data = files.data_of(created.open).and_then(|stream| {
            let size = files.size_of(stream);
            files.read_disk(stream, 0, size)
        });
        files.clean_up(created.open);
        files.close(created.open);
        data
    });
    match read {
        Ok(data) => Reply {
            information: data.len() as u64,
            data,
            ..Reply::default()
        },
        Err(refused) => reply_to(refused),
    }
}

fn reply_to(refused: Refused) -> Reply {
    match refused {
        Refused::Status(status) => Reply::of(status),
        Refused::NotModelled(what) => Reply {
            not_modelled: Some(what),
            ..Reply::of(status::NOT_SUPPORTED)
        },
    }
}

/// Runs what is pending after an act: queued work, and requests that were completed.
pub fn settle() {
    loop {
        run_queued(Queued::Kept);
        let completed: Vec<_> = with(|state| {
            let all = state.programs.file_systems.iter_mut();
            all.flat_map(|(_, files)| files.take_completed()).collect()
        });
        for completed in &completed {
            operations::complete_below(completed.ticket, completed.status, &completed.data);
        }
        let settled = operations::settle();
        for (data, completed) in &settled {
            with(|state| {
                let mut requests = state.programs.requests.iter_mut();
                if let Some(request) = requests.find(|request| request.data == *data) {
                    request.completed = Some(completed.clone());
                }
            });
        }
        if completed.is_empty() && settled.is_empty() {
            return;
        }
    }
}

/// Returns the reply to a request.
fn reply(sent: Sent) -> Reply {
    match sent {
        Sent::Completed(completed) => of(completed),
        Sent::Pending(data) => {
            let number = with(|state| {
                let number = state.programs.new_number();
                state.programs.requests.push(Request {
                    number,
                    data,
                    completed: None,
                });
                number
            });
            settle();
            // A request that is complete by now was not pending for the program.
            match wait(number) {
                reply if reply.status == status::PENDING => Reply {
                    number: Some(number),
                    ..reply
                },
                reply => reply,
            }
        }
    }
}

fn of(completed: Completed) -> Reply {
    Reply {
        status: completed.status,
        information: completed.information,
        data: completed.data,
        ..Reply::default()
    }
}

/// Returns the result of a pending request, if it is complete.
#[must_use]
pub fn wait(number: Number) -> Reply {
    let completed = with(|state| {
        let requests = &mut state.programs.requests;
        let at = requests
            .iter()
            .position(|request| request.number == number)?;
        if requests[at].completed.is_some() {
            return requests.remove(at).completed;
        }
        Some(Completed {
            status: status::PENDING,
            ..Completed::default()
        })
    });
    completed.map_or_else(
        || Reply::refused("the request is complete, and its result was returned"),
        of,
    )
}

/// Cancels a pending request.
#[must_use]
pub fn cancel(number: Number) -> Reply {
    let request = with(|state| {
        let mut requests = state.programs.requests.iter();
        let request = requests.find(|request| request.number == number);
        request.map(|request| (request.data, request.completed.is_some()))
    });
    let Some((data, is_complete)) = request else {
        return Reply::refused("the request is complete, and its result was returned");
    };
    if is_complete {
        return wait(number);
    }
    let canceled = with(|state| {
        let mut all = state.programs.file_systems.iter_mut();
        all.any(|(_, files)| files.cancel(data))
    });
    if !canceled {
        return Reply {
            not_modelled: Some("the cancellation of a request that the filter pends".to_owned()),
            ..Reply::default()
        };
    }
    settle();
    wait(number)
}

/// Returns an open file by its number.
fn file(number: Number) -> Result<OpenFile, Reply> {
    let found = with(|state| {
        let mut files = state.programs.files.iter();
        files
            .find(|file| file.number == number && !file.closed)
            .cloned()
    });
    found.ok_or_else(|| Reply::refused("the file is closed"))
}

/// Returns an open file that was opened with one of these rights.
fn file_with(number: Number, rights: u32) -> Result<OpenFile, Reply> {
    let file = file(number)?;
    file.check(rights)?;
    Ok(file)
}

impl OpenFile {
    fn target(&self) -> File {
        File {
            object: self.object,
            volume: self.volume.clone(),
        }
    }

    fn is_synchronous(&self) -> bool {
        self.options & option::SYNCHRONOUS != 0
    }

    /// Checks the access rights of the handle.
    fn check(&self, rights: u32) -> Result<(), Reply> {
        if self.access & rights == 0 {
            return Err(Reply {
                note: Some(format!(
                    "the I/O manager refuses it: the file was opened without {}",
                    access::name(rights)
                )),
                ..Reply::of(status::ACCESS_DENIED)
            });
        }
        Ok(())
    }

    /// Sends an operation in a thread of the process.
    fn send(&self, spec: Spec, parameters: Parameters) -> Reply {
        reply(send(
            &self.target(),
            spec,
            parameters,
            new_thread_of(self.process),
        ))
    }

    /// Returns the stream, if the file has one.
    fn stream(&self) -> Option<StreamId> {
        let open = self.open?;
        with_files(&self.volume, |files| Ok(files.stream_of(open))).ok()?
    }
}

fn members(members: Vec<(u64, Value)>) -> Parameters {
    Parameters {
        members,
        ..Parameters::default()
    }
}

/// Opens or creates a file.
#[must_use]
pub fn open(process: Number, path: &str, how: &Open) -> Reply {
    let process = process as usize;
    if process >= with(|state| state.programs.processes.len()) {
        return Reply::refused("the process does not exist");
    }
    match locate(path) {
        Ok((volume, path)) => open_on(process, &volume, path, how, 0),
        Err(why) => Reply::refused(why),
    }
}

fn open_on(process: usize, volume: &Volume, path: &str, how: &Open, flags: u8) -> Reply {
    let thread = new_thread_of(process);
    open_with(process, volume, path, how, flags, thread, send)
}

fn open_with(
    process: usize,
    volume: &Volume,
    path: &str,
    how: &Open,
    flags: u8,
    thread: u32,
    send: Send,
) -> Reply {
    let how = &Open {
        access: access::specific(how.access),
        ..how.clone()
    };
    let by_id = if how.id.is_some() {
        option::BY_FILE_ID
    } else {
        0
    };
    let options = how.options | by_id;
    let name: Vec<u16> = match how.id {
        Some(id) => id
            .to_le_bytes()
            .chunks_exact(2)
            .map(|pair| u16::from_le_bytes([pair[0], pair[1]]))
            .collect(),
        None => format!("{}{path}", root_of(volume))
            .encode_utf16()
            .collect(),
    };
    let object = files::new_file(volume, &name, "a file object");
    set_flags(object, options, how);
    let entry = OpenFile {
        number: with(|state| state.programs.new_number()),
        object,
        volume: volume.clone(),
        open: None,
        process,
        access: how.access,
        options,
        ignore_share: how.ignore_share,
        position: 0,
        cached: false,
        closed: false,
    };
    let number = entry.number;
    with(|state| state.programs.files.push(entry.clone()));
    let variant = if flags & sl::OPEN_TARGET_DIRECTORY != 0 {
        "target directory"
    } else if path.is_empty() && how.id.is_none() {
        "volume"
    } else if options & option::DIRECTORY != 0 {
        "directory"
    } else {
        ""
    };
    let spec = real(irp(CREATE, 0, variant));
    let parameters = Parameters {
        members: vec![
            (0, Value::SecurityContext(how.access)),
            (8, Value::U32(how.disposition << 24 | options)),
            (16, Value::U16(how.attributes as u16)),
            (18, Value::U16(how.share)),
        ],
        buffer: Vec::new(),
        flags,
    };
    let reply = reply(send(&entry.target(), spec, parameters, thread));
    let opened = open_file(object).and_then(|file| file.open);
    match (reply.status.is_success(), opened) {
        // A filter can complete an open itself, but then the file system does not know the file.
        (true, None) if reply.not_modelled.is_none() => Reply {
            not_modelled: Some("a file that the filter opens itself".to_owned()),
            ..reply
        },
        (true, _) => Reply {
            number: Some(number),
            ..reply
        },
        (false, opened) => {
            if let Some(opened) = opened {
                let _ = with_files(volume, |files| {
                    files.clean_up(opened);
                    files.close(opened);
                    Ok(())
                });
            }
            discard(object);
            reply
        }
    }
}

/// Sets the flags and the access of a file object.
fn set_flags(object: u64, options: u32, how: &Open) {
    const FLAGS: [(u32, u32); 4] = [
        (option::SYNCHRONOUS, 0x2),          // FO_SYNCHRONOUS_IO
        (option::NO_BUFFERING, 0x8),         // FO_NO_INTERMEDIATE_BUFFERING
        (option::WRITE_THROUGH, 0x10),       // FO_WRITE_THROUGH
        (option::DELETE_ON_CLOSE, 0x1_0000), // FO_DELETE_ON_CLOSE
    ];
    let flags = FLAGS.iter().filter(|(option, _)| options & option != 0);
    guest::write(
        object + file_object::FLAGS,
        flags.fold(0, |flags, (_, flag)| flags | flag),
    );
    for (at, rights) in (0..).zip(access::SHARED) {
        let granted = u8::from(how.access & rights != 0);
        guest::write(object + file_object::ACCESS + at, granted);
        let shared = (how.share >> at) as u8 & 1;
        guest::write(object + file_object::ACCESS + 3 + at, shared);
    }
}

/// Removes a file object, and the structures of its stream if no other file object uses them.
fn discard(object: u64) {
    let block = guest::read::<u64>(object + file_object::FS_CONTEXT);
    with(|state| {
        let programs = &mut state.programs;
        programs.files.retain(|file| file.object != object);
        programs.caches.retain(|(_, _, file)| *file != object);
    });
    files::free_file(object);
    let shared = with(|state| {
        let files = state.programs.files.iter();
        files.map(|file| file.object).collect::<Vec<_>>()
    });
    let used = |other: &u64| guest::read::<u64>(other + file_object::FS_CONTEXT) == block;
    if block != 0 && !shared.iter().any(used) {
        crate::lifecycle::contexts::remove_from_file(block);
    }
}

/// Closes a handle.
pub fn close(number: Number) -> Result<Reply, Reply> {
    let file = file(number)?;
    change(file.object, |file| file.closed = true);
    let reply = file.send(real(irp(CLEANUP, 0, "")), Parameters::default());
    settle();
    if !is_referenced(&file) {
        let _ = file.send(real(irp(CLOSE, 0, "")), Parameters::default());
        discard(file.object);
    }
    Ok(Reply {
        status: status::SUCCESS,
        ..reply
    })
}

/// Returns whether the cache or a view refers to a file object.
fn is_referenced(file: &OpenFile) -> bool {
    let Some(stream) = file.stream() else {
        return false;
    };
    let viewed = with(|state| {
        let mut views = state.programs.views.iter();
        views.any(|view| view.object == file.object)
    });
    let dirty = with_files(&file.volume, |files| {
        Ok(!files.dirty_pages(stream).is_empty())
    });
    viewed || cache_file(&file.volume, stream, 0) == file.object && dirty == Ok(true)
}

/// Sends the delayed `IRP_MJ_CLOSE` of files to which neither the cache nor a view refers any more.
fn close_unreferenced() {
    let closed: Vec<OpenFile> = with(|state| {
        let files = state.programs.files.iter();
        files.filter(|file| file.closed).cloned().collect()
    });
    for file in closed {
        if !is_referenced(&file) {
            let thread = new_thread_of(SYSTEM);
            let spec = real(irp(CLOSE, 0, ""));
            let _ = send(&file.target(), spec, Parameters::default(), thread);
            discard(file.object);
        }
    }
}

/// Returns the variant of a read or a write.
fn transfer(major: u8, file: &OpenFile) -> Spec {
    if file.options & option::NO_BUFFERING != 0 {
        return real(io(major, NON_CACHED, IRP_NOCACHE));
    }
    if file.cached && file.is_synchronous() {
        return Spec {
            cached: true,
            ..real(fast(major))
        };
    }
    Spec {
        post: PASSIVE,
        ..real(io(major, "", 0))
    }
}

/// Reads from a file.
pub fn read(number: Number, offset: u64, length: u32) -> Result<Reply, Reply> {
    let file = file_with(number, access::READ_DATA)?;
    let members = vec![
        (0, Value::U32(length)),
        (16, Value::U64(offset)),
        (24, Value::Buffer),
    ];
    let parameters = Parameters::output(members, length);
    let reply = file.send(transfer(READ, &file), parameters);
    moved(&file, offset, &reply);
    Ok(reply)
}

/// Writes to a file.
pub fn write(number: Number, offset: u64, data: &[u8]) -> Result<Reply, Reply> {
    let file = file_with(number, access::WRITE_DATA | access::APPEND_DATA)?;
    let members = vec![
        (0, Value::U32(data.len() as u32)),
        (16, Value::U64(offset)),
        (24, Value::Buffer),
    ];
    let parameters = Parameters::input(members, data);
    let reply = file.send(transfer(WRITE, &file), parameters);
    moved(&file, offset, &reply);
    // The data in the buffer is the program's.
    Ok(Reply {
        data: Vec::new(),
        ..reply
    })
}

/// Updates `CurrentByteOffset` of a synchronous file object.
fn moved(file: &OpenFile, offset: u64, reply: &Reply) {
    if file.is_synchronous() && reply.status.is_success() && offset != u64::MAX {
        let position = offset + reply.information;
        guest::write(file.object + file_object::POSITION, position);
        change(file.object, |file| file.position = position);
    }
}

/// Flushes a file.
pub fn flush(number: Number) -> Result<Reply, Reply> {
    let file = file_with(number, access::WRITE_DATA | access::APPEND_DATA)?;
    Ok(file.send(real(irp(FLUSH_BUFFERS, 0, "")), Parameters::default()))
}

/// Queries information of a file.
pub fn query(number: Number, class: u32, length: u32) -> Result<Reply, Reply> {
    let file = file(number)?;
    let members = vec![
        (0, Value::U32(length)),
        (8, Value::U32(class)),
        (16, Value::Buffer),
    ];
    let parameters = Parameters::output(members, length);
    let is_fast = matches!(class, class::BASIC | class::STANDARD) && file.is_synchronous();
    let spec = if is_fast {
        fast(QUERY_INFORMATION)
    } else {
        irp(QUERY_INFORMATION, 0, "")
    };
    Ok(file.send(real(spec), parameters))
}

/// Sets information of a file.
pub fn set(number: Number, class: u32, data: &[u8]) -> Result<Reply, Reply> {
    let rights = match class {
        class::DISPOSITION | class::DISPOSITION_EX | class::RENAME | class::RENAME_EX => {
            access::DELETE
        }
        class::BASIC => access::WRITE_ATTRIBUTES,
        class::END_OF_FILE | class::ALLOCATION | class::VALID_DATA_LENGTH => access::WRITE_DATA,
        _ => u32::MAX,
    };
    let file = file_with(number, rights)?;
    let variant = if matches!(class, class::DISPOSITION | class::DISPOSITION_EX) {
        "delete"
    } else {
        ""
    };
    let reply = file.send(set_spec(variant), set_parameters(class, data.to_vec(), 0));
    Ok(Reply {
        data: Vec::new(),
        ..reply
    })
}

fn set_spec(variant: &'static str) -> Spec {
    real(irp(SET_INFORMATION, 0, variant))
}

fn set_parameters(class: u32, data: Vec<u8>, parent: u64) -> Parameters {
    Parameters {
        members: vec![
            (0, Value::U32(data.len() as u32)),
            (8, Value::U32(class)),
            (16, Value::U64(parent)),
            (24, Value::U8(data.first().copied().unwrap_or_default())),
            (32, Value::Buffer),
        ],
        buffer: data,
        flags: 0,
    }
}

/// Renames a file or creates a link. The I/O manager opens the directory of the new name first.
pub fn rename(number: Number, to: &str, replace: bool, link: bool) -> Result<Reply, Reply> {
    let file = file_with(number, if link { u32::MAX } else { access::DELETE })?;
    let (volume, path) = locate(to).map_err(Reply::refused)?;
    if volume.handle != file.volume.handle {
        return Err(Reply::of(status::NOT_SAME_DEVICE));
    }
    let how = Open {
        access: access::WRITE_DATA | access::SYNCHRONIZE,
        share: share::ALL,
        disposition: disposition::OPEN,
        ..Open::default()
    };
    let target = open_on(file.process, &volume, path, &how, sl::OPEN_TARGET_DIRECTORY);
    let Some(directory) = target.number else {
        return Err(target);
    };
    let parent = with(|state| {
        let mut files = state.programs.files.iter();
        files
            .find(|file| file.number == directory)
            .map(|file| file.object)
    });
    // The name as a program gives it: a path from the object manager's root.
    let name = format!("\\??\\{to}");
    let name: Vec<u8> = name.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let mut data = vec![0; 20];
    data[0] = u8::from(replace);
    data[16..20].copy_from_slice(&(name.len() as u32).to_le_bytes());
    data.extend(name);
    let (class, variant) = if link {
        (class::LINK, "link")
    } else {
        (class::RENAME, "rename")
    };
    let parameters = set_parameters(class, data, parent.unwrap_or_default());
    let reply = file.send(set_spec(variant), parameters);
    let _ = close(directory);
    Ok(Reply {
        data: Vec::new(),
        ..reply
    })
}

/// Enumerates a directory.
pub fn list(
    number: Number,
    class: u32,
    expression: Option<&str>,
    restart: bool,
    length: u32,
) -> Result<Reply, Reply> {
    let file = file_with(number, access::READ_DATA)?;
    let mut parameters = Parameters {
        members: vec![
            (0, Value::U32(length)),
            (16, Value::U32(class)),
            (32, Value::Buffer),
        ],
        buffer: vec![0; length as usize],
        flags: if restart { sl::RESTART_SCAN } else { 0 },
    };
    if let Some(expression) = expression {
        parameters
            .members
            .push((8, Value::Text(expression.to_owned())));
    }
    Ok(file.send(real(irp(DIRECTORY_CONTROL, 1, "query")), parameters))
}

/// Requests a notification of changes in a directory.
pub fn watch(number: Number, filter: u32, tree: bool, length: u32) -> Result<Reply, Reply> {
    let file = file_with(number, access::READ_DATA)?;
    let parameters = Parameters {
        members: vec![
            (0, Value::U32(length)),
            (8, Value::U32(filter)),
            (32, Value::Buffer),
        ],
        buffer: vec![0; length as usize],
        flags: if tree { sl::WATCH_TREE } else { 0 },
    };
    let spec = irp(
        DIRECTORY_CONTROL,
        2,
        crate::lifecycle::catalogue::NOTIFY_CHANGE,
    );
    Ok(file.send(real(late(spec)), parameters))
}

/// A byte-range lock of a program.
#[derive(Debug, Clone, Copy)]
pub struct LockRequest {
    /// The first byte.
    pub offset: u64,
    /// The number of bytes.
    pub length: u64,
    /// The range is locked. Otherwise, it is unlocked.
    pub lock: bool,
    /// The lock is exclusive.
    pub exclusive: bool,
    /// The request waits until the range is free.
    pub wait: bool,
}

/// Locks or unlocks a range of a file.
pub fn lock(number: Number, request: LockRequest) -> Result<Reply, Reply> {
    let file = file_with(number, access::READ_DATA | access::WRITE_DATA)?;
    let parameters = members(vec![
        (0, Value::Structure(request.length.to_le_bytes().to_vec())),
        (16, Value::U64(request.offset)),
        (24, Value::U64(process::get(file.process).object)),
        (32, Value::U8(u8::from(!request.wait))),
        (33, Value::U8(u8::from(request.exclusive))),
    ]);
    let minor = if request.lock { 1 } else { 2 };
    let spec = if file.is_synchronous() && !request.wait {
        Spec {
            minor,
            ..fast(LOCK_CONTROL)
        }
    } else {
        late(irp(
            LOCK_CONTROL,
            minor,
            if request.lock { "lock" } else { UNLOCK },
        ))
    };
    Ok(file.send(real(spec), parameters))
}

/// Sends a control code to the file system, or to the device of the volume.
pub fn control(
    number: Number,
    code: u32,
    input: &[u8],
    output: u32,
    device: bool,
) -> Result<Reply, Reply> {
    const METHOD_BUFFERED: u32 = 0;
    let file = file(number)?;
    if code & 3 != METHOD_BUFFERED {
        return Err(Reply {
            not_modelled: Some(format!(
                "the control code 0x{code:08X}, which is not METHOD_BUFFERED,"
            )),
            ..Reply::default()
        });
    }
    let mut buffer = input.to_vec();
    buffer.resize(buffer.len().max(output as usize), 0);
    let parameters = Parameters {
        members: vec![
            (0, Value::U32(output)),
            (8, Value::U32(input.len() as u32)),
            (16, Value::U32(code)),
            (SYSTEM_BUFFER.1, Value::Buffer),
        ],
        buffer,
        flags: 0,
    };
    let spec = if device {
        late(irp(DEVICE_CONTROL, 0, ""))
    } else {
        late(irp(FILE_SYSTEM_CONTROL, 0, control_variant(code, input)))
    };
    Ok(file.send(real(spec), parameters))
}

/// Returns the variant of a control code, which rules refer to.
fn control_variant(code: u32, input: &[u8]) -> &'static str {
    use crate::lifecycle::catalogue::{
        DISABLE_BYPASS_IO, ENABLE_BYPASS_IO, QUERY_BYPASS_IO, REQUEST_OPLOCK,
    };
    use crate::vocabulary::bypass_io::{DISABLE, ENABLE, MANAGE_BYPASS_IO, QUERY};
    let operation = input
        .first_chunk()
        .map_or(0, |word| u32::from_le_bytes(*word));
    match (code, operation) {
        (MANAGE_BYPASS_IO, ENABLE) => ENABLE_BYPASS_IO,
        (MANAGE_BYPASS_IO, DISABLE) => DISABLE_BYPASS_IO,
        (MANAGE_BYPASS_IO, QUERY) => QUERY_BYPASS_IO,
        // FSCTL_REQUEST_OPLOCK_LEVEL_1 and the following ones, FSCTL_REQUEST_OPLOCK.
        (0x0009_0000 | 0x0009_0004 | 0x0009_0008 | 0x0009_005C | 0x0009_0240, _) => REQUEST_OPLOCK,
        _ => "",
    }
}

/// Queries information of a volume.
pub fn query_volume(number: Number, class: u32, length: u32) -> Result<Reply, Reply> {
    let members = vec![
        (0, Value::U32(length)),
        (8, Value::U32(class)),
        (16, Value::Buffer),
    ];
    let parameters = Parameters::output(members, length);
    Ok(file(number)?.send(real(irp(QUERY_VOLUME_INFORMATION, 0, "")), parameters))
}

/// Sets information of a volume.
pub fn set_volume(number: Number, class: u32, data: &[u8]) -> Result<Reply, Reply> {
    let members = vec![
        (0, Value::U32(data.len() as u32)),
        (8, Value::U32(class)),
        (16, Value::Buffer),
    ];
    let parameters = Parameters::input(members, data);
    Ok(file(number)?.send(real(irp(SET_VOLUME_INFORMATION, 0, "")), parameters))
}

/// Queries the extended attributes of a file.
pub fn query_ea(number: Number, length: u32) -> Result<Reply, Reply> {
    let members = vec![(0, Value::U32(length)), (32, Value::Buffer)];
    let parameters = Parameters {
        flags: sl::RESTART_SCAN,
        ..Parameters::output(members, length)
    };
    let file = file_with(number, access::READ_EA)?;
    Ok(file.send(real(irp(QUERY_EA, 0, "")), parameters))
}

/// Sets extended attributes of a file.
pub fn set_ea(number: Number, list: &[u8]) -> Result<Reply, Reply> {
    let members = vec![(0, Value::U32(list.len() as u32)), (8, Value::Buffer)];
    let parameters = Parameters::input(members, list);
    let file = file_with(number, access::WRITE_EA)?;
    Ok(file.send(real(irp(SET_EA, 0, "")), parameters))
}

/// Queries the security descriptor of a file.
pub fn query_security(number: Number, information: u32, length: u32) -> Result<Reply, Reply> {
    let members = vec![
        (0, Value::U32(information)),
        (8, Value::U32(length)),
        (16, Value::Buffer),
    ];
    let parameters = Parameters::output(members, length);
    let file = file_with(number, access::READ_CONTROL)?;
    Ok(file.send(real(irp(QUERY_SECURITY, 0, "")), parameters))
}

/// Sets the security descriptor of a file.
pub fn set_security(number: Number, information: u32, descriptor: &[u8]) -> Result<Reply, Reply> {
    const DACL: u32 = 4; // DACL_SECURITY_INFORMATION
    const OWNER: u32 = 3; // OWNER_SECURITY_INFORMATION, GROUP_SECURITY_INFORMATION
    let members = vec![(0, Value::U32(information)), (8, Value::Buffer)];
    let parameters = Parameters::input(members, descriptor);
    let file = file(number)?;
    for (part, right) in [(DACL, access::WRITE_DAC), (OWNER, access::WRITE_OWNER)] {
        if information & part != 0 {
            file.check(right)?;
        }
    }
    Ok(file.send(real(irp(SET_SECURITY, 0, "")), parameters))
}

/// Queries a file by its path. If a filter has a callback for opens and none for `IRP_MJ_QUERY_OPEN`, or if it disallows
/// that operation, the file is opened, queried and closed.
///
/// Document: "`IRP_MJ_QUERY_OPEN`".
pub fn query_path(process: Number, path: &str) -> Result<Reply, Reply> {
    const SIZE: u32 = 56;
    let (volume, rest) = locate(path).map_err(Reply::refused)?;
    let registered = |major: u8| {
        with(|state| {
            let mut operations = state.filter.operations.iter();
            operations.any(|operation| operation.major == major)
        })
    };
    let spec = match (registered(QUERY_OPEN), registered(NETWORK_QUERY_OPEN)) {
        (false, true) => Some(fast(NETWORK_QUERY_OPEN)),
        (false, false) if registered(CREATE) => None,
        _ => Some(fs_filter(QUERY_OPEN)),
    };
    if let Some(spec) = spec {
        let name = format!("{}{rest}", root_of(&volume));
        let name: Vec<u16> = name.encode_utf16().collect();
        let object = files::new_file(&volume, &name, "a file object");
        let target = File {
            object,
            volume: volume.clone(),
        };
        let mut parameters = Parameters {
            members: vec![(8, Value::Buffer)],
            buffer: vec![0; SIZE as usize],
            flags: 0,
        };
        if spec.major == QUERY_OPEN {
            parameters.members.push((16, Value::U32(SIZE)));
            parameters
                .members
                .push((24, Value::U32(class::NETWORK_OPEN)));
        }
        let thread = new_thread_of(process as usize);
        let sent = send(&target, real(spec), parameters, thread);
        files::free_file(object);
        match sent {
            Sent::Completed(completed) if completed.status != status::FLT_DISALLOW_FAST_IO => {
                return Ok(of(completed));
            }
            _ => {}
        }
    }
    let how = Open {
        access: access::READ_ATTRIBUTES,
        share: share::ALL,
        disposition: disposition::OPEN,
        ..Open::default()
    };
    let opened = open(process, path, &how);
    let Some(number) = opened.number else {
        return Err(opened);
    };
    let reply = query(number, class::NETWORK_OPEN, SIZE);
    let _ = close(number);
    reply
}

/// Maps a file.
pub fn map(number: Number, write: bool) -> Result<Reply, Reply> {
    const CREATE_SECTION: u32 = 1; // SyncTypeCreateSection
    const READ_ONLY: u32 = 0x02; // PAGE_READONLY
    const READ_WRITE: u32 = 0x04; // PAGE_READWRITE
    let rights = if write {
        access::WRITE_DATA
    } else {
        access::READ_DATA
    };
    let file = file_with(number, rights)?;
    let Some(stream) = file.stream() else {
        return Err(Reply::of(status::INVALID_DEVICE_REQUEST));
    };
    let protection = if write { READ_WRITE } else { READ_ONLY };
    let parameters = members(vec![
        (0, Value::U32(CREATE_SECTION)),
        (4, Value::U32(protection)),
    ]);
    let acquired = file.send(real(fs_filter(ACQUIRE_FOR_SECTION)), parameters);
    if !acquired.status.is_success() {
        return Err(acquired);
    }
    let mapped = with_files(&file.volume, |files| files.map(stream));
    let _ = file.send(real(fs_filter(RELEASE_FOR_SECTION)), Parameters::default());
    if let Err(refused) = mapped {
        return Err(reply_to(refused));
    }
    let size = with_files(&file.volume, |files| Ok(files.size_of(stream)));
    let view = with(|state| {
        let number = state.programs.new_number();
        state.programs.views.push(View {
            number,
            object: file.object,
            stream,
            write,
        });
        number
    });
    Ok(Reply {
        information: size.unwrap_or_default(),
        ..Reply::number(view)
    })
}

/// Returns a view and its file.
fn view(number: Number) -> Result<(View, OpenFile), Reply> {
    let view = with(|state| {
        let mut views = state.programs.views.iter();
        views.find(|view| view.number == number).cloned()
    });
    let found = view.and_then(|view| Some((view.clone(), open_file(view.object)?)));
    found.ok_or_else(|| Reply::refused("the view is unmapped"))
}

/// Makes the pages of a view resident. A page fault reads a page by paging I/O.
fn fault_in(view: &View, file: &OpenFile, offset: u64, length: u64) -> Answer<()> {
    let needed = with_files(&file.volume, |files| {
        let end = files.size_of(view.stream).next_multiple_of(PAGE);
        if offset.saturating_add(length) > end {
            return Err(status::ACCESS_VIOLATION.into());
        }
        Ok(files.missing_pages(view.stream, offset, length))
    })?;
    let thread = new_thread_of(file.process);
    for page in needed {
        page_in(
            &file.volume,
            view.stream,
            view.object,
            &[page],
            thread,
            send,
        )?;
    }
    Ok(())
}

/// Reads from a view.
#[must_use]
pub fn read_view(number: Number, offset: u64, length: u32) -> Reply {
    let (view, file) = match view(number) {
        Ok(found) => found,
        Err(reply) => return reply,
    };
    let read = fault_in(&view, &file, offset, u64::from(length)).and_then(|()| {
        with_files(&file.volume, |files| {
            Ok(files.view(view.stream, offset, u64::from(length)))
        })
    });
    match read {
        Ok(data) => Reply {
            information: data.len() as u64,
            data,
            ..Reply::default()
        },
        Err(refused) => reply_to(refused),
    }
}

/// Writes to a view.
#[must_use]
pub fn write_view(number: Number, offset: u64, data: &[u8]) -> Reply {
    let (view, file) = match view(number) {
        Ok(found) => found,
        Err(reply) => return reply,
    };
    if !view.write {
        return Reply::of(status::ACCESS_VIOLATION);
    }
    let written = fault_in(&view, &file, offset, data.len() as u64).and_then(|()| {
        with_files(&file.volume, |files| {
            files.write_to_view(view.stream, offset, data);
            Ok(())
        })
    });
    match written {
        Ok(()) => Reply::default(),
        Err(refused) => reply_to(refused),
    }
}

/// Writes the changed pages of a view to the file.
#[must_use]
pub fn flush_view(number: Number) -> Reply {
    let (view, file) = match view(number) {
        Ok(found) => found,
        Err(reply) => return reply,
    };
    let thread = new_thread_of(file.process);
    let (acquire, release) = (ACQUIRE_FOR_FLUSH, RELEASE_FOR_FLUSH);
    Reply::of(write_pages(
        &file,
        view.stream,
        thread,
        Some((acquire, release)),
    ))
}

/// Writes the dirty pages of a stream. Mapped pages are written between an acquire and a release operation.
fn write_pages(file: &OpenFile, stream: StreamId, thread: u32, around: Option<(u8, u8)>) -> Status {
    let target = File {
        object: cache_file(&file.volume, stream, file.object),
        volume: file.volume.clone(),
    };
    if let Some((acquire, _)) = around {
        let parameters = Parameters::default();
        let acquired = send(&target, real(fs_filter(acquire)), parameters, thread);
        if let Sent::Completed(completed) = acquired
            && !completed.status.is_success()
        {
            return completed.status;
        }
    }
    let written = write_back(&file.volume, stream, file.object, thread, send);
    if let Some((_, release)) = around {
        let parameters = Parameters::default();
        let _ = send(&target, real(fs_filter(release)), parameters, thread);
    }
    written
}

/// Unmaps a view.
#[must_use]
pub fn unmap(number: Number) -> Reply {
    let (view, file) = match view(number) {
        Ok(found) => found,
        Err(reply) => return reply,
    };
    with(|state| state.programs.views.retain(|view| view.number != number));
    let _ = with_files(&file.volume, |files| {
        files.unmap(view.stream);
        Ok(())
    });
    // The cache writes the changed pages later.
    with(|state| {
        let caches = &mut state.programs.caches;
        let (stream, volume) = (view.stream, file.volume.handle);
        if !caches
            .iter()
            .any(|(known, on, _)| (*known, *on) == (stream, volume))
        {
            caches.push((stream, volume, view.object));
        }
    });
    close_unreferenced();
    Reply::default()
}

/// Opens a file for the filter. `through` sends the request through all filters, as `ZwCreateFile` does. Returns the file
/// object.
///
/// # Errors
///
/// Returns the status of the request.
pub fn open_for_filter(name: &str, how: &Open, through: bool) -> Result<(u64, u64), Status> {
    let path = volumes::resolve(name);
    let Some((volume, path)) = path else {
        return Err(status::OBJECT_PATH_NOT_FOUND);
    };
    let path = path.strip_prefix(root_of(&volume)).unwrap_or(&path);
    let sender = if through { send } else { send_below };
    let reply = open_with(SYSTEM, &volume, path, how, 0, threads::current(), sender);
    match reply.number {
        Some(number) => {
            let object = with(|state| {
                let mut files = state.programs.files.iter();
                files
                    .find(|file| file.number == number)
                    .map(|file| file.object)
            });
            Ok((object.unwrap_or_default(), reply.information))
        }
        None => Err(reply.status),
    }
}

/// Sends an operation on a file of a test that the filter initiates. Returns `None` if the file is not one of a test.
#[must_use]
pub fn initiate(object: u64, spec: Spec, parameters: Parameters) -> Option<Completed> {
    let file = open_file(object)?;
    let thread = threads::current();
    match send_below(&file.target(), real(spec), parameters, thread) {
        Sent::Completed(completed) => Some(completed),
        Sent::Pending(_) => Some(Completed {
            status: status::PENDING,
            ..Completed::default()
        }),
    }
}

/// Closes a file that the filter opened.
pub fn close_for_filter(object: u64) {
    let Some(file) = open_file(object) else {
        return;
    };
    change(object, |file| file.closed = true);
    let _ = initiate(object, irp(CLEANUP, 0, ""), Parameters::default());
    if !is_referenced(&file) {
        let _ = initiate(object, irp(CLOSE, 0, ""), Parameters::default());
        discard(object);
    }
}

/// Runs the lazy writer and the mapped page writer: writes all dirty pages in the system process, and sends the close
/// requests that were delayed. Returns the first status that is not a success.
#[must_use]
pub fn write_all() -> Reply {
    let files = with(|state| state.programs.files.clone());
    let mut result = status::SUCCESS;
    for file in files {
        let Some(stream) = file.stream() else {
            continue;
        };
        let dirty = with_files(&file.volume, |files| {
            Ok((
                !files.dirty_pages(stream).is_empty(),
                files.take_mapped_changes(stream),
            ))
        });
        if let Ok((true, mapped)) = dirty {
            let around = mapped.then_some((ACQUIRE_FOR_MOD_WRITE, RELEASE_FOR_MOD_WRITE));
            let status = write_pages(&file, stream, new_thread_of(SYSTEM), around);
            if result.is_success() {
                result = status;
            }
        }
    }
    close_unreferenced();
    Reply::of(result)
}

/// Writes a page to the paging file and reads it again, in the system process.
#[must_use]
pub fn page_out() -> Reply {
    let Some(volume) = volumes::all_known().into_iter().next() else {
        return Reply::refused("the machine has no volume with a paging file");
    };
    let object = match paging_file(&volume) {
        Ok(object) => object,
        Err(refused) => return reply_to(refused),
    };
    let target = File { object, volume };
    let thread = new_thread_of(SYSTEM);
    let mut last = Reply::default();
    for major in [WRITE, READ] {
        let parameters = Parameters {
            members: vec![
                (0, Value::U32(PAGE as u32)),
                (16, Value::U64(PAGE)),
                (24, Value::Buffer),
                (32, Value::Mdl),
            ],
            buffer: vec![0x5A; PAGE as usize],
            flags: 0,
        };
        let spec = Spec {
            variant: "paging file",
            ..paging(major)
        };
        last = reply(send(&target, spec, parameters, thread));
        if !last.status.is_success() {
            return last;
        }
    }
    last
}

/// Returns the file object of the paging file, which the system opened before the driver was loaded.
fn paging_file(volume: &Volume) -> Answer<u64> {
    use crate::file_system::Create;
    let known = with(|state| {
        let mut files = state.programs.files.iter();
        files.find(|file| file.number == 0).map(|file| file.object)
    });
    if let Some(object) = known {
        return Ok(object);
    }
    let request = Create {
        path: PAGING_FILE.to_owned(),
        disposition: disposition::OPEN,
        access: access::READ_DATA | access::WRITE_DATA,
        attributes: attribute::SYSTEM | attribute::HIDDEN,
        ..Create::default()
    };
    let created = with_files(volume, |files| files.create(&request))?;
    let name: Vec<u16> = PAGING_FILE.encode_utf16().collect();
    let object = files::new_file(volume, &name, "the file object of the paging file");
    files::set_open(object, files::new_control_block(PAGE * 4));
    with(|state| {
        state.programs.files.push(OpenFile {
            number: 0,
            object,
            volume: volume.clone(),
            open: Some(created.open),
            process: SYSTEM,
            access: request.access,
            options: 0,
            ignore_share: false,
            position: 0,
            cached: false,
            closed: false,
        });
    });
    Ok(object)
}

/// Mounts a volume: the filter sees the mount, and attaches.
#[must_use]
pub fn mount(letter: char, kind: VolumeKind) -> Reply {
    use crate::lifecycle::instances;
    use crate::objects::volumes::{AUTOMATIC, NEWLY_MOUNTED};
    if volumes::by_letter(letter).is_some() {
        return Reply::refused(format!("the machine has a volume {letter}: already"));
    }
    let volume = volumes::add(letter.to_ascii_uppercase(), kind);
    format(&volume);
    if with(|state| state.filter.started) {
        let attached = instances::attach(&volume, AUTOMATIC | NEWLY_MOUNTED);
        return Reply::of(if attached.is_some() {
            status::SUCCESS
        } else {
            status::FLT_DO_NOT_ATTACH
        });
    }
    Reply::default()
}

/// Dismounts a volume: its files are closed, and the filter's instance is torn down.
#[must_use]
pub fn dismount(letter: char) -> Reply {
    use crate::lifecycle::instances;
    use crate::objects::volumes::VOLUME_DISMOUNT;
    let Some(volume) = volumes::by_letter(letter) else {
        return Reply::refused(format!("the machine has no volume {letter}:"));
    };
    let open: Vec<Number> = with(|state| {
        let files = state.programs.files.iter();
        let here = files.filter(|file| file.volume.handle == volume.handle && !file.closed);
        here.map(|file| file.number)
            .filter(|number| *number != 0)
            .collect()
    });
    for number in open {
        let _ = close(number);
    }
    let _ = write_all();
    if let Some(instance) = operations::instance_on(&volume) {
        instances::tear_down(instance.handle, VOLUME_DISMOUNT);
    }
    volumes::remove(&volume);
    Reply::default()
}

/// Closes what the programs have open, as when they end.
pub fn end() {
    loop {
        let view = with(|state| state.programs.views.first().map(|view| view.number));
        let Some(view) = view else { break };
        let _ = unmap(view);
    }
    let open: Vec<Number> = with(|state| {
        let files = state.programs.files.iter();
        let open = files.filter(|file| !file.closed && file.number != 0);
        open.map(|file| file.number).collect()
    });
    for number in open {
        let _ = close(number);
    }
    let _ = write_all();
    settle();
}

/// Returns what the file system did not model since the last call.
#[must_use]
pub fn take_not_modelled() -> Option<String> {
    with(|state| state.programs.not_modelled.take())
}
