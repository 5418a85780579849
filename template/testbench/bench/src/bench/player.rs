//! Plays scenarios, each in a process of its own.

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

/// How long a worker that took too long may take to say what it was doing.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// The worker and its limit.
#[derive(Debug, Clone)]
pub struct Player {
    /// The program.
    pub program: PathBuf,
    /// How long a scenario may take.
    pub limit: Duration,
}

impl Player {
    /// Plays one scenario.
    ///
    /// # Errors
    ///
    /// One sentence: the worker cannot be started.
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
        // Held until the worker is done: its end is the end of the parent.
        let mut stdin = child.stdin.take();
        if let Some(stdin) = &mut stdin {
            let line = serde_json::to_string(job).map_err(|error| Refusal(error.to_string()))?;
            // A worker that does not read has died, which shows below.
            let _ = writeln!(stdin, "{line}");
        }
        let stdout = child.stdout.take();
        let (sender, receiver) = mpsc::channel();
        let reader = thread::spawn(move || {
            let lines = stdout
                .into_iter()
                .flat_map(|stdout| BufReader::with_capacity(1 << 16, stdout).lines());
            // What is no event was printed by something else.
            let events = lines
                .map_while(Result::ok)
                .filter_map(|line| serde_json::from_str::<Event>(&line).ok())
                .collect::<Vec<_>>();
            let _ = sender.send(());
            events
        });
        let timeout = receiver.recv_timeout(self.limit) == Err(mpsc::RecvTimeoutError::Timeout);
        if timeout {
            // It hands over what it has; one that cannot do even that is ended.
            if let Some(stdin) = &mut stdin {
                let _ = writeln!(stdin);
            }
            if receiver.recv_timeout(LAST_WORDS) == Err(mpsc::RecvTimeoutError::Timeout) {
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

/// A worker that ended without saying why.
fn died(status: &std::io::Result<std::process::ExitStatus>) -> Ending {
    /// What Windows reports for an `int 29h` that was not found in the code beforehand: no handler sees it.
    const STACK_BUFFER_OVERRUN: i32 = 0xC000_0409_u32 as i32;
    match status {
        Ok(status) if status.code() == Some(STACK_BUFFER_OVERRUN) => Ending::Trap {
            at: Place::default(),
            trap: Trap::FastFail {
                code: "that Windows does not tell".to_owned(),
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
