//! Who may unload the driver: everybody who may stop a service.

use crate::{
    flt::{Unload, UnloadCallback},
    state::State,
};

/// The unload callback.
pub const CALLBACK: UnloadCallback<State> = UnloadCallback::new(){{service_stop_call}};

impl Unload for State {
    /// Allows requests that may be refused (`fltmc unload`). Others (`sc stop`) always unload the
    /// driver.
    fn may_unload(&self) -> bool {
        true
    }
}
