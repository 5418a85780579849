//! The file system below the filter: decodes the parameters of an operation and writes its results.
//!
//! It reads the parameters as the filter passed them on, so a filter that changes them changes the operation.

use crate::file_system::{
    Answer, Cached, Create, Enumeration, FileSystem, OpenId, PAGE, Range, Refused, SECTOR,
    StreamId, Watch, fixed_size, renamed,
};
use crate::lifecycle::catalogue::{IRP_NOCACHE, IRP_PAGING_IO, paging};
use crate::lifecycle::parameters::{IOPB, places};
use crate::lifecycle::{files, security, volumes};
use crate::machine::events::emit;
use crate::machine::state::with;
use crate::machine::system::{once, opaque};
use crate::machine::{guest, process, threads};
use crate::objects::operations::{File, InFlight, Parameters, Send, Sent, Value};
use crate::objects::programs::OpenFile;
use crate::objects::volumes::{Volume, VolumeKind};
use crate::trace::{Event, Via};
use crate::vocabulary::buffers;
use crate::vocabulary::file::{access, class, disposition, option, share, sl};
use crate::vocabulary::layout::{file_object, iopb as iopb_at};
use crate::vocabulary::major::{
    CLEANUP, CLOSE, CREATE, DEVICE_CONTROL, DIRECTORY_CONTROL, FILE_SYSTEM_CONTROL, FLUSH_BUFFERS,
    INTERNAL_DEVICE_CONTROL, LOCK_CONTROL, NETWORK_QUERY_OPEN, QUERY_EA, QUERY_INFORMATION,
    QUERY_OPEN, QUERY_SECURITY, QUERY_VOLUME_INFORMATION, READ, SET_EA, SET_INFORMATION,
    SET_SECURITY, SET_VOLUME_INFORMATION, SHUTDOWN, WRITE,
};
use crate::vocabulary::status::{self, Status};

/// The result of an operation in the file system.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Below {
    /// The operation is complete.
    Done {
        /// `IoStatus.Status`.
        status: Status,
        /// `IoStatus.Information`.
        information: u64,
    },
    /// The operation is pending.
    Pending,
}

/// The `FO_CLEANUP_COMPLETE` flag of a file object.
const CLEANUP_COMPLETE: u32 = 0x4000;

/// An operation that the file system received.
struct Received<'a> {
    flight: &'a InFlight,
    /// Sends paging I/O.
    send: Send,
    /// The address of the parameters.
    at: u64,
    minor: u8,
    flags: u8,
    irp_flags: u32,
    /// The target file object.
    object: u64,
    volume: &'a Volume,
}

/// Performs an operation.
#[must_use]
pub fn answer(flight: &InFlight, send: Send) -> Below {
    if let Some(status) = flight.spec.result {
        return done(status, 0);
    }
    let iopb = flight.data + IOPB;
    let received = Received {
        flight,
        send,
        at: iopb + iopb_at::PARAMETERS,
        minor: guest::read(iopb + iopb_at::MINOR),
        flags: guest::read(iopb + iopb_at::OPERATION_FLAGS),
        irp_flags: guest::read(iopb + iopb_at::IRP_FLAGS),
        object: guest::read(iopb + iopb_at::FILE),
        volume: &flight.file.volume,
    };
    let major = guest::read::<u8>(iopb + iopb_at::MAJOR);
    let result = received.perform(major);
    let below = match result {
        Ok(below) => below,
        Err(refused) => done(status_of(refused, &flight.file.volume), 0),
    };
    received.record(major, below);
    below
}

/// Returns the status of a request that is refused. What is not modelled is recorded for the reply.
fn status_of(refused: Refused, volume: &Volume) -> Status {
    match refused {
        Refused::Status(status) => status,
        Refused::NotModelled(what) => {
            with(|state| {
                let not_modelled = &mut state.programs.not_modelled;
                not_modelled.get_or_insert(format!("{what} on {}", volume.kind.title));
            });
            status::INVALID_DEVICE_REQUEST
        }
    }
}

