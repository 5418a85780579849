//! Thunks: short code sequences for imports, which record the return address of the call.

use std::sync::atomic::Ordering;

use super::events::{emit, end, internal, must};
use super::guest;
use super::memory;
use super::state::machine;
use super::switch::{SWITCH, UNMODELLED, enter_model};
use super::threads;
use crate::os::{self, Access, PAGE};
use crate::trace::{Ending, Event};

const THUNK_ROOM: usize = 64 * PAGE;

/// Returns the address of a single `ret`, for stack probe helpers, which must preserve all registers.
#[must_use]
pub fn stack_probe() -> u64 {
    const RET: u8 = 0xC3;
    let page = must(os::reserve(PAGE));
    must(os::protect(page, PAGE, Access::ReadWrite));
    guest::write(page as u64, RET);
    must(os::protect(page, PAGE, Access::ReadExecute));
    page as u64
}

/// Returns the address to which an import is bound.
#[must_use]
pub fn thunk(dll: &str, name: &str) -> u64 {
    let machine = machine();
    let mut thunks = machine.thunks.borrow_mut();
    if thunks.base == 0 {
        thunks.base = must(os::reserve(THUNK_ROOM)) as u64;
        thunks.next = thunks.base;
    }
    let title = format!("{dll}!{name}");
    if let Some((_, address)) = thunks.made.iter().find(|(made, _)| *made == title) {
        return *address;
    }
    let mut functions = machine.functions.iter().enumerate();
    let (target, running) = match functions.find(|(_, function)| function.name == name) {
        Some((index, function)) => ((function.entry)() as u64, index as u32 + 1),
        None => (
            unmodelled as *const () as u64,
            UNMODELLED | (thunks.made.len() as u32 + 1),
        ),
    };
    let address = thunks.next;
    thunks.made.push((title, address));
    let code = code(target, running);
    let room = thunks.base as usize;
    if address as usize + code.len() > room + THUNK_ROOM {
        internal("too many imports");
    }
    must(os::protect(room, THUNK_ROOM, Access::ReadWrite));
    guest::put(address, &code);
    must(os::protect(room, THUNK_ROOM, Access::ReadExecute));
    thunks.next += (code.len() as u64).next_multiple_of(16);
    address
}

/// Emits a thunk. It records the call and switches to the host stack. The calling convention allows it to change `rax`,
/// `r10` and `r11`.
fn code(target: u64, running: u32) -> Vec<u8> {
    let mut code = vec![0x4C, 0x8B, 0x1C, 0x24]; // mov r11, [rsp]
    code.extend([0x49, 0xBA]); // mov r10, &SWITCH.site
    code.extend((SWITCH.site.as_ptr() as u64).to_le_bytes());
    code.extend([0x4D, 0x89, 0x1A]); // mov [r10], r11
    code.extend([0x49, 0xBA]); // mov r10, &SWITCH.running
    code.extend((SWITCH.running.as_ptr() as u64).to_le_bytes());
    code.extend([0x41, 0xC7, 0x02]); // mov dword ptr [r10], running
    code.extend(running.to_le_bytes());
    code.extend([0x49, 0xBA]); // mov r10, target
    code.extend(target.to_le_bytes());
    code.extend([0x48, 0xB8]); // mov rax, enter_model
    code.extend((enter_model as *const () as u64).to_le_bytes());
    code.extend([0xFF, 0xE0]); // jmp rax
    code
}

/// Returns the assumed result of an import that is not modelled, or ends the scenario.
extern "win64" fn unmodelled() -> u64 {
    let machine = machine();
    let index = SWITCH.running.load(Ordering::Relaxed) & !UNMODELLED;
    let import = {
        let thunks = machine.thunks.borrow();
        let made = thunks.made.get(index as usize - 1);
        made.map_or_else(String::new, |(title, _)| title.clone())
    };
    let site = SWITCH.site.load(Ordering::Relaxed);
    let name = import.rsplit('!').next().unwrap_or_default();
    let Some(result) = machine.assumed.result(name) else {
        end(Ending::Unmodelled {
            at: memory::place(site, None),
            import,
        })
    };
    emit(&Event::Call {
        function: name.to_owned(),
        site: memory::rva(site).unwrap_or_default(),
        irql: threads::irql(),
        point: None,
    });
    emit(&Event::Return {
        result,
        injected: false,
    });
    SWITCH.running.store(0, Ordering::Relaxed);
    result
}

/// Returns the address of a function that the driver looks up by name, or 0 if it does not exist. For a function that
/// is not modelled, records an event and returns 0.
#[must_use]
pub fn by_name(dll: &str, name: &str) -> u64 {
    let machine = machine();
    let mut functions = machine.functions.iter();
    let known = functions.any(|function| function.name == name && function.dll == dll);
    if known || machine.assumed.result(name).is_some() {
        return thunk(dll, name);
    }
    emit(&Event::NotModelled {
        import: format!("{dll}!{name}"),
    });
    0
}
