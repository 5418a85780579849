//! Communication ports.
//!
//! Document: "Closing the Communication Server Port" and the reference pages of the functions.

use crate::lifecycle::{arguments, filter, security};
use crate::machine::declare::functions;
use crate::machine::enter::in_teardown;
use crate::machine::events::{emit, must, refuse};
use crate::machine::function::{Fails, Optional};
use crate::machine::ledger::{acquire, bad_handle, held_once, must_release};
use crate::machine::space::Purpose;
use crate::machine::state::{is_test, with};
use crate::machine::{guest, memory};
use crate::objects::ports::Server;
use crate::trace::{Event, Kind};
use crate::vocabulary::irql::{APC, PASSIVE};
use crate::vocabulary::status::{self, Status};

functions! { pub PORTS = "FLTMGR.SYS", "fltkernel.h";
    /// Creates the default security descriptor of a port.
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
    /// Frees the security descriptor.
    [APC, Fails::Never]
    fn FltFreeSecurityDescriptor(descriptor: u64) {
        must_release(Kind::SecurityDescriptor, descriptor);
        must(memory::free(descriptor, in_teardown()));
    }
    /// Creates a server port.
    [PASSIVE, Fails::With(&[status::INSUFFICIENT_RESOURCES, status::OBJECT_NAME_COLLISION])]
    fn FltCreateCommunicationPort(
        filter: u64, out: u64, attributes: u64, cookie: u64, connect: u64, disconnect: u64, message: u64, most: i32,
    ) -> Status {
        filter::check(filter);
        create(out, attributes, most, Server { handle: 0, name: 0, cookie, connect, disconnect, message, open: true })
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
    /// Closes the server side of a connection and clears the port variable of the driver.
    [PASSIVE, Fails::Never]
    fn FltCloseClientPort(filter: u64, port: u64) {
        filter::check(filter);
        let handle = guest::read::<u64>(port);
        must_release(Kind::ClientPort, handle);
        guest::write(port, 0_u64);
    }
    /// Sends a message to the client. Its reply is that of the test, or all zeroes.
    [APC, Fails::With(&[status::PORT_DISCONNECTED, status::TIMEOUT])]
    fn FltSendMessage(
        filter: u64, port: u64, buffer: u64, length: u32, reply: Optional, reply_length: Optional, _timeout: u64,
    ) -> Status {
        filter::check(filter);
        if reply != 0 && reply_length == 0 {
            return refuse(status::INVALID_PARAMETER, "ReplyBuffer is not NULL and ReplyLength is NULL");
        }
        guest::touch(buffer, length as usize);
        let handle = guest::read::<u64>(port);
        if handle == 0 || with(|state| state.ports.client).is_none() {
            return status::PORT_DISCONNECTED;
        }
        if held_once(Kind::ClientPort, handle).is_none() {
            bad_handle("client port", handle);
        }
        if is_test() {
            emit(&Event::PortMessage { data: guest::bytes(buffer, length as usize) });
        }
        if reply != 0 && reply_length != 0 {
            let length = guest::read::<u32>(reply_length) as usize;
            guest::fill(reply, 0, length);
            if let Some(given) = with(|state| state.ports.replies.pop_front()) {
                let given = &given[..given.len().min(length)];
                guest::put(reply, given);
                guest::write(reply_length, given.len() as u32);
            }
        }
        status::SUCCESS
    }
}

fn create(out: u64, attributes: u64, most: i32, server: Server) -> Status {
    const KERNEL_HANDLE: u32 = 0x200;
    let flags = guest::read::<u32>(attributes + 0x18);
    let descriptor = guest::read::<u64>(attributes + 0x20);
    let missing = [
        (
            flags & KERNEL_HANDLE == 0,
            "Attributes of OBJECT_ATTRIBUTES does not have OBJ_KERNEL_HANDLE",
        ),
        (server.connect == 0, "ConnectNotifyCallback is NULL"),
        (server.disconnect == 0, "DisconnectNotifyCallback is NULL"),
        (most <= 0, "MaxConnections is not positive"),
    ];
    if let Some((_, reason)) = missing.into_iter().find(|(is_missing, _)| *is_missing) {
        return refuse(status::INVALID_PARAMETER, reason);
    }
    guest::touch(out, 8);
    let name = guest::object_name(attributes);
    let taken = with(|state| {
        let mut open = state.ports.servers.iter().filter(|server| server.open);
        open.any(|server| state.ports.names[server.name].eq_ignore_ascii_case(&name))
    });
    if taken {
        return status::OBJECT_NAME_COLLISION;
    }
    if descriptor != 0 {
        guest::through(attributes, "SecurityDescriptor", || {
            security::applied(descriptor, &format!("the server port {name}"));
        });
    }
    if let Err(refused) = arguments::attributes(attributes, false) {
        return refused;
    }
    let handle = memory::handle(format!("the server port {name}"));
    with(|state| {
        let ports = &mut state.ports;
        ports.names.push(name.clone());
        ports.servers.push(Server {
            handle,
            name: ports.names.len() - 1,
            ..server
        });
    });
    acquire(Kind::ServerPort, handle, name);
    guest::write(out, handle);
    status::SUCCESS
}
