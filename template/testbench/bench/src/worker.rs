//! The worker: a process that plays one scenario and ends.
//!
//! The bench starts its worker with the job as one JSON line on standard input, and reads the events
//! from standard output. A worker whose parent is gone ends: its standard input ends then. One that
//! takes too long is sent another line, and ends with what it has.

use std::io::{BufRead as _, Read as _};
use std::process::ExitCode;
use std::sync::mpsc;

use crate::image::Image;
use crate::job::Job;
use crate::machine::events;
use crate::machine::record::Record;
use crate::scripts;

/// The environment variable that makes a program a worker.
pub const ROLE: &str = "MINIFILTER_TESTBENCH_WORKER";

/// Serves as a worker if this process was started as one.
///
/// To be called first in `main` of a program that embeds the bench and is its own worker.
#[must_use]
pub fn serve() -> Option<ExitCode> {
    std::env::var_os(ROLE)?;
    Some(run())
}

/// Plays the scenario that stands on standard input.
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
        // The next thing to come is the parent's end, or its wish to have what there is.
        let mut rest = [0];
        let _ = std::io::stdin().lock().read(&mut rest);
        waiting.flush();
        std::process::exit(3);
    });
    // The system calls with which a thread begins are no longer possible when the driver runs.
    let _ = is_ready.recv();
    match Image::open(&job.driver) {
        Ok(image) => scripts::play(image, job, record),
        Err(refusal) => events::internal(refusal.to_string()),
    }
}
