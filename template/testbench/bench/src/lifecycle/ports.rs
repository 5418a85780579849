//! The client of a communication port.
//!
//! Documents: "Communication Between User-mode and Minifilters", "`PFLT_CONNECT_NOTIFY` callback function
//! (fltkernel.h)" and the pages of the other port callbacks.

use crate::machine::events::must;
use crate::machine::ledger::{acquire, release};
use crate::machine::process::PROGRAM;
use crate::machine::schedule::enter;
use crate::machine::state::{left_out, with};
use crate::machine::system::system_block;
use crate::machine::threads::new_thread_of;
use crate::machine::{guest, memory};
use crate::objects::operations::Completed;
use crate::objects::ports::{Client, Server};
use crate::trace::{Callback, Kind, Routine};
use crate::vocabulary::irql::PASSIVE;
use crate::vocabulary::status::Status;

/// Connects a user-mode program to a port of the driver, or to the first one. Returns the status, or `None` if there is
/// no such port.
pub fn connect(name: Option<&str>, context: &[u8]) -> Option<Status> {
    let server = with(|state| {
        let ports = &state.ports;
        let mut servers = ports.servers.iter();
        let is_named = |server: &Server| {
            let known = ports.names.get(server.name);
            name.is_none_or(|name| known.is_some_and(|known| known.eq_ignore_ascii_case(name)))
        };
        servers
            .find(|server| server.open && is_named(server))
            .copied()
    });
    let routine = Routine::Other {
        callback: Callback::Connect,
    };
    let server = server.filter(|_| !left_out(&routine))?;
    let port = memory::handle("the client port".to_owned());
    let slot = system_block(8, "the connection's cookie");
    let given = match context.len() {
        0 => 0,
        size => {
            let block = system_block(size, "the connection context");
            guest::put(block, context);
            block
        }
    };
    acquire(Kind::ClientPort, port, "a connection");
    let length = context.len() as u64;
    let arguments = [port, server.cookie, given, length, slot];
    let thread = new_thread_of(PROGRAM);
    let answer = Status(enter(routine, PASSIVE, thread, server.connect, &arguments) as u32);
    if answer.is_success() {
        let cookie = guest::read(slot);
        with(|state| state.ports.client = Some(Client { server, cookie }));
    } else {
        // The filter manager closes a connection that the driver refused.
        let _ = release(Kind::ClientPort, port);
    }
    Some(answer)
}

/// Sends a message of the program. Returns the result, or `None` if it is not connected or the driver accepts no
/// messages.
pub fn message(input: &[u8], output: u32) -> Option<Completed> {
    let client = with(|state| state.ports.client)?;
    let routine = Routine::Other {
        callback: Callback::Message,
    };
    if client.server.message == 0 || left_out(&routine) {
        return None;
    }
    let block = |size: usize, what: &str| match size {
        0 => 0,
        size => system_block(size, what),
    };
    let message = block(input.len(), "a message");
    guest::put(message, input);
    let answer = block(output as usize, "the buffer for the answer to a message");
    let returned = system_block(4, "the length of the answer to a message");
    let arguments = [
        client.cookie,
        message,
        input.len() as u64,
        answer,
        u64::from(output),
        returned,
    ];
    let thread = new_thread_of(PROGRAM);
    let status = enter(routine, PASSIVE, thread, client.server.message, &arguments);
    let information = guest::read::<u32>(returned);
    let completed = Completed {
        status: Status(status as u32),
        information: u64::from(information),
        data: guest::bytes(answer, information.min(output) as usize),
    };
    for block in [message, answer, returned] {
        must(memory::free(block, false));
    }
    Some(completed)
}

/// Disconnects the program.
pub fn disconnect() {
    let Some(client) = with(|state| state.ports.client.take()) else {
        return;
    };
    let routine = Routine::Other {
        callback: Callback::Disconnect,
    };
    let _ = enter(
        routine,
        PASSIVE,
        new_thread_of(PROGRAM),
        client.server.disconnect,
        &[client.cookie],
    );
}

/// Disconnects the program from a filter that is unregistered.
pub fn disconnect_all() {
    disconnect();
    with(|state| state.ports.servers.clear());
}
