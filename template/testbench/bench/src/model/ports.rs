//! Communication ports, and the client that talks to them.
//!
//! Documents: "Communication Between User-mode and Minifilters", "Closing the Communication Server
//! Port", "`PFLT_CONNECT_NOTIFY` callback function (fltkernel.h)" and its siblings.

use super::{
    APC, Fails, Optional, PASSIVE, acquire, bad_handle, enter, filter, functions, held_once,
    in_teardown, must, must_release, new_thread, release, security, system_block, with,
};
use crate::memory::Purpose;
use crate::status::{self, Status};
use crate::trace::{Kind, Routine};
use crate::{guest, memory};

/// The ports and their clients.
#[derive(Debug, Clone, Default)]
pub struct Ports {
    servers: Vec<Server>,
    client: Option<Client>,
}

#[derive(Debug, Clone, Copy)]
struct Server {
    handle: u64,
    cookie: u64,
    connect: u64,
    disconnect: u64,
    message: u64,
    open: bool,
}

#[derive(Debug, Clone, Copy)]
struct Client {
    server: Server,
    cookie: u64,
}

functions! { pub PORTS = "FLTMGR.SYS", "fltkernel.h";
    /// A security descriptor for a port.
    [APC, Fails::With(&[status::INSUFFICIENT_RESOURCES])]
    fn FltBuildDefaultSecurityDescriptor(out: u64, access: u32) -> Status {
        let what = "the security descriptor of FltBuildDefaultSecurityDescriptor".to_owned();
        let size = security::default_size();
        let descriptor = must(memory::allocate(size, Purpose::PagedPool, what));
        security::put_default(descriptor, access);
        acquire(Kind::SecurityDescriptor, descriptor, "FltBuildDefaultSecurityDescriptor");
        guest::write(out, descriptor);
        status::SUCCESS
    }
    /// Gives it back.
    [APC, Fails::Never]
    fn FltFreeSecurityDescriptor(descriptor: u64) {
        must_release(Kind::SecurityDescriptor, descriptor);
        must(memory::free(descriptor, in_teardown()));
    }
    /// Opens a server port.
    [PASSIVE, Fails::With(&[status::INSUFFICIENT_RESOURCES, status::OBJECT_NAME_COLLISION])]
    fn FltCreateCommunicationPort(
        filter: u64, out: u64, attributes: u64, cookie: u64, connect: u64, disconnect: u64, message: u64, most: i32,
    ) -> Status {
        filter::check(filter);
        create(out, attributes, most, Server { handle: 0, cookie, connect, disconnect, message, open: true })
    }
    /// Closes a server port.
    [PASSIVE, Fails::Never]
    fn FltCloseCommunicationPort(port: u64) {
        must_release(Kind::ServerPort, port);
        with(|state| {
            for server in state.ports.servers.iter_mut().filter(|server| server.handle == port) {
                server.open = false;
            }
        });
    }
    /// Closes the driver's end of a connection and clears the driver's variable.
    [PASSIVE, Fails::Never]
    fn FltCloseClientPort(filter: u64, port: u64) {
        filter::check(filter);
        let handle = guest::read::<u64>(port);
        must_release(Kind::ClientPort, handle);
        guest::write(port, 0_u64);
    }
    /// Sends a message to the client, which answers with zeroes.
    [APC, Fails::With(&[status::PORT_DISCONNECTED, status::TIMEOUT])]
    fn FltSendMessage(
        filter: u64, port: u64, _buffer: u64, _length: u32, reply: Optional, reply_length: Optional, _timeout: u64,
    ) -> Status {
        filter::check(filter);
        let handle = guest::read::<u64>(port);
        if handle == 0 || with(|state| state.ports.client).is_none() {
            return status::PORT_DISCONNECTED;
        }
        if held_once(Kind::ClientPort, handle).is_none() {
            bad_handle("client port", handle);
        }
        if reply != 0 && reply_length != 0 {
            let length = guest::read::<u32>(reply_length);
            guest::fill(reply, 0, length as usize);
        }
        status::SUCCESS
    }
}

fn create(out: u64, attributes: u64, most: i32, server: Server) -> Status {
    const KERNEL_HANDLE: u32 = 0x200;
    let flags = guest::read::<u32>(attributes + 0x18);
    let descriptor = guest::read::<u64>(attributes + 0x20);
    if flags & KERNEL_HANDLE == 0 || server.connect == 0 || server.disconnect == 0 || most <= 0 {
        return status::INVALID_PARAMETER;
    }
    let name = guest::object_name(attributes);
    if descriptor != 0 {
        guest::through(attributes, "SecurityDescriptor", || {
            security::applied(descriptor, &format!("the server port {name}"));
        });
    }
    let handle = memory::handle(format!("the server port {name}"));
    with(|state| state.ports.servers.push(Server { handle, ..server }));
    acquire(Kind::ServerPort, handle, name);
    guest::write(out, handle);
    status::SUCCESS
}

/// A program connects to the driver's port, if there is one.
pub fn connect() {
    let server = with(|state| {
        let mut servers = state.ports.servers.iter();
        servers.find(|server| server.open).copied()
    });
    let Some(server) = server else { return };
    let port = memory::handle("the client port".to_owned());
    let slot = system_block(8, "the connection's cookie");
    let routine = Routine::Other {
        routine: "ConnectNotifyCallback".to_owned(),
    };
    acquire(Kind::ClientPort, port, "a connection");
    let arguments = [port, server.cookie, 0, 0, slot];
    let answer = enter(routine, PASSIVE, new_thread(), server.connect, &arguments);
    if Status(answer as u32).is_success() {
        let cookie = guest::read(slot);
        with(|state| state.ports.client = Some(Client { server, cookie }));
    } else {
        // A refused connection is closed by the filter manager.
        let _ = release(Kind::ClientPort, port);
    }
}

/// The program sends messages: nothing, too little, zeroes.
pub fn message() {
    let Some(client) = with(|state| state.ports.client) else {
        return;
    };
    if client.server.message == 0 {
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
        let routine = Routine::Other {
            routine: "MessageNotifyCallback".to_owned(),
        };
        let _ = enter(
            routine,
            PASSIVE,
            new_thread(),
            client.server.message,
            &arguments,
        );
        must(memory::free(buffer, false));
    }
}

/// The program goes away.
pub fn disconnect() {
    let Some(client) = with(|state| state.ports.client.take()) else {
        return;
    };
    let routine = Routine::Other {
        routine: "DisconnectNotifyCallback".to_owned(),
    };
    let _ = enter(
        routine,
        PASSIVE,
        new_thread(),
        client.server.disconnect,
        &[client.cookie],
    );
}

/// The filter is being unregistered: whoever is connected is cut off.
pub fn filter_is_gone() {
    disconnect();
    with(|state| state.ports.servers.clear());
}
