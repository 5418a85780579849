//! A worker process: its events, and the acts of a test.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use super::player::Player;
use crate::act::{Act, Reply};
use crate::image::Refusal;
use crate::job::Job;
use crate::os;
use crate::trace::{Ending, Event, Place, Trace, Trap};
use crate::worker::ROLE;

/// The time in which a worker must write its events after it exceeded the time limit.
const FLUSH_TIME: Duration = Duration::from_secs(2);

/// The maximum time for a worker that waits for a busy processor, as a multiple of the time limit.
const MOST_WAITS: u32 = 10;

/// A worker process.
#[derive(Debug)]
pub struct Session {
    child: Child,
    /// The pipe stays open until the worker ends. The worker ends when the pipe is closed.
    stdin: Option<ChildStdin>,
    receiver: Receiver<Event>,
    limit: Duration,
    trace: Trace,
    ended: bool,
}

impl Session {
    /// Starts a worker.
    ///
    /// # Errors
    ///
    /// Returns one sentence if the worker cannot be started.
    pub fn start(player: &Player, job: &Job) -> Result<Self, Refusal> {
        let refused = |error: std::io::Error| {
            Refusal(format!(
                "the bench's worker {} cannot be started: {error}.",
                player.program.display()
            ))
        };
        let mut child = Command::new(&player.program)
            .env(ROLE, "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(refused)?;
        let mut stdin = child.stdin.take();
        if let Some(stdin) = &mut stdin {
            let line = serde_json::to_string(job).map_err(|error| Refusal(error.to_string()))?;
            // A failed write means that the worker has ended. The exit status is read later.
            let _ = writeln!(stdin, "{line}");
        }
        let stdout = child.stdout.take();
        let (sender, receiver) = mpsc::channel();
        thread::spawn(move || {
            let lines = stdout
                .into_iter()
                .flat_map(|stdout| BufReader::with_capacity(1 << 16, stdout).lines());
            // Lines that are not events come from other code in the process.
            let events = lines
                .map_while(Result::ok)
                .filter_map(|line| serde_json::from_str::<Event>(&line).ok());
            for event in events {
                if sender.send(event).is_err() {
                    return;
                }
            }
        });
        Ok(Session {
            child,
            stdin,
            receiver,
            limit: player.limit,
            trace: Trace::default(),
            ended: false,
        })
    }

    /// Returns the events so far.
    #[must_use]
    pub fn trace(&self) -> &Trace {
        &self.trace
    }

    /// Returns whether the worker has ended.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        self.ended
    }

    /// Sends an act and returns the reply, or `None` if the worker has ended.
    pub fn act(&mut self, act: &Act) -> Option<Reply> {
        if self.ended {
            return None;
        }
        let stdin = self.stdin.as_mut()?;
        let line = serde_json::to_string(act).ok()?;
        // A failed write means that the worker has ended.
        let _ = writeln!(stdin, "{line}");
        self.reply()
    }

    /// Waits for a reply. Returns `None` if the worker has ended.
    pub fn reply(&mut self) -> Option<Reply> {
        let begin = Instant::now();
        let before = os::processor_time(&self.child);
        let mut end = begin + self.limit;
        while !self.ended {
            let rest = end.saturating_duration_since(Instant::now());
            match self.receiver.recv_timeout(rest) {
                Ok(Event::Reply { reply }) => return Some(reply),
                Ok(event) => self.trace.events.push(event),
                // On a busy machine, the time limit is one of processor time.
                Err(RecvTimeoutError::Timeout)
                    if begin.elapsed() < self.limit * MOST_WAITS && self.is_starved(before) =>
                {
                    end += self.limit;
                }
                Err(error) => self.end(error == RecvTimeoutError::Timeout),
            }
        }
        None
    }

    /// Returns whether the worker received less processor time than the limit, since it had received `before`.
    fn is_starved(&self, before: Option<Duration>) -> bool {
        let times = before.zip(os::processor_time(&self.child));
        times.is_some_and(|(before, now)| now.saturating_sub(before) < self.limit)
    }

    /// Waits until the worker ends. Returns the trace.
    #[must_use]
    pub fn finish(mut self) -> Trace {
        while self.reply().is_some() {}
        std::mem::take(&mut self.trace)
    }

    /// Ends the worker and records the ending.
    fn end(&mut self, timeout: bool) {
        self.ended = true;
        if timeout {
            // The worker writes the events that it has recorded and ends. If it does not, it is terminated.
            if let Some(stdin) = &mut self.stdin {
                let _ = writeln!(stdin);
            }
            let end = Instant::now() + FLUSH_TIME;
            loop {
                let rest = end.saturating_duration_since(Instant::now());
                match self.receiver.recv_timeout(rest) {
                    Ok(event) => self.trace.events.push(event),
                    Err(RecvTimeoutError::Disconnected) => break,
                    Err(RecvTimeoutError::Timeout) => {
                        let _ = self.child.kill();
                        break;
                    }
                }
            }
        }
        let status = self.child.wait();
        if self.trace.ending().is_none() {
            let ending = if timeout {
                Ending::Timeout {
                    limit: self.limit.as_millis() as u64,
                }
            } else {
                died(&status)
            };
            self.trace.events.push(Event::End { ending });
        }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        if !self.ended {
            // The worker ends when its input is closed.
            drop(self.stdin.take());
            let _ = self.child.wait();
        }
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
