//! Tells a story with the driver: what the I/O manager, the filter manager, the file systems and a
//! few programs do with it.
//!
//! Documents: "Writing a `DriverEntry` Routine for a Minifilter Driver", "Returning Status from a
//! Minifilter `DriverEntry` Routine", "When the `FilterUnloadCallback` Routine Is Called".

use crate::image::Image;
use crate::memory::{self, Purpose};
use crate::model::{
    self, devices, emit, end, enter, filter, must, operations, ports, registry, volumes, with, work,
};
use crate::scenario::{Scenario, Story};
use crate::settings::Settings;
use crate::status::Status;
use crate::trace::{Ending, Event, Routine, Stage};

/// Plays a scenario to its end; the events go to standard output.
pub fn play(image: Image, scenario: &Scenario, registry: &Settings) -> ! {
    let service = image.path.file_stem().map_or_else(
        || "driver".to_owned(),
        |stem| stem.to_string_lossy().into_owned(),
    );
    must(model::set_up(scenario.clone(), service.clone(), registry));
    let (size, entry) = (image.size, image.entry);
    let base = must(memory::load(image, model::bind));
    let entry = base + u64::from(entry);
    let loaded = load(base, size, entry, &service);
    if loaded {
        live(scenario);
    }
    stage(Stage::Late);
    must(memory::unload());
    work::run_all();
    if loaded {
        // A routine that is still queued is called when the next drivers have started.
        devices::reinitialize();
    }
    end(Ending::Completed)
}

fn stage(stage: Stage) {
    emit(&Event::Stage { stage });
}

/// `DriverEntry` and what the I/O manager does around it. True where the driver stays.
fn load(base: u64, size: usize, entry: u64, service: &str) -> bool {
    stage(Stage::Load);
    let name = format!("\\FileSystem\\{service}");
    let driver = devices::new_driver_object(base, size, entry, &name, service);
    with(|state| state.filter.driver = driver);
    let path = model::system_string(
        &registry::path_of(service),
        Purpose::RegistryPath,
        "the registry path",
    );
    let status = enter(
        Routine::DriverEntry,
        model::PASSIVE,
        1,
        entry,
        &[driver, path],
    );
    // The I/O manager frees the string.
    must(memory::free(path, false));
    if !Status(status as u32).is_success() {
        emit(&Event::DispatchAfterFailure {
            flush_buffers: devices::is_own_dispatch(0x09),
            shutdown: devices::is_own_dispatch(0x10),
        });
        return false;
    }
    must(memory::discard_init());
    true
}

fn live(scenario: &Scenario) {
    if scenario.quiet_start && with(|state| state.filter.started) {
        filter::start();
    }
    if scenario.story != Story::EarlyUnload {
        devices::reinitialize();
    }
    match scenario.story {
        Story::Life => life(),
        Story::ServiceStop => {
            stage(Stage::Operations);
            operations::probe();
            ports::connect();
            ports::message();
            ports::disconnect();
            unload(true);
        }
        Story::Shutdown => {
            stage(Stage::Operations);
            operations::probe();
            devices::shutdown();
            operations::shutdown();
            // The system ends here; nothing is unloaded.
            end(Ending::Completed);
        }
        Story::DeviceInUse => device_in_use(),
        Story::EarlyUnload => {
            if !unload(false) {
                devices::reinitialize();
                unload(true);
            }
        }
        Story::OddSettings => {
            stage(Stage::Operations);
            operations::probe();
            if !unload(false) {
                unload(true);
            }
        }
    }
}

fn life() {
    stage(Stage::Operations);
    operations::everything();
    ports::connect();
    ports::message();
    ports::disconnect();
    devices::use_device();
    detach_and_attach();
    stage(Stage::Before);
    operations::probe();
    ports::connect();
    if unload(false) {
        return;
    }
    stage(Stage::Again);
    operations::probe();
    unload(true);
}

/// A program has the control device open when `fltmc unload` comes. Where that is refused the program
/// closes it before the service is stopped: the I/O manager holds a service stop back until then.
fn device_in_use() {
    let Some(open) = devices::open() else { return };
    stage(Stage::Before);
    operations::probe();
    if unload(false) {
        // What becomes of the open handle is not documented for this case.
        end(Ending::Completed);
    }
    stage(Stage::Again);
    operations::probe();
    open.flush();
    open.close();
    unload(true);
}

/// `fltmc detach` and `fltmc attach`, on the last volume.
fn detach_and_attach() {
    let last = with(|state| state.filter.instances.last().cloned());
    let Some(instance) = last else { return };
    if volumes::detach(instance.handle)
        && volumes::attach(&instance.volume, volumes::MANUAL).is_some()
    {
        operations::first_contact(&instance.volume);
    }
}

/// Asks for the driver to be unloaded. True where its image goes; where it must not, the story ends.
fn unload(mandatory: bool) -> bool {
    stage(Stage::Unload);
    let unloaded = filter::unload(mandatory);
    let registered = filter::is_registered();
    if unloaded && registered || !unloaded && !registered && with(|state| state.filter.started) {
        end(Ending::Completed);
    }
    if !unloaded && mandatory {
        // It cannot be unloaded: the story ends with the driver in place.
        end(Ending::Completed);
    }
    unloaded
}
