//! The worker: a process that runs one scenario and ends.
//!
//! The bench starts a worker, writes the job as one JSON line to its standard input, and reads the events from its
//! standard output. If the parent process ends, the standard input is closed and the worker ends. If the scenario
//! exceeds its time limit, the bench writes another line, and the worker writes the recorded events and ends.

use std::io::BufRead as _;
use std::process::ExitCode;

use crate::image::Image;
use crate::job::Job;
use crate::machine::events;
use crate::os;
use crate::scripts;

/// The environment variable that makes a program act as a worker.
pub const ROLE: &str = "MINIFILTER_TESTBENCH_WORKER";

/// Runs as a worker if this process was started as one.
///
/// A program that embeds the bench and is its own worker must call this function first in `main`.
#[must_use]
pub fn serve() -> Option<ExitCode> {
    std::env::var_os(ROLE)?;
    Some(run())
}

/// Runs the scenario that is read from standard input.
#[must_use]
pub fn run() -> ExitCode {
    let mut line = String::new();
    let read = std::io::stdin().lock().read_line(&mut line);
    let Ok(Ok(job)) = read.map(|_| serde_json::from_str::<Job>(&line)) else {
        eprintln!(
            "this is the test bench's worker; it is started by the bench and reads its job from standard input"
        );
        return ExitCode::from(2);
    };
    std::panic::set_hook(Box::new(|panic| events::internal(panic.to_string())));
    // The next input is the end of the pipe or the request to write the events.
    if let Err(error) = os::watch_input(events::flush) {
        eprintln!("the worker cannot watch its standard input: {error}");
        return ExitCode::from(2);
    }
    match Image::open(&job.driver) {
        Ok(image) => scripts::play(image, job),
        Err(refusal) => events::internal(refusal.to_string()),
    }
}
