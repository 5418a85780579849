//! `cargo xtask adopt`: writes a record for a project that has none.

use std::{
    fmt::Write,
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Context, ensure};
use semver::Version;

use super::{
    project::{Place, Project},
    records,
    update::emitted_tree,
    write,
};
use crate::{
    commands::{
        kit::choice::Choice,
        new::{answers::defined, record, template::Template},
        options::Declared,
    },
    git, interruption,
};

/// Write a record, template.toml, for a project that has none, and list what differs from the template.
///
/// After that, cargo xtask update can bring the project to a newer version.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The folder of the project
    #[arg(value_name = "DIR")]
    folder: PathBuf,

    /// The answers with which the project was emitted, for instance -d attach=manual; the others are the defaults
    #[arg(short, long, value_name = "OPTION=VALUE")]
    define: Vec<String>,

    /// The version of the template that emitted the project [default: that of this clone]
    #[arg(long, value_name = "VERSION")]
    from: Option<Version>,

    /// Write nothing: list what differs
    #[arg(long)]
    dry_run: bool,

    #[command(flatten)]
    kit: Choice,
}

const EXAMPLES: &str = "\
Examples:
  cargo xtask adopt ../old-filter --from 0.1.0 -d operations=read,write --dry-run
      what differs from what version 0.1.0 emits with these answers
  cargo xtask adopt ../old-filter --from 0.1.0 -d operations=read,write
      the record; commit it

Exit status: 0 the record is written; 2 it is not.";

/// Runs the verb.
///
/// # Errors
///
/// A sentence with what is refused, and what to do.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    interruption::survive()?;
    let shown = args.folder.display().to_string();
    let file = args.folder.join(record::FILE);
    ensure!(
        !file.exists(),
        "{shown} has a record already, {}. To change an answer: cargo xtask update {shown} --set OPTION=VALUE",
        record::FILE
    );
    let template = match &args.from {
        Some(version) => Template::of(version)?,
        None => Template::own()?,
    };
    let template = template.with_kit(args.kit.folder()?.as_deref())?;
    let mut answers = defined(template.options(), &args.define)?;
    for option in template.options() {
        answers
            .entry(option.name.clone())
            .or_insert_with(|| option.default.clone());
    }
    let project = Project {
        folder: fs::canonicalize(&args.folder)
            .with_context(|| format!("{shown} cannot be opened"))?,
        name: name_of(&args.folder)?,
        version: template.version.clone(),
        answers,
        keep: Vec::new(),
        kit: template.kit().and_then(|kit| kit.revision.clone()),
        shown,
    };
    let place = Place::of(&project)?;
    let store = git::Store::new(&place.root)?;
    let emitted = emitted_tree(&store, &project, &place, &template, &project.answers)?;
    let changes = write::changes(&store, &emitted, &place.tree()?)?;
    interruption::check()?;
    let text =
        records::text(&store, &emitted)?.unwrap_or_else(|| text(&project, template.options()));
    if !args.dry_run {
        fs::write(&file, text).with_context(|| format!("{} cannot be written", file.display()))?;
    }
    let differences = changes.iter().filter(|change| change.path != record::FILE);
    let mut count = 0;
    for change in differences {
        count += 1;
        let side = match change.kind {
            write::Kind::Added => "only in the project ",
            write::Kind::Changed => "different           ",
            write::Kind::Removed => "only in the template",
        };
        println!("  {side}  {}", change.path);
    }
    let differ = match count {
        1 => "1 file differs".to_owned(),
        count => format!("{count} files differ"),
    };
    println!(
        "{differ} from what version {} emits. Fewer may differ with other answers; cargo xtask diff shows how.",
        template.version
    );
    if args.dry_run {
        println!("Nothing was written.");
    } else {
        println!("{} is written: commit it.", file.display());
    }
    Ok(ExitCode::SUCCESS)
}

/// The name in the manifest of a project.
fn name_of(folder: &Path) -> anyhow::Result<String> {
    let file = folder.join("Cargo.toml");
    let text =
        fs::read_to_string(&file).with_context(|| format!("{} cannot be read", file.display()))?;
    let table: toml::Table =
        toml::from_str(&text).with_context(|| format!("{} is not valid TOML", file.display()))?;
    let name = table.get("package").and_then(|it| it.get("name"));
    let name = name.and_then(toml::Value::as_str);
    Ok(name
        .with_context(|| format!("{} has no package.name", file.display()))?
        .to_owned())
}

/// The record.
fn text(project: &Project, options: &[Declared]) -> String {
    let kit = project.kit.as_ref();
    let kit = kit.map_or_else(String::new, |tree| {
        format!("{} = \"{tree}\"\n", record::KIT)
    });
    let mut text = format!(
        "# The version of the template that emitted this project, and the answers. cargo xtask update, in a clone of the\n# template, reads them.\nproject-name = {}\n{kit}\n[values]\n{} = {}\n",
        toml::Value::from(project.name.as_str()),
        record::VERSION,
        toml::Value::from(project.version.to_string())
    );
    for option in options {
        let answer = project.answers.get(&option.name).unwrap_or(&option.default);
        // Writing to a string does not fail.
        let _ = writeln!(text, "{} = {}", option.name, option.toml(answer));
    }
    text
}