/// Queries information of a volume for the filter. Returns the status and the information.
#[must_use]
pub fn query_volume(volume: &Volume, class: u32, buffer: u64, length: u32) -> (Status, u64) {
    match volume_information(volume, class) {
        Ok(bytes) => {
            let given = &bytes[..bytes.len().min(length as usize)];
            guest::put(buffer, given);
            let status = if given.len() < bytes.len() {
                status::BUFFER_OVERFLOW
            } else {
                status::SUCCESS
            };
            (status, given.len() as u64)
        }
        Err(refused) => (status_of(refused, volume), 0),
    }
}

fn volume_information(volume: &Volume, class: u32) -> Answer<Vec<u8>> {
    let (device, characteristics) = (volume.kind.device_type, volume.characteristics());
    with_files(volume, |files| {
        files.query_volume(class, device, characteristics)
    })
}

fn done(status: Status, information: u64) -> Below {
    Below::Done {
        status,
        information,
    }
}

/// Accesses the file system of a volume.
///
/// # Errors
///
/// The volume has no files.
pub fn with_files<T>(
    volume: &Volume,
    action: impl FnOnce(&mut FileSystem) -> Answer<T>,
) -> Answer<T> {
    with(|state| {
        let time = state.clock;
        let all = &mut state.programs.file_systems;
        let found = all.iter_mut().find(|(known, _)| *known == volume.handle);
        match found {
            Some((_, files)) => {
                files.time = time;
                action(files)
            }
            None => Err(Refused::NotModelled("a file".to_owned())),
        }
    })
}

/// Returns the open file of a file object.
#[must_use]
pub fn open_file(object: u64) -> Option<OpenFile> {
    with(|state| {
        let mut files = state.programs.files.iter();
        files.find(|file| file.object == object).cloned()
    })
}

/// Changes the open file of a file object.
pub fn change(object: u64, action: impl FnOnce(&mut OpenFile)) {
    with(|state| {
        let mut files = state.programs.files.iter_mut();
        if let Some(file) = files.find(|file| file.object == object) {
            action(file);
        }
    });
}

/// Returns the part of a path that precedes the path on the share of a server.
#[must_use]
pub fn root_of(volume: &Volume) -> &'static str {
    if volume.kind.file_system == VolumeKind::Network.properties().file_system {
        "\\server\\share"
    } else {
        ""
    }
}

