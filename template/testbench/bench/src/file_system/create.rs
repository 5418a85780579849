//! Opens and creates files.
//!
//! Documents: "`IRP_MJ_CREATE` (IFS)", "`NtCreateFile` function (ntifs.h)", "`IoCheckShareAccess` function (wdm.h)".

use super::directory::Action;
use super::name::{self, Path};
use super::tree::{
    Answer, FileSystem, Link, Node, NodeId, Open, OpenId, ROOT, Refused, Scan, Stream, StreamId,
    Times,
};
use crate::vocabulary::file::{access, attribute, disposition, notify, option, result};
use crate::vocabulary::status;

/// A request to open or create a file.
#[derive(Debug, Clone, Default)]
pub struct Create {
    /// The path, from the root or from the related file. An empty path without a related file opens the volume.
    pub path: String,
    /// The open file to which the path is relative.
    pub related: Option<OpenId>,
    /// The create disposition.
    pub disposition: u32,
    /// The create options.
    pub options: u32,
    /// The access rights.
    pub access: u32,
    /// The share access.
    pub share: u16,
    /// The attributes of a new file.
    pub attributes: u32,
    /// `SL_OPEN_TARGET_DIRECTORY`: the directory of the path is opened.
    pub target_directory: bool,
    /// The share access of the open handles is ignored.
    pub ignore_share: bool,
}

/// An open file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Created {
    /// Its identification.
    pub open: OpenId,
    /// `IoStatus.Information`.
    pub information: u64,
    /// With `SL_OPEN_TARGET_DIRECTORY`, the last component of the path.
    pub target: Option<String>,
}

impl FileSystem {
    /// Opens or creates a file.
    ///
    /// # Errors
    ///
    /// The status that the document of the request gives.
    pub fn create(&mut self, request: &Create) -> Answer<Created> {
        if request.disposition > disposition::OVERWRITE_IF {
            return Err(status::INVALID_PARAMETER.into());
        }
        if request.path.is_empty() && request.related.is_none() {
            return Ok(self.opened(request, None, None, result::OPENED));
        }
        let mut path = name::parse(&request.path, self.features)?;
        let base = match request.related {
            None if request.path.starts_with('\\') => ROOT,
            None => return Err(status::OBJECT_NAME_INVALID.into()),
            Some(_) if request.path.starts_with('\\') => {
                return Err(status::INVALID_PARAMETER.into());
            }
            Some(related) => {
                self.open(related)?;
                self.node_of(related)?
            }
        };
        if request.target_directory {
            let target = path.components.pop().ok_or(status::OBJECT_NAME_INVALID)?;
            let parent = self.walk(base, &path.components)?;
            self.directory(parent)?;
            let information = match self.entry(parent, &target) {
                Some(_) => result::EXISTS,
                None => result::DOES_NOT_EXIST,
            };
            self.check_share(parent, None, request)?;
            let mut created = self.opened(request, Some(parent), None, information);
            created.target = Some(target);
            return Ok(created);
        }
        self.create_at(request, base, &path)
    }

    /// Opens a file by its identification.
    ///
    /// # Errors
    ///
    /// `STATUS_INVALID_PARAMETER` if there is no such file, `STATUS_NOT_SUPPORTED` if the file system cannot do so.
    pub fn create_by_id(&mut self, request: &Create, id: u64) -> Answer<Created> {
        if !self.features.open_by_id {
            return Err(status::NOT_SUPPORTED.into());
        }
        let id = NodeId(id);
        let linked = |node: &Node| id == ROOT || !node.links.is_empty();
        if !self.nodes.get(&id).is_some_and(linked) {
            return Err(status::INVALID_PARAMETER.into());
        }
        if request.disposition != disposition::OPEN {
            return Err(status::INVALID_PARAMETER.into());
        }
        self.open_existing(request, id, None, None)
    }

    fn create_at(&mut self, request: &Create, base: NodeId, path: &Path) -> Answer<Created> {
        let wants_directory = request.options & option::DIRECTORY != 0 || path.directory;
        let Some((last, directories)) = path.components.split_last() else {
            return self.open_existing(request, base, None, path.stream.as_deref());
        };
        let parent = self.walk(base, directories)?;
        self.directory(parent)?;
        if let Some((existing, link)) = self.entry_and_link(parent, last) {
            if path.directory && self.node(existing)?.entries.is_none() {
                return Err(status::OBJECT_NAME_INVALID.into());
            }
            return self.open_existing(request, existing, Some(link), path.stream.as_deref());
        }
        if matches!(
            request.disposition,
            disposition::OPEN | disposition::OVERWRITE
        ) {
            return Err(status::OBJECT_NAME_NOT_FOUND.into());
        }
        let overwrites = matches!(
            request.disposition,
            disposition::SUPERSEDE | disposition::OVERWRITE_IF
        );
        if wants_directory && (path.stream.is_some() || overwrites) {
            return Err(status::INVALID_PARAMETER.into());
        }
        if self.node(parent)?.delete_pending.is_some() {
            return Err(status::DELETE_PENDING.into());
        }
        let node = self.new_node(parent, last, wants_directory, request.attributes);
        let mut stream = None;
        if !wants_directory {
            stream = Some(self.new_stream(node, ""));
            if let Some(name) = path.stream.as_deref().filter(|name| !name.is_empty()) {
                stream = Some(self.new_stream(node, name));
            }
        }
        Ok(self.opened(request, Some(node), stream, result::CREATED))
    }

