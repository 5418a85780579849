//! The data of a stream: on the volume, and in the cache.
//!
//! Documents: "`IRP_MJ_READ` (IFS)", "`IRP_MJ_WRITE` (IFS)", "File Caching", "`CcCopyRead` function (ntifs.h)".
//!
//! A cached request works on the pages of the cache. A page that is not there must be read from the volume first, by
//! paging I/O, which the filters see: the request then answers with [`Cached::Missing`] and is repeated. A request that
//! is not cached works on the volume. Dirty pages must be written before it.

use super::tree::{Answer, FileSystem, OpenId, Page, Refused, Stream, StreamId};
use crate::vocabulary::file::notify;
use crate::vocabulary::status;

/// The size of a page.
pub const PAGE: u64 = 4096;

/// The size of a sector.
pub const SECTOR: u64 = 512;

/// The size of the largest stream that the model stores.
const LARGEST: u64 = 64 << 20;

/// The result of a cached request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cached<T> {
    /// The request is complete.
    Done(T),
    /// These pages must be read first.
    Missing(Vec<u64>),
}

impl FileSystem {
    fn stream(&self, id: StreamId) -> Answer<&Stream> {
        let stream = self.streams.get(&id);
        stream.ok_or(status::FILE_DELETED.into())
    }

    fn stream_mut(&mut self, id: StreamId) -> Answer<&mut Stream> {
        let stream = self.streams.get_mut(&id);
        stream.ok_or(status::FILE_DELETED.into())
    }

    /// Returns the stream of an open file.
    ///
    /// # Errors
    ///
    /// `STATUS_INVALID_DEVICE_REQUEST` for a directory.
    pub fn data_of(&self, open: OpenId) -> Answer<StreamId> {
        let file = self.opens.get(&open).ok_or(status::FILE_CLOSED)?;
        match (file.stream, file.node) {
            (Some(stream), _) => Ok(stream),
            (None, Some(_)) => Err(status::INVALID_DEVICE_REQUEST.into()),
            (None, None) => Err(Refused::NotModelled(
                "a read or a write of the volume".to_owned(),
            )),
        }
    }

    /// Returns the end of file.
    #[must_use]
    pub fn size_of(&self, stream: StreamId) -> u64 {
        self.streams.get(&stream).map_or(0, |stream| stream.size)
    }

    /// Reads through the cache.
    ///
    /// # Errors
    ///
    /// `STATUS_END_OF_FILE` if the offset is not before the end of the file.
    pub fn read_cached(
        &mut self,
        stream: StreamId,
        offset: u64,
        length: u64,
    ) -> Answer<Cached<Vec<u8>>> {
        let data = self.stream(stream)?;
        if length == 0 {
            return Ok(Cached::Done(Vec::new()));
        }
        let end = data.size.min(offset.saturating_add(length));
        if offset >= data.size {
            return Err(status::END_OF_FILE.into());
        }
        let missing = missing(data, offset, end, |_| true);
        if !missing.is_empty() {
            return Ok(Cached::Missing(missing));
        }
        let mut bytes = Vec::new();
        let mut at = offset;
        while at < end {
            let next = end.min((at / PAGE + 1) * PAGE);
            let within = (at % PAGE) as usize..(at % PAGE + (next - at)) as usize;
            if let Some(page) = data.pages.get(&(at / PAGE)) {
                bytes.extend(&page.bytes[within]);
            }
            at = next;
        }
        Ok(Cached::Done(bytes))
    }

    /// Writes through the cache. A write past the end of file extends the file.
    ///
    /// # Errors
    ///
    /// `STATUS_DISK_FULL` if the file would exceed the limit of the file system.
    pub fn write_cached(
        &mut self,
        stream: StreamId,
        offset: u64,
        bytes: &[u8],
    ) -> Answer<Cached<()>> {
        let data = self.stream(stream)?;
        if bytes.is_empty() {
            return Ok(Cached::Done(()));
        }
        let end = offset.saturating_add(bytes.len() as u64);
        self.check_size(end.max(data.size))?;
        // A page that is not written whole keeps its other bytes, unless it is past the data on the volume.
        let missing = missing(data, offset, end, |page| {
            let (begin, next) = (page * PAGE, (page + 1) * PAGE);
            begin < data.size && (offset > begin || end < next.min(data.size))
        });
        if !missing.is_empty() {
            return Ok(Cached::Missing(missing));
        }
        let data = self.stream_mut(stream)?;
        for (at, byte) in (offset..).zip(bytes) {
            let page = data.pages.entry(at / PAGE).or_insert_with(Page::empty);
            page.bytes[(at % PAGE) as usize] = *byte;
            page.dirty = true;
        }
        if end > data.size {
            data.size = end;
            self.changed(stream, notify::SIZE | notify::LAST_WRITE);
        } else {
            self.changed(stream, notify::LAST_WRITE);
        }
        Ok(Cached::Done(()))
    }

