//! Attaches the filter to volumes, and detaches it.
//!
//! Documents: "`PFLT_INSTANCE_SETUP_CALLBACK` callback function (fltkernel.h)",
//! "`PFLT_INSTANCE_QUERY_TEARDOWN_CALLBACK` callback function (fltkernel.h)", "`PFLT_INSTANCE_TEARDOWN_CALLBACK`
//! callback function (fltkernel.h)".

use crate::lifecycle::volumes::{by_instance, fill_objects};
use crate::lifecycle::{contexts, operations};
use crate::machine::events::{emit, must};
use crate::machine::memory;
use crate::machine::schedule::enter;
use crate::machine::state::{left_out, with};
use crate::machine::system::system_block;
use crate::machine::threads::{self, new_thread};
use crate::objects::volumes::{Instance, TEARDOWN_MANUAL, Volume};
use crate::trace::{Event, Routine};
use crate::vocabulary::irql::PASSIVE;
use crate::vocabulary::layout::related_objects;
use crate::vocabulary::status::Status;

fn with_objects(instance: &Instance, action: impl FnOnce(u64) -> u64) -> u64 {
    let objects = system_block(related_objects::SIZE, "the related objects of a callback");
    fill_objects(objects, instance, 0);
    let answer = action(objects);
    must(memory::free(objects, false));
    answer
}

/// Calls `InstanceSetupCallback` for a volume. Returns the instance if the filter attaches.
pub fn attach(volume: &Volume, flags: u32) -> Option<u64> {
    let routine = Routine::InstanceSetup {
        volume: volume.name.to_owned(),
    };
    if left_out(&routine) {
        return None;
    }
    let instance = Instance {
        handle: memory::handle(format!("the instance handle on {}", volume.name)),
        volume: volume.clone(),
    };
    // The instance exists while its setup callback runs, which can set contexts on it.
    let setup = with(|state| {
        state.filter.instances.push(instance.clone());
        state.filter.callbacks.setup
    });
    if setup != 0 {
        let thread = threads::current();
        let answer = with_objects(&instance, |objects| {
            let arguments = [
                objects,
                u64::from(flags | volume.kind.setup),
                u64::from(volume.kind.device_type),
                u64::from(volume.kind.file_system),
            ];
            enter(routine, PASSIVE, thread, setup, &arguments)
        });
        if !Status(answer as u32).is_success() {
            forget(instance.handle);
            return None;
        }
    }
    emit(&Event::Attached {
        volume: volume.kind.title.to_owned(),
    });
    Some(instance.handle)
}

fn forget(handle: u64) {
    contexts::remove_from_instance(handle);
    with(|state| {
        state
            .filter
            .instances
            .retain(|instance| instance.handle != handle);
    });
}

/// Handles a manual detach request. Returns `false` if the filter refuses it.
#[must_use]
pub fn detach(handle: u64) -> bool {
    let Some(instance) = by_instance(handle) else {
        return false;
    };
    let query = with(|state| state.filter.callbacks.query_teardown);
    if query == 0 {
        return false;
    }
    let routine = Routine::InstanceQueryTeardown {
        volume: instance.volume.name.to_owned(),
    };
    let thread = new_thread();
    let answer = with_objects(&instance, |objects| {
        enter(routine, PASSIVE, thread, query, &[objects, 0])
    });
    if !Status(answer as u32).is_success() {
        return false;
    }
    tear_down(handle, TEARDOWN_MANUAL);
    true
}

/// Tears down an instance: calls the start callback, drains operations, calls the complete callback, and deletes the
/// contexts.
pub fn tear_down(handle: u64, reason: u32) {
    let Some(instance) = by_instance(handle) else {
        return;
    };
    let (start, complete) = with(|state| {
        let callbacks = state.filter.callbacks;
        (callbacks.teardown_start, callbacks.teardown_complete)
    });
    let thread = threads::current();
    let volume = instance.volume.name.to_owned();
    if start != 0 {
        let routine = Routine::InstanceTeardownStart {
            volume: volume.clone(),
        };
        with_objects(&instance, |objects| {
            enter(
                routine,
                PASSIVE,
                thread,
                start,
                &[objects, u64::from(reason)],
            )
        });
    }
    operations::drain(handle);
    if complete != 0 {
        let routine = Routine::InstanceTeardownComplete { volume };
        with_objects(&instance, |objects| {
            enter(
                routine,
                PASSIVE,
                thread,
                complete,
                &[objects, u64::from(reason)],
            )
        });
    }
    forget(handle);
}
