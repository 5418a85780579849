//! The command line of `cargo xtask`; each verb lives in the module of its name.

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use xtask::{
    checks::{lock, matrix, measure, nightly, test},
    commands::{build, inf, new, options, setup, verify},
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
    Inf(inf::Args),
    Matrix(matrix::Args),
    Measure(measure::Args),
    Test(test::Args),
    Nightly(nightly::Args),
    Setup(setup::Args),
    Lock(lock::Args),
}

fn main() -> ExitCode {
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
        Verb::Inf(args) => inf::run(&args),
        Verb::Matrix(args) => matrix::run(&args),
        Verb::Measure(args) => measure::run(&args),
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