    /// Stores a page that was read by paging I/O.
    pub fn fill_page(&mut self, stream: StreamId, page: u64, bytes: &[u8]) {
        if let Some(data) = self.streams.get_mut(&stream) {
            let mut whole = Page::empty();
            let length = bytes.len().min(whole.bytes.len());
            whole.bytes[..length].copy_from_slice(&bytes[..length]);
            data.pages.insert(page, whole);
        }
    }

    /// Returns the dirty pages, in order.
    #[must_use]
    pub fn dirty_pages(&self, stream: StreamId) -> Vec<u64> {
        let pages = self
            .streams
            .get(&stream)
            .into_iter()
            .flat_map(|data| &data.pages);
        pages
            .filter(|(_, page)| page.dirty)
            .map(|(at, _)| *at)
            .collect()
    }

    /// Returns the content of a dirty page up to the end of file, and marks it as written.
    #[must_use]
    pub fn take_dirty(&mut self, stream: StreamId, page: u64) -> Option<Vec<u8>> {
        let data = self.streams.get_mut(&stream)?;
        let size = data.size;
        let dirty = data.pages.get_mut(&page)?;
        dirty.dirty = false;
        let length = PAGE.min(size.checked_sub(page * PAGE)?) as usize;
        // Paging writes consist of whole sectors.
        let length = length.next_multiple_of(SECTOR as usize);
        Some(dirty.bytes[..length].to_vec())
    }

    /// Marks pages as dirty whose paging write failed.
    pub fn mark_dirty(&mut self, stream: StreamId, begin: u64, count: u64) {
        if let Some(data) = self.streams.get_mut(&stream) {
            for (_, page) in data.pages.range_mut(begin..begin + count) {
                page.dirty = true;
            }
        }
    }

    /// Returns the pages of a range that are not in the cache.
    #[must_use]
    pub fn missing_pages(&self, stream: StreamId, offset: u64, length: u64) -> Vec<u64> {
        let data = self.streams.get(&stream);
        data.map_or_else(Vec::new, |data| {
            missing(data, offset, offset + length, |_| true)
        })
    }

    /// Returns bytes of a view, whose pages are in the cache. A view ends with a whole page.
    #[must_use]
    pub fn view(&self, stream: StreamId, offset: u64, length: u64) -> Vec<u8> {
        let pages = self.streams.get(&stream).map(|data| &data.pages);
        let byte = |at: u64| {
            let page = pages.and_then(|pages| pages.get(&(at / PAGE)));
            page.map_or(0, |page| page.bytes[(at % PAGE) as usize])
        };
        (offset..offset + length).map(byte).collect()
    }

    /// Writes to a view, whose pages are in the cache. It does not change the end of file.
    pub fn write_to_view(&mut self, stream: StreamId, offset: u64, bytes: &[u8]) {
        let Some(data) = self.streams.get_mut(&stream) else {
            return;
        };
        for (at, byte) in (offset..).zip(bytes) {
            if let Some(page) = data.pages.get_mut(&(at / PAGE)) {
                page.bytes[(at % PAGE) as usize] = *byte;
                page.dirty = true;
            }
        }
        data.mapped_changes = true;
    }

    /// Returns whether a view was written since the last call.
    pub fn take_mapped_changes(&mut self, stream: StreamId) -> bool {
        let data = self.streams.get_mut(&stream);
        data.is_some_and(|data| std::mem::take(&mut data.mapped_changes))
    }

    /// Reads from the volume.
    ///
    /// # Errors
    ///
    /// `STATUS_END_OF_FILE` if the offset is not before the end of the file.
    pub fn read_disk(&self, stream: StreamId, offset: u64, length: u64) -> Answer<Vec<u8>> {
        let data = self.stream(stream)?;
        if length == 0 {
            return Ok(Vec::new());
        }
        if offset >= data.size {
            return Err(status::END_OF_FILE.into());
        }
        let end = data.size.min(offset.saturating_add(length));
        let stored = data.disk.iter().copied().skip(offset as usize);
        let zeroes = stored.chain(std::iter::repeat(0));
        Ok(zeroes.take((end - offset) as usize).collect())
    }

