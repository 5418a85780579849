//! Who may unload the driver: nobody. It stays until the system is shut down.

use crate::fltmgr::PFLT_FILTER_UNLOAD_CALLBACK;

/// What is registered as `FilterUnloadCallback`: none, and without one a filter cannot be unloaded
/// (`PFLT_FILTER_UNLOAD_CALLBACK`).
pub const CALLBACK: PFLT_FILTER_UNLOAD_CALLBACK = None;
