//! Structures of requests, in little-endian format.

use super::tree::Answer;
use crate::vocabulary::status;

/// A structure in little-endian format.
#[derive(Debug, Default)]
pub struct Bytes(Vec<u8>);

impl Bytes {
    pub fn u8(&mut self, value: u8) {
        self.0.push(value);
    }

    pub fn u32(&mut self, value: u32) {
        self.0.extend(value.to_le_bytes());
    }

    pub fn i64(&mut self, value: i64) {
        self.0.extend(value.to_le_bytes());
    }

    pub fn u64(&mut self, value: u64) {
        self.0.extend(value.to_le_bytes());
    }

    pub fn wide(&mut self, text: &str) {
        self.0
            .extend(text.encode_utf16().flat_map(u16::to_le_bytes));
    }

    pub fn align(&mut self, to: usize) {
        self.0.resize(self.0.len().next_multiple_of(to), 0);
    }

    pub fn extend(&mut self, bytes: &[u8]) {
        self.0.extend(bytes);
    }

    /// Sets `NextEntryOffset` of the previous entry.
    pub fn link(&mut self, previous: Option<usize>, begin: usize) {
        if let Some(previous) = previous {
            let distance = (begin - previous) as u32;
            self.0[previous..previous + 4].copy_from_slice(&distance.to_le_bytes());
        }
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn done(self) -> Vec<u8> {
        self.0
    }
}

/// Reads a number of a structure.
///
/// # Errors
///
/// `STATUS_INFO_LENGTH_MISMATCH` if the structure is too short.
pub fn u32_at(data: &[u8], at: usize) -> Answer<u32> {
    let bytes = data.get(at..).and_then(|rest| rest.first_chunk());
    bytes.map_or(Err(status::INFO_LENGTH_MISMATCH.into()), |bytes| {
        Ok(u32::from_le_bytes(*bytes))
    })
}

/// Reads a number of a structure, as [`u32_at`] does.
///
/// # Errors
///
/// `STATUS_INFO_LENGTH_MISMATCH` if the structure is too short.
pub fn i64_at(data: &[u8], at: usize) -> Answer<i64> {
    let bytes = data.get(at..).and_then(|rest| rest.first_chunk());
    bytes.map_or(Err(status::INFO_LENGTH_MISMATCH.into()), |bytes| {
        Ok(i64::from_le_bytes(*bytes))
    })
}

/// Converts UTF-16 in little-endian format.
pub fn text(bytes: &[u8]) -> String {
    let units: Vec<u16> = bytes
        .chunks_exact(2)
        .map(|pair| u16::from_le_bytes([pair[0], pair[1]]))
        .collect();
    String::from_utf16_lossy(&units)
}
