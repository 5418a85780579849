//! Information about a file.
//!
//! Documents: "`IRP_MJ_QUERY_INFORMATION` (IFS)", "`FILE_INFORMATION_CLASS` enumeration (wdm.h)" and the pages of the
//! structures.

use super::bytes::Bytes;
use super::stream::PAGE;
use super::tree::{Answer, FileSystem, Node, OpenId, Refused};
use crate::vocabulary::file::{attribute, class};
use crate::vocabulary::status;

/// The size of the structure of a class without a name, or `None` if the class cannot be queried.
#[must_use]
pub fn fixed_size(class: u32) -> Option<usize> {
    Some(match class {
        class::BASIC => 40,
        class::INTERNAL | class::POSITION | class::ATTRIBUTE_TAG => 8,
        class::EA
        | class::ACCESS
        | class::MODE
        | class::ALIGNMENT
        | class::NAME
        | class::NORMALIZED_NAME => 4,
        class::ALL => 100,
        class::NETWORK_OPEN => 56,
        class::STANDARD | class::STREAM => 24,
        _ => return None,
    })
}

impl FileSystem {
    /// Returns information about a file. The position is that of the file object.
    ///
    /// # Errors
    ///
    /// `STATUS_INVALID_INFO_CLASS` if the class does not exist or is that of a directory.
    pub fn query(&self, open: OpenId, class: u32, position: u64) -> Answer<Vec<u8>> {
        let id = self.node_of(open)?;
        let node = self.node(id)?;
        let file = self.opens.get(&open).ok_or(status::FILE_CLOSED)?;
        let mut bytes = Bytes::default();
        match class {
            class::BASIC => basic(&mut bytes, node),
            class::STANDARD => self.standard(&mut bytes, node, open),
            class::INTERNAL => bytes.u64(id.0),
            class::EA | class::ALIGNMENT => bytes.u32(0),
            class::ACCESS => bytes.u32(file.access),
            class::MODE => bytes.u32(file.options & 0x103E),
            class::POSITION => bytes.u64(position),
            class::NAME | class::NORMALIZED_NAME => named(&mut bytes, &self.queried_path(open)?),
            class::ATTRIBUTE_TAG | class::STREAM if !self.features.streams => {
                return Err(status::INVALID_PARAMETER.into());
            }
            class::ATTRIBUTE_TAG => {
                bytes.u32(node.visible_attributes());
                bytes.u32(0);
            }
            class::NETWORK_OPEN => {
                times(&mut bytes, node);
                let (allocation, size) = self.sizes(node, open);
                bytes.u64(allocation);
                bytes.u64(size);
                bytes.u32(node.visible_attributes());
                bytes.u32(0);
            }
            class::ALL => {
                basic(&mut bytes, node);
                self.standard(&mut bytes, node, open);
                bytes.u64(id.0);
                bytes.u32(0);
                bytes.u32(file.access);
                bytes.u64(position);
                bytes.u32(file.options & 0x103E);
                bytes.u32(0);
                named(&mut bytes, &self.queried_path(open)?);
            }
            class::STREAM => self.stream_list(&mut bytes, node),
            class::DIRECTORY..=class::BOTH_DIRECTORY
            | class::RENAME..=class::DISPOSITION
            | class::ALLOCATION
            | class::END_OF_FILE
            | class::ID_BOTH_DIRECTORY..=class::VALID_DATA_LENGTH => {
                return Err(status::INVALID_INFO_CLASS.into());
            }
            _ if (1..class::COUNT).contains(&class) => {
                return Err(Refused::NotModelled(format!(
                    "a query of file information class {class}"
                )));
            }
            _ => return Err(status::INVALID_INFO_CLASS.into()),
        }
        Ok(bytes.done())
    }

    fn queried_path(&self, open: OpenId) -> Answer<String> {
        self.path_of(open).ok_or(status::FILE_DELETED.into())
    }

    fn standard(&self, bytes: &mut Bytes, node: &Node, open: OpenId) {
        let (allocation, size) = self.sizes(node, open);
        bytes.u64(allocation);
        bytes.u64(size);
        bytes.u32(
            (node.links.len() as u32).saturating_sub(u32::from(node.delete_pending.is_some())),
        );
        bytes.u8(u8::from(node.delete_pending.is_some()));
        bytes.u8(u8::from(self.is_directory(open)));
        bytes.align(8);
    }

    /// Returns the allocation size and the end of file of an open stream.
    fn sizes(&self, node: &Node, open: OpenId) -> (u64, u64) {
        let data = node.streams.iter().find(|(name, _)| name.is_empty());
        let stream = self.stream_of(open).or(data.map(|(_, stream)| *stream));
        let size = stream.map_or(0, |stream| self.size_of(stream));
        (size.next_multiple_of(PAGE), size)
    }

    fn stream_list(&self, bytes: &mut Bytes, node: &Node) {
        let last = node.streams.len().saturating_sub(1);
        for (at, (name, stream)) in node.streams.iter().enumerate() {
            let name = format!(":{name}:$DATA");
            let length = name.encode_utf16().count() * 2;
            let size = self.size_of(*stream);
            let next = (24 + length).next_multiple_of(8);
            bytes.u32(if at == last { 0 } else { next as u32 });
            bytes.u32(length as u32);
            bytes.u64(size);
            bytes.u64(size.next_multiple_of(PAGE));
            bytes.wide(&name);
            if at != last {
                bytes.align(8);
            }
        }
    }

    /// Returns the security descriptor, which is empty if none was set.
    ///
    /// # Errors
    ///
    /// `STATUS_INVALID_DEVICE_REQUEST` if the file system has no security descriptors.
    pub fn security(&self, open: OpenId) -> Answer<&[u8]> {
        if !self.features.security {
            return Err(status::INVALID_DEVICE_REQUEST.into());
        }
        Ok(&self.node(self.node_of(open)?)?.security)
    }

    /// Sets the security descriptor.
    ///
    /// # Errors
    ///
    /// As for [`FileSystem::security`].
    pub fn set_security(&mut self, open: OpenId, descriptor: Vec<u8>) -> Answer<()> {
        self.security(open)?;
        let id = self.node_of(open)?;
        self.node_mut(id)?.security = descriptor;
        Ok(())
    }
}

impl Node {
    /// Returns the attributes. A file without any has `FILE_ATTRIBUTE_NORMAL`.
    pub(super) fn visible_attributes(&self) -> u32 {
        match self.attributes & !attribute::NORMAL {
            0 => attribute::NORMAL,
            attributes => attributes,
        }
    }
}

fn times(bytes: &mut Bytes, node: &Node) {
    let times = node.times;
    for time in [times.creation, times.access, times.write, times.change] {
        bytes.i64(time);
    }
}

fn basic(bytes: &mut Bytes, node: &Node) {
    times(bytes, node);
    bytes.u32(node.visible_attributes());
    bytes.u32(0);
}

fn named(bytes: &mut Bytes, name: &str) {
    bytes.u32(name.encode_utf16().count() as u32 * 2);
    bytes.wide(name);
}
