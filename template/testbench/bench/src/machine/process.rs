//! Processes.

use super::memory;
use super::state::with;
use super::system::known_by;
use super::threads;
use crate::objects::programs::Process;

/// The index of the system process.
pub const SYSTEM: usize = 0;

/// The index of the process whose operations the scripts deliver.
pub const PROGRAM: usize = 1;

/// Starts a process. Returns its index.
#[must_use]
pub fn start(name: &str, user: &str, session: u32) -> usize {
    known();
    add(name, user, session)
}

fn add(name: &str, user: &str, session: u32) -> usize {
    let object = memory::handle("a process object".to_owned());
    with(|state| {
        let processes = &mut state.programs.processes;
        let number = processes.len() as u32;
        processes.push(Process {
            object,
            id: if number == 0 { 4 } else { 0x0EDC + 4 * number },
            name: name.to_owned(),
            user: user.to_owned(),
            session,
        });
        processes.len() - 1
    })
}

/// Starts the system process and the process of the scripts.
fn known() {
    if with(|state| state.programs.processes.is_empty()) {
        let system = add("System", "SYSTEM", 0);
        let program = add("program.exe", "user", 1);
        debug_assert_eq!((system, program), (SYSTEM, PROGRAM));
    }
}

/// Returns a process.
#[must_use]
pub fn get(index: usize) -> Process {
    known();
    with(|state| {
        let processes = &state.programs.processes;
        processes.get(index).unwrap_or(&processes[SYSTEM]).clone()
    })
}

/// Returns the process of the current thread.
#[must_use]
pub fn current() -> Process {
    get(threads::process_of(threads::current()))
}

/// Returns the process of a thread object.
#[must_use]
pub fn of_thread(object: u64) -> Option<Process> {
    let name = known_by(object)?;
    let number = name.strip_prefix("thread ")?.parse().ok()?;
    Some(get(threads::process_of(number)))
}

/// Returns the process of a process object.
#[must_use]
pub fn of_object(object: u64) -> Option<Process> {
    known();
    with(|state| {
        let mut processes = state.programs.processes.iter();
        processes.find(|process| process.object == object).cloned()
    })
}
