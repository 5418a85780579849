//! `cargo xtask new`: emits a project, as `cargo generate` would with the same answers.
//!
//! `cargo-generate.toml` and `hooks/` have the rules, for `cargo generate` as for this command. The command refuses unknown
//! options, states the rule with every refusal, asks again at a terminal, and removes what a failure leaves.

pub(crate) mod answers;
pub(crate) mod ask;
pub(crate) mod generator;
mod given;
pub mod record;
mod source;
pub mod template;
mod workspace;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, bail};
use heck::{ToKebabCase, ToSnakeCase};

use super::{kit::choice::Choice, options::shown};
pub use generator::serve_as_generator;
use given::Given;
pub use source::{isolate, staged};
use template::Template;
use workspace::refuse_membership;

/// Emit a new minifilter project.
///
/// At a terminal, it asks for each option without an answer, except for `service_stop` if `unload_policy` is never: then the
/// option has no effect. Elsewhere, and with --silent, it takes the defaults. With the record of a project (template.toml)
/// as the values file, it asks nothing: options that are newer than the record take their defaults, and are named.
///
/// An answer comes from the first of these that has one: -d, the values file, the variable `CARGO_GENERATE_VALUE_<OPTION>`,
/// the file that `CARGO_GENERATE_TEMPLATE_VALUES_FILE` names, the table [values] of your cargo-generate.toml, the default.
///
/// It accepts the same answers and emits the same files as `cargo generate --git URL template`, with two differences: no
/// git repository is initialised, and the project does not become a member of a Cargo workspace around it.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The project's name: 1 to 32 lower-case letters, digits and hyphens, beginning with a letter. With `_` for `-` it is
    /// also the name of the service, the .sys and the INF [default: the name in the record]
    name: Option<String>,

    /// The answer to an option, for instance -d attach=manual; a list is separated by commas. `cargo xtask options` lists
    /// the options
    #[arg(short, long, value_name = "OPTION=VALUE")]
    define: Vec<String>,

    /// A TOML file with answers in a table [values], such as the record template.toml of a project
    #[arg(long, value_name = "FILE")]
    values_file: Option<PathBuf>,

    /// An existing folder. The project folder is created in it [default: the current folder; inside the clone of the
    /// template, the folder that holds the clone]
    #[arg(long, value_name = "DIR")]
    destination: Option<PathBuf>,

    /// Ask nothing, also at a terminal: take the defaults
    #[arg(short, long)]
    silent: bool,

    /// Write nothing: list the files that would be written
    #[arg(long)]
    dry_run: bool,

    #[command(flatten)]
    kit: Choice,
}

const EXAMPLES: &str = "\
Examples:
  cargo xtask new my-filter
      asks, and emits my-filter
  cargo xtask new my-filter --silent -d load_order_group=encryption -d operations=read,write
      asks nothing, and takes the defaults for the rest
  cargo xtask new --values-file old/template.toml --destination /tmp
      the project that recorded these answers, again
  cargo xtask new my-filter --dry-run -d pipeline=azure
      the files of such a project";

/// Runs the verb.
///
/// # Errors
///
/// A sentence with the refused answer, the rule, and what to do.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let template = Template::own()?.with_kit(args.kit.folder()?.as_deref())?;
    let Given {
        name,
        mut answers,
        recorded,
        notes,
    } = Given::collect(
        template.options(),
        &args.define,
        args.values_file.as_deref(),
    )?;
    let name = args
        .name
        .clone()
        .or(name)
        .context("say the project's name: cargo xtask new my-filter")?;
    let destination = match &args.destination {
        Some(destination) => destination.clone(),
        None => default_destination()?,
    };
    let target = target(&name, &destination)?;
    crate::interruption::survive()?;
    for note in notes {
        eprintln!("{note}");
    }

    // After the name is accepted.
    let mut conversion = conversion(&name);
    if !args.silent && recorded.is_none() && ask::possible() {
        // The name and the answers given are judged before the first question, not after the last.
        template.rehearse(&name, &answers)?;
        if let Some(note) = conversion.take() {
            eprintln!("{note}");
        }
        ask::the_rest(&template, &name, &mut answers)?;
    }

    if args.dry_run {
        let folder = crate::scratch_folder().context("no temporary folder can be made")?;
        let emitted = template.emit(&name, &answers, folder.path(), None)?;
        if let Some(note) = conversion {
            eprintln!("{note}");
        }
        let root = target.as_deref().unwrap_or(&destination);
        for file in crate::files_below(&emitted.path)? {
            println!("{}", root.join(file).display());
        }
        return Ok(ExitCode::SUCCESS);
    }
    let emitted = template.emit(&name, &answers, &destination, target.as_deref())?;
    if let Some(note) = conversion {
        eprintln!("{note}");
    }
    for line in emitted.notes {
        println!("{line}");
    }
    for line in template.take(&name, &answers)? {
        println!("{line}");
    }
    if cfg!(not(windows)) {
        println!(
            "To build it here: cargo xtask build {} --release",
            emitted.path.display()
        );
    }
    Ok(ExitCode::SUCCESS)
}

/// The name as cargo-generate writes it: in kebab-case, unless it is `snake_case` already.
fn written(name: &str) -> String {
    if name.to_snake_case() == name {
        name.to_owned()
    } else {
        name.to_kebab_case()
    }
}

/// A note for a name that cargo-generate converts.
fn conversion(name: &str) -> Option<String> {
    let written = written(name);
    (written != name).then(|| format!("The name {} is converted to {written}.", shown(name)))
}

/// The current folder. Inside the clone of the template it is the folder that holds the clone: without `--destination`
/// nothing is written into the clone.
fn default_destination() -> anyhow::Result<PathBuf> {
    let current = std::env::current_dir().context("there is no current folder")?;
    let repository = fs::canonicalize(crate::repository())?;
    let inside = fs::canonicalize(&current)?.starts_with(&repository);
    Ok(match repository.parent() {
        Some(parent) if inside => parent.to_owned(),
        _ => current,
    })
}

/// Emits a project, prints and asks nothing, and returns the project's folder.
///
/// # Errors
///
/// A sentence with the refused answer, the rule, and what to do. Nothing is left behind.
pub fn emit(name: &str, answers: &[(&str, &str)], destination: &Path) -> anyhow::Result<PathBuf> {
    let define: Vec<String> = answers
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    let template = Template::own()?;
    let answers = answers::defined(template.options(), &define)?;
    let target = target(name, destination)?;
    let emitted = template.emit(name, &answers, destination, target.as_deref())?;
    Ok(emitted.path)
}

/// The folder of the project, which does not exist yet, in the destination, which exists. `None` for a name without a
/// letter or a digit: the hooks refuse it, and the destination itself must not be removed after that.
fn target(name: &str, destination: &Path) -> anyhow::Result<Option<PathBuf>> {
    if !destination.is_dir() {
        bail!(
            "the destination {} is no folder: make it first, or name one that exists",
            destination.display()
        );
    }
    let destination = fs::canonicalize(destination)
        .with_context(|| format!("the destination {} cannot be opened", destination.display()))?;
    let folder = written(name);
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
