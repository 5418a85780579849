//! The operations of the system on the driver: it loads and unloads the driver, attaches it to volumes, delivers
//! operations, and opens its device.

pub mod arguments;
pub mod bottom;
pub mod catalogue;
pub mod contexts;
pub mod devices;
pub mod files;
pub mod filter;
pub mod handles;
pub mod instances;
pub mod io_manager;
pub mod operations;
pub mod parameters;
pub mod pool;
pub mod ports;
pub mod programs;
pub mod reinitialization;
pub mod security;
pub mod volumes;
