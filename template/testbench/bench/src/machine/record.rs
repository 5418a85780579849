//! A buffer for events. Writing each event separately would dominate the run time.

use std::io::Write as _;
use std::sync::{Mutex, PoisonError};

/// The number of buffered bytes at which the buffer is written.
const ENOUGH: usize = 1 << 14;

/// The record of a scenario.
#[derive(Debug, Default)]
pub struct Record(Mutex<Vec<u8>>);

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

    /// Writes the buffered events, unless they are being written: a signal handler may call this function.
    pub fn flush(&self) {
        if let Ok(mut waiting) = self.0.try_lock() {
            write_out(&mut waiting);
        }
    }
}

fn write_out(waiting: &mut Vec<u8>) {
    let mut out = std::io::stdout();
    // Errors are ignored: the parent process has ended.
    let _ = out.write_all(waiting).and_then(|()| out.flush());
    waiting.clear();
}