impl Received<'_> {
    fn perform(&self, major: u8) -> Answer<Below> {
        match major {
            CREATE => self.create(),
            CLEANUP => self.clean_up(),
            CLOSE => self.close(),
            READ => self.read(),
            WRITE => self.write(),
            FLUSH_BUFFERS => {
                let open = self.open()?;
                let stream = with_files(self.volume, |files| Ok(files.stream_of(open)))?;
                let written = stream.map_or(status::SUCCESS, |stream| {
                    write_back(
                        self.volume,
                        stream,
                        self.object,
                        self.flight.thread,
                        self.send,
                    )
                });
                Ok(done(written, 0))
            }
            QUERY_INFORMATION => self.query(),
            SET_INFORMATION => self.set(),
            QUERY_VOLUME_INFORMATION => {
                let bytes = volume_information(self.volume, self.u32(8))?;
                Ok(self.give_structure(&bytes, 0))
            }
            SET_VOLUME_INFORMATION => {
                let data = guest::bytes(self.u64(16), self.u32(0) as usize);
                with_files(self.volume, |files| files.set_volume(self.u32(8), &data))?;
                Ok(done(status::SUCCESS, 0))
            }
            DIRECTORY_CONTROL if self.minor == 1 => self.enumerate(),
            DIRECTORY_CONTROL if self.minor == 2 => self.watch(),
            LOCK_CONTROL => self.lock(),
            FILE_SYSTEM_CONTROL => self.control(),
            DEVICE_CONTROL | INTERNAL_DEVICE_CONTROL => self.device_control(),
            QUERY_SECURITY => self.query_security(),
            SET_SECURITY => {
                let descriptor = security::self_relative(self.u64(8));
                let open = self.open()?;
                with_files(self.volume, |files| files.set_security(open, descriptor))?;
                Ok(done(status::SUCCESS, 0))
            }
            QUERY_EA => {
                let open = self.open()?;
                if self.u64(8) != 0 || self.flags & sl::INDEX_SPECIFIED != 0 {
                    return Err(Refused::NotModelled(
                        "a query of selected extended attributes".to_owned(),
                    ));
                }
                let bytes = with_files(self.volume, |files| files.attributes_of(open))?;
                Ok(self.give_structure(&bytes, 0))
            }
            SET_EA => {
                let open = self.open()?;
                let (address, length) = self.buffer();
                let list = guest::bytes(address, length);
                with_files(self.volume, |files| files.set_attributes_of(open, &list))?;
                Ok(done(status::SUCCESS, 0))
            }
            NETWORK_QUERY_OPEN | QUERY_OPEN => self.query_open(),
            SHUTDOWN | 0xFA..=0xFF | 0xEC | 0xED => Ok(done(status::SUCCESS, 0)),
            major => Err(Refused::NotModelled(crate::vocabulary::major::name(major))),
        }
    }

    fn u32(&self, offset: u64) -> u32 {
        guest::read(self.at + offset)
    }

    fn u64(&self, offset: u64) -> u64 {
        guest::read(self.at + offset)
    }

    /// Returns the open file of the target file object.
    fn open(&self) -> Answer<OpenId> {
        let file = open_file(self.object).and_then(|file| file.open);
        file.ok_or(status::INVALID_PARAMETER.into())
    }

    /// Returns the address and the length of the buffer. A memory descriptor list takes precedence.
    fn buffer(&self) -> (u64, usize) {
        let Some(places) = places(self.flight.data) else {
            return (0, 0);
        };
        let mdl = if places.mdl == 0 {
            0
        } else {
            guest::read(places.mdl)
        };
        let address = if mdl == 0 {
            guest::read(places.buffer)
        } else {
            guest::read::<u64>(mdl + 0x18) // MappedSystemVa
        };
        (address, guest::read::<u32>(places.length) as usize)
    }

    /// Writes data to the buffer.
    fn give(&self, bytes: &[u8]) -> u64 {
        let (address, length) = self.buffer();
        let given = &bytes[..bytes.len().min(length)];
        guest::put(address, given);
        given.len() as u64
    }

    /// Writes a structure to the buffer. If it does not fit, its first bytes are written, unless the buffer is too small
    /// for the fixed part.
    fn give_structure(&self, bytes: &[u8], fixed: usize) -> Below {
        let (_, length) = self.buffer();
        if length < fixed {
            return done(status::INFO_LENGTH_MISMATCH, 0);
        }
        let given = self.give(bytes);
        if (given as usize) < bytes.len() {
            return done(status::BUFFER_OVERFLOW, given);
        }
        done(status::SUCCESS, given)
    }

    /// Returns the path of the file object on its volume.
    fn path(&self) -> String {
        let name = guest::unicode(self.object + file_object::NAME);
        let root = root_of(self.volume);
        name.strip_prefix(root).map_or(name.clone(), str::to_owned)
    }

    fn create(&self) -> Answer<Below> {
        let related = guest::read::<u64>(self.object + file_object::RELATED);
        let options = self.u32(8);
        let context = self.u64(0);
        let request = Create {
            path: self.path(),
            related: open_file(related).and_then(|file| file.open),
            disposition: options >> 24,
            options: options & 0x00FF_FFFF,
            access: guest::read(context + 0x10),
            share: guest::read(self.at + 18),
            attributes: u32::from(guest::read::<u16>(self.at + 16)),
            target_directory: self.flags & sl::OPEN_TARGET_DIRECTORY != 0,
            ignore_share: open_file(self.object).is_some_and(|file| file.ignore_share),
        };
        let created = with_files(self.volume, |files| {
            if request.options & option::BY_FILE_ID != 0 {
                let name = guest::counted(self.object + file_object::NAME);
                let id = name.first_chunk().ok_or(status::INVALID_PARAMETER)?;
                files.create_by_id(&request, u64::from_le_bytes(*id))
            } else {
                files.create(&request)
            }
        })?;
        if let Some(target) = &created.target {
            // The file object of a target directory has the last component of the path as its name.
            let length = guest::read::<u16>(self.object + file_object::NAME);
            let last = target.encode_utf16().count() as u16 * 2;
            let text = guest::read::<u64>(self.object + file_object::NAME + 8);
            guest::write(self.object + file_object::NAME, last);
            let text = text + u64::from(length.saturating_sub(last));
            guest::write(self.object + file_object::NAME + 8, text);
        }
        let (id, size) = with_files(self.volume, |files| {
            let stream = files.stream_of(created.open);
            let id = stream.map_or(files.id_of(created.open), |stream| stream.0);
            Ok((id, stream.map_or(0, |stream| files.size_of(stream))))
        })?;
        files::set_open(self.object, control_block(self.volume, id, size));
        change(self.object, |file| file.open = Some(created.open));
        Ok(done(status::SUCCESS, created.information))
    }

    fn clean_up(&self) -> Answer<Below> {
        let open = self.open()?;
        with_files(self.volume, |files| {
            files.clean_up(open);
            Ok(())
        })?;
        let flags = guest::read::<u32>(self.object + file_object::FLAGS);
        guest::write(self.object + file_object::FLAGS, flags | CLEANUP_COMPLETE);
        Ok(done(status::SUCCESS, 0))
    }

    fn close(&self) -> Answer<Below> {
        let open = self.open()?;
        with_files(self.volume, |files| {
            files.close(open);
            Ok(())
        })?;
        Ok(done(status::SUCCESS, 0))
    }

    fn read(&self) -> Answer<Below> {
        let open = self.open()?;
        let (offset, length) = (self.u64(16), u64::from(self.u32(0)));
        let stream = with_files(self.volume, |files| files.data_of(open))?;
        let is_paging = self.irp_flags & IRP_PAGING_IO != 0;
        if !is_paging {
            let process = self.process();
            with_files(self.volume, |files| {
                files.check_locks(open, process, offset, length, false)
            })?;
        }
        let bytes = if is_paging {
            with_files(self.volume, |files| files.read_disk(stream, offset, length))?
        } else if self.irp_flags & IRP_NOCACHE != 0 {
            aligned(offset, length)?;
            self.written_back(stream)?;
            with_files(self.volume, |files| files.read_disk(stream, offset, length))?
        } else {
            self.initialize_cache(stream);
            self.cached(stream, |files| files.read_cached(stream, offset, length))?
        };
        Ok(done(status::SUCCESS, self.give(&bytes)))
    }

    fn write(&self) -> Answer<Below> {
        let open = self.open()?;
        let (address, length) = self.buffer();
        let bytes = guest::bytes(address, length);
        let stream = with_files(self.volume, |files| files.data_of(open))?;
        let offset = match self.u64(16) {
            // FILE_WRITE_TO_END_OF_FILE
            u64::MAX => with_files(self.volume, |files| Ok(files.size_of(stream)))?,
            offset => offset,
        };
        let is_paging = self.irp_flags & IRP_PAGING_IO != 0;
        if !is_paging {
            let process = self.process();
            with_files(self.volume, |files| {
                files.check_locks(open, process, offset, length as u64, true)
            })?;
        }
        if is_paging {
            with_files(self.volume, |files| {
                files.write_disk(stream, offset, &bytes, true)
            })?;
        } else if self.irp_flags & IRP_NOCACHE != 0 {
            aligned(offset, length as u64)?;
            self.written_back(stream)?;
            with_files(self.volume, |files| {
                files.write_disk(stream, offset, &bytes, false)
            })?;
        } else {
            self.initialize_cache(stream);
            self.cached(stream, |files| files.write_cached(stream, offset, &bytes))?;
            let through = open_file(self.object)
                .is_some_and(|file| file.options & option::WRITE_THROUGH != 0);
            if through {
                self.written_back(stream)?;
            }
        }
        Ok(done(status::SUCCESS, length as u64))
    }

    /// Returns the process object of the requestor.
    fn process(&self) -> u64 {
        let index = threads::process_of(self.flight.thread);
        process::get(index).object
    }

    /// Writes the dirty pages of a stream before an operation that works on the volume.
    fn written_back(&self, stream: StreamId) -> Answer<()> {
        match write_back(
            self.volume,
            stream,
            self.object,
            self.flight.thread,
            self.send,
        ) {
            status if status.is_success() => Ok(()),
            status => Err(status.into()),
        }
    }

    /// Notes that the cache reads and writes the stream through this file object, if it is the first one.
    fn initialize_cache(&self, stream: StreamId) {
        let object = self.object;
        with(|state| {
            let caches = &mut state.programs.caches;
            if !caches
                .iter()
                .any(|(known, volume, _)| *known == stream && *volume == self.volume.handle)
            {
                caches.push((stream, self.volume.handle, object));
            }
        });
        change(object, |file| file.cached = true);
        guest::write(
            object + file_object::PRIVATE_CACHE_MAP,
            opaque("PrivateCacheMap of a file object"),
        );
    }

    /// Performs a request through the cache. Pages that are missing are read by paging I/O.
    fn cached<T>(
        &self,
        stream: StreamId,
        mut request: impl FnMut(&mut FileSystem) -> Answer<Cached<T>>,
    ) -> Answer<T> {
        loop {
            match with_files(self.volume, &mut request)? {
                Cached::Done(result) => return Ok(result),
                Cached::Missing(pages) => {
                    page_in(
                        self.volume,
                        stream,
                        self.object,
                        &pages,
                        self.flight.thread,
                        self.send,
                    )?;
                }
            }
        }
    }

    fn query(&self) -> Answer<Below> {
        let open = self.open()?;
        let class = self.u32(8);
        let position = guest::read(self.object + file_object::POSITION);
        let bytes = with_files(self.volume, |files| files.query(open, class, position))?;
        Ok(self.give_structure(&bytes, fixed_size(class).unwrap_or(0)))
    }

    fn set(&self) -> Answer<Below> {
        let open = self.open()?;
        let (class, parent) = (self.u32(8), self.u64(16));
        let data = guest::bytes(self.u64(32), self.u32(0) as usize);
        match class {
            class::RENAME | class::RENAME_EX | class::LINK | class::LINK_EX => {
                let mut to = renamed(class, &data)?;
                if let Some(directory) = open_file(parent).and_then(|file| file.open) {
                    to.directory = Some(directory);
                    let last = to.name.rsplit('\\').next().unwrap_or_default();
                    to.name = last.to_owned();
                } else if let Some((volume, rest)) = volumes::resolve(&to.name) {
                    if volume.handle != self.volume.handle {
                        return Err(status::NOT_SAME_DEVICE.into());
                    }
                    let rest = rest.strip_prefix(root_of(&volume)).unwrap_or(&rest);
                    rest.clone_into(&mut to.name);
                }
                with_files(self.volume, |files| {
                    if matches!(class, class::LINK | class::LINK_EX) {
                        files.link(open, &to)
                    } else {
                        files.rename(open, &to)
                    }
                })?;
            }
            _ => with_files(self.volume, |files| files.set(open, class, &data))?,
        }
        if class == class::POSITION
            && let Some(position) = data.first_chunk()
        {
            let position = u64::from_le_bytes(*position);
            guest::write(self.object + file_object::POSITION, position);
        }
        if matches!(class, class::DISPOSITION | class::DISPOSITION_EX) {
            let pending = data.first().is_some_and(|flags| flags & 1 != 0);
            guest::write(self.object + file_object::DELETE_PENDING, u8::from(pending));
        }
        Ok(done(status::SUCCESS, 0))
    }

    fn enumerate(&self) -> Answer<Below> {
        let open = self.open()?;
        let expression = match self.u64(8) {
            0 => None,
            name => Some(guest::unicode(name)),
        };
        if self.flags & sl::INDEX_SPECIFIED != 0 {
            return Err(Refused::NotModelled(
                "an enumeration that begins at an index".to_owned(),
            ));
        }
        let request = Enumeration {
            class: self.u32(16),
            expression: expression.filter(|expression| !expression.is_empty()),
            restart: self.flags & sl::RESTART_SCAN != 0,
            single: self.flags & sl::RETURN_SINGLE_ENTRY != 0,
            length: self.buffer().1,
        };
        let bytes = with_files(self.volume, |files| files.enumerate(open, &request))?;
        Ok(done(status::SUCCESS, self.give(&bytes)))
    }

    fn watch(&self) -> Answer<Below> {
        let open = self.open()?;
        let watch = Watch {
            ticket: self.flight.data,
            filter: self.u32(8),
            tree: self.flags & sl::WATCH_TREE != 0,
            length: self.u32(0) as usize,
        };
        with_files(self.volume, |files| files.watch(open, watch))?;
        Ok(Below::Pending)
    }

    fn lock(&self) -> Answer<Below> {
        const LOCK: u8 = 1;
        const UNLOCK_SINGLE: u8 = 2;
        const UNLOCK_ALL: u8 = 3;
        let open = self.open()?;
        let range = Range {
            offset: self.u64(16),
            length: match self.u64(0) {
                0 => 0,
                length => guest::read(length),
            },
            process: self.u64(24),
            key: self.u32(8),
            exclusive: guest::read::<u8>(self.at + 33) != 0,
        };
        let waits = guest::read::<u8>(self.at + 32) == 0;
        let ticket = (waits && self.flight.spec.via == Via::Irp).then_some(self.flight.data);
        with_files(self.volume, |files| {
            match self.minor {
                LOCK | 0 => {
                    if !files.lock(open, range, ticket)? {
                        return Ok(Below::Pending);
                    }
                }
                UNLOCK_SINGLE => files.unlock(open, range)?,
                UNLOCK_ALL => files.unlock_process(open, range.process, None)?,
                _ => files.unlock_process(open, range.process, Some(range.key))?,
            }
            Ok(done(status::SUCCESS, 0))
        })
    }

    fn control(&self) -> Answer<Below> {
        const IS_VOLUME_MOUNTED: u32 = 0x0009_0028;
        const GET_REPARSE_POINT: u32 = 0x0009_00A8;
        match self.u32(16) {
            IS_VOLUME_MOUNTED => Ok(done(status::SUCCESS, 0)),
            GET_REPARSE_POINT => Ok(done(status::NOT_A_REPARSE_POINT, 0)),
            code => Err(Refused::NotModelled(format!(
                "the control code 0x{code:08X} for the file system"
            ))),
        }
    }

    fn device_control(&self) -> Answer<Below> {
        const QUERY_DEVICE_NAME: u32 = 0x004D_0008; // IOCTL_MOUNTDEV_QUERY_DEVICE_NAME
        match self.u32(16) {
            QUERY_DEVICE_NAME if self.volume.kind.disk => {
                let name = self.volume.device.encode_utf16();
                let name: Vec<u8> = name.flat_map(u16::to_le_bytes).collect();
                let mut bytes = (name.len() as u16).to_le_bytes().to_vec();
                bytes.extend(name);
                Ok(self.give_structure(&bytes, 4))
            }
            code => Err(Refused::NotModelled(format!(
                "the control code 0x{code:08X} for the device"
            ))),
        }
    }

    fn query_security(&self) -> Answer<Below> {
        let open = self.open()?;
        let descriptor = with_files(self.volume, |files| {
            files.security(open).map(<[u8]>::to_vec)
        })?;
        let descriptor = if descriptor.is_empty() {
            security::default_relative(access::ALL)
        } else {
            descriptor
        };
        let length = self.u32(8) as usize;
        if length < descriptor.len() {
            return Ok(done(status::BUFFER_OVERFLOW, descriptor.len() as u64));
        }
        guest::put(self.u64(16), &descriptor);
        Ok(done(status::SUCCESS, descriptor.len() as u64))
    }

    /// Queries a file by its path, without a handle.
    fn query_open(&self) -> Answer<Below> {
        let request = Create {
            path: self.path(),
            disposition: disposition::OPEN,
            access: access::READ_ATTRIBUTES,
            share: share::ALL,
            ..Create::default()
        };
        let bytes = with_files(self.volume, |files| {
            let created = files.create(&request)?;
            let bytes = files.query(created.open, class::NETWORK_OPEN, 0);
            files.clean_up(created.open);
            files.close(created.open);
            bytes
        })?;
        guest::put(self.u64(8), &bytes);
        Ok(done(status::SUCCESS, bytes.len() as u64))
    }

    /// Records the operation for the test.
    fn record(&self, major: u8, below: Below) {
        let (status, information) = match below {
            Below::Done {
                status,
                information,
            } => (status, information),
            Below::Pending => (status::PENDING, 0),
        };
        let (offset, length) = match major {
            READ | WRITE => (Some(self.u64(16)), Some(self.u32(0))),
            _ => (
                None,
                buffers::of(major).map(|members| self.u32(members.length.1)),
            ),
        };
        emit(&Event::Below {
            operation: self.flight.operation(),
            path: path_of(self.object, self.volume),
            process: process::get(threads::process_of(self.flight.thread)).name,
            flags: self.irp_flags,
            offset,
            length,
            status,
            information,
        });
    }
}

