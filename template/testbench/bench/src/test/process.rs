//! Processes.

use std::rc::Rc;

use super::completion::Completion;
use super::file::{File, OpenOptions};
use super::link::Link;
use crate::act::{Act, Number};
use crate::vocabulary::file::access;

/// A process of a user.
#[derive(Debug, Clone)]
pub struct Process {
    link: Rc<Link>,
    number: Number,
    name: String,
}

/// What `GetFileAttributesEx` returns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Metadata {
    /// The end of file.
    pub size: u64,
    /// The attributes.
    pub attributes: u32,
}

impl Process {
    pub(super) fn new(link: &Rc<Link>, number: Number, name: &str) -> Self {
        Process {
            link: link.clone(),
            number,
            name: name.to_owned(),
        }
    }

    /// Returns the name of the program.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns how to open a file. The default is for reading.
    #[must_use]
    pub fn options(&self) -> OpenOptions {
        OpenOptions::new(&self.link, self.number, &self.name)
    }

    /// Opens a file for reading.
    pub fn open(&self, path: &str) -> Completion<File> {
        self.options().open(path)
    }

    /// Opens a file for reading and writing.
    pub fn edit(&self, path: &str) -> Completion<File> {
        self.options().write().open(path)
    }

    /// Creates a file, or overwrites it, for reading and writing.
    pub fn create(&self, path: &str) -> Completion<File> {
        self.options().write().overwrite().open(path)
    }

    /// Opens a directory.
    pub fn open_directory(&self, path: &str) -> Completion<File> {
        self.options().directory().open(path)
    }

    /// Creates a directory.
    pub fn create_directory(&self, path: &str) -> Completion<()> {
        let options = self.options().directory().create_new();
        options.open(path).then(File::close)
    }

    /// Reads a whole file.
    pub fn read(&self, path: &str) -> Completion<Vec<u8>> {
        self.open(path)
            .then(|file| file.read_all())
            .named(format!("{} reads {path}", self.name))
    }

    /// Creates a file, or overwrites it, with data.
    pub fn write(&self, path: &str, data: &[u8]) -> Completion<()> {
        self.create(path)
            .then(|file| file.write(0, data).then(|_| file.close()))
            .named(format!("{} writes {path}", self.name))
    }

    /// Deletes a file.
    pub fn delete(&self, path: &str) -> Completion<()> {
        self.options()
            .access(access::DELETE | access::READ_ATTRIBUTES)
            .open(path)
            .then(|file| file.delete().then(|()| file.close()))
            .named(format!("{} deletes {path}", self.name))
    }

    /// Renames a file.
    pub fn rename(&self, from: &str, to: &str) -> Completion<()> {
        self.options()
            .access(access::DELETE | access::READ_ATTRIBUTES | access::SYNCHRONIZE)
            .open(from)
            .then(|file| file.rename(to, false).then(|()| file.close()))
            .named(format!("{} renames {from} to {to}", self.name))
    }

    /// Enumerates a directory. Returns the names without `.` and `..`.
    pub fn list(&self, path: &str) -> Completion<Vec<String>> {
        self.open_directory(path)
            .then(|file| file.list("*"))
            .named(format!("{} lists {path}", self.name))
    }

    /// Queries a file without opening it, as `GetFileAttributesEx` does. The system opens the file if a filter requires
    /// it.
    pub fn metadata(&self, path: &str) -> Completion<Metadata> {
        let what = format!("{} queries the attributes of {path}", self.name);
        let answer = self.link.act(&Act::QueryPath {
            process: self.number,
            path: path.to_owned(),
        });
        Completion::new(&self.link, what, answer, |reply| {
            let size = reply.data.get(40..)?.first_chunk()?;
            let attributes = reply.data.get(48..)?.first_chunk()?;
            Some(Metadata {
                size: u64::from_le_bytes(*size),
                attributes: u32::from_le_bytes(*attributes),
            })
        })
    }

    /// What an editor does that maps the file, as Notepad did: it opens the file, maps it, reads the text from memory,
    /// changes bytes at an offset, and unmaps and closes it. The file is written later by the system process: see
    /// [`Machine::write_back`](super::Machine::write_back). Returns the text before the change.
    pub fn edit_mapped(&self, path: &str, offset: u64, data: &[u8]) -> Completion<Vec<u8>> {
        self.edit(path).then(|file| {
            file.map(true).then(|view| {
                let length = u32::try_from(view.size()).unwrap_or(u32::MAX);
                view.read(0, length).then(|text| {
                    view.write(offset, data)
                        .then(|()| view.unmap())
                        .then(|()| file.close())
                        .map(|()| text)
                })
            })
        })
    }

    /// What a program does that copies a file: it reads and writes parts of 64 KiB through the cache and closes both
    /// files. The copy is written to the disk later by the system process: see
    /// [`Machine::write_back`](super::Machine::write_back).
    pub fn copy(&self, from: &str, to: &str) -> Completion<()> {
        const PART: usize = 64 << 10;
        self.open(from)
            .then(|source| {
                self.create(to).then(|target| {
                    source.read_all().then(|data| {
                        let mut written = target.size().map(|_| 0);
                        for (at, part) in data.chunks(PART).enumerate() {
                            written = written.then(|_| target.write((at * PART) as u64, part));
                        }
                        written.then(|_| target.close()).then(|()| source.close())
                    })
                })
            })
            .named(format!("{} copies {from} to {to}", self.name))
    }
}
