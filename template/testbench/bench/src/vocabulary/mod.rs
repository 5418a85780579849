//! The names and numbers that driver and system share. Nothing here depends on the rest of the crate.

pub mod irql;
pub mod layout;
pub mod major;
pub mod preop;
pub mod status;
