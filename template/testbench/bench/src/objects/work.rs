//! Queued work: work items, timers and callback data queues.

use crate::trace::Callback;

/// The queued work.
#[derive(Debug, Clone, Default)]
pub struct Work {
    /// The queued items, in order.
    pub queue: Vec<Item>,
    /// Operations whose post-operation processing was completed later.
    pub completed: Vec<u64>,
    /// The operations for which `FltDoCompletionProcessingWhenSafe` stored a status, which the callback returns.
    pub answers: Vec<(u64, u32)>,
    /// The operations that were queued, so that the callback pends them.
    pub posted: Vec<u64>,
    /// The callback data queues.
    pub queues: Vec<Queue>,
}

/// A callback data queue: its address and the queue routines of the driver.
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
    /// Insertion of operations is enabled.
    pub enabled: bool,
}

/// A routine that is called later.
#[derive(Debug, Clone)]
pub struct Item {
    /// The kind of routine.
    pub callback: Callback,
    /// The address of the routine.
    pub routine: u64,
    /// The arguments.
    pub arguments: [u64; 4],
    /// The IRQL.
    pub irql: u8,
    /// The item holds a reference to the filter or a device until its routine has run.
    pub holds_back: bool,
    /// The address that identifies the item.
    pub key: u64,
    /// The time at which a timer of a test expires. Other items have none.
    pub due: Option<i64>,
    /// The period of a timer of a test in units of 100 ns, or 0.
    pub period: i64,
}