/// Returns whether a file object is that of a directory.
#[must_use]
pub fn is_directory(object: u64) -> bool {
    open_file(object).is_some_and(|file| {
        let directory = with_files(&file.volume, |files| {
            Ok(file.open.is_some_and(|open| files.is_directory(open)))
        });
        directory == Ok(true)
    })
}

/// Returns the name of an open file on its volume, if the file system knows it.
#[must_use]
pub fn name_of(object: u64, volume: &Volume) -> Option<String> {
    let open = open_file(object)?.open?;
    let path = with_files(volume, |files| Ok(files.path_of(open))).ok()??;
    Some(format!("{}{path}", root_of(volume)))
}

/// Returns the path of a file object with the drive letter of its volume.
#[must_use]
pub fn path_of(object: u64, volume: &Volume) -> String {
    let letter = volume
        .letter
        .map_or_else(String::new, |letter| format!("{letter}:"));
    let name = name_of(object, volume);
    let name = name.unwrap_or_else(|| guest::unicode(object + file_object::NAME));
    let path = name.strip_prefix(root_of(volume)).unwrap_or(&name);
    format!("{letter}{path}")
}

/// Returns the file control block of a stream or a directory.
fn control_block(volume: &Volume, id: u64, size: u64) -> u64 {
    once(&block_name(volume, id), || files::new_control_block(size))
}

