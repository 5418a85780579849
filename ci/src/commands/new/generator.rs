//! The `cargo_generate` library, in a child process.
//!
//! The library prints to standard error, needs `USER` in the environment, and leaves its folders behind when it is
//! interrupted. The child process, which is this program in another role, contains all of this.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::{env, fmt, fs};

use anyhow::{Context, bail};
use cargo_generate::{GenerateArgs, TemplatePath};
use serde::{Deserialize, Serialize};

use super::{
    answers::Answers,
    source::{isolate, no_configuration, staged},
};
use crate::interruption;

/// Holds an [`Order`] in the child's environment; not set means that this process is no child.
const ROLE: &str = "XTASK_GENERATE";

#[derive(Serialize, Deserialize)]
struct Order {
    /// A folder with the parts of another version of the template, in which nothing is written but a configuration.
    source: Option<PathBuf>,
    name: String,
    answers: Answers,
    destination: PathBuf,
}

/// The child's only line of standard output.
#[derive(Serialize, Deserialize)]
enum Outcome {
    Emitted(PathBuf),
    Refused(String),
    Failed(String),
}

/// A project that was emitted.
pub struct Emitted {
    /// Its folder.
    pub path: PathBuf,
    /// The lines that the hooks printed.
    pub notes: Vec<String>,
}

/// An answer that the hooks refuse: the sentence.
#[derive(Debug)]
pub struct Refusal(String);

impl fmt::Display for Refusal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl std::error::Error for Refusal {}

impl Refusal {
    /// Makes it of a sentence.
    pub fn of(sentence: String) -> Self {
        Self(sentence)
    }
}

/// Emits the project into a temporary folder, to find out whether the answers are accepted. `source` is a folder with
/// `cargo-generate.toml`, `hooks` and `template`, if they are not those of the repository.
pub fn rehearse(source: Option<&Path>, name: &str, answers: &Answers) -> anyhow::Result<()> {
    let folder = crate::scratch_folder().context("no temporary folder can be made")?;
    order(source, name, answers, folder.path()).map(|_| ())
}

/// Emits the project. `target` is its folder, if the name gives one: it does not exist before, nor after a failure.
pub fn generate(
    source: Option<&Path>,
    name: &str,
    answers: &Answers,
    destination: &Path,
    target: Option<&Path>,
) -> anyhow::Result<Emitted> {
    let result = order(source, name, answers, destination);
    if result.is_err()
        && let Some(target) = target.filter(|target| target.exists())
    {
        fs::remove_dir_all(target)
            .with_context(|| format!("{} is left behind: remove it", target.display()))?;
    }
    result
}

fn order(
    source: Option<&Path>,
    name: &str,
    answers: &Answers,
    destination: &Path,
) -> anyhow::Result<Emitted> {
    let order = Order {
        source: source.map(Path::to_owned),
        name: name.to_owned(),
        answers: answers.clone(),
        destination: destination.to_path_buf(),
    };
    let mut child = Command::new(crate::program()?);
    child
        .env(ROLE, serde_json::to_string(&order)?)
        .stdin(Stdio::null());
    isolate(&mut child);
    let output = child.output().context("the generator cannot be started")?;
    interruption::check()?;
    let said = String::from_utf8_lossy(&output.stderr);
    match serde_json::from_slice(&output.stdout) {
        Ok(Outcome::Emitted(path)) => Ok(Emitted {
            path,
            notes: notes(&said),
        }),
        Ok(Outcome::Refused(sentence)) => Err(Refusal(sentence).into()),
        Ok(Outcome::Failed(reason)) => bail!("cargo-generate failed: {reason}"),
        Err(_) => bail!(
            "cargo-generate ended without a word ({}): {said}",
            output.status
        ),
    }
}

