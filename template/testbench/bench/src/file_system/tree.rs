//! The files, the open files and their data.

use std::collections::BTreeMap;

use super::features::Features;
use crate::vocabulary::file::attribute;
use crate::vocabulary::status::{self, Status};

/// The identification of a file or directory, which `FileInternalInformation` returns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct NodeId(pub u64);

/// The identification of a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct StreamId(pub u64);

/// The identification of an open file: the file system's part of a file object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct OpenId(pub u64);

/// Why the file system does not perform a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refused {
    /// It fails with a status.
    Status(Status),
    /// The model does not cover it. The text names it.
    NotModelled(String),
}

impl From<Status> for Refused {
    fn from(status: Status) -> Self {
        Refused::Status(status)
    }
}

/// The result of a request.
pub type Answer<T> = Result<T, Refused>;

/// A volume.
#[derive(Debug)]
pub struct FileSystem {
    pub(super) features: &'static Features,
    pub(super) nodes: BTreeMap<NodeId, Node>,
    pub(super) streams: BTreeMap<StreamId, Stream>,
    pub(super) opens: BTreeMap<OpenId, Open>,
    pub(super) watches: Vec<Pending>,
    pub(super) lock_waits: Vec<Waiting>,
    pub(super) completed: Vec<Completed>,
    pub(super) label: String,
    pub(super) next: u64,
    /// The system time, in units of 100 ns.
    pub time: i64,
}

/// A request that was pending and is completed. The ticket is that of the request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Completed {
    /// The ticket.
    pub ticket: u64,
    /// The status.
    pub status: Status,
    /// The data for the buffer of the request.
    pub data: Vec<u8>,
}

/// A link: the directory and the name.
pub type Link = (NodeId, String);

/// A file or a directory.
#[derive(Debug)]
pub struct Node {
    /// The links. The root has none. A deleted file has none either.
    pub(super) links: Vec<Link>,
    /// The files in a directory. A file with several links in the directory is here once.
    pub(super) entries: Option<Vec<NodeId>>,
    pub(super) attributes: u32,
    pub(super) times: Times,
    /// The streams with their names. The name of the data stream is empty. A directory has no data stream.
    pub(super) streams: Vec<(String, StreamId)>,
    /// The extended attributes: name, flags and value.
    pub(super) extended: Vec<(Vec<u8>, u8, Vec<u8>)>,
    /// The self-relative security descriptor, or empty for the default.
    pub(super) security: Vec<u8>,
    /// The link that is deleted when its last handle is closed.
    pub(super) delete_pending: Option<Link>,
}

/// The times of a file, in units of 100 ns.
#[derive(Debug, Clone, Copy, Default)]
pub struct Times {
    pub(super) creation: i64,
    pub(super) access: i64,
    pub(super) write: i64,
    pub(super) change: i64,
}

/// A stream of a file.
#[derive(Debug, Default)]
pub struct Stream {
    pub(super) node: Option<NodeId>,
    /// The data on the volume. The data between its end and the size is zero.
    pub(super) disk: Vec<u8>,
    /// The end of file.
    pub(super) size: u64,
    /// The cached pages, by number.
    pub(super) pages: BTreeMap<u64, Page>,
    pub(super) locks: Vec<Lock>,
    /// The number of sections that map it.
    pub(super) sections: u32,
    /// A view was written since the mapped page writer ran.
    pub(super) mapped_changes: bool,
    /// The stream is deleted when its last handle is closed.
    pub(super) delete_pending: bool,
}

/// An open file.
#[derive(Debug)]
pub struct Open {
    /// The file, or `None` for the volume.
    pub(super) node: Option<NodeId>,
    /// The link through which the file was opened. A rename changes it.
    pub(super) link: Option<Link>,
    /// The stream, unless the directory itself or the volume is open.
    pub(super) stream: Option<StreamId>,
    pub(super) access: u32,
    pub(super) share: u16,
    pub(super) options: u32,
    pub(super) scan: Scan,
    /// The changes that a notification reports and whether those below are reported too, from the first request.
    pub(super) watches: Option<(u32, bool)>,
    /// The changes that no request has received.
    pub(super) changes: Vec<Change>,
    /// The file is removed from its directories when this handle is closed, even if others are open.
    pub(super) posix_delete: bool,
    /// All handles were closed.
    pub(super) cleaned_up: bool,
}

impl FileSystem {
    /// Creates a volume with an empty root directory.
    #[must_use]
    pub fn new(features: &'static Features, time: i64) -> Self {
        let times = Times {
            creation: time,
            access: time,
            write: time,
            change: time,
        };
        let root = Node {
            links: Vec::new(),
            entries: Some(Vec::new()),
            attributes: attribute::DIRECTORY,
            times,
            streams: Vec::new(),
            extended: Vec::new(),
            security: Vec::new(),
            delete_pending: None,
        };
        FileSystem {
            features,
            nodes: BTreeMap::from([(ROOT, root)]),
            streams: BTreeMap::new(),
            opens: BTreeMap::new(),
            watches: Vec::new(),
            lock_waits: Vec::new(),
            completed: Vec::new(),
            label: String::new(),
            next: ROOT.0,
            time,
        }
    }