fn block_name(volume: &Volume, id: u64) -> String {
    format!("file control block {id} of volume {}", volume.handle)
}

fn aligned(offset: u64, length: u64) -> Answer<()> {
    if offset.is_multiple_of(SECTOR) && length.is_multiple_of(SECTOR) {
        Ok(())
    } else {
        Err(status::INVALID_PARAMETER.into())
    }
}

/// The most pages that one paging operation transfers.
const MOST_PAGES: usize = 16;

/// Returns consecutive pages as ranges.
fn runs(pages: &[u64]) -> Vec<(u64, usize)> {
    let mut runs: Vec<(u64, usize)> = Vec::new();
    for page in pages {
        match runs.last_mut() {
            Some((begin, count)) if *begin + *count as u64 == *page && *count < MOST_PAGES => {
                *count += 1;
            }
            _ => runs.push((*page, 1)),
        }
    }
    runs
}

/// Returns the file object through which the cache reads and writes a stream.
#[must_use]
pub fn cache_file(volume: &Volume, stream: StreamId, otherwise: u64) -> u64 {
    with(|state| {
        let mut caches = state.programs.caches.iter();
        caches
            .find(|(known, on, _)| *known == stream && *on == volume.handle)
            .map_or(otherwise, |(_, _, object)| *object)
    })
}

