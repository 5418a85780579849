//! Who may unload the driver: everybody who may stop a service, unless the control device is in use.

use crate::{
    flt::{Unload, UnloadCallback, control_device},
    state::State,
};

/// The unload callback.
pub const CALLBACK: UnloadCallback<State> = UnloadCallback::new(){{service_stop_call}};

impl Unload for State {
    /// Refuses requests that may be refused (`fltmc unload`) while a program has the control device
    /// open. Others (`sc stop`) wait until it is closed ("Unload Routine Environment").
    fn may_unload(&self) -> bool {
        control_device::close_unless_in_use()
    }
}
