//! Contexts: reference-counted blocks that the filter attaches to objects.

use crate::trace::ContextKind;

/// What the filter registered, and the contexts that live.
#[derive(Debug, Clone, Default)]
pub struct Contexts {
    /// The registration.
    pub registered: Vec<Registered>,
    /// The contexts that exist.
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
    /// How many references there are.
    pub references: u32,
    /// Instance (or volume) and file object (or 0) that it is set on.
    pub on: Option<(u64, u64)>,
}
