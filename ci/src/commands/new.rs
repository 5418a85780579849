//! `cargo xtask new`: emits a project, as `cargo generate` would with the same answers.
//!
//! The rules are where `cargo generate` finds them, in `cargo-generate.toml` and `hooks/`; nothing is judged here
//! that they judge. This verb adds what cargo-generate lacks: it refuses names that are no option, says the rule
//! with every refusal, asks again at a terminal, and leaves nothing behind.

pub(crate) mod answers;
mod ask;
pub(crate) mod generator;
mod source;
mod workspace;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, bail};
use heck::{ToKebabCase, ToSnakeCase};

pub use generator::serve_as_generator;
pub use source::staged;
use workspace::refuse_membership;

/// Emit a new minifilter project.
///
/// At a terminal it asks for whatever is not answered by -d, by the values file or by the environment; elsewhere,
/// and with --silent, it takes the defaults. The answers, defaults and refusals are those of
/// `cargo generate --path . template`, and so is what is emitted, but for two things: no git repository is
/// initialised, and the project is not made a member of a Cargo workspace that it happens to lie in.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The project's name: lower-case letters, digits and hyphens, at most 32. With `_` for `-` it is also the name
    /// of the service, the .sys and the INF
    name: String,

    /// The answer to an option, for instance -d attach=manual; a list is separated by commas
    #[arg(short, long, value_name = "OPTION=VALUE")]
    define: Vec<String>,

    /// A TOML file with answers in a table [values]; -d goes before it
    #[arg(long, value_name = "FILE")]
    values_file: Option<PathBuf>,

    /// The folder in which the project's folder is made; it must exist
    #[arg(long, value_name = "DIR", default_value = ".")]
    destination: PathBuf,

    /// Ask nothing, also at a terminal: take the defaults
    #[arg(short, long)]
    silent: bool,
}

/// Runs the verb.
///
/// # Errors
///
/// A sentence that names the answer that is refused, the rule, and what to do.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let options = crate::commands::options::declared()?;
    let mut answers = answers::given(&options, &args.define, args.values_file.as_deref())?;
    let target = target(&args.name, &args.destination)?;
    crate::interruption::survive()?;

    if !args.silent && ask::possible() {
        // The name and the answers given are judged before the first question, not after the last.
        generator::rehearse(&args.name, &answers)?;
        ask::the_rest(&options, &args.name, &mut answers)?;
    }

    let emitted = generator::generate(&args.name, &answers, &args.destination, target.as_deref())?;
    for line in emitted.notes {
        println!("{line}");
    }
    if cfg!(not(windows)) {
        println!(
            "Or here, without Windows: cargo xtask build {} --release",
            emitted.path.display()
        );
    }
    Ok(ExitCode::SUCCESS)
}

/// Emits a project without a word or a question, and returns its folder.
///
/// # Errors
///
/// A sentence that names the answer that is refused, the rule, and what to do. Nothing is left behind then.
pub fn emit(name: &str, answers: &[(&str, &str)], destination: &Path) -> anyhow::Result<PathBuf> {
    let define: Vec<String> = answers
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    let answers = answers::defined(&crate::commands::options::declared()?, &define)?;
    let target = target(name, destination)?;
    Ok(generator::generate(name, &answers, destination, target.as_deref())?.path)
}

/// The project's folder, which must not exist yet, in the destination, which must. A name without a letter or a digit
/// gives none: the hooks refuse it, and nothing of the destination itself may be touched then.
fn target(name: &str, destination: &Path) -> anyhow::Result<Option<PathBuf>> {
    if !destination.is_dir() {
        bail!(
            "the destination {} is no folder: make it first, or name one that exists",
            destination.display()
        );
    }
    let destination = fs::canonicalize(destination)
        .with_context(|| format!("the destination {} cannot be opened", destination.display()))?;
    // As cargo-generate does: kebab-case, unless it is snake_case already.
    let folder = if name.to_snake_case() == name {
        name.to_owned()
    } else {
        name.to_kebab_case()
    };
    if folder.is_empty() {
        return Ok(None);
    }
    let target = destination.join(folder);
    refuse_membership(&target)?;
    if target.exists() {
        bail!(
            "{} is already there, and nothing is ever written into it: choose another name or --destination, or remove it",
            target.display()
        );
    }
    Ok(Some(target))
}
