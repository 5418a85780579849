//! Changes of a file: its attributes, size, name, links, and its deletion.
//!
//! Documents: "`IRP_MJ_SET_INFORMATION` (IFS)", "`FILE_RENAME_INFORMATION` structure (ntifs.h)",
//! "`FILE_DISPOSITION_INFORMATION_EX` structure (ntddk.h)".

use super::bytes::{i64_at, text, u32_at};
use super::directory::Action;
use super::name;
use super::tree::{Answer, FileSystem, Link, NodeId, OpenId, ROOT, Refused};
use crate::vocabulary::file::{attribute, class, notify};
use crate::vocabulary::status;

/// A new name of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Renamed {
    /// The open directory of the name, or `None` if the name begins at the root of the volume or is in the same
    /// directory.
    pub directory: Option<OpenId>,
    /// The name, or the path.
    pub name: String,
    /// An existing file with this name is replaced.
    pub replace: bool,
}

/// Decodes a `FILE_RENAME_INFORMATION` or a `FILE_LINK_INFORMATION`. The handle of the root directory is not decoded.
///
/// # Errors
///
/// `STATUS_INFO_LENGTH_MISMATCH` if the structure is too short.
pub fn renamed(class: u32, data: &[u8]) -> Answer<Renamed> {
    let length = u32_at(data, 16)? as usize;
    let name = data
        .get(20..20 + length)
        .ok_or(status::INFO_LENGTH_MISMATCH)?;
    let flags = u32_at(data, 0)?;
    let replace = if matches!(class, class::RENAME_EX | class::LINK_EX) {
        const REPLACE: u32 = 1;
        if flags & !REPLACE != 0 {
            return Err(Refused::NotModelled(format!(
                "a new name with the flags 0x{flags:x}"
            )));
        }
        flags & REPLACE != 0
    } else {
        data[0] != 0
    };
    Ok(Renamed {
        directory: None,
        name: text(name),
        replace,
    })
}

impl FileSystem {
    /// Sets information of a file. A rename and a link need [`FileSystem::rename`] and [`FileSystem::link`].
    ///
    /// # Errors
    ///
    /// The status that the document of the request gives.
    pub fn set(&mut self, open: OpenId, class: u32, data: &[u8]) -> Answer<()> {
        let id = self.node_of(open)?;
        match class {
            class::BASIC => self.set_basic(id, data),
            class::DISPOSITION => {
                let delete = *data.first().ok_or(status::INFO_LENGTH_MISMATCH)?;
                self.set_disposition(open, id, delete != 0)
            }
            class::DISPOSITION_EX => {
                const DELETE: u32 = 1;
                const POSIX: u32 = 2;
                let flags = u32_at(data, 0)?;
                if !self.features.posix {
                    return Err(status::INVALID_PARAMETER.into());
                }
                if flags & !(DELETE | POSIX) != 0 {
                    return Err(Refused::NotModelled(format!(
                        "a disposition with the flags 0x{flags:x}"
                    )));
                }
                self.set_disposition(open, id, flags & DELETE != 0)?;
                let posix = flags & (DELETE | POSIX) == DELETE | POSIX;
                if let Some(file) = self.opens.get_mut(&open) {
                    file.posix_delete = posix;
                }
                Ok(())
            }
            class::END_OF_FILE | class::ALLOCATION => {
                let size =
                    u64::try_from(i64_at(data, 0)?).map_err(|_| status::INVALID_PARAMETER)?;
                let stream = self.data_of(open)?;
                if class == class::ALLOCATION && size >= self.size_of(stream) {
                    return Ok(());
                }
                self.resize(stream, size)
            }
            class::POSITION | class::VALID_DATA_LENGTH => i64_at(data, 0).map(drop),
            _ if (1..class::COUNT).contains(&class) => Err(Refused::NotModelled(format!(
                "a change of file information class {class}"
            ))),
            _ => Err(status::INVALID_INFO_CLASS.into()),
        }
    }

