//! Files, views and requests of a program.

use std::cell::Cell;
use std::fmt;
use std::rc::Rc;

use super::completion::Completion;
use super::link::Link;
use crate::act::{self, Act, Number};
use crate::file_system::{names_of, win32_expression};
use crate::vocabulary::file::{access, class, disposition, option, share};
use crate::vocabulary::status;

/// How a file is opened. The default is to open an existing file for reading, synchronously, with full sharing.
#[derive(Debug, Clone)]
pub struct OpenOptions {
    link: Rc<Link>,
    process: Number,
    name: String,
    open: act::Open,
}

impl OpenOptions {
    pub(super) fn new(link: &Rc<Link>, process: Number, name: &str) -> Self {
        OpenOptions {
            link: link.clone(),
            process,
            name: name.to_owned(),
            open: act::Open {
                access: access::GENERIC_READ,
                share: share::ALL,
                disposition: disposition::OPEN,
                options: option::SYNCHRONOUS,
                ..act::Open::default()
            },
        }
    }

    /// Opens the file for reading and writing. Without this, it is opened for reading.
    #[must_use]
    pub fn write(mut self) -> Self {
        self.open.access |= access::GENERIC_WRITE;
        self
    }

    /// Adds the right to delete and rename the file.
    #[must_use]
    pub fn delete(mut self) -> Self {
        self.open.access |= access::DELETE;
        self
    }

    /// Sets the access rights.
    #[must_use]
    pub fn access(mut self, access: u32) -> Self {
        self.open.access = access;
        self
    }

    /// Sets the share access: `FILE_SHARE_READ` is 1, `FILE_SHARE_WRITE` 2, `FILE_SHARE_DELETE` 4.
    #[must_use]
    pub fn share(mut self, share: u16) -> Self {
        self.open.share = share;
        self
    }

    /// Creates the file if it does not exist.
    #[must_use]
    pub fn create(self) -> Self {
        self.disposition(disposition::OPEN_IF)
    }

    /// Creates the file, and fails if it exists.
    #[must_use]
    pub fn create_new(self) -> Self {
        self.disposition(disposition::CREATE)
    }

    /// Creates the file, and overwrites it if it exists.
    #[must_use]
    pub fn overwrite(self) -> Self {
        self.disposition(disposition::OVERWRITE_IF)
    }

    /// Sets the create disposition.
    #[must_use]
    pub fn disposition(mut self, disposition: u32) -> Self {
        self.open.disposition = disposition;
        self
    }

    /// Opens or creates a directory.
    #[must_use]
    pub fn directory(self) -> Self {
        self.options(option::DIRECTORY)
    }

    /// Reads and writes without the cache, in whole sectors.
    #[must_use]
    pub fn no_buffering(self) -> Self {
        self.options(option::NO_BUFFERING)
    }

    /// Writes through the cache to the disk.
    #[must_use]
    pub fn write_through(self) -> Self {
        self.options(option::WRITE_THROUGH)
    }

    /// Deletes the file when the last handle is closed.
    #[must_use]
    pub fn delete_on_close(mut self) -> Self {
        self.open.access |= access::DELETE;
        self.options(option::DELETE_ON_CLOSE)
    }

    /// Opens the file for asynchronous I/O. It is not read and written by fast I/O.
    #[must_use]
    pub fn asynchronous(mut self) -> Self {
        self.open.options &= !option::SYNCHRONOUS;
        self
    }

    /// Adds create options.
    #[must_use]
    pub fn options(mut self, options: u32) -> Self {
        self.open.options |= options;
        self
    }

    /// Sets the attributes of a new file.
    #[must_use]
    pub fn attributes(mut self, attributes: u32) -> Self {
        self.open.attributes = attributes;
        self
    }

    /// Opens the file with an identification, as `FileInternalInformation` returns it, instead of a path.
    pub fn open_by_id(mut self, volume: char, id: u64) -> Completion<File> {
        self.open.id = Some(id);
        self.open(&format!("{volume}:"))
    }

