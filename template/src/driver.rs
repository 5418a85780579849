//! Loading and unloading: what the driver holds while it is loaded, and in what order.
//!
//! Each step of loading is a value that undoes itself when it is dropped. To add one, write a type
//! whose constructor acquires and whose `Drop` releases, give it a line in [`load`], and give it a
//! field in [`Driver`] at the place where it is to be torn down.

use wdk_sys::DRIVER_OBJECT;

use crate::{
{%- if control_device %}
    control_device::{ControlDevice, DispatchEntries},
{%- endif %}
    filter::Filter,
{%- if parameters %}
    parameters::Parameters,
{%- endif %}
    published::{Publication, Published},
{%- if reinitialize %}
    reinitialize::Reinitialization,
{%- endif %}
    state::{STATE, State},
    step::Failure,
};

{% if control_device -%}
/// What a loaded driver holds. The order of the fields is the order of teardown, the reverse of
/// loading: the control device goes first, then the filter, and the state last, because
/// `FltUnregisterFilter` returns only when no callback runs any more ("Unregistering the
/// Minifilter").
{%- else -%}
/// What a loaded driver holds. The order of the fields is the order of teardown: the filter goes
/// first, because `FltUnregisterFilter` returns only when no callback runs any more ("Unregistering
/// the Minifilter").
{%- endif %}
#[allow(dead_code, reason = "the fields are there to be dropped")]
pub struct Driver {
{%- if control_device %}
    control_device: ControlDevice,
{%- endif %}
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
{%- if parameters %}
    let parameters = Parameters::read(driver_object)?;
{%- endif %}
    // SAFETY: the I/O manager calls DriverEntry once, so nothing was published here before.
    let state = unsafe { STATE.publish(State::new({% if parameters %}parameters{% endif %})) };
    // Registration.
    let filter = Filter::register(driver_object)?;
    let handle = filter.handle();
{%- if control_device %}
    // What programs reach, before filtering starts; the entries before what sends to them.
    let mut entries = DispatchEntries::set(driver_object);
    let control_device = ControlDevice::create(&mut entries)?;
{%- endif %}
    // Callbacks run before FltStartFiltering returns ("Initiating Filtering"): what they reach is
    // in its final place by now, and so is what the unload callback takes.
    // SAFETY: as above.
{%- if control_device %}
    let driver = unsafe {
        DRIVER.publish(Driver {
            control_device,
            filter,
            state,
        })
    };
{%- else %}
    let driver = unsafe { DRIVER.publish(Driver { filter, state }) };
{%- endif %}
{%- if reinitialize %}
    // After the driver was published, so that a failed start gives this back first: the unregistering
    // waits for it.
    let reinitialization = Reinitialization::prepare(handle)?;
{%- endif %}
    handle.start_filtering()?;
{%- if control_device %}
    entries.keep();
{%- endif %}
    driver.keep();
{%- if reinitialize %}
    // The last act: it is for drivers only that are loaded ("`DriverEntry` Return Values").
    reinitialization.queue(driver_object);
{%- endif %}
    Ok(())
}
