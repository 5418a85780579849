//! The objects of the simulated system, as plain data without behavior.

pub mod contexts;
pub mod devices;
pub mod filter;
pub mod locks;
pub mod names;
pub mod operations;
pub mod pool;
pub mod ports;
pub mod programs;
pub mod registry;
pub mod volumes;
pub mod work;
