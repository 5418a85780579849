//! Information about a volume.
//!
//! Documents: "`FS_INFORMATION_CLASS` enumeration (wdm.h)", "`FILE_FS_ATTRIBUTE_INFORMATION` structure (ntifs.h)".

use super::bytes::{Bytes, text, u32_at};
use super::name::LONGEST;
use super::stream::SECTOR;
use super::tree::{Answer, FileSystem, Refused};
use crate::vocabulary::file::volume_class;
use crate::vocabulary::status;

/// The sectors of an allocation unit.
const SECTORS_PER_UNIT: u32 = 8;

/// The size of a volume in allocation units: 256 MiB.
const UNITS: i64 = 1 << 16;

impl FileSystem {
    /// Returns information about the volume.
    ///
    /// # Errors
    ///
    /// `STATUS_INVALID_INFO_CLASS` if the class does not exist.
    pub fn query_volume(
        &self,
        class: u32,
        device_type: u32,
        characteristics: u32,
    ) -> Answer<Vec<u8>> {
        let unit = u64::from(SECTORS_PER_UNIT) * SECTOR;
        let used = self
            .streams
            .values()
            .map(|stream| (stream.disk.len() as u64).div_ceil(unit));
        let free = UNITS - used.sum::<u64>() as i64;
        let mut bytes = Bytes::default();
        match class {
            volume_class::VOLUME => {
                bytes.i64(self.time);
                bytes.u32(0x1234_5678);
                bytes.u32(self.label.encode_utf16().count() as u32 * 2);
                bytes.u8(u8::from(self.features.streams));
                bytes.u8(0);
                bytes.wide(&self.label);
            }
            volume_class::SIZE => {
                bytes.i64(UNITS);
                bytes.i64(free);
                bytes.u32(SECTORS_PER_UNIT);
                bytes.u32(SECTOR as u32);
            }
            volume_class::FULL_SIZE => {
                bytes.i64(UNITS);
                bytes.i64(free);
                bytes.i64(free);
                bytes.u32(SECTORS_PER_UNIT);
                bytes.u32(SECTOR as u32);
            }
            volume_class::DEVICE => {
                bytes.u32(device_type);
                bytes.u32(characteristics);
            }
            volume_class::ATTRIBUTE => {
                bytes.u32(self.features.attributes);
                bytes.u32(LONGEST as u32);
                bytes.u32(self.features.name.len() as u32 * 2);
                bytes.wide(self.features.name);
            }
            volume_class::SECTOR_SIZE => {
                for _ in 0..4 {
                    bytes.u32(SECTOR as u32);
                }
                bytes.u32(0x3); // SSINFO_FLAGS_ALIGNED_DEVICE, SSINFO_FLAGS_PARTITION_ALIGNED_ON_DEVICE
                bytes.u32(0);
                bytes.u32(0);
            }
            _ if (1..volume_class::COUNT).contains(&class) => {
                return Err(Refused::NotModelled(format!(
                    "a query of volume information class {class}"
                )));
            }
            _ => return Err(status::INVALID_INFO_CLASS.into()),
        }
        Ok(bytes.done())
    }

    /// Sets information of the volume.
    ///
    /// # Errors
    ///
    /// `STATUS_INVALID_INFO_CLASS` if the class does not exist.
    pub fn set_volume(&mut self, class: u32, data: &[u8]) -> Answer<()> {
        match class {
            volume_class::LABEL => {
                let length = u32_at(data, 0)? as usize;
                let name = data.get(4..4 + length).ok_or(status::INVALID_PARAMETER)?;
                self.label = text(name);
                Ok(())
            }
            _ if (1..volume_class::COUNT).contains(&class) => Err(Refused::NotModelled(format!(
                "a change of volume information class {class}"
            ))),
            _ => Err(status::INVALID_INFO_CLASS.into()),
        }
    }
}
