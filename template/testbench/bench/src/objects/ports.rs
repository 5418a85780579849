//! Communication ports and their client.

use std::collections::VecDeque;

/// The server ports and their clients.
#[derive(Debug, Clone, Default)]
pub struct Ports {
    /// The server ports.
    pub servers: Vec<Server>,
    /// The names of the server ports.
    pub names: Vec<String>,
    /// The connected client.
    pub client: Option<Client>,
    /// The replies of the client to the next messages of the driver.
    pub replies: VecDeque<Vec<u8>>,
}

/// A server port.
#[derive(Debug, Clone, Copy)]
pub struct Server {
    /// The handle.
    pub handle: u64,
    /// The index of the name in [`Ports::names`].
    pub name: usize,
    /// `ServerPortCookie`, or the cookie of the connection.
    pub cookie: u64,
    /// `ConnectNotifyCallback`.
    pub connect: u64,
    /// `DisconnectNotifyCallback`.
    pub disconnect: u64,
    /// `MessageNotifyCallback`.
    pub message: u64,
    /// The port is not closed.
    pub open: bool,
}

/// A connection.
#[derive(Debug, Clone, Copy)]
pub struct Client {
    /// The port.
    pub server: Server,
    /// `ServerPortCookie`, or the cookie of the connection.
    pub cookie: u64,
}
