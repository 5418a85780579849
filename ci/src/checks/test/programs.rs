//! Runs test programs in parallel, and measures the time of each test.
//!
//! `cargo test` runs one program after the other, and libtest reports the time of a test only with an unstable option.
//! Here a program runs its tests one at a time, so that the time between two lines of its output is that of a test. One
//! program more runs at once than there are processors, because some wait for a build or for Wine. The programs that took
//! longest in the last run start first; in the first run, those that usually take longest.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    fs,
    io::{BufRead as _, BufReader},
    path::PathBuf,
    process::{Command, Stdio},
    sync::{Mutex, PoisonError},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, ensure};
use serde_json::Value;

use crate::{checks::cache, repository};

/// The programs that usually take longest, in the order of starting. The matrix and the test program `project` wait for
/// each other's builds of drivers; the scripts build none, and so run beside the matrix.
const LONG: [&str; 10] = [
    "matrix",
    "scripts",
    "project",
    "bench_c",
    "pipeline",
    "broken",
    "matrix --hostile 20000 --seed 1",
    "inf",
    "openwdk",
    "inf_verb",
];

/// A program to run.
pub struct Program {
    /// The name of the file with its tests.
    pub name: String,
    stage: &'static str,
    path: PathBuf,
    arguments: Vec<String>,
    /// Whether it is a test program, which prints a line for each test.
    tests: bool,
}

/// The result of a program, or of a stage that is one command.
pub struct Done {
    /// Its stage.
    pub stage: &'static str,
    /// Whether everything in it passed.
    pub passed: bool,
    /// How long it took.
    pub time: Duration,
    /// Its tests.
    pub tests: Vec<Test>,
    name: String,
}

/// One test.
pub struct Test {
    /// The names of the program and of the test.
    pub name: String,
    /// How long it took.
    pub time: Duration,
}

impl Done {
    /// The result of a stage that is one command.
    pub fn of_stage(stage: &'static str, passed: bool, time: Duration) -> Self {
        Self {
            stage,
            passed,
            time,
            tests: Vec::new(),
            name: stage.to_owned(),
        }
    }
}

impl Program {
    /// `cargo xtask` with these arguments.
    pub fn xtask(arguments: &[&str]) -> anyhow::Result<Self> {
        Ok(Self {
            name: arguments.join(" "),
            stage: "",
            path: crate::program()?,
            arguments: arguments.iter().map(ToString::to_string).collect(),
            tests: false,
        })
    }

    pub fn of_stage(self, stage: &'static str) -> Self {
        Self { stage, ..self }
    }

    /// Runs the program, and prints its output if it fails.
    fn run(&self, fresh: bool) -> anyhow::Result<Done> {
        let start = Instant::now();
        let mut command = Command::new(&self.path);
        command
            .args(&self.arguments)
            .current_dir(repository().join("ci"))
            .env("TMPDIR", crate::temporary_place())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        if self.tests {
            command.arg("--test-threads=1");
        }
        if fresh {
            command.env(cache::FRESH, "1");
        }
        let mut child = command
            .spawn()
            .with_context(|| format!("{} cannot be started", self.path.display()))?;
        let errors = child.stderr.take();
        let errors = thread::spawn(move || {
            let lines = errors.into_iter().flat_map(|it| BufReader::new(it).lines());
            lines
                .map_while(Result::ok)
                .fold(String::new(), |all, line| all + line.as_str() + "\n")
        });
        let mut said = String::new();
        let mut tests = Vec::new();
        let mut before = Instant::now();
        let output = child.stdout.take().into_iter();
        for line in output
            .flat_map(|it| BufReader::new(it).lines())
            .map_while(Result::ok)
        {
            if let Some(name) = self.tests.then(|| finished(&line)).flatten() {
                let now = Instant::now();
                tests.push(Test {
                    name: format!("{}: {name}", self.name),
                    time: now - before,
                });
                before = now;
            }
            // Writing to a string does not fail.
            let _ = writeln!(said, "{line}");
        }
        let status = child.wait()?;
        let errors = errors.join().unwrap_or_default();
        let passed = status.success();
        let time = start.elapsed();
        let mut shown = String::new();
        if !passed {
            let _ = write!(shown, "\n{said}{errors}{}: {status}\n", self.name);
        }
        let verdict = if passed { "passed" } else { "FAILED" };
        let _ = write!(
            shown,
            "{verdict} {:>7.1} s  {}",
            time.as_secs_f64(),
            self.name
        );
        if self.tests {
            let _ = write!(shown, ", {} tests", tests.len());
        }
        // What a test could not do here.
        for line in errors.lines().filter(|line| line.starts_with("skipped ")) {
            let _ = write!(shown, "\n                  {line}");
        }
        eprintln!("{shown}");
        Ok(Done {
            stage: self.stage,
            passed,
            time,
            tests,
            name: self.name.clone(),
        })
    }
}

