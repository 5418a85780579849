//! Registration, start and references of the filter.

use crate::lifecycle::filter;
use crate::machine::declare::functions;
use crate::machine::events::misuse;
use crate::machine::function::Fails;
use crate::machine::ledger::{bad_handle, held_once};
use crate::machine::state::with;
use crate::machine::{guest, thunks};
use crate::scenario::Script;
use crate::trace::{Kind, Misuse};
use crate::vocabulary::irql::{APC, DISPATCH};
use crate::vocabulary::status::{self, Status};

functions! { pub FILTER = "FLTMGR.SYS", "fltkernel.h";
    /// Registers the minifilter. Replaces the unload routine of the driver object.
    [APC, Fails::With(&[
        status::INSUFFICIENT_RESOURCES,
        status::FLT_NOT_INITIALIZED,
        status::OBJECT_NAME_NOT_FOUND,
    ])]
    fn FltRegisterFilter(driver: u64, registration: u64, filter: u64) -> Status {
        filter::register(driver, registration, filter)
    }

    /// Attaches the filter to the volumes. Operations are delivered to it before the function returns.
    [APC, Fails::With(&[status::INVALID_PARAMETER, status::INSUFFICIENT_RESOURCES])]
    fn FltStartFiltering(filter: u64) -> Status {
        filter::check(filter);
        if with(|state| std::mem::replace(&mut state.filter.started, true)) {
            return status::INVALID_PARAMETER;
        }
        if !with(|state| state.scenario.quiet_start) {
            filter::start();
        }
        if with(|state| state.scenario.script == Script::UnloadWhileStarting) {
            filter::unload_meanwhile();
        }
        status::SUCCESS
    }

    /// Tears down all instances and unregisters the filter. Returns when all references are released.
    [APC, Fails::Never]
    fn FltUnregisterFilter(filter: u64) {
        if with(|state| state.filter.handle) != filter || filter == 0 {
            match held_once(Kind::Filter, filter) {
                Some(_) => misuse(Misuse::ReleasedTwice { what: "the filter registration".to_owned() }),
                None => bad_handle("filter handle", filter),
            }
        }
        filter::unregister();
    }

    /// Adds a reference to a filter, an instance or a volume.
    [DISPATCH, Fails::With(&[status::FLT_DELETING_OBJECT])]
    fn FltObjectReference(object: u64) -> Status {
        filter::reference(object)
    }

    /// Releases a reference.
    [DISPATCH, Fails::Never]
    fn FltObjectDereference(object: u64) {
        filter::dereference(object);
    }

    /// Looks up a filter by name.
    [APC, Fails::With(&[status::FLT_FILTER_NOT_FOUND])]
    fn FltGetFilterFromName(name: u64, out: u64) -> Status {
        let handle = with(|state| state.filter.handle);
        let own = with(|state| state.service.clone());
        if handle == 0 || !String::from_utf16_lossy(&guest::unicode_units(name)).eq_ignore_ascii_case(&own) {
            return status::FLT_FILTER_NOT_FOUND;
        }
        let status = filter::reference(handle);
        if status.is_success() {
            guest::write(out, handle);
        }
        status
    }

    /// Looks up a function of the filter manager by name.
    [DISPATCH, Fails::Null]
    fn FltGetRoutineAddress(name: u64) -> u64 {
        let name = guest::narrow(name, 256);
        thunks::by_name("FLTMGR.SYS", &name)
    }
}
