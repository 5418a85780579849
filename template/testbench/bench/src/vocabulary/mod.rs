//! Names and numbers that the driver and the system share. This module does not depend on the rest of the crate.

pub mod buffers;
pub mod bypass_io;
pub mod file;
pub mod injected;
pub mod irql;
pub mod layout;
pub mod major;
pub mod preop;
pub mod status;
