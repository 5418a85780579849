//! File name information.

/// The name information that the driver holds: address and references.
#[derive(Debug, Clone, Default)]
pub struct Names {
    /// What exists: address and references.
    pub live: Vec<(u64, u32)>,
}
