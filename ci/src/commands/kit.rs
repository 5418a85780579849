//! An organisation's kit: what a folder adds to the template, which is not changed.
//!
//! | question | module |
//! |---|---|
//! | is there a kit? | [`choice`] |
//! | what is in `kit.toml`? | [`model`] |
//! | which answers does it accept? | [`judge`] |
//! | what does it add to the emitted files? | [`stage`] |
//! | which state of it emitted a project? who has an altitude? | [`state`] |
//! | how does an editor complete `kit.toml`? | [`schema`] |

pub mod choice;
pub mod judge;
pub mod model;
pub mod schema;
pub mod stage;
pub mod state;

use std::{
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Context, ensure};

use super::{
    new::{answers::Answers, template::Template},
    options::named,
};
use choice::Choice;
use model::FILE;

/// Judge an organisation's kit, and list what it says.
///
/// A kit is a folder with kit.toml: defaults, locked answers, choices that are removed, altitudes and the projects that have
/// them, rules for answers, a header for source files, a license text, code owners, contacts, how packages are signed, and a
/// registry. Its folder files/ is added to each project.
/// A fork of the template has its kit in kit/, which the template itself never changes.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The folder of the kit [default: the variable `TEMPLATE_KIT`, or kit/ in the clone of the template]
    #[arg(value_name = "DIR")]
    folder: Option<PathBuf>,

    /// Write a kit.toml with comments into the folder, which does not have one
    #[arg(long, conflicts_with_all = ["schema", "values"])]
    init: bool,

    /// Print the JSON Schema of kit.toml
    #[arg(long, conflicts_with = "values")]
    schema: bool,

    /// Print a values file for cargo generate, with the defaults and the locked answers
    #[arg(long)]
    values: bool,
}

const EXAMPLES: &str = "\
Examples:
  cargo xtask kit --init kit
      a kit to begin with
  cargo xtask kit
      all mistakes in kit/, each with file and line, or what it says
  cargo xtask kit --schema > kit.schema.json
      for an editor; kit.toml names it in a first line, #:schema kit.schema.json
  cargo xtask kit --values > values.toml
      for people who use cargo generate alone

Exit status: 0 the kit is correct; 2 it is not.";

/// The kit to begin with.
const FIRST: &str = include_str!("kit/first.toml");

/// Runs the verb.
///
/// # Errors
///
/// All mistakes in the kit, each in a sentence with file and line.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let options = super::options::declared()?;
    if args.schema {
        println!("{:#}", schema::schema(&options));
        return Ok(ExitCode::SUCCESS);
    }
    let folder = match &args.folder {
        Some(folder) => Some(folder.clone()),
        None if args.init => Some(crate::repository().join("kit")),
        None => Choice::default().folder()?,
    };
    let folder = folder.with_context(|| {
        "there is no kit: name its folder, or make one with cargo xtask kit --init".to_owned()
    })?;
    if args.init {
        return init(&folder);
    }
    let template = Template::own()?.with_kit(Some(&folder))?;
    let kit = template.kit().context("there is no kit")?;
    template.rehearse("my-filter", &Answers::new())?;
    if args.values {
        print!("{}", schema::values(kit, &options));
        return Ok(ExitCode::SUCCESS);
    }
    for (what, answers) in [
        ("default", &kit.defaults),
        ("locked", &kit.locked),
        ("removed", &kit.removed),
    ] {
        for answer in answers {
            println!("{what:<8}  {} = {}", answer.option, named(&answer.value));
        }
    }
    for altitude in &kit.altitudes {
        let project = match altitude.project.as_str() {
            "" => "free",
            project => project,
        };
        println!("altitude  {}  {project}", altitude.value);
    }
    for rule in &kit.rules {
        println!("rule      {}", rule.message);
    }
    for (what, text) in [
        ("header", &kit.header),
        ("license", &kit.license_text),
        ("security", &kit.security),
        ("support", &kit.support),
        ("signing", &kit.signtool),
        ("stamping", &kit.timestamp_server),
        ("registry", &kit.registry),
    ] {
        for line in text.iter().flat_map(|text| text.value.trim_end().lines()) {
            println!("{what:<8}  {line}");
        }
    }
    for owner in &kit.code_owners {
        println!("owner     {}", owner.value);
    }
    for file in kit.files() {
        println!("file      {file}");
    }
    println!("{} is correct.", kit.shown);
    Ok(ExitCode::SUCCESS)
}

/// Writes a kit to begin with.
fn init(folder: &Path) -> anyhow::Result<ExitCode> {
    let file = folder.join(FILE);
    ensure!(
        !file.exists(),
        "{} is there already: change it, or name another folder",
        file.display()
    );
    fs::create_dir_all(folder.join(stage::FOLDER))
        .and_then(|()| fs::write(&file, FIRST))
        .with_context(|| format!("{} cannot be written", file.display()))?;
    println!("{} is written.", file.display());
    Ok(ExitCode::SUCCESS)
}
