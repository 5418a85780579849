//! The command line of `cargo xtask`; each verb lives in the module of its name.

use std::{any::Any, io, panic, process::ExitCode};

use clap::{Parser, Subcommand};
use xtask::{
    checks::{lock, matrix, measure, mutate, nightly, test},
    commands::{
        build,
        follow::{adopt, check, diff, update},
        inf, kit, new, options, setup, test_driver, try_driver, verify,
    },
    openwdk,
};

/// Emit, build and test Windows minifilter drivers in Rust.
#[derive(Parser)]
#[command(
    name = "cargo xtask",
    bin_name = "cargo xtask",
    version,
    max_term_width = 100
)]
struct Cli {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    New(new::Args),
    Options(options::list::Args),
    Build(build::Args),
    Verify(verify::Args),
    TestDriver(test_driver::Args),
    Try(try_driver::Args),
    Inf(inf::Args),
    Update(update::Args),
    Check(check::Args),
    Diff(diff::Args),
    Adopt(adopt::Args),
    Kit(kit::Args),
    Matrix(matrix::Args),
    Measure(measure::Args),
    Mutate(mutate::Args),
    Test(test::Args),
    Nightly(nightly::Args),
    Setup(setup::Args),
    Lock(lock::Args),
}

/// The exit status of a program that SIGPIPE ended, as a shell reports it.
const CLOSED_PIPE: u8 = 128 + 13;

fn main() -> ExitCode {
    let report = panic::take_hook();
    panic::set_hook(Box::new(move |panic| {
        if !is_closed_pipe(panic.payload()) {
            report(panic);
        }
    }));
    // Unwinding deletes the temporary folders, which SIGPIPE would leave behind.
    panic::catch_unwind(run).unwrap_or_else(|payload| {
        if is_closed_pipe(&*payload) {
            ExitCode::from(CLOSED_PIPE)
        } else {
            panic::resume_unwind(payload)
        }
    })
}

/// Whether a panic is that of `println!` into a pipe whose reader, such as `head`, has closed it.
fn is_closed_pipe(payload: &(dyn Any + Send)) -> bool {
    let message = payload.downcast_ref::<String>().map_or("", String::as_str);
    message
        .strip_prefix("failed printing to std")
        .and_then(|reason| reason.rsplit_once("(os error "))
        .and_then(|(_, code)| code.strip_suffix(')')?.parse().ok())
        .is_some_and(|code| io::Error::from_raw_os_error(code).kind() == io::ErrorKind::BrokenPipe)
}

fn run() -> ExitCode {
    // The bench and the build both start this program again, in another role.
    if let Some(code) = verify::serve_as_bench_worker() {
        return code;
    }
    if let Some(code) = openwdk::host::serve_as_rustc_wrapper() {
        return code;
    }
    if let Some(code) = new::serve_as_generator() {
        return code;
    }
    let result = match Cli::parse().verb {
        Verb::New(args) => new::run(&args),
        Verb::Options(args) => options::list::run(&args),
        Verb::Build(args) => build::run(&args),
        Verb::Verify(args) => verify::run(&args),
        Verb::TestDriver(args) => test_driver::run(&args),
        Verb::Try(args) => try_driver::run(&args),
        Verb::Inf(args) => inf::run(&args),
        Verb::Update(args) => update::run(&args),
        Verb::Check(args) => check::run(&args),
        Verb::Diff(args) => diff::run(&args),
        Verb::Adopt(args) => adopt::run(&args),
        Verb::Kit(args) => kit::run(&args),
        Verb::Matrix(args) => matrix::run(&args),
        Verb::Measure(args) => measure::run(&args),
        Verb::Mutate(args) => mutate::run(&args),
        Verb::Test(args) => test::run(&args),
        Verb::Nightly(args) => nightly::run(&args),
        Verb::Setup(args) => setup::run(&args),
        Verb::Lock(args) => lock::run(&args),
    };
    result.unwrap_or_else(|error| {
        eprintln!("error: {}", xtask::visible(&format!("{error:#}")));
        ExitCode::from(2)
    })
}
