//! Who may unload the driver: whoever stops its service.

use crate::{
    flt::{Unload, UnloadCallback},
    state::State,
};

/// The unload callback.
pub const CALLBACK: UnloadCallback<State> = UnloadCallback::new(){{service_stop_call}};

impl Unload for State {
    /// Refuses requests that may be refused (`fltmc unload`). Others (`sc stop`) unload the driver.
    fn may_unload(&self) -> bool {
        false
    }
}
