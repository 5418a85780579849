//! Programs: their processes, open files, views and pending requests, and the file systems that they use.

use super::operations::Completed;
use super::volumes::Volume;
use crate::file_system::{FileSystem, OpenId, StreamId};

/// The programs.
#[derive(Debug, Default)]
pub struct Programs {
    /// The processes. The first is the system process, the second the one of the scripts.
    pub processes: Vec<Process>,
    /// The open files.
    pub files: Vec<OpenFile>,
    /// The views of files.
    pub views: Vec<View>,
    /// The pending requests.
    pub requests: Vec<Request>,
    /// The file systems, with the handles of their volumes.
    pub file_systems: Vec<(u64, FileSystem)>,
    /// The file object through which the cache reads and writes each stream: the stream, the handle of its volume, and
    /// the file object.
    pub caches: Vec<(StreamId, u64, u64)>,
    /// The number of files, views and requests.
    pub numbers: u32,
    /// What the file system does not model in the current act.
    pub not_modelled: Option<String>,
}

/// A process.
#[derive(Debug, Clone)]
pub struct Process {
    /// The process object.
    pub object: u64,
    /// The identifier.
    pub id: u32,
    /// The name of the program.
    pub name: String,
    /// The user.
    pub user: String,
    /// The session.
    pub session: u32,
}

/// An open file.
#[derive(Debug, Clone)]
pub struct OpenFile {
    /// The number that the program has.
    pub number: u32,
    /// The file object.
    pub object: u64,
    /// The volume.
    pub volume: Volume,
    /// The file system's part, after it was opened.
    pub open: Option<OpenId>,
    /// The index of the process.
    pub process: usize,
    /// The access rights.
    pub access: u32,
    /// The create options.
    pub options: u32,
    /// The share access of others is ignored.
    pub ignore_share: bool,
    /// `CurrentByteOffset`.
    pub position: u64,
    /// The cache was initialized for this file object.
    pub cached: bool,
    /// The program closed its handle.
    pub closed: bool,
}

/// A view of a file.
#[derive(Debug, Clone)]
pub struct View {
    /// The number that the program has.
    pub number: u32,
    /// The file object.
    pub object: u64,
    /// The stream.
    pub stream: StreamId,
    /// The view can be written.
    pub write: bool,
}

/// A pending request.
#[derive(Debug)]
pub struct Request {
    /// The number that the program has.
    pub number: u32,
    /// The callback data.
    pub data: u64,
    /// The result, after it was completed.
    pub completed: Option<Completed>,
}

impl Programs {
    /// Returns a new number.
    pub fn new_number(&mut self) -> u32 {
        self.numbers += 1;
        self.numbers
    }
}
