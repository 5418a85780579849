//! `cargo xtask lock`: the `Cargo.lock` that every project is emitted with.
//!
//! Cargo sorts the packages of a lock file by name, and the template does not know the name of the project. So the
//! template has the project's entry at every place where it can belong, and Liquid keeps one of them. The emitted lock
//! file is the one that cargo would write.

use std::{
    fmt::Write as _,
    fs,
    path::Path,
    process::{Command, ExitCode},
};

use anyhow::{Context, bail, ensure};

use crate::{commands::new, repository};

/// Update the `Cargo.lock` of the template.
///
/// Emits a project, has cargo resolve its dependencies, and writes the result to template/Cargo.lock. Locked versions
/// are kept; --update takes the newest versions that the manifest allows.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Take the newest versions that the manifest allows
    #[arg(long)]
    update: bool,
}

/// Runs the verb.
///
/// # Errors
///
/// The project cannot be emitted, or cargo cannot resolve its dependencies.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let target = repository().join("template/Cargo.lock");
    if args.update && target.exists() {
        fs::remove_file(&target).context("template/Cargo.lock cannot be replaced")?;
    }
    let folder = tempfile::tempdir()?;
    let name = "lock-maker";
    let project = new::emit(name, &[], folder.path())?;
    resolve(&project)?;
    let lock = fs::read_to_string(project.join("Cargo.lock"))?;
    fs::write(&target, template_of(&lock, name)?)?;
    println!("{}", target.display());
    Ok(ExitCode::SUCCESS)
}

/// Has cargo write the lock file of `project`. Locked versions are kept.
fn resolve(project: &Path) -> anyhow::Result<()> {
    let status = Command::new("cargo")
        .args(["metadata", "--quiet", "--format-version=1"])
        .current_dir(project)
        .stdout(std::process::Stdio::null())
        .status()
        .context("cargo could not be started")?;
    ensure!(
        status.success(),
        "cargo could not resolve the dependencies of {}",
        project.display()
    );
    Ok(())
}

/// Turns the lock file of the project `name` into a Liquid template for a project of any name.
fn template_of(lock: &str, name: &str) -> anyhow::Result<String> {
    const SEPARATOR: &str = "[[package]]\n";
    let mut parts = lock.split(SEPARATOR);
    let head = parts.next().unwrap_or_default();
    let entries: Vec<&str> = parts.map(str::trim_end).collect();
    let name_of = |entry: &str| -> Option<String> {
        Some(
            entry
                .lines()
                .next()?
                .strip_prefix("name = \"")?
                .strip_suffix('"')?
                .to_owned(),
        )
    };
    let Some(own) = entries
        .iter()
        .find(|entry| name_of(entry).as_deref() == Some(name))
    else {
        bail!("cargo's lock file has no entry for {name}");
    };
    let own = own.replace(name, "{{project-name}}");

    let mut text = String::new();
    writeln!(
        text,
        "{{% capture own %}}{SEPARATOR}{own}{{% endcapture -%}}\n{head}"
    )?;
    let mut before = None;
    let others = entries
        .iter()
        .filter(|entry| name_of(entry).as_deref() != Some(name));
    for entry in others {
        let this = name_of(entry).context("an entry of cargo's lock file has no name")?;
        if before.as_ref() != Some(&this) {
            let after = before.map_or(String::new(), |name| {
                format!("project-name > \"{name}\" and ")
            });
            writeln!(
                text,
                "{{%- if {after}project-name < \"{this}\" %}}\n\n{{{{own}}}}\n{{%- endif %}}"
            )?;
        }
        writeln!(text, "\n{SEPARATOR}{entry}")?;
        before = Some(this);
    }
    if let Some(last) = before {
        writeln!(
            text,
            "{{%- if project-name > \"{last}\" %}}\n\n{{{{own}}}}\n{{%- endif %}}"
        )?;
    }
    Ok(text)
}