    /// Opens the file. The path is absolute, such as `C:\a.txt`; `C:` is the volume itself.
    pub fn open(self, path: &str) -> Completion<File> {
        let verb = match self.open.disposition {
            disposition::OPEN => "opens",
            disposition::CREATE => "creates",
            disposition::OPEN_IF => "opens or creates",
            _ => "overwrites",
        };
        let what = format!("{} {verb} {path}", self.name);
        let answer = self.link.act(&Act::Open {
            process: self.process,
            path: path.to_owned(),
            open: self.open.clone(),
        });
        Completion::new(&self.link, what, answer, |reply| {
            Some(File {
                link: self.link.clone(),
                process: self.name.clone(),
                path: path.to_owned(),
                number: reply.number?,
                closed: Cell::new(false),
            })
        })
    }
}

/// An open file of a process. It is closed when it is dropped.
pub struct File {
    link: Rc<Link>,
    process: String,
    path: String,
    number: Number,
    closed: Cell<bool>,
}

impl fmt::Debug for File {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {}", self.path, self.process)
    }
}

/// The size of the buffers for information whose size is not known.
const BUFFER: u32 = 4096;

impl File {
    fn act<T>(
        &self,
        verb: &str,
        act: &Act,
        value: impl FnOnce(&act::Reply) -> Option<T>,
    ) -> Completion<T> {
        let what = format!("{} {verb} {}", self.process, self.path);
        let answer = self.link.act(act);
        Completion::new(&self.link, what, answer, value)
    }

    fn done(&self, verb: &str, act: &Act) -> Completion<()> {
        self.act(verb, act, |_| Some(()))
    }

    /// Reads.
    pub fn read(&self, offset: u64, length: u32) -> Completion<Vec<u8>> {
        let act = Act::Read {
            file: self.number,
            offset,
            length,
        };
        let verb = format!("reads {length} bytes at {offset} of");
        self.act(&verb, &act, |reply| Some(reply.data.clone()))
    }

    /// Reads the whole file, in parts of 64 KiB as programs do.
    pub fn read_all(&self) -> Completion<Vec<u8>> {
        const PART: u32 = 64 << 10;
        let mut all = Vec::new();
        loop {
            let part = self.read(all.len() as u64, PART);
            if part.status() == status::END_OF_FILE {
                return part.end_with(all);
            }
            let length = part.data().len();
            if !part.is_success() || length == 0 {
                return part.map(|_| all);
            }
            all.extend(part.data());
            if length < PART as usize {
                return part.map(|_| all);
            }
        }
    }

    /// Writes. Returns the number of bytes.
    pub fn write(&self, offset: u64, data: &[u8]) -> Completion<u64> {
        let act = Act::Write {
            file: self.number,
            offset,
            data: data.to_vec(),
        };
        let verb = format!("writes {} bytes at {offset} of", data.len());
        self.act(&verb, &act, |reply| Some(reply.information))
    }

    /// Writes at the end of the file. Returns the number of bytes.
    pub fn append(&self, data: &[u8]) -> Completion<u64> {
        self.write(u64::MAX, data)
    }

    /// `FlushFileBuffers`.
    pub fn flush(&self) -> Completion<()> {
        self.done("flushes", &Act::Flush { file: self.number })
    }

    /// Queries information of a class into a buffer of a size.
    pub fn query(&self, class: u32, length: u32) -> Completion<Vec<u8>> {
        let act = Act::Query {
            file: self.number,
            class,
            length,
        };
        let verb = format!("queries {} of", class::name(class));
        self.act(&verb, &act, |reply| Some(reply.data.clone()))
    }

    /// Queries the size, with `FileStandardInformation`.
    pub fn size(&self) -> Completion<u64> {
        let size = |data: Vec<u8>| {
            let size = data.get(8..).and_then(|rest| rest.first_chunk());
            size.map_or(0, |size| u64::from_le_bytes(*size))
        };
        self.query(class::STANDARD, 24).map(size)
    }

