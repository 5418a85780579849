//! Loading and unloading: what the driver holds while it is loaded, and in what order.
//!
//! Each step of loading is a value that undoes itself when it is dropped. To add one, write a type
//! whose constructor acquires and whose `Drop` releases, give it a line in [`load`], and give it a
//! field in [`Driver`] at the place where it is to be torn down.

use wdk_sys::DRIVER_OBJECT;

use crate::{
    control_device::{ControlDevice, DispatchEntries},
    filter::Filter,
    parameters::Parameters,
    published::{Publication, Published},
    reinitialize::Reinitialization,
    state::{STATE, State},
    step::Failure,
};

/// What a loaded driver holds. The order of the fields is the order of teardown, the reverse of
/// loading: the control device goes first, then the filter, and the state last, because
/// `FltUnregisterFilter` returns only when no callback runs any more ("Unregistering the
/// Minifilter").
#[allow(dead_code, reason = "the fields are there to be dropped")]
pub struct Driver {
    control_device: ControlDevice,
    filter: Filter,
    state: Publication<State>,
}

/// The loaded driver, for the unload callback to take.
pub static DRIVER: Published<Driver> = Published::empty();

/// The steps of `DriverEntry`, in the order of "Writing a `DriverEntry` Routine for a Minifilter
/// Driver".
///
/// # Errors
///
/// The first step that fails ends the load; what the steps before it acquired is released in
/// reverse as the values go out of scope.
pub fn load(driver_object: &mut DRIVER_OBJECT) -> Result<(), Failure> {
    // Global initialization.
    let parameters = Parameters::read(driver_object)?;
    // SAFETY: the I/O manager calls DriverEntry once, so nothing was published here before.
    let state = unsafe { STATE.publish(State::new(parameters)) };
    // Registration.
    let filter = Filter::register(driver_object)?;
    let handle = filter.handle();
    // What programs reach, before filtering starts; the entries before what sends to them.
    let mut entries = DispatchEntries::set(driver_object);
    let control_device = ControlDevice::create(&mut entries)?;
    // Callbacks run before FltStartFiltering returns ("Initiating Filtering"): what they reach is
    // in its final place by now, and so is what the unload callback takes.
    // SAFETY: as above.
    let driver = unsafe {
        DRIVER.publish(Driver {
            control_device,
            filter,
            state,
        })
    };
    // After the driver was published, so that a failed start gives this back first: the unregistering
    // waits for it.
    let reinitialization = Reinitialization::prepare(handle)?;
    handle.start_filtering()?;
    entries.keep();
    driver.keep();
    // The last act: it is for drivers only that are loaded ("`DriverEntry` Return Values").
    reinitialization.queue(driver_object);
    Ok(())
}