    fn open_existing(
        &mut self,
        request: &Create,
        id: NodeId,
        link: Option<Link>,
        name: Option<&str>,
    ) -> Answer<Created> {
        let node = self.node(id)?;
        if node.delete_pending.is_some() && (link.is_none() || node.delete_pending == link) {
            return Err(status::DELETE_PENDING.into());
        }
        let created = self.open_node(request, id, name)?;
        if let (Some(file), Some(_)) = (self.opens.get_mut(&created.open), &link) {
            file.link = link;
        }
        Ok(created)
    }

    fn open_node(&mut self, request: &Create, id: NodeId, name: Option<&str>) -> Answer<Created> {
        let node = self.node(id)?;
        let is_directory = node.entries.is_some();
        let attributes = node.attributes;
        let known = node
            .streams
            .iter()
            .find(|(known, _)| name::is_same(known, name.unwrap_or_default()))
            .map(|(_, stream)| *stream);
        let named = name.is_some_and(|name| !name.is_empty());
        if request.disposition == disposition::CREATE && (known.is_some() || !named) {
            return Err(status::OBJECT_NAME_COLLISION.into());
        }
        if request.options & option::DIRECTORY != 0 && (!is_directory || named) {
            return Err(status::NOT_A_DIRECTORY.into());
        }
        if is_directory && !named {
            if request.options & option::NON_DIRECTORY != 0 || name.is_some() {
                return Err(status::FILE_IS_A_DIRECTORY.into());
            }
            return match request.disposition {
                disposition::OPEN | disposition::OPEN_IF => {
                    self.check_share(id, None, request)?;
                    Ok(self.opened(request, Some(id), None, result::OPENED))
                }
                _ => Err(status::INVALID_PARAMETER.into()),
            };
        }
        if attributes & attribute::READ_ONLY != 0 {
            let overwrites = !matches!(
                request.disposition,
                disposition::OPEN | disposition::OPEN_IF
            );
            if overwrites || request.access & (access::WRITE_DATA | access::APPEND_DATA) != 0 {
                return Err(status::ACCESS_DENIED.into());
            }
            if request.options & option::DELETE_ON_CLOSE != 0 {
                return Err(status::CANNOT_DELETE.into());
            }
        }
        let Some(stream) = known else {
            if matches!(
                request.disposition,
                disposition::OPEN | disposition::OVERWRITE
            ) {
                return Err(status::OBJECT_NAME_NOT_FOUND.into());
            }
            let stream = self.new_stream(id, name.unwrap_or_default());
            return Ok(self.opened(request, Some(id), Some(stream), result::CREATED));
        };
        if self
            .streams
            .get(&stream)
            .is_some_and(|stream| stream.delete_pending)
        {
            return Err(status::DELETE_PENDING.into());
        }
        self.check_share(id, Some(stream), request)?;
        let information = match request.disposition {
            disposition::OPEN | disposition::OPEN_IF => result::OPENED,
            disposition::SUPERSEDE => result::SUPERSEDED,
            _ => result::OVERWRITTEN,
        };
        if information != result::OPENED {
            const HIDDEN: u32 = attribute::HIDDEN | attribute::SYSTEM;
            if attributes & HIDDEN & !request.attributes != 0 {
                return Err(status::ACCESS_DENIED.into());
            }
            self.resize(stream, 0)?;
            if !named {
                self.remove_other_streams(id, stream)?;
            }
            let time = self.time;
            let node = self.node_mut(id)?;
            node.attributes = attribute::ARCHIVE | request.attributes & attribute::SETTABLE;
            node.times.write = time;
            node.times.change = time;
            self.report_change(id, notify::SIZE);
        }
        Ok(self.opened(request, Some(id), Some(stream), information))
    }

    /// Removes the named streams and the extended attributes of a file whose data stream is overwritten.
    fn remove_other_streams(&mut self, id: NodeId, data: StreamId) -> Answer<()> {
        let others: Vec<StreamId> = self.node(id)?.streams.iter().map(|(_, id)| *id).collect();
        for stream in others.into_iter().filter(|stream| *stream != data) {
            if self.is_open(|file| file.stream == Some(stream)) {
                return Err(Refused::NotModelled(
                    "the replacement of a file with an open stream".to_owned(),
                ));
            }
            self.discard_data(stream);
            self.node_mut(id)?
                .streams
                .retain(|(_, known)| *known != stream);
        }
        self.node_mut(id)?.extended.clear();
        Ok(())
    }

