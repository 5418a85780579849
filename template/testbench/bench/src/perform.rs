//! Performs acts.

use crate::act::{Act, Reply};
use crate::imports;
use crate::lifecycle::io_manager::{self, Transfer};
use crate::lifecycle::programs::{self, LockRequest};
use crate::lifecycle::{filter, instances, operations, ports, reinitialization, volumes};
use crate::machine::events::{emit, must};
use crate::machine::function::Fails;
use crate::machine::schedule::{Queued, must_be_idle, run_queued};
use crate::machine::state::{is_test, with};
use crate::machine::{memory, process, trap};
use crate::objects::operations::Completed;
use crate::objects::volumes::{Instance, MANUAL, Volume};
use crate::scenario::Injected;
use crate::trace::{Event, Stage};
use crate::vocabulary::major::{DEVICE_CONTROL, READ, WRITE};
use crate::vocabulary::status;

/// The outcome of an act.
pub enum Outcome {
    /// It was performed.
    Done(Reply),
    /// The driver was unloaded.
    Unloaded,
    /// The result of an unload request is invalid. The driver cannot continue.
    Invalid,
}

/// Prepares the machine of a test before the driver is loaded.
///
/// # Errors
///
/// Returns one sentence if the setup of the test is invalid.
pub fn prepare() -> Result<(), String> {
    programs::prepare()?;
    if let Some(setup) = with(|state| state.setup.clone()) {
        memory::limit_pool(setup.pool);
        if let Some((function, result)) = setup.fail_next {
            fail_next(&function, result)?;
        }
    }
    Ok(())
}

/// Performs an act.
pub fn act(act: &Act) -> Outcome {
    Outcome::Done(match act {
        Act::Stage { stage } => {
            emit(&Event::Stage { stage: *stage });
            Reply::default()
        }
        Act::Reinitialize => {
            reinitialization::run();
            Reply::default()
        }
        Act::Operations { every } => {
            if *every {
                operations::everything();
            } else {
                operations::probe();
            }
            Reply::default()
        }
        Act::AwaitUnload => {
            run_queued(Queued::Kept);
            if with(|state| state.filter.unloaded) {
                return Outcome::Unloaded;
            }
            // An unload that waits forever ends the scenario.
            must_be_idle();
            Reply::default()
        }
        Act::Unload { mandatory } => return unload(*mandatory),
        Act::ShutDown => {
            io_manager::shutdown();
            operations::shutdown();
            Reply::default()
        }
        Act::Attach { volume } => attach(*volume),
        Act::Detach { volume } => detach(*volume),
        Act::Mount { volume, kind } => programs::mount(*volume, *kind),
        Act::Dismount { volume } => programs::dismount(*volume),
        Act::Connect { port, context } => match ports::connect(port.as_deref(), context) {
            Some(status) => Reply::of(status),
            None => Reply::of(status::OBJECT_NAME_NOT_FOUND),
        },
        Act::Message { input, output } => done(
            ports::message(input, *output),
            "no program is connected to a port of the driver that accepts messages",
        ),
        Act::Answer { data } => {
            with(|state| state.ports.replies.push_back(data.clone()));
            Reply::default()
        }
        Act::Disconnect => {
            ports::disconnect();
            Reply::default()
        }
        act => act_on_device(act),
    })
}

fn act_on_device(act: &Act) -> Reply {
    const NOT_OPEN: &str = "no program has the device open";
    match act {
        Act::OpenDevice { name } => of(io_manager::open(name.as_deref())),
        Act::ControlDevice {
            code,
            input,
            output,
        } => {
            let transfer = Transfer {
                code: *code,
                input,
                output: *output,
            };
            done(io_manager::request(DEVICE_CONTROL, transfer), NOT_OPEN)
        }
        Act::ReadDevice { length } => {
            let transfer = Transfer {
                output: *length,
                ..Transfer::default()
            };
            done(io_manager::request(READ, transfer), NOT_OPEN)
        }
        Act::WriteDevice { data } => {
            let transfer = Transfer {
                input: data,
                ..Transfer::default()
            };
            done(io_manager::request(WRITE, transfer), NOT_OPEN)
        }
        Act::FlushDevice => done(io_manager::flush(), NOT_OPEN),
        Act::CloseDevice => done(io_manager::close(), NOT_OPEN),
        act => act_on_machine(act),
    }
}

