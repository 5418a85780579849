//! Who may unload the driver: nobody. It stays loaded until the system is shut down.

use crate::{flt::UnloadCallback, state::State};

/// No unload callback. Without one, a filter cannot be unloaded ("`PFLT_FILTER_UNLOAD_CALLBACK`").
pub const CALLBACK: UnloadCallback<State> = UnloadCallback::NONE{{service_stop_call}};
