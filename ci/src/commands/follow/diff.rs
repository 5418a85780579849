//! `cargo xtask diff`: a project beside what the template emits.

use std::{path::PathBuf, process::ExitCode};

use anyhow::Context;
use semver::Version;

use super::{
    project::{Place, Project},
    update::emitted_tree,
    write,
};
use crate::git::{Store, color, line, reading, run as run_git};
use crate::{
    commands::{kit::choice::Choice, new::template::Template},
    interruption,
};

/// Print the differences between what the template emits and a project, as a patch.
///
/// The template emits with the answers in the record. Files that git does not know are not compared.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The folder of the project
    #[arg(value_name = "DIR")]
    folder: PathBuf,

    /// The version of the template [default: that of the record]
    #[arg(long, value_name = "VERSION")]
    version: Option<Version>,

    #[command(flatten)]
    kit: Choice,
}

const EXAMPLES: &str = "\
Examples:
  cargo xtask diff ../my-filter
      what its authors have changed
  cargo xtask diff ../my-filter --version 0.3.0
      what also differs from another version

Exit status: 0 there are no differences; 1 there are; 2 the project cannot be compared.";

/// Runs the verb.
///
/// # Errors
///
/// A sentence with what is refused, and what to do.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    interruption::survive()?;
    let project = Project::read(&args.folder)?;
    let place = Place::of(&project)?;
    let template = Template::of(args.version.as_ref().unwrap_or(&project.version))?;
    let template = project.with_its_kit(template, args.kit.folder()?.as_deref())?;
    let store = Store::new(&place.root)?;
    let mut answers = project.answers.clone();
    answers.retain(|name, _| template.options().iter().any(|it| it.name == *name));
    let tree = emitted_tree(&store, &project, &place, &template, &answers)
        .with_context(|| format!("the record of {}", project.shown))?;
    let index = write::index_with(&store, &place, &tree)?;
    let git = || -> anyhow::Result<_> {
        let mut git = reading(&place.root);
        store.lend(&mut git, &place.root)?;
        Ok(git)
    };
    let whole = line(git()?.env("GIT_INDEX_FILE", &index).arg("write-tree"))?;
    let mut diff = git()?;
    diff.args([
        "diff",
        "--no-ext-diff",
        "--no-textconv",
        color(),
        &whole,
        "--",
    ]);
    diff.arg(if place.prefix.is_empty() {
        "."
    } else {
        &place.prefix
    });
    let text = run_git(&mut diff, None)?;
    print!("{}", String::from_utf8_lossy(&text));
    Ok(ExitCode::from(u8::from(!text.is_empty())))
}
