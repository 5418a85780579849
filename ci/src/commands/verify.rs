//! `cargo xtask verify`: the verdict of the test bench on a `.sys`, as text, as JSON or as an HTML page.

mod page;
mod text;
mod verdict;

use std::io::{IsTerminal as _, stdout};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use clap::ValueEnum;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use sha2::{Digest, Sha256};
use testbench::{Assumption, Assumptions, Bench, Expectations, Policy, Setting, Settings};

use self::verdict::Verdict;

/// Test a minifilter `.sys` in the test bench.
///
/// The file may be any x64 minifilter. The bench maps the file into a process, simulates the filter manager and the
/// kernel (load, operations, unload), and repeats the simulation with each call that can fail made to fail, one at a
/// time. A breach of a documented rule is a finding.
///
/// With the testbench.toml of an emitted project, which states what the driver promises, a breach of a recommendation
/// is a finding too. Without it, such a breach is advice.
///
/// A call that the test bench does not model ends its scenario. What follows it is not judged, and the report says so; the
/// rest of the driver is judged. --assume gives such a call a result.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
#[allow(clippy::struct_excessive_bools)] // Each is a switch of the command line.
pub struct Args {
    /// The driver
    #[arg(value_name = "FILE.sys", required_unless_present = "list_rules")]
    driver: Option<PathBuf>,

    /// The unload policy that the driver must follow
    #[arg(long, value_enum)]
    policy: Option<PolicyArg>,

    /// The driver must not support a service stop
    #[arg(long)]
    no_service_stop: bool,

    /// What the driver promises [default: testbench.toml in a folder above FILE.sys]
    #[arg(long, value_name = "testbench.toml")]
    expect: Option<PathBuf>,

    /// Do not look for a testbench.toml: judge by the documented rules only
    #[arg(long, conflicts_with = "expect")]
    no_expect: bool,

    /// Set a registry value of the driver; can be repeated
    ///
    /// NAME is a value of the service's Parameters key, KEY\NAME a value of a subkey of Parameters, \NAME a value of
    /// the service's key. TYPE is dword or qword (decimal, or hexadecimal with 0x), string, expand-string, multi-string
    /// (strings separated by |) or binary (two hexadecimal digits for each byte). The table [registry] of
    /// testbench.toml sets values too, as NAME = "TYPE:VALUE". A value on the command line replaces one of the same
    /// name in the table.
    #[arg(long, value_name = "NAME=TYPE:VALUE", value_parser = Setting::parse)]
    reg: Vec<Setting>,

    /// Assume the result of a call that the test bench does not model; can be repeated
    ///
    /// NAME is the function as the driver imports it. RESULT is the name of a status, or a number, decimal or hexadecimal
    /// with 0x. The call does nothing and returns RESULT. The table [assume] of testbench.toml assumes results too, as
    /// NAME = "RESULT". An assumption on the command line replaces one for the same function in the table.
    #[arg(long, value_name = "NAME=RESULT", value_parser = Assumption::parse)]
    assume: Vec<Assumption>,

    /// Print the report as JSON, and nothing else
    #[arg(long)]
    json: bool,

    /// Also write the report as an HTML page
    #[arg(long, value_name = "F.html")]
    report: Option<PathBuf>,

    /// List the rules: their requirements and documents
    #[arg(long)]
    list_rules: bool,
}

const EXAMPLES: &str = "\
Examples:
  cargo xtask verify my_filter.sys
      print the findings
  cargo xtask verify other.sys --policy refuse-non-mandatory
      also require that fltmc unload is refused and sc stop is not
  cargo xtask verify other.sys --reg Mode=dword:1 --reg 'Rules\\Path=string:C:\\data'
      test a driver that does not start without these registry values
  cargo xtask verify other.sys --assume PsGetVersion=STATUS_SUCCESS
      go on after a call that the test bench does not model, as if it had returned this status
  cargo xtask verify my_filter.sys --report verdict.html
      also write the report as an HTML page
  cargo xtask verify my_filter.sys --json | jq -r '.findings[].rule'
      print the rules of the findings, for a script

