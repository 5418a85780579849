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
    /// The lock is held exclusively.
    pub exclusive: bool,
    /// The IRQL before the lock was acquired.
    pub irql: u8,
}
