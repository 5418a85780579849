//! Closes and deletes files.
//!
//! Documents: "`IRP_MJ_CLEANUP` (IFS)", "`IRP_MJ_CLOSE` (IFS)", "`FILE_DISPOSITION_INFORMATION` structure (ntddk.h)".

use super::directory::Action;
use super::tree::{FileSystem, NodeId, OpenId, StreamId};
use crate::vocabulary::file::option;
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
        for watch in self.remove_watches(open) {
            self.complete(watch, status::NOTIFY_CLEANUP, Vec::new());
        }
        self.unlock_all(open);
        if options & option::DELETE_ON_CLOSE != 0 {
            self.mark_for_deletion(node, stream);
        }
        if let Some(node) = node.filter(|_| posix_delete) {
            self.unlink_all(node);
        }
        self.delete_if_unused(node, stream);
    }

    /// Closes an open file whose handles were closed.
    pub fn close(&mut self, open: OpenId) {
        self.opens.remove(&open);
    }

    pub(super) fn mark_for_deletion(&mut self, node: Option<NodeId>, stream: Option<StreamId>) {
        let Some(node) = node.and_then(|id| self.nodes.get_mut(&id)) else {
            return;
        };
        let named = node
            .streams
            .iter()
            .any(|(name, known)| Some(*known) == stream && !name.is_empty());
        if !named {
            node.delete_pending = true;
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
        }
        let pending = self.nodes.get(&id).is_some_and(|node| node.delete_pending);
        if pending && !self.is_open(|file| file.node == Some(id)) {
            self.unlink_all(id);
        }
    }

    /// Removes a file from its directories.
    pub(super) fn unlink_all(&mut self, id: NodeId) {
        let Some(node) = self.nodes.get_mut(&id) else {
            return;
        };
        let is_directory = node.entries.is_some();
        let links = std::mem::take(&mut node.links);
        for (parent, name) in links {
            if let Some(entries) = self
                .nodes
                .get_mut(&parent)
                .and_then(|parent| parent.entries.as_mut())
            {
                entries.retain(|entry| *entry != id);
            }
            self.report(parent, &name, Action::Removed { is_directory });
        }
    }
}
