//! The worker: a process that runs one scenario and ends.
//!
//! The bench starts a worker, writes the job as one JSON line to its standard input, and reads the events from its
//! standard output. If the parent process ends, the standard input is closed and the worker ends. If the scenario
//! exceeds its time limit, the bench writes another line, and the worker writes the recorded events and ends.

use std::io::{BufRead as _, Read as _};
use std::process::ExitCode;
use std::sync::mpsc;

use crate::image::Image;
use crate::job::Job;
use crate::machine::events;
use crate::machine::record::Record;
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
    let record = Record::default();
    let waiting = record.clone();
    let (ready, is_ready) = mpsc::channel();
    std::thread::spawn(move || {
        let _ = ready.send(());
        // The next input is the end of the pipe or the request to write the events.
        let mut rest = [0];
        let _ = std::io::stdin().lock().read(&mut rest);
        waiting.flush();
        std::process::exit(3);
    });
    // The thread must have started before the driver runs. Afterwards, its system calls are not allowed.
    let _ = is_ready.recv();
    match Image::open(&job.driver) {
        Ok(image) => scripts::play(image, job, record),
        Err(refusal) => events::internal(refusal.to_string()),
    }
}
