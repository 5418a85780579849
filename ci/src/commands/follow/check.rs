//! `cargo xtask check`: whether projects are of the newest version of the template.

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::Context;
use serde::Serialize;

use super::{
    merge::Conflict,
    project::{self, Place, Project},
    update::{Base, Plan, Wanted, plan, print_files, with_and_without},
    write::Change,
};
use crate::{
    commands::{
        kit::choice::Choice,
        new::{record, template::Template},
    },
    interruption,
};

/// Say whether projects are of the version of this clone of the template, and what an update would touch.
///
/// Nothing is written.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The folders of the projects, or their records
    #[arg(required = true, value_name = "DIR", value_parser = project::folder())]
    folders: Vec<PathBuf>,

    /// Print the result as JSON, one line for each project
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    kit: Choice,
}

const EXAMPLES: &str = "\
Examples:
  cargo xtask check ../my-filter
  cargo xtask check ../*/template.toml --json | jq -r 'select(.state == \"behind\") | .project'

Exit status: 0 every project is current; 1 one is behind, or has conflicts of an update; 2 one cannot be checked.";

/// The state of a project.
#[derive(Serialize)]
#[serde(rename_all = "lowercase")]
enum State {
    Current,
    Behind,
    Conflicts,
    Error,
}

#[derive(Serialize)]
struct Row<'a> {
    project: String,
    state: State,
    from: Option<String>,
    to: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    changes: &'a [Change],
    conflicts: &'a [Conflict],
    kept: &'a [String],
    notes: &'a [String],
    open: Vec<String>,
}

/// Runs the verb.
///
/// # Errors
///
/// The clone of the template is not complete.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    interruption::survive()?;
    let kit = args.kit.folder()?;
    let version = record::template_version()?;
    let (template, plain) = with_and_without(&version, &args.kit, kit.as_deref())?;
    let wanted = Wanted {
        template,
        plain,
        old_kit: kit,
        set: Vec::new(),
        base: Base::Recorded,
        asks: false,
    };
    let mut worst = 0;
    for folder in &args.folders {
        let checked = check(folder, &wanted);
        interruption::check()?;
        worst = worst.max(match &checked {
            Ok((_, None, open)) if open.is_empty() => 0,
            Ok(_) => 1,
            Err(_) => 2,
        });
        if args.json {
            print_json(folder, &wanted.template, checked)?;
        } else {
            print(folder, checked);
        }
    }
    Ok(ExitCode::from(worst))
}

/// Returns the project, what an update would do if it is behind, and its files with conflicts.
fn check(folder: &Path, wanted: &Wanted) -> anyhow::Result<(Project, Option<Plan>, Vec<String>)> {
    let project = Project::read(folder)?;
    let place = Place::of(&project)?;
    let open = project.open_conflicts()?;
    let behind = wanted
        .is_ahead_of(&project)
        .then(|| plan(&project, &place, wanted))
        .transpose()?;
    Ok((project, behind, open))
}

fn print(folder: &Path, checked: anyhow::Result<(Project, Option<Plan>, Vec<String>)>) {
    let shown = folder.display();
    match checked {
        Err(error) => eprintln!("{shown}: error: {}", crate::visible(&format!("{error:#}"))),
        Ok((project, behind, open)) => {
            match &behind {
                None if open.is_empty() => {
                    println!("{shown}: current, version {}", project.version);
                }
                None => println!(
                    "{shown}: has conflicts of an update, version {}",
                    project.version
                ),
                Some(plan) => {
                    if plan.from != plan.to {
                        println!("{shown}: behind, version {} of {}", plan.from, plan.to);
                    } else if project.kit.is_some() {
                        println!("{shown}: behind: the kit has changed since its last update");
                    } else {
                        println!("{shown}: behind: its record names no kit");
                    }
                    for note in &plan.notes {
                        println!("  note      {note}");
                    }
                    print_files(plan);
                }
            }
            for file in open {
                println!("  open      {file}: a conflict of an update is not resolved");
            }
        }
    }
}

fn print_json(
    folder: &Path,
    template: &Template,
    checked: anyhow::Result<(Project, Option<Plan>, Vec<String>)>,
) -> anyhow::Result<()> {
    let mut row = Row {
        project: folder.display().to_string(),
        state: State::Error,
        from: None,
        to: template.version.to_string(),
        error: None,
        changes: &[],
        conflicts: &[],
        kept: &[],
        notes: &[],
        open: Vec::new(),
    };
    let plan;
    match checked {
        Err(error) => {
            row.from = project::version_of(folder);
            row.error = Some(format!("{error:#}"));
        }
        Ok((project, behind, open)) => {
            row.from = Some(project.version.to_string());
            row.state = match (&behind, open.is_empty()) {
                (Some(_), _) => State::Behind,
                (None, false) => State::Conflicts,
                (None, true) => State::Current,
            };
            row.open = open;
            plan = behind;
            if let Some(plan) = &plan {
                row.changes = &plan.changes;
                row.conflicts = &plan.conflicts;
                row.kept = &plan.kept;
                row.notes = &plan.notes;
            }
        }
    }
    println!("{}", serde_json::to_string(&row).context("no JSON")?);
    Ok(())
}
