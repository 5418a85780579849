//! Closes and deletes files.
//!
//! Documents: "`IRP_MJ_CLEANUP` (IFS)", "`IRP_MJ_CLOSE` (IFS)", "`FILE_DISPOSITION_INFORMATION` structure (ntddk.h)".

use super::directory::Action;
use super::tree::{FileSystem, Link, NodeId, OpenId, ROOT, StreamId};
use crate::vocabulary::file::{attribute, option};
use crate::vocabulary::status;

impl FileSystem {
    /// Closes the last handle of an open file: releases its locks, completes its notifications, and deletes the file if
    /// that was requested.
    pub fn clean_up(&mut self, open: OpenId) {
        let Some(file) = self.opens.get_mut(&open).filter(|file| !file.cleaned_up) else {
            return;
        };
        file.cleaned_up = true;
        let (node, stream, options) = (file.node, file.stream, file.options);
        let posix_delete = file.posix_delete;
        let link = self.link_of(open);
        for watch in self.remove_watches(open) {
            self.complete(watch, status::NOTIFY_CLEANUP, Vec::new());
        }
        self.unlock_all(open);
        if options & option::DELETE_ON_CLOSE != 0 && self.can_be_deleted(node, stream) {
            self.mark_for_deletion(node, link.as_ref(), stream);
        }
        if let (Some(node), Some(link), true) = (node, &link, posix_delete) {
            self.unlink(node, link);
        }
        self.delete_if_unused(node, stream);
    }

    /// Returns whether a file that is opened with `FILE_DELETE_ON_CLOSE` is deleted when it is closed.
    fn can_be_deleted(&self, node: Option<NodeId>, stream: Option<StreamId>) -> bool {
        let Some(file) = node.and_then(|id| self.nodes.get(&id)) else {
            return false;
        };
        let is_empty = file.entries.as_ref().is_none_or(Vec::is_empty);
        let is_writable = file.attributes & attribute::READ_ONLY == 0;
        node != Some(ROOT) && is_writable && (stream.is_some() || is_empty)
    }

    /// Closes an open file whose handles were closed.
    pub fn close(&mut self, open: OpenId) {
        self.opens.remove(&open);
    }

    pub(super) fn mark_for_deletion(
        &mut self,
        node: Option<NodeId>,
        link: Option<&Link>,
        stream: Option<StreamId>,
    ) {
        let Some(node) = node.and_then(|id| self.nodes.get_mut(&id)) else {
            return;
        };
        let named = node
            .streams
            .iter()
            .any(|(name, known)| Some(*known) == stream && !name.is_empty());
        if !named {
            node.delete_pending = link.cloned();
        } else if let Some(stream) = stream.and_then(|id| self.streams.get_mut(&id)) {
            stream.delete_pending = true;
        }
    }

    /// Deletes a file or a stream that is marked for deletion and has no open handle.
    pub(super) fn delete_if_unused(&mut self, node: Option<NodeId>, stream: Option<StreamId>) {
        let Some(id) = node else { return };
        if let Some(stream) = stream
            && self
                .streams
                .get(&stream)
                .is_some_and(|stream| stream.delete_pending)
            && !self.is_open(|file| file.stream == Some(stream))
            && let Some(node) = self.nodes.get_mut(&id)
        {
            node.streams.retain(|(_, known)| *known != stream);
            self.discard_data(stream);
        }
        let node = self.nodes.get(&id);
        let is_empty = node.is_some_and(|it| it.entries.as_ref().is_none_or(Vec::is_empty));
        if let Some(link) = node.and_then(|node| node.delete_pending.clone())
            && is_empty
            && !self.is_open(|file| file.node == Some(id) && file.link.as_ref() == Some(&link))
        {
            self.unlink(id, &link);
        }
        let node = self.nodes.get(&id).filter(|_| id != ROOT);
        if let Some(node) = node.filter(|node| node.links.is_empty())
            && !self.is_open(|file| file.node == Some(id))
        {
            for stream in node.streams.iter().map(|(_, id)| *id).collect::<Vec<_>>() {
                self.discard_data(stream);
            }
        }
    }

    /// Frees the data of a deleted stream. Its pages in the cache are not written.
    pub(super) fn discard_data(&mut self, stream: StreamId) {
        if let Some(data) = self.streams.get_mut(&stream).filter(|it| it.sections == 0) {
            data.disk = Vec::new();
            data.pages.clear();
            data.size = 0;
            data.mapped_changes = false;
        }
    }

    /// Removes a link of a file.
    pub(super) fn unlink(&mut self, id: NodeId, link: &Link) {
        let (parent, name) = link;
        let Some(node) = self.nodes.get_mut(&id) else {
            return;
        };
        let is_directory = node.entries.is_some();
        node.delete_pending.take_if(|pending| pending == link);
        node.links.retain(|known| known != link);
        let remains = node.links.iter().any(|(known, _)| known == parent);
        let directory = self.nodes.get_mut(parent);
        if let Some(entries) = directory
            .and_then(|it| it.entries.as_mut())
            .filter(|_| !remains)
        {
            entries.retain(|entry| *entry != id);
        }
        self.report(*parent, name, Action::Removed { is_directory });
    }

    /// Adds a link to a file.
    pub(super) fn add_link(&mut self, id: NodeId, link: Link) {
        let directory = self.nodes.get_mut(&link.0);
        if let Some(entries) = directory.and_then(|directory| directory.entries.as_mut())
            && !entries.contains(&id)
        {
            entries.push(id);
        }
        if let Some(node) = self.nodes.get_mut(&id) {
            node.links.push(link);
        }
    }
}