fn act_on_machine(act: &Act) -> Reply {
    match act {
        Act::Process {
            name,
            user,
            session,
        } => Reply::number(process::start(name, user, *session) as u32),
        Act::FailNext { function, result } => match fail_next(function, *result) {
            Ok(()) => Reply::default(),
            Err(why) => Reply::refused(why),
        },
        Act::Advance { time } => {
            with(|state| state.clock += time);
            must(trap::advance(*time));
            Reply::default()
        }
        Act::Disk { path } => programs::disk(path),
        Act::WriteBack => programs::write_all(),
        Act::PageOut => programs::page_out(),
        Act::Wait { request } => programs::wait(*request),
        Act::Cancel { request } => programs::cancel(*request),
        Act::Open {
            process,
            path,
            open,
        } => programs::open(*process, path, open),
        // A refusal is a reply, too.
        act => act_on_file(act).unwrap_or_else(|refused| refused),
    }
}

fn act_on_file(act: &Act) -> Result<Reply, Reply> {
    match act {
        Act::QueryPath { process, path } => programs::query_path(*process, path),
        Act::Close { file } => programs::close(*file),
        Act::Read {
            file,
            offset,
            length,
        } => programs::read(*file, *offset, *length),
        Act::Write { file, offset, data } => programs::write(*file, *offset, data),
        Act::Flush { file } => programs::flush(*file),
        Act::Query {
            file,
            class,
            length,
        } => programs::query(*file, *class, *length),
        Act::Set { file, class, data } => programs::set(*file, *class, data),
        Act::Rename {
            file,
            to,
            replace,
            link,
        } => programs::rename(*file, to, *replace, *link),
        Act::List {
            file,
            class,
            expression,
            restart,
            length,
        } => programs::list(*file, *class, expression.as_deref(), *restart, *length),
        Act::Watch {
            file,
            filter,
            tree,
            length,
        } => programs::watch(*file, *filter, *tree, *length),
        Act::Lock {
            file,
            offset,
            length,
            exclusive,
            wait,
        } => programs::lock(
            *file,
            LockRequest {
                offset: *offset,
                length: *length,
                lock: true,
                exclusive: *exclusive,
                wait: *wait,
            },
        ),
        Act::Unlock {
            file,
            offset,
            length,
        } => programs::lock(
            *file,
            LockRequest {
                offset: *offset,
                length: *length,
                lock: false,
                exclusive: false,
                wait: false,
            },
        ),
        Act::Control {
            file,
            code,
            input,
            output,
            device,
        } => programs::control(*file, *code, input, *output, *device),
        Act::QueryVolume {
            file,
            class,
            length,
        } => programs::query_volume(*file, *class, *length),
        Act::SetVolume { file, class, data } => programs::set_volume(*file, *class, data),
        Act::QueryEa { file, length } => programs::query_ea(*file, *length),
        Act::SetEa { file, list } => programs::set_ea(*file, list),
        Act::QuerySecurity {
            file,
            information,
            length,
        } => programs::query_security(*file, *information, *length),
        Act::SetSecurity {
            file,
            information,
            descriptor,
        } => programs::set_security(*file, *information, descriptor),
        Act::Map { file, write } => programs::map(*file, *write),
        act => Ok(act_on_view(act)),
    }
}

