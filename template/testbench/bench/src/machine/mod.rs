//! The machine that the driver runs on: memory, threads, calls, what is recorded.
//!
//! One [`Machine`](state::Machine) owns all state of the model. What a trap handler and the code that switches between
//! stacks must reach is the pointer to it and the block [`switch::SWITCH`].

pub mod call;
pub mod declare;
pub mod events;
pub mod exception;
pub mod function;
pub mod guest;
pub mod ledger;
pub mod memory;
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
