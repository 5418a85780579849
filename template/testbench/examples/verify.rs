//! Puts any driver on the bench: `cargo run --example verify -- FILE.sys`.
//!
//! Says in words what is wrong, or with `--json` as one line of JSON for each file. A `testbench.toml` in a folder
//! above the file says what that driver promises. Exit status: 0 no findings, 1 findings, 2 a file could not be loaded.

use std::path::Path;
use std::process::ExitCode;

use testbench::{Bench, Expectations, Refusal, Report};

fn main() -> ExitCode {
    // The bench starts this program again for each scenario.
    if let Some(code) = testbench::worker::serve() {
        return code;
    }
    let (switches, files): (Vec<_>, Vec<_>) = std::env::args()
        .skip(1)
        .partition(|argument| argument == "--json");
    let mut status = 0;
    for file in &files {
        match verify(Path::new(file)) {
            Ok(report) => {
                let json = serde_json::to_string(&report).unwrap_or_default();
                println!(
                    "{}",
                    if switches.is_empty() {
                        report.to_string()
                    } else {
                        json
                    }
                );
                status = status.max(u8::from(!report.findings.is_empty()));
            }
            Err(refusal) => {
                eprintln!("{refusal}");
                status = 2;
            }
        }
    }
    ExitCode::from(status)
}

fn verify(file: &Path) -> Result<Report, Refusal> {
    let bench = Bench::open(file)?;
    match Expectations::find(file)? {
        Some((_, expectations)) => bench.expect(expectations),
        None => bench,
    }
    .run()
}
