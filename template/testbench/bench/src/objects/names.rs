//! File name information.

/// The allocated file name information.
#[derive(Debug, Clone, Default)]
pub struct Names {
    /// The address and the reference count of each.
    pub live: Vec<(u64, u32)>,
}
