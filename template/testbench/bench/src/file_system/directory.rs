//! The entries of a directory, and notifications of changes.
//!
//! Documents: "`IRP_MJ_DIRECTORY_CONTROL` (IFS)", "`ZwQueryDirectoryFile` function (ntifs.h)",
//! "`FsRtlNotifyFilterChangeDirectory` function (ntifs.h)".

use super::bytes::{Bytes, text, u32_at};
use super::name::matches;
use super::stream::PAGE;
use super::tree::{Answer, Change, FileSystem, Node, NodeId, OpenId, Pending, ROOT, Refused, Scan};
use crate::vocabulary::file::{class, notify};
use crate::vocabulary::status;

/// A request for the next entries.
#[derive(Debug, Clone)]
pub struct Enumeration {
    /// The information class.
    pub class: u32,
    /// The expression. Only that of the first request counts, unless the enumeration is restarted.
    pub expression: Option<String>,
    /// `SL_RESTART_SCAN`.
    pub restart: bool,
    /// `SL_RETURN_SINGLE_ENTRY`.
    pub single: bool,
    /// The length of the buffer.
    pub length: usize,
}

/// A request for a notification.
#[derive(Debug, Clone, Copy)]
pub struct Watch {
    /// The identification of the request.
    pub ticket: u64,
    /// The changes to report.
    pub filter: u32,
    /// `SL_WATCH_TREE`.
    pub tree: bool,
    /// The length of the buffer.
    pub length: usize,
}

/// A change of a directory.
#[derive(Debug, Clone)]
pub enum Action {
    Added { is_directory: bool },
    Removed { is_directory: bool },
    Renamed { is_directory: bool, to: String },
    Modified { what: u32 },
}

/// Returns the names of the entries in a buffer of an enumeration.
#[must_use]
pub fn names_of(class: u32, buffer: &[u8]) -> Vec<String> {
    let (length_at, name_at) = match class {
        class::NAMES => (8, 12),
        class::DIRECTORY => (60, 64),
        class::FULL_DIRECTORY => (60, 68),
        class::ID_FULL_DIRECTORY => (60, 80),
        class::BOTH_DIRECTORY => (60, 94),
        _ => (60, 104),
    };
    let mut names = Vec::new();
    let mut rest = buffer;
    loop {
        let (Ok(next), Ok(length)) = (u32_at(rest, 0), u32_at(rest, length_at)) else {
            return names;
        };
        let Some(name) = rest.get(name_at..name_at + length as usize) else {
            return names;
        };
        names.push(text(name));
        match rest.get(next as usize..) {
            Some(more) if next != 0 => rest = more,
            _ => return names,
        }
    }
}

