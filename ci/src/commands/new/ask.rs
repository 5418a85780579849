//! The questions at a terminal.

use std::io::{self, IsTerminal};

use anyhow::anyhow;
use console::{Term, style};
use dialoguer::theme::ColorfulTheme;
use dialoguer::{Confirm, Input, MultiSelect, Select};

use super::answers::{Answers, judge};
use super::generator;
use crate::commands::inf::groups::GROUPS;
use crate::commands::options::{Choice, Declared, Kind};

/// Whether standard input and standard error are a terminal.
pub fn possible() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal()
}

/// Asks for each option without an answer, and again after a refusal.
pub fn the_rest(options: &[Declared], name: &str, answers: &mut Answers) -> anyhow::Result<()> {
    for option in options {
        while !answers.contains_key(&option.name) {
            let answer = match question(option, answers) {
                Some(question) => ask(option, &question).map_err(unanswered)?,
                None => option.default.clone(),
            };
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

/// The question, which can depend on earlier answers. `None` if they make the option irrelevant.
fn question(option: &Declared, answers: &Answers) -> Option<String> {
    let answer = |name: &str| answers.get(name).map(String::as_str);
    match option.name.as_str() {
        "altitude" => {
            let group = answer("load_order_group")?;
            let group = GROUPS.iter().find(|it| it.option == group)?;
            let (low, high) = (group.altitudes.start(), group.altitudes.end());
            Some(format!(
                "Altitude: auto (a draft), or a number from {low} to {high} such as {low}.5"
            ))
        }
        // Without an unload callback sc stop fails, whatever the answer.
        "service_stop" if answer("unload_policy") == Some("never") => None,
        _ => Some(option.prompt.clone()),
    }
}

fn ask(option: &Declared, question: &str) -> dialoguer::Result<String> {
    let theme = ColorfulTheme::default();
    let labels = |choices: &[Choice]| {
        choices
            .iter()
            .map(|choice| choice.label.clone())
            .collect::<Vec<_>>()
    };
    match &option.kind {
        Kind::Text { .. } => Input::with_theme(&theme)
            .with_prompt(question)
            .default(option.default.clone())
            .validate_with(|text: &String| judge(option, text))
            .interact_text(),
        Kind::Choice(choices) => {
            let default = choices
                .iter()
                .position(|choice| choice.value == option.default);
            Select::with_theme(&theme)
                .with_prompt(question)
                .items(labels(choices))
                .default(default.unwrap_or_default())
                .interact()
                .map(|index| choices[index].value.clone())
        }
        Kind::Flag => Confirm::with_theme(&theme)
            .with_prompt(question)
            .default(option.default == "true")
            .interact()
            .map(|answer| answer.to_string()),
        Kind::List(choices) => {
            let preset: Vec<bool> = choices
                .iter()
                .map(|choice| option.default.split(',').any(|item| item == choice.value))
                .collect();
            MultiSelect::with_theme(&theme)
                .with_prompt(question)
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
