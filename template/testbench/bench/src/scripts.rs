//! Runs a scenario: loads the driver and performs the actions of the I/O manager, the filter manager, the file systems
//! and user-mode programs.
//!
//! Documents: "Writing a `DriverEntry` Routine for a Minifilter Driver", "Returning Status from a Minifilter
//! `DriverEntry` Routine", "When the `FilterUnloadCallback` Routine Is Called".

use crate::image::Image;
use crate::imports;
use crate::job::Job;
use crate::lifecycle::io_manager::{self, Open};
use crate::lifecycle::{devices, filter, instances, operations, ports, reinitialization};
use crate::machine::events::{emit, end, internal, must};
use crate::machine::schedule::{Queued, enter, must_be_idle, run_queued};
use crate::machine::space::Purpose;
use crate::machine::state::{self, Machine, with};
use crate::machine::system::system_string;
use crate::machine::{memory, threads, trap};
use crate::objects::registry;
use crate::objects::volumes::MANUAL;
use crate::os;
use crate::scenario::Act;
use crate::trace::{Ending, Event, Routine, Stage};
use crate::vocabulary::irql::PASSIVE;
use crate::vocabulary::status::Status;

/// Runs a scenario. The events are written to standard output.
pub fn play(image: Image, job: Job) -> ! {
    let service = image.path.file_stem().map_or_else(
        || "driver".to_owned(),
        |stem| stem.to_string_lossy().into_owned(),
    );
    let acts = job.scenario.script.acts();
    let quiet_start = job.scenario.quiet_start;
    let functions = imports::all().collect();
    state::install(Machine::new(
        job.scenario,
        service.clone(),
        &job.registry,
        job.assume,
        functions,
        trap::raise_access,
    ));
    must(memory::set_up());
    must(threads::set_up());
    must(trap::set_up());
    let (size, entry) = (image.size, image.entry);
    let base = must(memory::load(image, imports::bind));
    if let Err(error) = os::confine() {
        internal(format!(
            "this system cannot confine the driver's process: {error}"
        ));
    }
    let loaded = load(base, size, base + u64::from(entry), &service);
    if loaded {
        if quiet_start && with(|state| state.filter.started) {
            filter::start();
        }
        perform(acts);
    }
    stage(Stage::Late);
    must(memory::unload());
    run_queued(Queued::Everything);
    if loaded {
        // A routine that is still queued is called after the next drivers have started.
        reinitialization::run();
    }
    complete()
}

/// Ends a scenario in which all steps were performed.
fn complete() -> ! {
    must_be_idle();
    end(Ending::Completed)
}

fn stage(stage: Stage) {
    emit(&Event::Stage { stage });
}

/// Calls `DriverEntry` as the I/O manager does. Returns whether the driver remains loaded.
fn load(base: u64, size: usize, entry: u64, service: &str) -> bool {
    stage(Stage::Load);
    let name = format!("\\FileSystem\\{service}");
    let driver = devices::new_driver_object(base, size, entry, &name, service);
    with(|state| state.filter.driver = driver);
    let path = system_string(
        &registry::path_of(service),
        Purpose::RegistryPath,
        "the registry path",
    );
    let thread = threads::current();
    let status = enter(
        Routine::DriverEntry,
        PASSIVE,
        thread,
        entry,
        &[driver, path],
    );
    // The I/O manager frees the registry path.
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

/// Performs the steps of a script. Returns if the driver was unloaded. Otherwise, ends the scenario.
fn perform(acts: &[Act]) {
    let mut open: Option<Open> = None;
    for act in acts {
        match act {
            Act::Stage(next) => stage(*next),
            Act::Reinitialize => reinitialization::run(),
            Act::EveryOperation => operations::everything(),
            Act::FewOperations => operations::probe(),
            Act::Connect => ports::connect(),
            Act::SendMessages => ports::message(),
            Act::Disconnect => ports::disconnect(),
            Act::UseDevice => io_manager::use_device(),
            Act::OpenDevice => {
                open = io_manager::open();
                if open.is_none() {
                    break;
                }
            }
            Act::CloseDevice => {
                if let Some(open) = open.take() {
                    open.flush();
                    open.close();
                }
            }
            Act::DetachAndAttach => detach_and_attach(),
            Act::AwaitUnload => {
                run_queued(Queued::Kept);
                if with(|state| state.filter.unloaded) {
                    return;
                }
                // An unload that waits forever ends the scenario.
                must_be_idle();
            }
            Act::Unload { mandatory } => {
                if !unload(*mandatory) {
                    continue;
                }
                // The effect of an unload on an open handle is not documented.
                if open.is_some() {
                    break;
                }
                return;
            }
            Act::ShutDown => {
                io_manager::shutdown();
                operations::shutdown();
            }
        }
    }
    complete()
}

/// `fltmc detach` and `fltmc attach`, on the last volume.
fn detach_and_attach() {
    let last = with(|state| state.filter.instances.last().cloned());
    let Some(instance) = last else { return };
    if instances::detach(instance.handle) && instances::attach(&instance.volume, MANUAL).is_some() {
        operations::deliver_at_attach(&instance.volume);
    }
}

/// Requests an unload. Returns whether the image is unloaded. If the result is invalid, ends the scenario.
fn unload(mandatory: bool) -> bool {
    let unloaded = filter::unload(mandatory);
    let registered = filter::is_registered();
    let started = with(|state| state.filter.started);
    if unloaded && registered || !unloaded && !registered && started {
        complete();
    }
    unloaded
}
