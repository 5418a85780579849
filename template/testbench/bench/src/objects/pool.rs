//! Lookaside lists.

/// The lookaside lists: address and whether the entries are paged.
#[derive(Debug, Clone, Default)]
pub struct Lookasides {
    /// The addresses of those that exist.
    pub live: Vec<u64>,
}