/// Reads pages of a stream into the cache by paging I/O.
///
/// # Errors
///
/// The status of a read that failed.
pub fn page_in(
    volume: &Volume,
    stream: StreamId,
    object: u64,
    pages: &[u64],
    thread: u32,
    send: Send,
) -> Answer<()> {
    let file = File {
        object: cache_file(volume, stream, object),
        volume: volume.clone(),
    };
    for (begin, count) in runs(pages) {
        let length = count as u64 * PAGE;
        let parameters = transfer(begin * PAGE, vec![0; length as usize]);
        let completed = match send(&file, paging(READ), parameters, thread) {
            Sent::Completed(completed) => completed,
            Sent::Pending(_) => {
                return Err(Refused::NotModelled(
                    "a paging read that the filter pends".to_owned(),
                ));
            }
        };
        if !completed.status.is_success() {
            return Err(completed.status.into());
        }
        with_files(volume, |files| {
            for at in 0..count as u64 {
                let begin_byte = (at * PAGE).min(completed.data.len() as u64) as usize;
                let end = ((at + 1) * PAGE).min(completed.data.len() as u64) as usize;
                files.fill_page(stream, begin + at, &completed.data[begin_byte..end]);
            }
            Ok(())
        })?;
    }
    Ok(())
}

/// Writes the dirty pages of a stream by paging I/O. Returns the status of the first write that failed.
pub fn write_back(
    volume: &Volume,
    stream: StreamId,
    object: u64,
    thread: u32,
    send: Send,
) -> Status {
    let file = File {
        object: cache_file(volume, stream, object),
        volume: volume.clone(),
    };
    let pages = with_files(volume, |files| Ok(files.dirty_pages(stream))).unwrap_or_default();
    for (begin, count) in runs(&pages) {
        let data = with_files(volume, |files| {
            let pages = begin..begin + count as u64;
            Ok(pages
                .filter_map(|page| files.take_dirty(stream, page))
                .flatten()
                .collect::<Vec<u8>>())
        });
        let Ok(data) = data else { continue };
        if data.is_empty() {
            continue;
        }
        let parameters = transfer(begin * PAGE, data);
        match send(&file, paging(WRITE), parameters, thread) {
            Sent::Completed(completed) if !completed.status.is_success() => {
                let _ = with_files(volume, |files| {
                    files.mark_dirty(stream, begin, count as u64);
                    Ok(())
                });
                return completed.status;
            }
            Sent::Completed(_) => {}
            Sent::Pending(_) => {
                with(|state| {
                    let what = "a paging write that the filter pends";
                    state.programs.not_modelled.get_or_insert(what.to_owned());
                });
                return status::PENDING;
            }
        }
    }
    status::SUCCESS
}

/// Returns the parameters of a paging read or write.
fn transfer(offset: u64, data: Vec<u8>) -> Parameters {
    let members = vec![
        (0, Value::U32(data.len() as u32)),
        (16, Value::U64(offset)),
        (24, Value::Buffer),
        (32, Value::Mdl),
    ];
    Parameters {
        members,
        buffer: data,
        flags: 0,
    }
}
