//! The trace of a scenario: a list of events, as plain data.
//!
//! The worker writes each event as one JSON line. It buffers them, and writes the buffer when it is full, when the
//! scenario ends, and when it exceeds its time limit. The list of events is the only input of the rules.

mod ending;
mod event;
mod recorded;
mod reply;
mod resource;
mod routine;
mod words;

pub use ending::{Argument, Ending, Misuse, Place, Target, Trap, Wait, Waiting};
pub use event::{Breach, Event, LogEntry, Registration, Stage, Unload};
pub use recorded::Trace;
pub use reply::{Number, Reply};
pub use resource::{Kind, Subject};
pub use routine::{Callback, ContextKind, Operation, Routine, Via};
