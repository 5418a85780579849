//! Extended attributes.
//!
//! Documents: "`IRP_MJ_QUERY_EA` (IFS)", "`IRP_MJ_SET_EA` (IFS)", "`FILE_FULL_EA_INFORMATION` structure (wdm.h)".

use super::bytes::{Bytes, u32_at};
use super::tree::{Answer, FileSystem, OpenId};
use crate::vocabulary::status;

/// The size of a `FILE_FULL_EA_INFORMATION` before the name.
const HEADER: usize = 8;

impl FileSystem {
    /// Returns the extended attributes of a file.
    ///
    /// # Errors
    ///
    /// `STATUS_NO_EAS_ON_FILE` if there are none, `STATUS_EAS_NOT_SUPPORTED` if the file system has none.
    pub fn attributes_of(&self, open: OpenId) -> Answer<Vec<u8>> {
        if !self.features.extended {
            return Err(status::EAS_NOT_SUPPORTED.into());
        }
        let node = self.node(self.node_of(open)?)?;
        if node.extended.is_empty() {
            return Err(status::NO_EAS_ON_FILE.into());
        }
        let mut bytes = Bytes::default();
        let mut previous = None;
        for (name, flags, value) in &node.extended {
            bytes.align(4);
            bytes.link(previous, bytes.len());
            previous = Some(bytes.len());
            bytes.u32(0);
            bytes.u8(*flags);
            bytes.u8(name.len() as u8);
            bytes.extend(&(value.len() as u16).to_le_bytes());
            bytes.extend(name);
            bytes.u8(0);
            bytes.extend(value);
        }
        Ok(bytes.done())
    }

    /// Sets extended attributes of a file. One without a value is deleted.
    ///
    /// # Errors
    ///
    /// `STATUS_INFO_LENGTH_MISMATCH` if the list is not complete, `STATUS_EAS_NOT_SUPPORTED` if the file system has no
    /// extended attributes.
    pub fn set_attributes_of(&mut self, open: OpenId, list: &[u8]) -> Answer<()> {
        if !self.features.extended {
            return Err(status::EAS_NOT_SUPPORTED.into());
        }
        let id = self.node_of(open)?;
        let mut given = Vec::new();
        let mut rest = list;
        loop {
            let next = u32_at(rest, 0)? as usize;
            let sizes = u32_at(rest, 4)?.to_le_bytes();
            let (flags, name) = (sizes[0], usize::from(sizes[1]));
            let value = usize::from(u16::from_le_bytes([sizes[2], sizes[3]]));
            let end = HEADER + name + 1;
            let text = rest.get(HEADER..end - 1);
            let (Some(text), Some(value)) = (text, rest.get(end..end + value)) else {
                return Err(status::INFO_LENGTH_MISMATCH.into());
            };
            given.push((text.to_ascii_uppercase(), flags, value.to_vec()));
            match rest.get(next..) {
                Some(more) if next != 0 => rest = more,
                _ => break,
            }
        }
        let extended = &mut self.node_mut(id)?.extended;
        for attribute in given {
            extended.retain(|(name, ..)| *name != attribute.0);
            if !attribute.2.is_empty() {
                extended.push(attribute);
            }
        }
        Ok(())
    }
}
