//! The events that are not written yet: to write each by itself takes longer than everything else.

use std::io::Write as _;
use std::sync::{Arc, Mutex, PoisonError};

/// So many bytes are written at once.
const ENOUGH: usize = 1 << 14;

/// What is recorded of a scenario. Its clones share the events: one belongs to the thread that writes them when time is
/// up.
#[derive(Debug, Clone, Default)]
pub struct Record(Arc<Mutex<Vec<u8>>>);

impl Record {
    /// Adds a line.
    pub fn add(&self, line: &mut Vec<u8>) {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.append(line);
        waiting.push(b'\n');
        if waiting.len() > ENOUGH {
            write_out(&mut waiting);
        }
    }

    /// Writes what is not written yet.
    pub fn flush(&self) {
        write_out(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

fn write_out(waiting: &mut Vec<u8>) {
    let mut out = std::io::stdout();
    // A parent that is gone needs no events.
    let _ = out.write_all(waiting).and_then(|()| out.flush());
    waiting.clear();
}
