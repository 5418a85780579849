//! Lookaside lists.

/// The initialized lookaside lists.
#[derive(Debug, Clone, Default)]
pub struct Lookasides {
    /// The addresses.
    pub live: Vec<u64>,
    /// The blocks that are freed to a lookaside list or an instance, each with the list or the instance.
    pub owned: Vec<(u64, u64)>,
}