    /// Looks up a directory. A missing directory and a file in its place have the same status.
    fn walk(&self, base: NodeId, components: &[String]) -> Answer<NodeId> {
        components.iter().try_fold(base, |parent, name| {
            let found = self.node(parent)?.entries.is_some();
            let entry = found.then(|| self.entry(parent, name)).flatten();
            entry.ok_or(status::OBJECT_PATH_NOT_FOUND.into())
        })
    }

    fn directory(&self, id: NodeId) -> Answer<()> {
        match self.node(id)?.entries {
            Some(_) => Ok(()),
            None => Err(status::OBJECT_PATH_NOT_FOUND.into()),
        }
    }

    /// Looks up an entry of a directory.
    pub(super) fn entry(&self, parent: NodeId, name: &str) -> Option<NodeId> {
        self.entry_and_link(parent, name).map(|(id, _)| id)
    }

    /// Looks up an entry of a directory, with its link.
    pub(super) fn entry_and_link(&self, parent: NodeId, name: &str) -> Option<(NodeId, Link)> {
        let entries = self.nodes.get(&parent)?.entries.as_ref()?;
        entries.iter().find_map(|id| {
            let mut links = self.nodes.get(id)?.links.iter();
            let found =
                links.find(|(directory, known)| *directory == parent && name::is_same(known, name));
            Some((*id, found?.clone()))
        })
    }

    /// Creates a file or a directory.
    pub(super) fn new_node(
        &mut self,
        parent: NodeId,
        name: &str,
        is_directory: bool,
        attributes: u32,
    ) -> NodeId {
        let id = NodeId(self.new_id());
        let time = self.time;
        let kind = if is_directory {
            attribute::DIRECTORY
        } else {
            attribute::ARCHIVE
        };
        self.nodes.insert(
            id,
            Node {
                links: Vec::new(),
                entries: is_directory.then(Vec::new),
                attributes: kind | attributes & attribute::SETTABLE,
                times: Times {
                    creation: time,
                    access: time,
                    write: time,
                    change: time,
                },
                streams: Vec::new(),
                extended: Vec::new(),
                security: Vec::new(),
                delete_pending: None,
            },
        );
        self.add_link(id, (parent, name.to_owned()));
        self.report(parent, name, Action::Added { is_directory });
        id
    }

    pub(super) fn new_stream(&mut self, node: NodeId, name: &str) -> StreamId {
        let id = StreamId(self.new_id());
        self.streams.insert(
            id,
            Stream {
                node: Some(node),
                ..Stream::default()
            },
        );
        if let Some(node) = self.nodes.get_mut(&node) {
            node.streams.push((name.to_owned(), id));
        }
        id
    }

    fn opened(
        &mut self,
        request: &Create,
        node: Option<NodeId>,
        stream: Option<StreamId>,
        information: u64,
    ) -> Created {
        let open = OpenId(self.new_id());
        let links = node
            .and_then(|id| self.nodes.get(&id))
            .map(|node| &node.links);
        let link = links.and_then(|links| links.first().cloned());
        self.opens.insert(
            open,
            Open {
                node,
                link,
                stream,
                access: request.access,
                share: request.share,
                options: request.options,
                scan: Scan::default(),
                watches: None,
                changes: Vec::new(),
                posix_delete: false,
                cleaned_up: false,
            },
        );
        Created {
            open,
            information,
            target: None,
        }
    }

    /// Compares the access rights and the share access of a request with those of the open handles. A handle without a
    /// right to which share access applies takes no part in it.
    fn check_share(&self, node: NodeId, stream: Option<StreamId>, request: &Create) -> Answer<()> {
        let shared = access::SHARED.iter().fold(0, |all, rights| all | rights);
        // Overwriting needs the right to write, superseding that to delete.
        let access = request.access
            | match request.disposition {
                disposition::OVERWRITE | disposition::OVERWRITE_IF => access::WRITE_DATA,
                disposition::SUPERSEDE => access::DELETE,
                _ => 0,
            };
        let conflicts = |file: &Open| {
            let same = file.node == Some(node) && file.stream == stream;
            let conflict = |(at, rights): (usize, &u32)| {
                access & rights != 0 && file.share & 1 << at == 0
                    || file.access & rights != 0 && request.share & 1 << at == 0
            };
            same && file.access & shared != 0 && access::SHARED.iter().enumerate().any(conflict)
        };
        if access & shared != 0 && !request.ignore_share && self.is_open(conflicts) {
            return Err(status::SHARING_VIOLATION.into());
        }
        Ok(())
    }
}