    fn set_basic(&mut self, id: NodeId, data: &[u8]) -> Answer<()> {
        let given = [
            i64_at(data, 0)?,
            i64_at(data, 8)?,
            i64_at(data, 16)?,
            i64_at(data, 24)?,
        ];
        let attributes = u32_at(data, 32)?;
        let time = self.time;
        let node = self.node_mut(id)?;
        let is_directory = node.entries.is_some();
        if attributes & attribute::DIRECTORY != 0 && !is_directory {
            return Err(status::INVALID_PARAMETER.into());
        }
        let times = &mut node.times;
        let places = [
            &mut times.creation,
            &mut times.access,
            &mut times.write,
            &mut times.change,
        ];
        for (place, time) in places.into_iter().zip(given) {
            // 0 leaves a time, -1 and -2 control its updates.
            if time > 0 {
                *place = time;
            }
        }
        if given[3] == 0 {
            node.times.change = time;
        }
        if attributes != 0 {
            let kind = if is_directory {
                attribute::DIRECTORY
            } else {
                0
            };
            node.attributes = kind | attributes & attribute::SETTABLE & !attribute::NORMAL;
        }
        self.report_change(id, notify::ATTRIBUTES);
        Ok(())
    }

    fn set_disposition(&mut self, open: OpenId, id: NodeId, delete: bool) -> Answer<()> {
        let stream = self.open(open)?.stream;
        let link = self.link_of(open);
        if !delete {
            self.node_mut(id)?.delete_pending = None;
            if let Some(stream) = stream.and_then(|stream| self.streams.get_mut(&stream)) {
                stream.delete_pending = false;
            }
            return Ok(());
        }
        let node = self.node(id)?;
        if id == ROOT || node.attributes & attribute::READ_ONLY != 0 {
            return Err(status::CANNOT_DELETE.into());
        }
        if stream.is_none()
            && node
                .entries
                .as_ref()
                .is_some_and(|entries| !entries.is_empty())
        {
            return Err(status::DIRECTORY_NOT_EMPTY.into());
        }
        if stream.is_some_and(|stream| {
            self.streams
                .get(&stream)
                .is_some_and(|data| data.sections != 0)
        }) {
            return Err(status::CANNOT_DELETE.into());
        }
        self.mark_for_deletion(Some(id), link.as_ref(), stream);
        Ok(())
    }

    /// Renames a file.
    ///
    /// # Errors
    ///
    /// The status that the document of the request gives.
    pub fn rename(&mut self, open: OpenId, to: &Renamed) -> Answer<()> {
        let id = self.node_of(open)?;
        let stream = self.stream_of(open);
        let named = self
            .node(id)?
            .streams
            .iter()
            .any(|(name, known)| Some(*known) == stream && !name.is_empty());
        if named {
            return Err(Refused::NotModelled("a rename of a stream".to_owned()));
        }
        if id == ROOT {
            return Err(status::INVALID_PARAMETER.into());
        }
        let (parent, name) = self.target(open, to)?;
        let is_directory = self.node(id)?.entries.is_some();
        let inside = std::iter::successors(Some(parent), |next| {
            self.nodes
                .get(next)?
                .links
                .first()
                .map(|(parent, _)| *parent)
        });
        if is_directory && inside.into_iter().any(|ancestor| ancestor == id) {
            return Err(status::INVALID_PARAMETER.into());
        }
        if is_directory
            && self.is_open(|file| file.node != Some(id) && self.is_below(file.node, id))
        {
            return Err(status::ACCESS_DENIED.into());
        }
        let Some(old) = self.link_of(open) else {
            return Err(status::FILE_DELETED.into());
        };
        self.make_room(id, Some(&old), parent, &name, to.replace)?;
        let (old_parent, old_name) = old.clone();
        let new = (parent, name.clone());
        let time = self.time;
        let node = self.node_mut(id)?;
        node.links.retain(|link| *link != old);
        let remains = node.links.iter().any(|(known, _)| *known == old_parent);
        node.times.change = time;
        if let Some(entries) = self
            .node_mut(old_parent)?
            .entries
            .as_mut()
            .filter(|_| !remains)
        {
            entries.retain(|entry| *entry != id);
        }
        self.add_link(id, new.clone());
        for file in self.opens.values_mut() {
            if file.node == Some(id) && file.link.as_ref() == Some(&old) {
                file.link = Some(new.clone());
            }
        }
        if old_parent == parent {
            self.report(
                parent,
                &old_name,
                Action::Renamed {
                    is_directory,
                    to: name,
                },
            );
        } else {
            self.report(old_parent, &old_name, Action::Removed { is_directory });
            self.report(parent, &name, Action::Added { is_directory });
        }
        Ok(())
    }