    /// Returns the properties of the file system.
    #[must_use]
    pub fn features(&self) -> &'static Features {
        self.features
    }

    /// Returns the pending requests that were completed since the last call.
    #[must_use]
    pub fn take_completed(&mut self) -> Vec<Completed> {
        std::mem::take(&mut self.completed)
    }

    /// Cancels a pending request. Returns `false` if it is not pending.
    pub fn cancel(&mut self, ticket: u64) -> bool {
        let before = self.watches.len() + self.lock_waits.len();
        self.watches.retain(|watch| watch.ticket != ticket);
        self.lock_waits.retain(|wait| wait.ticket != ticket);
        let canceled = self.watches.len() + self.lock_waits.len() != before;
        if canceled {
            self.complete(ticket, status::CANCELLED, Vec::new());
        }
        canceled
    }

    /// Returns the stream of an open file, if it has one.
    #[must_use]
    pub fn stream_of(&self, open: OpenId) -> Option<StreamId> {
        self.opens.get(&open)?.stream
    }

    /// Returns the identification of an open file, or 0 for the volume.
    #[must_use]
    pub fn id_of(&self, open: OpenId) -> u64 {
        let file = self.opens.get(&open);
        file.and_then(|file| file.node).map_or(0, |node| node.0)
    }

    /// Returns the path of an open file on its volume, with the stream, such as `\documents\a.txt:stream`. Returns
    /// `None` if the file was deleted. The path of the volume is empty.
    #[must_use]
    pub fn path_of(&self, open: OpenId) -> Option<String> {
        let file = self.opens.get(&open)?;
        let Some(id) = file.node else {
            return Some(String::new());
        };
        let path = match self.link_of(open) {
            Some((parent, name)) => {
                format!("{}\\{name}", self.path(parent)?.trim_end_matches('\\'))
            }
            None => self.path(id)?,
        };
        let name = self.nodes.get(&id)?.streams.iter();
        let stream = name.filter(|(_, stream)| Some(*stream) == file.stream);
        Some(
            match stream.map(|(name, _)| name).find(|name| !name.is_empty()) {
                Some(name) => format!("{path}:{name}"),
                None => path,
            },
        )
    }

    /// Returns whether an open file is a directory. The volume is none.
    #[must_use]
    pub fn is_directory(&self, open: OpenId) -> bool {
        let file = self.opens.get(&open);
        file.is_some_and(|file| file.stream.is_none() && file.node.is_some())
    }

    /// Returns the link through which a file was opened, or another one if that was removed.
    pub(super) fn link_of(&self, open: OpenId) -> Option<Link> {
        let file = self.opens.get(&open)?;
        let links = &self.nodes.get(&file.node?)?.links;
        let own = file.link.as_ref().filter(|link| links.contains(link));
        own.or(links.first()).cloned()
    }

    pub(super) fn path(&self, id: NodeId) -> Option<String> {
        let mut names = Vec::new();
        let mut next = id;
        while next != ROOT {
            let (parent, name) = self.nodes.get(&next)?.links.first()?;
            names.push(name.as_str());
            next = *parent;
        }
        names.reverse();
        Some(format!("\\{}", names.join("\\")))
    }

    pub(super) fn open(&self, open: OpenId) -> Answer<&Open> {
        match self.opens.get(&open) {
            Some(file) if !file.cleaned_up => Ok(file),
            _ => Err(status::FILE_CLOSED.into()),
        }
    }

    pub(super) fn node(&self, id: NodeId) -> Answer<&Node> {
        let node = self.nodes.get(&id);
        node.ok_or(status::FILE_DELETED.into())
    }

    pub(super) fn node_mut(&mut self, id: NodeId) -> Answer<&mut Node> {
        let node = self.nodes.get_mut(&id);
        node.ok_or(status::FILE_DELETED.into())
    }

    /// Returns the file of a file object, also after its handles were closed. The volume itself has none.
    pub(super) fn node_of(&self, open: OpenId) -> Answer<NodeId> {
        let file = self.opens.get(&open).ok_or(status::FILE_CLOSED)?;
        match file.node {
            Some(id) if self.nodes.contains_key(&id) => Ok(id),
            Some(_) => Err(status::FILE_DELETED.into()),
            None => Err(Refused::NotModelled(
                "a request for a file on a handle of the volume".to_owned(),
            )),
        }
    }

    pub(super) fn complete(&mut self, ticket: u64, status: Status, data: Vec<u8>) {
        self.completed.push(Completed {
            ticket,
            status,
            data,
        });
    }

    pub(super) fn new_id(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    /// Returns whether a handle that meets the condition is open.
    pub(super) fn is_open(&self, condition: impl Fn(&Open) -> bool) -> bool {
        self.opens
            .values()
            .any(|file| !file.cleaned_up && condition(file))
    }
}

/// The root directory.
pub const ROOT: NodeId = NodeId(5);

/// A page of the cache.
#[derive(Debug)]
pub struct Page {
    pub(super) bytes: Vec<u8>,
    pub(super) dirty: bool,
}

/// The state of an enumeration.
#[derive(Debug, Default)]
pub struct Scan {
    /// The expression of the first request.
    pub(super) expression: Option<String>,
    /// The name that was returned last.
    pub(super) after: Option<String>,
    /// An entry was returned.
    pub(super) found: bool,
}

/// A notification that is pending.
#[derive(Debug)]
pub struct Pending {
    pub ticket: u64,
    pub(super) open: OpenId,
    pub(super) length: usize,
}

/// A change that no request has received.
#[derive(Debug, Clone)]
pub struct Change {
    pub(super) action: u32,
    pub(super) name: String,
}

/// A range of bytes that is locked for a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Range {
    /// The first byte.
    pub offset: u64,
    /// The number of bytes.
    pub length: u64,
    /// The process object.
    pub process: u64,
    /// The key.
    pub key: u32,
    /// The lock is exclusive.
    pub exclusive: bool,
}

/// A lock that is held.
#[derive(Debug)]
pub struct Lock {
    pub(super) range: Range,
    pub(super) open: OpenId,
}

/// A request that waits for a lock.
#[derive(Debug)]
pub struct Waiting {
    pub ticket: u64,
    pub(super) stream: StreamId,
    pub(super) range: Range,
    pub(super) open: OpenId,
}
