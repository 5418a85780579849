//! Runs a scenario: loads the driver and performs the acts of the I/O manager, the filter manager, the file systems and
//! user-mode programs.
//!
//! Documents: "Writing a `DriverEntry` Routine for a Minifilter Driver", "Returning Status from a Minifilter
//! `DriverEntry` Routine", "When the `FilterUnloadCallback` Routine Is Called".

use crate::act::{Act, Reply};
use crate::image::Image;
use crate::imports;
use crate::job::Job;
use crate::lifecycle::{devices, filter, programs, reinitialization};
use crate::machine::events::{emit, end, flush, internal, must};
use crate::machine::schedule::{Queued, enter, must_be_idle, run_queued};
use crate::machine::space::Purpose;
use crate::machine::state::{self, Machine, with};
use crate::machine::system::system_string;
use crate::machine::{memory, threads, trap};
use crate::objects::registry;
use crate::os;
use crate::perform::{self, Outcome};
use crate::scenario::{Scenario, Script};
use crate::trace::{Ending, Event, Routine, Stage};
use crate::vocabulary::irql::PASSIVE;
use crate::vocabulary::status::Status;

/// Runs a scenario. The events are written to standard output.
pub fn play(image: Image, job: Job) -> ! {
    let service = image.path.file_stem().map_or_else(
        || "driver".to_owned(),
        |stem| stem.to_string_lossy().into_owned(),
    );
    let scenario = job.scenario.clone();
    let functions = imports::all().collect();
    let mut settings = job.registry;
    settings.replace(&job.scenario.values);
    state::install(Machine::new(
        job.scenario,
        service.clone(),
        &settings,
        job.setup,
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
    let prepared = perform::prepare();
    let status = if prepared.is_ok() {
        load(base, size, base + u64::from(entry), &service)
    } else {
        Status::default()
    };
    let loaded = prepared.is_ok() && status.is_success();
    if loaded && scenario.quiet_start && with(|state| state.filter.started) {
        filter::start();
    }
    let unloaded = match scenario.script {
        Script::Test => {
            let reply = match prepared {
                Ok(()) => Reply::of(status),
                Err(why) => Reply::refused(why),
            };
            test(reply, loaded)
        }
        _ => !loaded || play_script(&scenario),
    };
    if !unloaded {
        complete();
    }
    emit(&Event::Stage { stage: Stage::Late });
    must(memory::unload());
    run_queued(Queued::Everything);
    if loaded {
        // A routine that is still queued is called after the next drivers have started.
        reinitialization::run();
    }
    complete()
}

/// Ends a scenario in which all acts were performed.
fn complete() -> ! {
    must_be_idle();
    end(Ending::Completed)
}

/// Calls `DriverEntry` as the I/O manager does. Returns its status.
fn load(base: u64, size: usize, entry: u64, service: &str) -> Status {
    emit(&Event::Stage { stage: Stage::Load });
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
    let status = Status(status as u32);
    // The I/O manager frees the registry path.
    must(memory::free(path, false));
    if status.is_success() {
        must(memory::discard_init());
    } else {
        emit(&Event::DispatchAfterFailure {
            flush_buffers: devices::is_own_dispatch(0x09),
            shutdown: devices::is_own_dispatch(0x10),
        });
    }
    status
}

/// Performs the acts of a script. Returns whether the driver was unloaded.
fn play_script(scenario: &Scenario) -> bool {
    for act in scenario.acts() {
        match perform::act(&act) {
            Outcome::Done(reply) => {
                // A program that cannot open the device does not use it.
                let failed = !reply.status.is_success() || reply.refused.is_some();
                let must_open = scenario.script == Script::DeviceInUse;
                if must_open && matches!(act, Act::OpenDevice { .. }) && failed {
                    return false;
                }
            }
            Outcome::Unloaded => return true,
            Outcome::Invalid => return false,
        }
    }
    false
}

/// Performs the acts that a test sends, and replies to each. Returns whether the driver was unloaded.
fn test(loaded: Reply, mut is_loaded: bool) -> bool {
    if is_loaded {
        emit(&Event::Stage {
            stage: Stage::Operations,
        });
        programs::settle();
    }
    let mut reply = loaded;
    loop {
        os::expect_line();
        emit(&Event::Reply { reply });
        flush();
        let Some(act) = next_act() else {
            // The test has ended without the last act: its process ends.
            end(Ending::Completed);
        };
        let is_last = act == Act::End;
        if is_last {
            programs::end();
        }
        let act = if is_last {
            Act::Unload { mandatory: true }
        } else {
            act
        };
        let needs_driver = matches!(act, Act::Unload { .. });
        reply = if needs_driver && !is_loaded {
            Reply::refused("the driver is not loaded")
        } else {
            match perform::act(&act) {
                Outcome::Done(reply) => reply,
                Outcome::Unloaded => {
                    is_loaded = false;
                    Reply::default()
                }
                Outcome::Invalid => complete(),
            }
        };
        if is_last {
            return !is_loaded;
        }
        programs::settle();
        reply.not_modelled = reply.not_modelled.or_else(programs::take_not_modelled);
    }
}

/// Reads the next act.
fn next_act() -> Option<Act> {
    let line = os::next_line()?;
    match serde_json::from_str(&line) {
        Ok(act) => Some(act),
        Err(error) => internal(format!("the act {line:?} is not valid: {error}")),
    }
}