    /// Creates another link to a file.
    ///
    /// # Errors
    ///
    /// `STATUS_NOT_SUPPORTED` if the file system has no links; otherwise as for a rename.
    pub fn link(&mut self, open: OpenId, to: &Renamed) -> Answer<()> {
        if !self.features.links {
            return Err(status::NOT_SUPPORTED.into());
        }
        let id = self.node_of(open)?;
        if self.node(id)?.entries.is_some() {
            return Err(status::FILE_IS_A_DIRECTORY.into());
        }
        let (parent, name) = self.target(open, to)?;
        self.make_room(id, None, parent, &name, to.replace)?;
        self.add_link(id, (parent, name.clone()));
        self.report(
            parent,
            &name,
            Action::Added {
                is_directory: false,
            },
        );
        Ok(())
    }

    /// Returns the directory and the name of a new link.
    fn target(&self, open: OpenId, to: &Renamed) -> Answer<(NodeId, String)> {
        let path = name::parse(&to.name, self.features)?;
        if path.stream.is_some() {
            return Err(status::OBJECT_NAME_INVALID.into());
        }
        let (last, directories) = path
            .components
            .split_last()
            .ok_or(status::OBJECT_NAME_INVALID)?;
        let base = match to.directory {
            Some(directory) => self.node_of(directory)?,
            None if to.name.starts_with('\\') => ROOT,
            None if directories.is_empty() => {
                let link = self.link_of(open);
                link.map(|(parent, _)| parent).ok_or(status::FILE_DELETED)?
            }
            None => return Err(status::OBJECT_NAME_INVALID.into()),
        };
        let mut parent = base;
        for name in directories {
            parent = self
                .entry(parent, name)
                .ok_or(status::OBJECT_PATH_NOT_FOUND)?;
        }
        let directory = self.node(parent)?;
        if directory.delete_pending.is_some() {
            return Err(status::DELETE_PENDING.into());
        }
        match directory.entries {
            Some(_) => Ok((parent, last.clone())),
            None => Err(status::OBJECT_PATH_NOT_FOUND.into()),
        }
    }

    /// Deletes the link that a rename of `own` or a new link replaces.
    fn make_room(
        &mut self,
        id: NodeId,
        own: Option<&Link>,
        parent: NodeId,
        name: &str,
        replace: bool,
    ) -> Answer<()> {
        let Some((existing, link)) = self.entry_and_link(parent, name) else {
            return Ok(());
        };
        // A rename can change the case of a name.
        if existing == id && own == Some(&link) {
            return Ok(());
        }
        let node = self.node(existing)?;
        if !replace {
            return Err(status::OBJECT_NAME_COLLISION.into());
        }
        if node.entries.is_some()
            || node.attributes & attribute::READ_ONLY != 0
            || self.is_open(|file| file.node == Some(existing) && file.link.as_ref() == Some(&link))
        {
            return Err(status::ACCESS_DENIED.into());
        }
        self.unlink(existing, &link);
        self.delete_if_unused(Some(existing), None);
        Ok(())
    }

    /// Returns whether a file is in a directory, at any depth.
    fn is_below(&self, node: Option<NodeId>, directory: NodeId) -> bool {
        let mut next = node;
        while let Some(id) = next {
            if id == directory {
                return true;
            }
            next = self
                .nodes
                .get(&id)
                .and_then(|node| node.links.first())
                .map(|(parent, _)| *parent);
        }
        false
    }
}
