//! `cargo xtask try`: a simulated machine at a prompt, or from a script.

mod commands;
mod prompt;

use std::{
    fs::{self, File},
    io::{self, BufRead as _, IsTerminal as _, Write as _},
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::Context;
use testbench::{Expectations, test::Builder};

use self::commands::{Shell, Told};
use crate::{
    commands::{build, setup},
    openwdk::target::Profile,
    program,
};

/// Try a driver on a simulated machine: load it, act as programs do, and see what it does.
///
/// The machine is that of the tests in testbench/. Each line is a command, such as `open C:\a.txt`; `help` lists them.
/// Without a script, the commands are read from the terminal, with history and completion, or from standard input.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The folder of an emitted project, which is built first with the profile dev, or any x64 minifilter
    #[arg(value_name = "DIR|FILE.sys")]
    driver: PathBuf,

    /// Read the commands from a file, and stop at the first one that is unknown, incomplete or not possible
    #[arg(long, value_name = "FILE")]
    script: Option<PathBuf>,

    /// Also write the commands and their results to a file
    #[arg(long, value_name = "FILE")]
    transcript: Option<PathBuf>,

    /// Install nothing: only say what is missing
    #[arg(long)]
    no_setup: bool,
}

const EXAMPLES: &str = "\
Examples:
  cargo xtask try ../my-filter
      build the driver of an emitted project, and try it at a prompt
  cargo xtask try other.sys --script steps.txt --transcript log.txt
      run the commands of a file, and write down what happened

A script:
  file C:\\a.txt text
  load
  open C:\\a.txt as editor.exe
  read
  unload

`as` names the program that opens the file.

Exit status: 0 no finding; 1 the driver breaks a rule; 2 a command of a script is not possible, or the driver\ncannot be built. An operation that the driver fails is a result, and the script goes on.";

/// Runs the verb.
///
/// # Errors
///
/// The driver cannot be built, or a file cannot be read or written.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let sys = driver(args)?;
    let mut out = Output {
        transcript: match &args.transcript {
            Some(path) => Some(
                File::create(path)
                    .with_context(|| format!("{} cannot be written", path.display()))?,
            ),
            None => None,
        },
    };
    let mut builder = Builder::new(&sys, program()?);
    if let Some((_, expectations)) = Expectations::find(&sys)? {
        builder = builder.expect(expectations);
    }
    let mut shell = Shell::new(builder);
    let refused = match &args.script {
        Some(script) => {
            let text = fs::read_to_string(script)
                .with_context(|| format!("{} cannot be read", script.display()))?;
            follow(
                &mut shell,
                text.lines().map(|line| Ok(line.to_owned())),
                &mut out,
            )?
        }
        None if io::stdin().is_terminal() => {
            prompt::run(&mut shell, |line, told| out.show(Some(line), told))?;
            false
        }
        None => follow(&mut shell, io::stdin().lock().lines(), &mut out)?,
    };
    let (text, findings) = shell.end();
    out.say(&text)?;
    Ok(ExitCode::from(match (refused, findings) {
        (true, _) => 2,
        (false, true) => 1,
        (false, false) => 0,
    }))
}

fn driver(args: &Args) -> anyhow::Result<PathBuf> {
    if !args.driver.is_dir() {
        return Ok(args.driver.clone());
    }
    if !cfg!(windows) {
        setup::ensure(&[setup::Group::Build], !args.no_setup)?;
    }
    build::build(Path::new(&args.driver), Profile::Dev)
}

/// Performs the commands of a script. Returns whether one was refused, after which the rest is not performed.
fn follow(
    shell: &mut Shell,
    lines: impl Iterator<Item = io::Result<String>>,
    out: &mut Output,
) -> anyhow::Result<bool> {
    for line in lines {
        let line = line?;
        out.say(&format!("> {line}"))?;
        match shell.perform(&line) {
            Told::End => return Ok(false),
            Told::Refused(why) => {
                out.say(&why)?;
                return Ok(true);
            }
            told @ Told::Done(_) => out.show(None, &told)?,
        }
    }
    Ok(false)
}

/// Standard output and the transcript.
struct Output {
    transcript: Option<File>,
}

impl Output {
    /// Prints text, if there is any.
    fn say(&mut self, text: &str) -> anyhow::Result<()> {
        if text.is_empty() {
            return Ok(());
        }
        println!("{text}");
        self.note(text)
    }

    fn note(&mut self, text: &str) -> anyhow::Result<()> {
        if let Some(file) = &mut self.transcript {
            writeln!(file, "{text}").context("the transcript cannot be written")?;
        }
        Ok(())
    }

    /// Prints the result of a command, and writes the command to the transcript, which shows it already on the terminal.
    fn show(&mut self, line: Option<&str>, told: &Told) -> anyhow::Result<()> {
        if let Some(line) = line {
            self.note(&format!("> {line}"))?;
        }
        match told {
            Told::Done(text) | Told::Refused(text) => self.say(text),
            Told::End => Ok(()),
        }
    }
}
