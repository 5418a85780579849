//! Loading and releasing the driver.

use crate::{
    flt::{DriverObject, Failure, FilterRegistration, Minifilter, Published, Registered},
    operations::OPERATIONS,
    state::State,
    unload,
};

/// The loaded driver. It is released in this order: the resources, then the filter, then the state.
static DRIVER: Published<State> = Published::empty();

/// What is registered with the filter manager.
const REGISTRATION: &FilterRegistration<State> =
    &FilterRegistration::new(OPERATIONS, &unload::CALLBACK);

// SAFETY: `published` returns one static.
unsafe impl Minifilter for State {
    type Resources = crate::flt::control_device::Device<Self>;

    fn published() -> &'static Published<Self> {
        &DRIVER
    }
}

/// Loads the driver, in the order of "Writing a `DriverEntry` Routine for a Minifilter Driver".
///
/// Each step returns a value that undoes it when it is dropped. To add a step, write a type whose
/// constructor acquires and whose `Drop` releases. What callbacks use becomes a field of [`State`],
/// and is released last. What calls the driver, or must be released before the filter is
/// unregistered, becomes a part of the resources, for example a communication port or a notify
/// routine.
///
/// # Errors
///
/// The first step that fails. The values of the steps before it are dropped.
pub fn load(driver_object: &mut DriverObject<'_>) -> Result<(), Failure> {
    // Global initialization.
    let state = State::new(crate::parameters::Parameters::read(driver_object)?);
    // Registration.
    // SAFETY: the I/O manager calls DriverEntry once.
    let mut filter = unsafe { Registered::register(driver_object, REGISTRATION, state) }?;
    let device = crate::flt::control_device::Device::create(&mut filter)?;
    let mut driver = filter.publish(device);
    let reinitialization = crate::flt::reinitialization::Reinitialization::prepare(&driver)?;
    // Callbacks run before FltStartFiltering returns ("Initiating Filtering"): all that they use is
    // in place.
    driver.start_filtering()?;
    reinitialization.queue(&mut driver);
    Ok(())
}