impl FileSystem {
    /// Returns the next entries of a directory.
    ///
    /// # Errors
    ///
    /// `STATUS_NO_SUCH_FILE` if no entry matches, `STATUS_NO_MORE_FILES` after the last one, `STATUS_BUFFER_OVERFLOW` if
    /// the buffer is too small for an entry.
    pub fn enumerate(&mut self, open: OpenId, request: &Enumeration) -> Answer<Vec<u8>> {
        self.open(open)?;
        let id = self.node_of(open)?;
        let Some(entries) = &self.node(id)?.entries else {
            return Err(status::INVALID_PARAMETER.into());
        };
        let mut all: Vec<(String, NodeId)> = Vec::new();
        for entry in entries {
            let links = self
                .nodes
                .get(entry)
                .into_iter()
                .flat_map(|node| &node.links);
            let here = links.filter(|(parent, _)| *parent == id);
            all.extend(here.map(|(_, name)| (name.clone(), *entry)));
        }
        all.sort_by_key(|(name, _)| name.to_uppercase());
        if id != ROOT {
            let parent = self
                .node(id)?
                .links
                .first()
                .map_or(ROOT, |(parent, _)| *parent);
            all.splice(0..0, [(".".to_owned(), id), ("..".to_owned(), parent)]);
        }
        let file = self.opens.get_mut(&open).ok_or(status::FILE_CLOSED)?;
        if request.restart {
            file.scan.after = None;
            if request.expression.is_some() {
                file.scan.expression = None;
            }
        }
        let first = file.scan.expression.is_none();
        if first {
            let expression = request.expression.clone().unwrap_or_else(|| "*".to_owned());
            file.scan = Scan {
                expression: Some(expression),
                ..Scan::default()
            };
        }
        let expression = file.scan.expression.clone().unwrap_or_default();
        let (mut after, mut found) = (file.scan.after.clone(), file.scan.found);
        let rank = |name: &str| (name != ".", name != "..", name.to_uppercase());
        all.retain(|(name, _)| {
            after
                .as_deref()
                .is_none_or(|after| rank(name) > rank(after))
        });
        let mut bytes = Bytes::default();
        let mut last = None;
        for (name, entry) in all {
            if !matches(&expression, &name) {
                continue;
            }
            let encoded = self.entry_of(request.class, &name, entry)?;
            let begin = bytes.len().next_multiple_of(8);
            if begin + encoded.len() > request.length {
                if last.is_none() {
                    return Err(status::BUFFER_OVERFLOW.into());
                }
                break;
            }
            bytes.align(8);
            bytes.link(last, begin);
            bytes.extend(&encoded);
            last = Some(begin);
            after = Some(name);
            found = true;
            if request.single {
                break;
            }
        }
        if let Some(file) = self.opens.get_mut(&open) {
            file.scan.after = after;
            file.scan.found = found;
        }
        match (last, found) {
            (Some(_), _) => Ok(bytes.done()),
            (None, false) => Err(status::NO_SUCH_FILE.into()),
            (None, true) => Err(status::NO_MORE_FILES.into()),
        }
    }

    /// Returns an entry in the format of an information class.
    fn entry_of(&self, class: u32, name: &str, id: NodeId) -> Answer<Vec<u8>> {
        let node = self.node(id)?;
        let length = name.encode_utf16().count() as u32 * 2;
        let mut bytes = Bytes::default();
        bytes.u32(0);
        bytes.u32(0);
        if class == class::NAMES {
            bytes.u32(length);
            bytes.wide(name);
            return Ok(bytes.done());
        }
        let times = node.times;
        for time in [times.creation, times.access, times.write, times.change] {
            bytes.i64(time);
        }
        let size = self.data_size(node);
        bytes.u64(size);
        bytes.u64(size.next_multiple_of(PAGE));
        bytes.u32(node.visible_attributes());
        bytes.u32(length);
        match class {
            class::DIRECTORY => {}
            class::FULL_DIRECTORY => bytes.u32(0),
            class::ID_FULL_DIRECTORY => {
                bytes.u32(0);
                bytes.u32(0);
                bytes.u64(id.0);
            }
            class::BOTH_DIRECTORY | class::ID_BOTH_DIRECTORY => {
                bytes.u32(0);
                // ShortNameLength, ShortName.
                for _ in 0..26 {
                    bytes.u8(0);
                }
                if class == class::ID_BOTH_DIRECTORY {
                    bytes.align(8);
                    bytes.u64(id.0);
                }
            }
            class if class < class::COUNT => {
                return Err(Refused::NotModelled(format!(
                    "an enumeration with file information class {class}"
                )));
            }
            _ => return Err(status::INVALID_INFO_CLASS.into()),
        }
        bytes.wide(name);
        Ok(bytes.done())
    }

    fn data_size(&self, node: &Node) -> u64 {
        let mut streams = node.streams.iter();
        let data = streams.find(|(name, _)| name.is_empty());
        data.map_or(0, |(_, stream)| self.size_of(*stream))
    }

    /// Requests a notification. It is pending until a directory changes, unless a change has already been recorded.
    ///
    /// # Errors
    ///
    /// `STATUS_INVALID_PARAMETER` if the file is no directory.
    pub fn watch(&mut self, open: OpenId, watch: Watch) -> Answer<()> {
        self.open(open)?;
        let id = self.node_of(open)?;
        if self.node(id)?.entries.is_none() {
            return Err(status::INVALID_PARAMETER.into());
        }
        let file = self.opens.get_mut(&open).ok_or(status::FILE_CLOSED)?;
        // The filter and the scope of the first request on a handle apply to all.
        file.watches.get_or_insert((watch.filter, watch.tree));
        self.watches.push(Pending {
            ticket: watch.ticket,
            open,
            length: watch.length,
        });
        self.deliver(open);
        Ok(())
    }

