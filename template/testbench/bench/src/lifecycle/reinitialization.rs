//! Reinitialization routines.
//!
//! Document: "`IoRegisterDriverReinitialization` function (ntddk.h)".

use crate::machine::events::{end, here};
use crate::machine::ledger::release;
use crate::machine::schedule::enter;
use crate::machine::state::with;
use crate::machine::threads::new_thread;
use crate::trace::{Callback, Ending, Kind, Routine, Wait, Waiting};
use crate::vocabulary::irql::PASSIVE;

/// The maximum number of calls of reinitialization routines.
const MOST_ROUNDS: u32 = 1000;

/// Runs the reinitialization routines after `DriverEntry` has succeeded, until none is queued.
pub fn run() {
    while let Some((routine, context)) = with(|state| state.devices.reinitialize.pop_front()) {
        let (driver, count) = with(|state| {
            state.devices.rounds += 1;
            (state.filter.driver, state.devices.rounds)
        });
        if count > MOST_ROUNDS {
            end(Ending::Hang {
                waits: vec![Waiting {
                    routine: None,
                    at: here(),
                    wait: Wait::Reinitialization {
                        rounds: MOST_ROUNDS,
                    },
                }],
            });
        }
        let _ = release(Kind::Reinitialization, routine);
        let called = Routine::Other {
            callback: Callback::Reinitialize,
        };
        let arguments = [driver, context, u64::from(count)];
        let _ = enter(called, PASSIVE, new_thread(), routine, &arguments);
    }
}