/// The name of the test in a line of libtest that reports its end.
fn finished(line: &str) -> Option<&str> {
    let (name, _) = line.strip_prefix("test ")?.split_once(" ... ")?;
    Some(name.trim_end_matches(" - should panic"))
}

/// Builds the programs that `cargo test` with these arguments would run; `None` if they do not compile. `errors` is where
/// the compiler's messages go; if they are captured, they are printed at the end.
pub fn of(
    cargo: &mut Command,
    arguments: &[&str],
    errors: Stdio,
) -> anyhow::Result<Option<Vec<Program>>> {
    let output = cargo
        .args([
            "test",
            "--no-run",
            "--message-format=json-render-diagnostics",
        ])
        .args(arguments)
        .stderr(errors)
        .output()
        .context("cargo could not be started; is rustup installed?")?;
    eprint!("{}", String::from_utf8_lossy(&output.stderr));
    if !output.status.success() {
        return Ok(None);
    }
    let mut programs = Vec::new();
    for line in String::from_utf8(output.stdout)?.lines() {
        let message: Value = serde_json::from_str(line)?;
        if message["profile"]["test"] != true {
            continue;
        }
        if let Some(path) = message["executable"].as_str() {
            programs.push(Program {
                name: message["target"]["name"]
                    .as_str()
                    .unwrap_or_default()
                    .to_owned(),
                stage: "",
                path: path.into(),
                arguments: Vec::new(),
                tests: true,
            });
        }
    }
    ensure!(!programs.is_empty(), "cargo test built no program");
    Ok(Some(programs))
}

/// Runs programs, one more at once than there are processors.
pub fn run(mut programs: Vec<Program>, fresh: bool) -> anyhow::Result<Vec<Done>> {
    let last = times();
    // The last one starts first. A program without a time may take long.
    programs.sort_by_key(|program| {
        let place = LONG.iter().position(|name| program.name == *name);
        let unknown = u64::MAX - place.unwrap_or(LONG.len()) as u64;
        last.get(&program.name).copied().unwrap_or(unknown)
    });
    let processors = thread::available_parallelism().map_or(1, usize::from);
    let count = (processors + 1).min(programs.len());
    let waiting = Mutex::new(programs);
    let next = || waiting.lock().unwrap_or_else(PoisonError::into_inner).pop();
    let done = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..count {
            scope.spawn(|| {
                while let Some(program) = next() {
                    let result = program.run(fresh);
                    done.lock()
                        .unwrap_or_else(PoisonError::into_inner)
                        .push(result);
                }
            });
        }
    });
    done.into_inner()
        .unwrap_or_else(PoisonError::into_inner)
        .into_iter()
        .collect()
}

fn times_file() -> PathBuf {
    repository().join("ci/target/test-times.tsv")
}

/// The time of each program in the last run, in milliseconds.
fn times() -> BTreeMap<String, u64> {
    let text = fs::read_to_string(times_file()).unwrap_or_default();
    text.lines()
        .filter_map(|line| {
            let mut columns = line.split('\t');
            let milliseconds = columns.next()?.parse().ok()?;
            let name = columns.next()?;
            columns
                .next()
                .is_none()
                .then(|| (name.to_owned(), milliseconds))
        })
        .collect()
}

/// Writes the time of each program and test, in milliseconds. The times of programs that did not run are kept.
pub fn write_times(results: &[Done]) -> anyhow::Result<()> {
    let milliseconds = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    let mut programs = times();
    programs.extend(
        results
            .iter()
            .map(|done| (done.name.clone(), milliseconds(done.time))),
    );
    let mut text = String::new();
    // Writing to a string does not fail.
    for (name, milliseconds) in programs {
        let _ = writeln!(text, "{milliseconds}\t{name}");
    }
    for test in results.iter().flat_map(|done| &done.tests) {
        let _ = writeln!(text, "{}\t{}\ttest", milliseconds(test.time), test.name);
    }
    let file = times_file();
    fs::write(&file, text).with_context(|| format!("cannot write {}", file.display()))
}

#[cfg(test)]
mod tests {
    use super::finished;

    #[test]
    fn the_output_of_libtest_is_parsed() {
        assert_eq!(finished("test a::b ... ok"), Some("a::b"));
        assert_eq!(finished("test a ... FAILED"), Some("a"));
        assert_eq!(finished("test a - should panic ... ok"), Some("a"));
        assert_eq!(finished("test result: ok. 4 passed; 0 failed"), None);
        assert_eq!(finished("running 4 tests"), None);
    }
}