    pub(super) fn remove_watches(&mut self, open: OpenId) -> Vec<u64> {
        let (gone, kept) = std::mem::take(&mut self.watches)
            .into_iter()
            .partition(|watch| watch.open == open);
        self.watches = kept;
        let gone: Vec<Pending> = gone;
        gone.iter().map(|watch| watch.ticket).collect()
    }

    /// Reports a change of an entry of a directory.
    pub(super) fn report(&mut self, directory: NodeId, name: &str, action: Action) {
        let names = |is_directory| {
            if is_directory {
                notify::DIRECTORY_NAME
            } else {
                notify::FILE_NAME
            }
        };
        let (filter, changes) = match action {
            Action::Added { is_directory } => {
                (names(is_directory), vec![(notify::ADDED, name.to_owned())])
            }
            Action::Removed { is_directory } => (
                names(is_directory),
                vec![(notify::REMOVED, name.to_owned())],
            ),
            Action::Renamed { is_directory, to } => (
                names(is_directory),
                vec![
                    (notify::RENAMED_OLD, name.to_owned()),
                    (notify::RENAMED_NEW, to),
                ],
            ),
            Action::Modified { what } => (what, vec![(notify::MODIFIED, name.to_owned())]),
        };
        let mut below = Some((directory, String::new()));
        let mut depth = 0;
        while let Some((id, prefix)) = below {
            let watching: Vec<OpenId> = self
                .opens
                .iter()
                .filter(|(_, file)| {
                    let wants =
                        |(wanted, tree): (u32, bool)| wanted & filter != 0 && (tree || depth == 0);
                    file.node == Some(id) && !file.cleaned_up && file.watches.is_some_and(wants)
                })
                .map(|(open, _)| *open)
                .collect();
            for open in watching {
                if let Some(file) = self.opens.get_mut(&open) {
                    file.changes
                        .extend(changes.iter().map(|(action, name)| Change {
                            action: *action,
                            name: format!("{prefix}{name}"),
                        }));
                }
                self.deliver(open);
            }
            let link = self.nodes.get(&id).and_then(|node| node.links.first());
            below = link.map(|(parent, name)| (*parent, format!("{name}\\{prefix}")));
            depth += 1;
        }
    }

    /// Reports a change of a file in its directories.
    pub(super) fn report_change(&mut self, id: NodeId, what: u32) {
        let links = self.nodes.get(&id).map(|node| node.links.clone());
        for (parent, name) in links.unwrap_or_default() {
            self.report(parent, &name, Action::Modified { what });
        }
    }

    /// Completes a pending notification with the recorded changes.
    fn deliver(&mut self, open: OpenId) {
        let Some(file) = self
            .opens
            .get_mut(&open)
            .filter(|file| !file.changes.is_empty())
        else {
            return;
        };
        let Some(at) = self.watches.iter().position(|watch| watch.open == open) else {
            return;
        };
        let watch = self.watches.remove(at);
        let mut changes = std::mem::take(&mut file.changes);
        changes.dedup_by(|later, earlier| {
            later.action == earlier.action && later.name == earlier.name
        });
        let mut bytes = Bytes::default();
        let mut previous = None;
        for change in &changes {
            bytes.align(4);
            let begin = bytes.len();
            bytes.link(previous, begin);
            previous = Some(begin);
            bytes.u32(0);
            bytes.u32(change.action);
            bytes.u32(change.name.encode_utf16().count() as u32 * 2);
            bytes.wide(&change.name);
        }
        if bytes.len() > watch.length {
            // The program must enumerate the directory.
            self.complete(watch.ticket, status::NOTIFY_ENUM_DIR, Vec::new());
        } else {
            self.complete(watch.ticket, status::SUCCESS, bytes.done());
        }
    }
}