    /// Queries the attributes, with `FileBasicInformation`.
    pub fn attributes(&self) -> Completion<u64> {
        let attributes = |data: Vec<u8>| {
            let attributes = data.get(32..).and_then(|rest| rest.first_chunk());
            attributes.map_or(0, |attributes| u64::from(u32::from_le_bytes(*attributes)))
        };
        self.query(class::BASIC, 40).map(attributes)
    }

    /// Sets information of a class.
    pub fn set(&self, class: u32, data: &[u8]) -> Completion<()> {
        let act = Act::Set {
            file: self.number,
            class,
            data: data.to_vec(),
        };
        self.done(&format!("sets {} of", class::name(class)), &act)
    }

    /// Sets the end of file.
    pub fn set_size(&self, size: u64) -> Completion<()> {
        self.set(class::END_OF_FILE, &size.to_le_bytes())
    }

    /// Sets the attributes.
    pub fn set_attributes(&self, attributes: u32) -> Completion<()> {
        let mut data = vec![0; 40];
        data[32..36].copy_from_slice(&attributes.to_le_bytes());
        self.set(class::BASIC, &data)
    }

    /// Marks the file for deletion, with `FileDispositionInformation`. It is deleted when the last handle is closed.
    pub fn delete(&self) -> Completion<()> {
        let act = Act::Set {
            file: self.number,
            class: class::DISPOSITION,
            data: vec![1],
        };
        self.done("deletes", &act)
    }

    /// Renames the file. An existing file is replaced only with `replace`.
    pub fn rename(&self, to: &str, replace: bool) -> Completion<()> {
        let act = Act::Rename {
            file: self.number,
            to: to.to_owned(),
            replace,
            link: false,
        };
        let done = self.done("renames", &act);
        done.named(format!("{} renames {} to {to}", self.process, self.path))
    }

    /// Creates a hard link to the file.
    pub fn link(&self, to: &str) -> Completion<()> {
        let act = Act::Rename {
            file: self.number,
            to: to.to_owned(),
            replace: false,
            link: true,
        };
        self.done(&format!("creates the link {to} to"), &act)
    }

    /// Enumerates a directory as `FindFirstFile` and `FindNextFile` do. Returns the names without `.` and `..`.
    pub fn list(&self, pattern: &str) -> Completion<Vec<String>> {
        let expression = win32_expression(pattern);
        let mut names = Vec::new();
        let mut restart = true;
        loop {
            let act = Act::List {
                file: self.number,
                class: class::ID_BOTH_DIRECTORY,
                expression: restart.then(|| expression.clone()),
                restart,
                length: BUFFER,
            };
            let verb = format!("lists {pattern} in");
            let part = self.act(&verb, &act, |reply| Some(reply.data.clone()));
            let at_end = [status::NO_MORE_FILES, status::NO_SUCH_FILE];
            if at_end.contains(&part.status()) {
                return part.end_with(names);
            }
            if !part.is_success() {
                return part.map(|_| names);
            }
            let found = names_of(class::ID_BOTH_DIRECTORY, part.data());
            names.extend(found.into_iter().filter(|name| name != "." && name != ".."));
            restart = false;
        }
    }

    /// Requests a notification of changes in a directory, as `ReadDirectoryChangesW` does. The request is pending until
    /// a change occurs.
    pub fn watch(&self, filter: u32, tree: bool) -> Request {
        let act = Act::Watch {
            file: self.number,
            filter,
            tree,
            length: BUFFER,
        };
        self.request("watches", &act)
    }

    /// Locks a range. If it is not free, the request fails.
    pub fn lock(&self, offset: u64, length: u64, exclusive: bool) -> Completion<()> {
        let act = Act::Lock {
            file: self.number,
            offset,
            length,
            exclusive,
            wait: false,
        };
        self.done(&format!("locks {length} bytes at {offset} of"), &act)
    }

