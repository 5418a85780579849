//! Locks that are held.

/// The locks that are held.
#[derive(Debug, Clone, Default)]
pub struct Locks {
    /// The locks that are held.
    pub held: Vec<Lock>,
    /// The ERESOURCEs that are initialized.
    pub resources: Vec<u64>,
}

/// A lock that is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lock {
    /// Its address.
    pub address: u64,
    /// The thread that holds it.
    pub thread: u32,
    /// The kind of lock.
    pub kind: &'static str,
    /// The lock is held exclusively.
    pub exclusive: bool,
    /// The IRQL before the lock was acquired.
    pub irql: u8,
}

impl Locks {
    /// Returns the locks that a thread holds, in the order of acquisition.
    pub fn of(&self, thread: u32) -> impl Iterator<Item = &Lock> {
        self.held.iter().filter(move |lock| lock.thread == thread)
    }
}
