//! The client of a communication port.
//!
//! Documents: "Communication Between User-mode and Minifilters", "`PFLT_CONNECT_NOTIFY` callback function
//! (fltkernel.h)" and the pages of the other port callbacks.

use crate::machine::events::must;
use crate::machine::ledger::{acquire, release};
use crate::machine::schedule::enter;
use crate::machine::state::{left_out, with};
use crate::machine::system::system_block;
use crate::machine::threads::new_thread;
use crate::machine::{guest, memory};
use crate::objects::ports::Client;
use crate::trace::{Callback, Kind, Routine};
use crate::vocabulary::irql::PASSIVE;
use crate::vocabulary::status::Status;

/// Connects a user-mode program to the driver's port, if there is one.
pub fn connect() {
    let server = with(|state| {
        let mut servers = state.ports.servers.iter();
        servers.find(|server| server.open).copied()
    });
    let routine = Routine::Other {
        callback: Callback::Connect,
    };
    let Some(server) = server.filter(|_| !left_out(&routine)) else {
        return;
    };
    let port = memory::handle("the client port".to_owned());
    let slot = system_block(8, "the connection's cookie");
    acquire(Kind::ClientPort, port, "a connection");
    let arguments = [port, server.cookie, 0, 0, slot];
    let answer = enter(routine, PASSIVE, new_thread(), server.connect, &arguments);
    if Status(answer as u32).is_success() {
        let cookie = guest::read(slot);
        with(|state| state.ports.client = Some(Client { server, cookie }));
    } else {
        // The filter manager closes a connection that the driver refused.
        let _ = release(Kind::ClientPort, port);
    }
}

/// Sends messages of the program: an empty one, one that is too short, and one with zeroes.
pub fn message() {
    let Some(client) = with(|state| state.ports.client) else {
        return;
    };
    let routine = Routine::Other {
        callback: Callback::Message,
    };
    if client.server.message == 0 || left_out(&routine) {
        return;
    }
    for (input, output) in [(0_u32, 0_u32), (1, 0), (16, 0), (64, 256)] {
        let buffer = system_block(0x200, "a message");
        let returned = buffer + 0x1F8;
        let at = |length: u32, place: u64| if length == 0 { 0 } else { place };
        let arguments = [
            client.cookie,
            at(input, buffer),
            u64::from(input),
            at(output, buffer + 0x80),
            u64::from(output),
            returned,
        ];
        let _ = enter(
            routine.clone(),
            PASSIVE,
            new_thread(),
            client.server.message,
            &arguments,
        );
        must(memory::free(buffer, false));
    }
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
        new_thread(),
        client.server.disconnect,
        &[client.cookie],
    );
}

/// Disconnects the program from a filter that is unregistered.
pub fn disconnect_all() {
    disconnect();
    with(|state| state.ports.servers.clear());
}