    /// Locks a range. The request is pending until the range is free.
    pub fn wait_for_lock(&self, offset: u64, length: u64, exclusive: bool) -> Request {
        let act = Act::Lock {
            file: self.number,
            offset,
            length,
            exclusive,
            wait: true,
        };
        self.request(&format!("waits for {length} bytes at {offset} of"), &act)
    }

    /// Unlocks a range.
    pub fn unlock(&self, offset: u64, length: u64) -> Completion<()> {
        let act = Act::Unlock {
            file: self.number,
            offset,
            length,
        };
        self.done(&format!("unlocks {length} bytes at {offset} of"), &act)
    }

    fn request(&self, verb: &str, act: &Act) -> Request {
        let what = format!("{} {verb} {}", self.process, self.path);
        let answer = self.link.act(act);
        let number = answer.reply.as_ref().and_then(|reply| reply.number);
        let first = Completion::new(&self.link, what.clone(), answer, |reply| {
            Some(reply.data.clone())
        });
        Request {
            link: self.link.clone(),
            what,
            number,
            first: Cell::new(Some(first)),
        }
    }

    /// Sends a control code to the file system.
    pub fn control(&self, code: u32, input: &[u8], output: u32) -> Completion<Vec<u8>> {
        self.control_code(code, input, output, false)
    }

    /// Sends a control code to the device of the volume.
    pub fn device_control(&self, code: u32, input: &[u8], output: u32) -> Completion<Vec<u8>> {
        self.control_code(code, input, output, true)
    }

    fn control_code(
        &self,
        code: u32,
        input: &[u8],
        output: u32,
        device: bool,
    ) -> Completion<Vec<u8>> {
        let act = Act::Control {
            file: self.number,
            code,
            input: input.to_vec(),
            output,
            device,
        };
        let verb = format!("sends the control code 0x{code:08X} to");
        self.act(&verb, &act, |reply| Some(reply.data.clone()))
    }

    /// Queries information of the volume.
    pub fn query_volume(&self, class: u32, length: u32) -> Completion<Vec<u8>> {
        let act = Act::QueryVolume {
            file: self.number,
            class,
            length,
        };
        let verb = format!("queries volume information class {class} of");
        self.act(&verb, &act, |reply| Some(reply.data.clone()))
    }

    /// Sets information of the volume.
    pub fn set_volume(&self, class: u32, data: &[u8]) -> Completion<()> {
        let act = Act::SetVolume {
            file: self.number,
            class,
            data: data.to_vec(),
        };
        self.done(&format!("sets volume information class {class} of"), &act)
    }

    /// Queries the extended attributes, as a list of `FILE_FULL_EA_INFORMATION`.
    pub fn query_ea(&self) -> Completion<Vec<u8>> {
        let act = Act::QueryEa {
            file: self.number,
            length: BUFFER,
        };
        let data = |reply: &act::Reply| Some(reply.data.clone());
        self.act("queries the extended attributes of", &act, data)
    }

    /// Sets an extended attribute. An empty value deletes it.
    pub fn set_ea(&self, name: &str, value: &[u8]) -> Completion<()> {
        let mut list = vec![0, 0, 0, 0, 0, name.len() as u8];
        list.extend((value.len() as u16).to_le_bytes());
        list.extend(name.as_bytes());
        list.push(0);
        list.extend(value);
        let file = self.number;
        self.done("sets an extended attribute of", &Act::SetEa { file, list })
    }

    /// Queries the security descriptor.
    pub fn query_security(&self, information: u32) -> Completion<Vec<u8>> {
        let act = Act::QuerySecurity {
            file: self.number,
            information,
            length: BUFFER,
        };
        let data = |reply: &act::Reply| Some(reply.data.clone());
        self.act("queries the security of", &act, data)
    }

    /// Sets the security descriptor, which is self-relative.
    pub fn set_security(&self, information: u32, descriptor: &[u8]) -> Completion<()> {
        let act = Act::SetSecurity {
            file: self.number,
            information,
            descriptor: descriptor.to_vec(),
        };
        self.done("sets the security of", &act)
    }

