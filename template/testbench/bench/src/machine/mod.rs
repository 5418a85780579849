//! The machine that runs the driver: memory, threads, calls and the event record.
//!
//! One [`Machine`](state::Machine) contains the state of the model. Trap handlers and the code that switches stacks
//! access it through a global pointer and through [`switch::SWITCH`].

pub mod call;
pub mod declare;
pub mod enter;
pub mod events;
pub mod exception;
pub mod function;
pub mod guest;
pub mod ledger;
pub mod memory;
pub mod process;
pub mod record;
pub mod schedule;
pub mod space;
pub mod state;
pub mod switch;
pub mod system;
pub mod thread;
pub mod threads;
pub mod thunks;
pub mod trap;
pub mod unwind;
