//! Puts any driver on the bench: `cargo run --example verify -- FILE.sys`.
//!
//! Says in words what is wrong, or with `--json` as one line of JSON for each file. A `testbench.toml` in a folder
//! above the file says what that driver promises, and which values it finds in the registry; `--reg NAME=TYPE:VALUE`,
//! any number of times, gives more (see [`testbench::settings`]). `--assume NAME=RESULT` gives a call a result that the
//! bench does not model. Exit status: 0 everything was judged and there are no findings, 1 findings, 2 a file is no
//! minifilter or could not be loaded, or an argument is wrong, 3 no findings, but not everything was judged.

use std::path::Path;
use std::process::ExitCode;

use testbench::{Assumption, Assumptions, Bench, Expectations, Refusal, Report, Setting, Settings};

fn main() -> ExitCode {
    // The bench starts this program again for each scenario.
    if let Some(code) = testbench::worker::serve() {
        return code;
    }
    let (mut json, mut files) = (false, Vec::new());
    let (mut registry, mut assume) = (Settings::default(), Assumptions::default());
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let refused = match argument.as_str() {
            "--json" => {
                json = true;
                Ok(())
            }
            "--reg" => Setting::parse(&arguments.next().unwrap_or_default())
                .and_then(|setting| registry.add(setting)),
            "--assume" => Assumption::parse(&arguments.next().unwrap_or_default())
                .and_then(|assumption| assume.add(assumption)),
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
    let mut statuses = Vec::new();
    for file in &files {
        match verify(Path::new(file), &registry, &assume) {
            Ok(report) => {
                let text = if json {
                    serde_json::to_string(&report).unwrap_or_default()
                } else {
                    report.to_string()
                };
                println!("{text}");
                statuses.push(report.outcome.exit_status());
            }
            Err(refusal) => {
                eprintln!("{refusal}");
                statuses.push(2);
            }
        }
    }
    // What could not be loaded comes first, then findings, then what was not judged.
    let worst = [2, 1, 3].into_iter().find(|worst| statuses.contains(worst));
    ExitCode::from(worst.unwrap_or_default())
}

fn verify(file: &Path, registry: &Settings, assume: &Assumptions) -> Result<Report, Refusal> {
    let bench = Bench::open(file)?.registry(registry).assume(assume);
    match Expectations::find(file)? {
        Some((_, expectations)) => bench.expect(expectations),
        None => bench,
    }
    .run()
}