/// The role of the child. `None` when this process has another role.
#[must_use]
pub fn serve_as_generator() -> Option<ExitCode> {
    let order = env::var(ROLE).ok()?;
    // Ctrl-C reaches this process too. It finishes, which takes a moment and removes its folders.
    let _ = ctrlc::set_handler(|| {});
    let outcome = match serde_json::from_str::<Order>(&order) {
        Ok(order) => emit(order),
        Err(error) => Outcome::Failed(error.to_string()),
    };
    println!("{}", serde_json::to_string(&outcome).ok()?);
    Some(ExitCode::SUCCESS)
}

fn emit(order: Order) -> Outcome {
    let own;
    let source = match &order.source {
        Some(source) => source.as_path(),
        None => match staged() {
            Ok(copy) => {
                own = copy;
                own.path()
            }
            Err(error) => return Outcome::Failed(format!("{error:#}")),
        },
    };
    let configuration = no_configuration(source);
    if let Err(error) = fs::write(&configuration, "") {
        return Outcome::Failed(error.to_string());
    }
    let define = order
        .answers
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    let result = cargo_generate::generate(GenerateArgs {
        template_path: TemplatePath {
            auto_path: Some("template".to_owned()),
            path: Some(source.display().to_string()),
            ..TemplatePath::default()
        },
        config: Some(configuration),
        name: Some(order.name),
        define,
        destination: Some(order.destination),
        silent: true,
        no_workspace: true,
        // What is emitted is formatted as it stands; a test compares it with what rustfmt makes of it.
        no_fmt: true,
        // The command line's default, which the library's differs from.
        lib: false,
        ..GenerateArgs::default()
    });
    match result {
        Ok(path) => Outcome::Emitted(path),
        Err(error) => {
            let chain = format!("{error:#}");
            let plain = console::strip_ansi_codes(&chain);
            refusal(&plain).map_or_else(
                || Outcome::Failed(plain.trim().to_owned()),
                Outcome::Refused,
            )
        }
    }
}

/// The sentence that a hook threw, without the position and without the remark on the empty folder, which is removed here.
pub fn refusal(chain: &str) -> Option<String> {
    let (_, thrown) = chain.split_once("Runtime error: ")?;
    let thrown = thrown
        .rsplit_once(" (line ")
        .map_or(thrown, |(sentence, _)| sentence);
    // From the end: an answer that is quoted may hold the same words.
    let sentence = thrown
        .rsplit_once(" cargo-generate leaves the empty folder ")
        .map_or(thrown, |(sentence, _)| sentence);
    Some(sentence.trim().to_owned())
}

/// The lines that the hooks printed: those that cargo-generate indents below a heading.
fn notes(said: &str) -> Vec<String> {
    let mut notes = Vec::new();
    let mut inside = false;
    for line in console::strip_ansi_codes(said).lines() {
        match line.strip_prefix("  ") {
            Some(note) if inside => notes.push(note.to_owned()),
            _ => inside = line.contains("Script: "),
        }
    }
    notes
}

#[cfg(test)]
mod tests {
    use super::{notes, refusal};

    #[test]
    fn a_refusal_is_the_sentence_alone() {
        let chain = "⛔ Failed executing script: /tmp/x/../hooks/pre.rhai: Runtime error: 5 (five) is odd. Take 4. \
            cargo-generate leaves the empty folder /tmp/a behind: remove it before you try again. (line 37, position 5)";
        assert_eq!(refusal(chain).as_deref(), Some("5 (five) is odd. Take 4."));
        let quoting = "Runtime error: \"a cargo-generate leaves the empty folder b (line 1, position 1)\" is odd. \
            cargo-generate leaves the empty folder /tmp/a behind: remove it before you try again. (line 37, position 5)";
        assert_eq!(
            refusal(quoting).as_deref(),
            Some("\"a cargo-generate leaves the empty folder b (line 1, position 1)\" is odd.")
        );
        assert_eq!(refusal("IO error: not a terminal"), None);
    }

    #[test]
    fn notes_are_what_the_hooks_printed() {
        let said = "🔧   Destination: x\n\n🔧   Script: /tmp/post.rhai\n  one\n  two\n\n✨   Done!\n  no note\n";
        assert_eq!(notes(said), ["one", "two"]);
    }
}