    /// Maps the file, as `CreateFileMapping` and `MapViewOfFile` do.
    pub fn map(&self, write: bool) -> Completion<View> {
        let act = Act::Map {
            file: self.number,
            write,
        };
        self.act("maps", &act, |reply| {
            Some(View {
                link: self.link.clone(),
                process: self.process.clone(),
                path: self.path.clone(),
                number: reply.number?,
                size: reply.information,
                unmapped: Cell::new(false),
            })
        })
    }

    /// Closes the file.
    pub fn close(self) -> Completion<()> {
        self.closed.set(true);
        self.done("closes", &Act::Close { file: self.number })
    }
}

impl Drop for File {
    fn drop(&mut self) {
        if !self.closed.get() && self.link.is_running() {
            let _ = self.link.act(&Act::Close { file: self.number });
        }
    }
}

/// A view of a file that is mapped into memory. It is unmapped when it is dropped.
pub struct View {
    link: Rc<Link>,
    process: String,
    path: String,
    number: Number,
    size: u64,
    unmapped: Cell<bool>,
}

impl fmt::Debug for View {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the view of {} of {}", self.path, self.process)
    }
}

impl View {
    fn act<T>(
        &self,
        verb: &str,
        act: &Act,
        value: impl FnOnce(&act::Reply) -> Option<T>,
    ) -> Completion<T> {
        let what = format!("{} {verb} the view of {}", self.process, self.path);
        let answer = self.link.act(act);
        Completion::new(&self.link, what, answer, value)
    }

    /// Returns the size of the file when it was mapped.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Reads memory. Pages that are not resident are read from the file.
    pub fn read(&self, offset: u64, length: u32) -> Completion<Vec<u8>> {
        let act = Act::ReadView {
            view: self.number,
            offset,
            length,
        };
        self.act("reads", &act, |reply| Some(reply.data.clone()))
    }

    /// Writes memory. The file is written later: by [`View::flush`], or by [`Machine::write_back`](super::Machine).
    pub fn write(&self, offset: u64, data: &[u8]) -> Completion<()> {
        let act = Act::WriteView {
            view: self.number,
            offset,
            data: data.to_vec(),
        };
        self.act("writes", &act, |_| Some(()))
    }

    /// `FlushViewOfFile`: writes the changed pages to the file.
    pub fn flush(&self) -> Completion<()> {
        let act = Act::FlushView { view: self.number };
        self.act("flushes", &act, |_| Some(()))
    }

    /// `UnmapViewOfFile`.
    pub fn unmap(self) -> Completion<()> {
        self.unmapped.set(true);
        self.act("unmaps", &Act::Unmap { view: self.number }, |_| Some(()))
    }
}

impl Drop for View {
    fn drop(&mut self) {
        if !self.unmapped.get() && self.link.is_running() {
            let _ = self.link.act(&Act::Unmap { view: self.number });
        }
    }
}

/// A request that can be pending.
pub struct Request {
    link: Rc<Link>,
    what: String,
    number: Option<Number>,
    first: Cell<Option<Completion<Vec<u8>>>>,
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)
    }
}

impl Request {
    /// Returns whether the request was pending when it was sent.
    #[must_use]
    pub fn is_pending(&self) -> bool {
        self.number.is_some()
    }

    /// Returns the result. The status of a request that is still pending is `STATUS_PENDING`.
    pub fn result(&self) -> Completion<Vec<u8>> {
        self.finish(|request| Act::Wait { request })
    }

    /// Cancels the request. Returns the result.
    pub fn cancel(&self) -> Completion<Vec<u8>> {
        self.finish(|request| Act::Cancel { request })
    }

    fn finish(&self, act: impl FnOnce(Number) -> Act) -> Completion<Vec<u8>> {
        let first = self.first.take();
        match (self.number, first) {
            (None, Some(first)) => first,
            (number, _) => {
                let act = act(number.unwrap_or_default());
                let answer = self.link.act(&act);
                Completion::new(&self.link, self.what.clone(), answer, |reply| {
                    Some(reply.data.clone())
                })
            }
        }
    }
}
