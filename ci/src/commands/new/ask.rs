//! The questions at a terminal.

use std::io::{self, IsTerminal};

use anyhow::anyhow;
use console::{Term, style};
use dialoguer::theme::ColorfulTheme;
use dialoguer::{Confirm, Input, MultiSelect, Select};

use super::answers::{Answers, judge};
use super::generator;
use crate::commands::options::{Choice, Declared, Kind};

/// Whether there is somebody to ask.
pub fn possible() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal()
}

/// Asks for whatever is not answered yet. An answer that is refused is asked for again.
pub fn the_rest(options: &[Declared], name: &str, answers: &mut Answers) -> anyhow::Result<()> {
    for option in options {
        while !answers.contains_key(&option.name) {
            let answer = ask(option).map_err(unanswered)?;
            let mut attempt = answers.clone();
            attempt.insert(option.name.clone(), answer);
            match generator::rehearse(name, &attempt) {
                Ok(()) => *answers = attempt,
                Err(error) => match error.downcast_ref::<generator::Refusal>() {
                    Some(refusal) => eprintln!("{} {refusal}", style("✘").red()),
                    None => return Err(error),
                },
            }
        }
    }
    Ok(())
}

fn unanswered(error: dialoguer::Error) -> anyhow::Error {
    let dialoguer::Error::IO(error) = error;
    if error.kind() == io::ErrorKind::Interrupted {
        // A list of choices hides it.
        let _ = Term::stderr().show_cursor();
        return crate::interruption::said();
    }
    anyhow!(error).context("the question was not answered")
}

fn ask(option: &Declared) -> dialoguer::Result<String> {
    let theme = ColorfulTheme::default();
    let labels = |choices: &[Choice]| {
        choices
            .iter()
            .map(|choice| choice.label.clone())
            .collect::<Vec<_>>()
    };
    match &option.kind {
        Kind::Text { .. } => Input::with_theme(&theme)
            .with_prompt(&option.prompt)
            .default(option.default.clone())
            .validate_with(|text: &String| judge(option, text))
            .interact_text(),
        Kind::Choice(choices) => {
            let default = choices
                .iter()
                .position(|choice| choice.value == option.default);
            Select::with_theme(&theme)
                .with_prompt(&option.prompt)
                .items(labels(choices))
                .default(default.unwrap_or_default())
                .interact()
                .map(|index| choices[index].value.clone())
        }
        Kind::Flag => Confirm::with_theme(&theme)
            .with_prompt(&option.prompt)
            .default(option.default == "true")
            .interact()
            .map(|answer| answer.to_string()),
        Kind::List(choices) => {
            let preset: Vec<bool> = choices
                .iter()
                .map(|choice| option.default.split(',').any(|item| item == choice.value))
                .collect();
            MultiSelect::with_theme(&theme)
                .with_prompt(&option.prompt)
                .items(labels(choices))
                .defaults(&preset)
                .interact()
                .map(|chosen| {
                    let values: Vec<&str> = chosen
                        .into_iter()
                        .map(|index| choices[index].value.as_str())
                        .collect();
                    values.join(",")
                })
        }
    }
}