Exit status: 0 everything was judged, no findings; 1 findings; 2 the file is not a minifilter or could not be loaded;
3 no findings, but the driver calls what the test bench does not model, so that not everything was judged.";

#[derive(Debug, Clone, Copy, ValueEnum)]
enum PolicyArg {
    /// Every unload request succeeds
    Always,
    /// fltmc unload is refused, a service stop succeeds
    RefuseNonMandatory,
    /// No unload request succeeds, because there is no unload callback
    Never,
}

impl From<PolicyArg> for Policy {
    fn from(policy: PolicyArg) -> Self {
        match policy {
            PolicyArg::Always => Self::Always,
            PolicyArg::RefuseNonMandatory => Self::RefuseNonMandatory,
            PolicyArg::Never => Self::Never,
        }
    }
}

/// If this process was started as a bench worker, serves and returns its exit code.
#[must_use]
pub fn serve_as_bench_worker() -> Option<ExitCode> {
    testbench::worker::serve()
}

/// Runs the verb.
///
/// # Errors
///
/// The file cannot be loaded, or the page cannot be written.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    if args.list_rules {
        text::rules();
        return Ok(ExitCode::SUCCESS);
    }
    let driver = args
        .driver
        .as_deref()
        .context("name the .sys that is to be verified")?;
    let verdict = judge(args, driver)?;
    if let Some(page) = &args.report {
        std::fs::write(page, page::render(&verdict))
            .with_context(|| format!("{} cannot be written", page.display()))?;
    }
    if args.json {
        println!("{}", serde_json::to_string_pretty(&verdict)?);
    } else {
        text::print(&verdict, args.report.as_deref());
    }
    Ok(ExitCode::from(verdict.report.outcome.exit_status()))
}

fn judge(args: &Args, driver: &Path) -> anyhow::Result<Verdict> {
    let bytes =
        std::fs::read(driver).with_context(|| format!("{} cannot be read", driver.display()))?;
    let (expectations_file, expectations) = expectations(args, driver)?;
    let mut registry = Settings::default();
    for setting in &args.reg {
        registry.add(setting.clone()).map_err(anyhow::Error::msg)?;
    }
    let mut assume = Assumptions::default();
    for assumption in &args.assume {
        assume.add(assumption.clone()).map_err(anyhow::Error::msg)?;
    }
    let bar = progress_bar(args.json);
    let mut bench = Bench::open(driver)?
        .registry(&registry)
        .assume(&assume)
        .progress(|progress| {
            bar.set_length(progress.known as u64);
            bar.set_position(progress.done as u64);
        });
    if let Some(expectations) = expectations {
        bench = bench.expect(expectations);
    }
    let report = bench.run()?;
    bar.finish_and_clear();
    Ok(Verdict {
        sha256: hex(&Sha256::digest(&bytes)),
        expectations_file,
        report,
    })
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a string does not fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// The expectations of the file, with the changes that the command line makes.
fn expectations(
    args: &Args,
    driver: &Path,
) -> anyhow::Result<(Option<PathBuf>, Option<Expectations>)> {
    let read = match &args.expect {
        Some(file) => Some((file.clone(), Expectations::read(file)?)),
        None if args.no_expect => None,
        None => Expectations::find(driver)?,
    };
    let (file, mut expectations) = match read {
        Some((file, expectations)) => (Some(file), Some(expectations)),
        None => (None, None),
    };
    if args.policy.is_some() || args.no_service_stop {
        let given = expectations.get_or_insert_with(|| Expectations {
            lenient: true,
            ..Expectations::default()
        });
        given.unload_policy = args.policy.map(Policy::from).or(given.unload_policy);
        given.service_stop = args.no_service_stop.then_some(false).or(given.service_stop);
    }
    Ok((file, expectations))
}

fn progress_bar(json: bool) -> ProgressBar {
    if json || !stdout().is_terminal() {
        return ProgressBar::with_draw_target(None, ProgressDrawTarget::hidden());
    }
    let style = ProgressStyle::with_template("{bar:30} {pos}/{len} scenarios")
        .unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::no_length().with_style(style)
}