fn act_on_view(act: &Act) -> Reply {
    match act {
        Act::ReadView {
            view,
            offset,
            length,
        } => programs::read_view(*view, *offset, *length),
        Act::WriteView { view, offset, data } => programs::write_view(*view, *offset, data),
        Act::FlushView { view } => programs::flush_view(*view),
        Act::Unmap { view } => programs::unmap(*view),
        act => Reply::refused(format!("{act:?} is not an act of a test")),
    }
}

fn of(completed: Completed) -> Reply {
    Reply {
        status: completed.status,
        information: completed.information,
        data: completed.data,
        ..Reply::default()
    }
}

fn done(completed: Option<Completed>, otherwise: &str) -> Reply {
    completed.map_or_else(|| Reply::refused(otherwise), of)
}

/// Requests an unload.
fn unload(mandatory: bool) -> Outcome {
    if is_test() {
        emit(&Event::Stage {
            stage: Stage::Unload,
        });
    }
    let unloaded = filter::unload(mandatory);
    let registered = filter::is_registered();
    let started = with(|state| state.filter.started);
    if unloaded && registered || !unloaded && !registered && started {
        return Outcome::Invalid;
    }
    // The effect of an unload on an open handle is not documented.
    if unloaded && io_manager::is_open() {
        return Outcome::Invalid;
    }
    if unloaded {
        return Outcome::Unloaded;
    }
    if is_test() {
        emit(&Event::Stage {
            stage: Stage::Operations,
        });
    }
    Outcome::Done(Reply::of(status::FLT_DO_NOT_DETACH))
}

/// Returns the volume of a drive letter, or the last one to which the filter is or was attached.
fn volume(letter: Option<char>) -> Result<Volume, Reply> {
    let found = match letter {
        Some(letter) => volumes::by_letter(letter),
        None => with(|state| {
            let instances = state.filter.instances.iter();
            let attached = instances.last().map(|instance| instance.volume.clone());
            state.volumes.detached.clone().or(attached)
        }),
    };
    let name = letter.map_or_else(String::new, |letter| format!(" {letter}:"));
    found.ok_or_else(|| Reply::refused(format!("the machine has no volume{name}")))
}

/// `fltmc detach`.
fn detach(letter: Option<char>) -> Reply {
    let volume = match volume(letter) {
        Ok(volume) => volume,
        Err(reply) => return reply,
    };
    let Some(Instance { handle, .. }) = operations::instance_on(&volume) else {
        return Reply::of(status::FLT_INSTANCE_NOT_FOUND);
    };
    if !instances::detach(handle) {
        return Reply::of(status::FLT_DO_NOT_DETACH);
    }
    with(|state| state.volumes.detached = Some(volume));
    Reply::default()
}

/// `fltmc attach`.
fn attach(letter: Option<char>) -> Reply {
    let volume = match (letter, with(|state| state.volumes.detached.take())) {
        (None, None) => return Reply::refused("the filter was detached from no volume"),
        (None, Some(volume)) => volume,
        (Some(_), _) => match volume(letter) {
            Ok(volume) => volume,
            Err(reply) => return reply,
        },
    };
    if operations::instance_on(&volume).is_some() {
        return Reply::of(status::FLT_INSTANCE_NAME_COLLISION);
    }
    if instances::attach(&volume, MANUAL).is_none() {
        return Reply::of(status::FLT_DO_NOT_ATTACH);
    }
    operations::deliver_at_attach(&volume);
    Reply::default()
}

/// Makes the next call of a function fail.
fn fail_next(name: &str, result: Option<Injected>) -> Result<(), String> {
    let Some(function) = imports::function(name) else {
        return Err(format!("the bench does not model a function {name}"));
    };
    let first = match function.fails {
        Fails::Null => Injected::Zero,
        Fails::With(statuses) | Fails::Raises(statuses) => Injected::Status(statuses[0]),
        Fails::Never | Fails::Quiet => {
            return Err(format!("{name} cannot fail, as its document says"));
        }
    };
    let injected = result.unwrap_or(first);
    with(|state| state.fail_next = Some((name.to_owned(), injected)));
    Ok(())
}
