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

    /// Print the result as JSON: the folder, the answers, the files and the notes; or the sentence of a refusal
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    kit: Choice,
}

/// What was emitted, for `--json`.
#[derive(serde::Serialize)]
struct Made {
    name: String,
    /// The version of the template.
    version: String,
    /// The folder of the project.
    folder: PathBuf,
    /// Whether the files are there.
    written: bool,
    /// The record's answers.
    answers: toml::Table,
    /// The files, below the folder.
    files: Vec<PathBuf>,
    /// Sentences for the user.
    notes: Vec<String>,
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
      the files of such a project
  cargo xtask new my-filter --json -d pipeline=azure | jq -r .folder
      in a script: asks nothing

Exit status: 0 the project is emitted; 2 it is not.";

/// Runs the verb.
///
/// # Errors
///
/// A sentence with the refused answer, the rule, and what to do.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    if args.json {
        let mut notes = Vec::new();
        let result = make(args, &mut |note| notes.push(note.to_owned()));
        let (value, status) = match result {
            Ok(made) => (
                serde_json::to_value(Made {
                    notes: [notes, made.notes].concat(),
                    ..made
                })?,
                ExitCode::SUCCESS,
            ),
            Err(error) => {
                let sentence = crate::visible(&format!("{error:#}"));
                (serde_json::json!({ "error": sentence }), ExitCode::from(2))
            }
        };
        println!("{value}");
        return Ok(status);
    }
    let made = make(args, &mut |note| eprintln!("{note}"))?;
    if !made.written {
        for file in made.files {
            println!("{}", made.folder.join(file).display());
        }
        return Ok(ExitCode::SUCCESS);
    }
    for line in made.notes {
        println!("{line}");
    }
    if cfg!(not(windows)) {
        println!(
            "To build it here: cargo xtask build {} --release",
            made.folder.display()
        );
    }
    Ok(ExitCode::SUCCESS)
}

/// Emits the project. `note` is told what the user should know before that.
fn make(args: &Args, note: &mut dyn FnMut(&str)) -> anyhow::Result<Made> {
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
    for line in notes {
        note(&line);
    }

    // After the name is accepted.
    let mut conversion = conversion(&name);
    if !args.silent && !args.json && recorded.is_none() && ask::possible() {
        // The name and the answers given are judged before the first question, not after the last.
        template.rehearse(&name, &answers)?;
        if let Some(line) = conversion.take() {
            note(&line);
        }
        ask::the_rest(&template, &name, &mut answers)?;
    }

    let scratch = args.dry_run.then(crate::scratch_folder).transpose();
    let scratch = scratch.context("no temporary folder can be made")?;
    let emitted = match &scratch {
        Some(folder) => template.emit(&name, &answers, folder.path(), None)?,
        None => template.emit(&name, &answers, &destination, target.as_deref())?,
    };
    if let Some(line) = conversion {
        note(&line);
    }
    let files = crate::files_below(&emitted.path)?;
    let record = fs::read_to_string(emitted.path.join(record::FILE))?;
    let record: toml::Table = toml::from_str(&record)?;
    let mut notes = emitted.notes;
    // Of a temporary folder.
    notes.retain(|note| !args.dry_run || !note.starts_with("Created "));
    if !args.dry_run {
        notes.extend(template.take(&name, &answers)?);
    }
    let values = record.get("values").and_then(toml::Value::as_table);
    let mut answers = values.cloned().unwrap_or_default();
    answers.remove(record::VERSION);
    Ok(Made {
        name: written(&name),
        version: template.version.to_string(),
        folder: if args.dry_run {
            target.unwrap_or(destination)
        } else {
            emitted.path
        },
        written: !args.dry_run,
        answers,
        files,
        notes,
    })
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
