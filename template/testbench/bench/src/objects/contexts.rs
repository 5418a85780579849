//! Contexts: reference-counted blocks that the filter attaches to objects.

use crate::trace::ContextKind;

/// The registered context types and the allocated contexts.
#[derive(Debug, Clone, Default)]
pub struct Contexts {
    /// The registered context types.
    pub registered: Vec<Registered>,
    /// The allocated contexts.
    pub live: Vec<Context>,
}

/// An `FLT_CONTEXT_REGISTRATION`.
#[derive(Debug, Clone, Copy)]
pub struct Registered {
    /// `ContextType`.
    pub kind: ContextKind,
    /// `Flags`.
    pub flags: u16,
    /// `ContextCleanupCallback`.
    pub cleanup: u64,
    /// `Size`.
    pub size: u64,
}

/// A context.
#[derive(Debug, Clone, Copy)]
pub struct Context {
    /// Its address.
    pub address: u64,
    /// `ContextType`.
    pub kind: ContextKind,
    /// `ContextCleanupCallback`.
    pub cleanup: u64,
    /// The reference count.
    pub references: u32,
    /// The instance (or volume) and the file object (or 0) on which it is set.
    pub on: Option<(u64, u64)>,
}
