//! Byte-range locks.
//!
//! Documents: "`IRP_MJ_LOCK_CONTROL` (IFS)", "`FsRtlProcessFileLock` function (ntifs.h)".

use super::tree::{Answer, FileSystem, Lock, OpenId, Range, StreamId, Waiting};
use crate::vocabulary::status;

impl Range {
    fn overlaps(&self, offset: u64, length: u64) -> bool {
        let (end, other) = (
            self.offset.saturating_add(self.length),
            offset.saturating_add(length),
        );
        self.offset < other && offset < end
    }
}

impl Lock {
    /// Returns whether a process owns the lock through this handle.
    fn is_of(&self, open: OpenId, process: u64) -> bool {
        self.open == open && self.range.process == process
    }
}

impl FileSystem {
    /// Locks a range. If it is not free, the request fails, or waits if it has a ticket. Returns whether the lock was
    /// granted.
    ///
    /// # Errors
    ///
    /// `STATUS_LOCK_NOT_GRANTED` if the range is not free and the request does not wait.
    pub fn lock(&mut self, open: OpenId, range: Range, ticket: Option<u64>) -> Answer<bool> {
        let stream = self.data_of(open)?;
        if range.length != 0 && range.offset.checked_add(range.length - 1).is_none() {
            return Err(status::INVALID_LOCK_RANGE.into());
        }
        if self.grant(stream, open, range) {
            return Ok(true);
        }
        let Some(ticket) = ticket else {
            return Err(status::LOCK_NOT_GRANTED.into());
        };
        self.lock_waits.push(Waiting {
            ticket,
            stream,
            range,
            open,
        });
        Ok(false)
    }

    /// Unlocks a range, which must be exactly one that is locked.
    ///
    /// # Errors
    ///
    /// `STATUS_RANGE_NOT_LOCKED` if the process has no such lock.
    pub fn unlock(&mut self, open: OpenId, range: Range) -> Answer<()> {
        let stream = self.data_of(open)?;
        let locks = self
            .streams
            .get_mut(&stream)
            .map(|stream| &mut stream.locks);
        let locks = locks.ok_or(status::FILE_DELETED)?;
        let is_same = |lock: &Lock| {
            let known = lock.range;
            lock.is_of(open, range.process)
                && (known.offset, known.length, known.key)
                    == (range.offset, range.length, range.key)
        };
        let at = locks
            .iter()
            .position(is_same)
            .ok_or(status::RANGE_NOT_LOCKED)?;
        locks.remove(at);
        self.retry_locks();
        Ok(())
    }

    /// Releases the locks of a process on a handle, those with a key only if a key is given.
    ///
    /// # Errors
    ///
    /// `STATUS_INVALID_DEVICE_REQUEST` for a directory.
    pub fn unlock_process(&mut self, open: OpenId, process: u64, key: Option<u32>) -> Answer<()> {
        let stream = self.data_of(open)?;
        if let Some(stream) = self.streams.get_mut(&stream) {
            stream.locks.retain(|lock| {
                !lock.is_of(open, process) || key.is_some_and(|key| lock.range.key != key)
            });
        }
        self.retry_locks();
        Ok(())
    }

    /// Checks that no lock of another owner prevents a read or a write.
    ///
    /// # Errors
    ///
    /// `STATUS_FILE_LOCK_CONFLICT` if one does.
    pub fn check_locks(
        &self,
        open: OpenId,
        process: u64,
        offset: u64,
        length: u64,
        write: bool,
    ) -> Answer<()> {
        let stream = self.data_of(open)?;
        let locks = self
            .streams
            .get(&stream)
            .into_iter()
            .flat_map(|stream| &stream.locks);
        let prevents = |lock: &Lock| {
            lock.range.overlaps(offset, length)
                && if lock.range.exclusive {
                    !lock.is_of(open, process)
                } else {
                    write
                }
        };
        if locks.into_iter().any(prevents) {
            return Err(status::FILE_LOCK_CONFLICT.into());
        }
        Ok(())
    }

    fn grant(&mut self, stream: StreamId, open: OpenId, range: Range) -> bool {
        let Some(stream) = self.streams.get_mut(&stream) else {
            return false;
        };
        let conflicts = |lock: &Lock| {
            let exclusive = range.exclusive || lock.range.exclusive;
            exclusive && lock.range.overlaps(range.offset, range.length)
        };
        if stream.locks.iter().any(conflicts) {
            return false;
        }
        stream.locks.push(Lock { range, open });
        true
    }

    pub(super) fn unlock_all(&mut self, open: OpenId) {
        for stream in self.streams.values_mut() {
            stream.locks.retain(|lock| lock.open != open);
        }
        let waits = std::mem::take(&mut self.lock_waits);
        let (gone, kept): (Vec<_>, Vec<_>) = waits.into_iter().partition(|wait| wait.open == open);
        self.lock_waits = kept;
        for wait in gone {
            self.complete(wait.ticket, status::RANGE_NOT_LOCKED, Vec::new());
        }
        self.retry_locks();
    }

    /// Grants the locks that became free, in the order of the requests.
    fn retry_locks(&mut self) {
        for wait in std::mem::take(&mut self.lock_waits) {
            if self.grant(wait.stream, wait.open, wait.range) {
                self.complete(wait.ticket, status::SUCCESS, Vec::new());
            } else {
                self.lock_waits.push(wait);
            }
        }
    }
}
