//! Runs each scenario in a separate process.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use crate::image::Refusal;
use crate::job::Job;
use crate::trace::{Ending, Event, Place, Trace, Trap};
use crate::worker::ROLE;

/// The time in which a worker must write its events after it exceeded the time limit.
const FLUSH_TIME: Duration = Duration::from_secs(2);

/// The worker program and its time limit.
#[derive(Debug, Clone)]
pub struct Player {
    /// The path of the program.
    pub program: PathBuf,
    /// The time limit of a scenario.
    pub limit: Duration,
}

impl Player {
    /// Runs one scenario.
    ///
    /// # Errors
    ///
    /// Returns one sentence if the worker cannot be started.
    pub fn play(&self, job: &Job) -> Result<Trace, Refusal> {
        let refused = |error: std::io::Error| {
            Refusal(format!(
                "the bench's worker {} cannot be started: {error}.",
                self.program.display()
            ))
        };
        let mut child = Command::new(&self.program)
            .env(ROLE, "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(refused)?;
        // The pipe stays open until the worker ends. The worker ends when the pipe is closed.
        let mut stdin = child.stdin.take();
        if let Some(stdin) = &mut stdin {
            let line = serde_json::to_string(job).map_err(|error| Refusal(error.to_string()))?;
            // A failed write means that the worker has ended. The exit status is read below.
            let _ = writeln!(stdin, "{line}");
        }
        let stdout = child.stdout.take();
        let (sender, receiver) = mpsc::channel();
        let reader = thread::spawn(move || {
            let lines = stdout
                .into_iter()
                .flat_map(|stdout| BufReader::with_capacity(1 << 16, stdout).lines());
            // Lines that are not events come from other code in the process.
            let events = lines
                .map_while(Result::ok)
                .filter_map(|line| serde_json::from_str::<Event>(&line).ok())
                .collect::<Vec<_>>();
            let _ = sender.send(());
            events
        });
        let timeout = receiver.recv_timeout(self.limit) == Err(mpsc::RecvTimeoutError::Timeout);
        if timeout {
            // The worker writes the events that it has recorded and ends. If it does not, it is terminated.
            if let Some(stdin) = &mut stdin {
                let _ = writeln!(stdin);
            }
            if receiver.recv_timeout(FLUSH_TIME) == Err(mpsc::RecvTimeoutError::Timeout) {
                let _ = child.kill();
            }
        }
        let status = child.wait();
        let mut trace = Trace {
            events: reader.join().unwrap_or_default(),
        };
        if trace.ending().is_none() {
            let ending = if timeout {
                Ending::Timeout {
                    limit: self.limit.as_millis() as u64,
                }
            } else {
                died(&status)
            };
            trace.events.push(Event::End { ending });
        }
        Ok(trace)
    }
}

/// Returns the ending of a worker that ended without an ending event.
fn died(status: &std::io::Result<std::process::ExitStatus>) -> Ending {
    /// The exit status for an `int 29h` that was not replaced in the code. Windows ends the process without calling a
    /// handler.
    const STACK_BUFFER_OVERRUN: i32 = 0xC000_0409_u32 as i32;
    match status {
        Ok(status) if status.code() == Some(STACK_BUFFER_OVERRUN) => Ending::Trap {
            at: Place::default(),
            trap: Trap::FastFail {
                code: "that Windows does not report".to_owned(),
            },
            argument: None,
            guarded: false,
        },
        Ok(status) => Ending::Died {
            status: status.to_string(),
        },
        Err(error) => Ending::Died {
            status: error.to_string(),
        },
    }
}
