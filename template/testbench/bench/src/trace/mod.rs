//! What happened in one scenario: a list of events, as plain data.
//!
//! The worker writes each event as one JSON line the moment it happens, so that a crash or a hang loses nothing. The
//! rules read the list and know nothing else.

mod ending;
mod event;
mod recorded;
mod resource;
mod routine;
mod words;

pub use ending::{Argument, Ending, Misuse, Place, Target, Trap, Wait, Waiting};
pub use event::{Event, LogEntry, Registration, Stage, Unload};
pub use recorded::Trace;
pub use resource::Kind;
pub use routine::{Callback, ContextKind, Operation, Routine, Via};
