//! Puts any driver on the bench: `cargo run --example verify -- FILE.sys`.
//!
//! Says in words what is wrong, or with `--json` as one line of JSON for each file. A `testbench.toml` in a folder
//! above the file says what that driver promises, and which values it finds in the registry; `--reg NAME=TYPE:VALUE`,
//! any number of times, gives more (see [`testbench::settings`]). Exit status: 0 no findings, 1 findings, 2 a file is no
//! minifilter or could not be loaded, or an argument is wrong.

use std::path::Path;
use std::process::ExitCode;

use testbench::{Bench, Expectations, Refusal, Report, Setting, Settings};

fn main() -> ExitCode {
    // The bench starts this program again for each scenario.
    if let Some(code) = testbench::worker::serve() {
        return code;
    }
    let (mut json, mut registry, mut files) = (false, Settings::default(), Vec::new());
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let refused = match argument.as_str() {
            "--json" => {
                json = true;
                Ok(())
            }
            "--reg" => Setting::parse(&arguments.next().unwrap_or_default())
                .and_then(|setting| registry.add(setting)),
            _ => {
                files.push(argument);
                Ok(())
            }
        };
        if let Err(refusal) = refused {
            eprintln!("{refusal}.");
            return ExitCode::from(2);
        }
    }
    let mut status = 0;
    for file in &files {
        match verify(Path::new(file), &registry) {
            Ok(report) => {
                let text = if json {
                    serde_json::to_string(&report).unwrap_or_default()
                } else {
                    report.to_string()
                };
                println!("{text}");
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

fn verify(file: &Path, registry: &Settings) -> Result<Report, Refusal> {
    let bench = Bench::open(file)?.registry(registry);
    match Expectations::find(file)? {
        Some((_, expectations)) => bench.expect(expectations),
        None => bench,
    }
    .run()
}
