//! File name information.

/// The allocated file name information.
#[derive(Debug, Clone, Default)]
pub struct Names {
    /// Each that is not freed.
    pub live: Vec<Name>,
    /// The operations in whose post-operation callbacks `FltGetTunneledName` was called.
    pub tunneled: Vec<u64>,
}

/// File name information.
#[derive(Debug, Clone)]
pub struct Name {
    /// Its address.
    pub address: u64,
    /// The number of references.
    pub references: u32,
    /// Its content.
    pub content: Vec<u8>,
    /// The create or rename operation whose pre-operation callback got it as a normalized name, or 0.
    pub before: u64,
}
