//! Work that is queued: work items, timers, operations in callback data queues.

use crate::trace::Callback;

/// What is queued.
#[derive(Debug, Clone, Default)]
pub struct Work {
    /// What is queued, in its order.
    pub queue: Vec<Item>,
    /// Operations whose post-operation callback was completed later.
    pub completed: Vec<u64>,
    /// The callback data queues.
    pub queues: Vec<Queue>,
}

/// A callback data queue: its address and the driver's routines for it.
#[derive(Debug, Clone, Copy)]
pub struct Queue {
    /// Its address.
    pub address: u64,
    /// `CbdqInsertIo`.
    pub insert: u64,
    /// `CbdqRemoveIo`.
    pub remove: u64,
    /// `CbdqPeekNextIo`.
    pub peek: u64,
    /// `CbdqAcquire`.
    pub acquire: u64,
    /// `CbdqRelease`.
    pub release: u64,
    /// Operations can be inserted.
    pub enabled: bool,
}

/// A routine that is called later.
#[derive(Debug, Clone)]
pub struct Item {
    /// What the routine is.
    pub callback: Callback,
    /// The driver's routine.
    pub routine: u64,
    /// Its arguments.
    pub arguments: [u64; 4],
    /// Its IRQL.
    pub irql: u8,
    /// The filter or a device is kept until this ran.
    pub holds_back: bool,
    /// The structure, to find it again.
    pub key: u64,
}