    /// Writes to the volume. Paging I/O does not change the end of file; its data past the end is discarded.
    ///
    /// # Errors
    ///
    /// `STATUS_DISK_FULL` if the file would exceed the limit of the file system.
    pub fn write_disk(
        &mut self,
        stream: StreamId,
        offset: u64,
        bytes: &[u8],
        paging: bool,
    ) -> Answer<()> {
        let size = self.stream(stream)?.size;
        if bytes.is_empty() {
            return Ok(());
        }
        let end = offset.saturating_add(bytes.len() as u64);
        let end = if paging { end.min(size) } else { end };
        self.check_size(end)?;
        let data = self.stream_mut(stream)?;
        if offset >= end {
            return Ok(());
        }
        if data.disk.len() < end as usize {
            data.disk.resize(end as usize, 0);
        }
        let length = (end - offset) as usize;
        data.disk[offset as usize..end as usize].copy_from_slice(&bytes[..length]);
        if paging {
            return Ok(());
        }
        data.size = size.max(end);
        data.pages
            .retain(|page, _| (page + 1) * PAGE <= offset || page * PAGE >= end);
        self.changed(
            stream,
            if end > size {
                notify::SIZE | notify::LAST_WRITE
            } else {
                notify::LAST_WRITE
            },
        );
        Ok(())
    }

    /// Sets the end of file.
    ///
    /// # Errors
    ///
    /// `STATUS_USER_MAPPED_FILE` if a mapped file would be truncated.
    pub fn resize(&mut self, stream: StreamId, size: u64) -> Answer<()> {
        self.check_size(size)?;
        let data = self.stream_mut(stream)?;
        if size < data.size && data.sections != 0 {
            return Err(status::USER_MAPPED_FILE.into());
        }
        data.disk.truncate(size as usize);
        data.size = size;
        data.pages.retain(|page, _| page * PAGE < size);
        if let Some(page) = data.pages.get_mut(&(size / PAGE)) {
            page.bytes[(size % PAGE) as usize..].fill(0);
        }
        self.changed(stream, notify::SIZE);
        Ok(())
    }

    /// Maps a stream.
    ///
    /// # Errors
    ///
    /// `STATUS_MAPPED_FILE_SIZE_ZERO` if the stream is empty.
    pub fn map(&mut self, stream: StreamId) -> Answer<()> {
        let data = self.stream_mut(stream)?;
        if data.size == 0 {
            return Err(status::MAPPED_FILE_SIZE_ZERO.into());
        }
        data.sections += 1;
        Ok(())
    }

    /// Unmaps a stream.
    pub fn unmap(&mut self, stream: StreamId) {
        if let Some(data) = self.streams.get_mut(&stream) {
            data.sections -= 1;
        }
    }

    fn check_size(&self, size: u64) -> Answer<()> {
        if size > self.features.largest {
            return Err(status::DISK_FULL.into());
        }
        if size > LARGEST {
            return Err(Refused::NotModelled(format!(
                "a file of more than {} MiB",
                LARGEST >> 20
            )));
        }
        Ok(())
    }

    /// Records a change of a stream in the times of its file, and reports it.
    fn changed(&mut self, stream: StreamId, what: u32) {
        let time = self.time;
        let Some(id) = self.streams.get(&stream).and_then(|stream| stream.node) else {
            return;
        };
        if let Some(node) = self.nodes.get_mut(&id) {
            node.times.write = time;
            node.times.change = time;
        }
        self.report_change(id, what);
    }
}

impl Page {
    fn empty() -> Self {
        Page {
            bytes: vec![0; PAGE as usize],
            dirty: false,
        }
    }
}

/// Returns the pages of a range that are not in the cache and for which the condition holds.
fn missing(data: &Stream, begin: u64, end: u64, needed: impl Fn(u64) -> bool) -> Vec<u64> {
    if begin >= end {
        return Vec::new();
    }
    let pages = begin / PAGE..=(end - 1) / PAGE;
    pages
        .filter(|page| !data.pages.contains_key(page) && needed(*page))
        .collect()
}
