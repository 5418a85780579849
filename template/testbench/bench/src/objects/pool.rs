//! Lookaside lists.

/// The initialized lookaside lists.
#[derive(Debug, Clone, Default)]
pub struct Lookasides {
    /// The addresses.
    pub live: Vec<u64>,
}
