//! The questions at a terminal.

use std::io::{self, IsTerminal};

use anyhow::anyhow;
use console::{Term, measure_text_width, style};
use dialoguer::theme::{ColorfulTheme, Theme};
use dialoguer::{Confirm, Input, MultiSelect, Select};

use super::answers::{Answers, judge};
use super::generator::Refusal;
use super::template::{ALTITUDE, Template};
use crate::commands::inf::groups::GROUPS;
use crate::commands::options::{Choice, Declared, Kind};

/// Whether standard input and standard error are a terminal.
pub fn possible() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal()
}

/// Asks for each option without an answer, and again after a refusal.
pub fn the_rest(template: &Template, name: &str, answers: &mut Answers) -> anyhow::Result<()> {
    let options = template.options();
    let terminal = Term::stderr();
    if options.iter().any(|it| !answers.contains_key(&it.name)) {
        terminal.write_line(
            "Enter accepts the default. cargo xtask options lists the names of the options.",
        )?;
    }
    for option in options {
        let given = template.altitude_of(name, answers);
        let is_open = option.name == ALTITUDE && !answers.contains_key(ALTITUDE);
        if let Some((altitude, place)) = given.filter(|_| is_open) {
            say(&format!("{place}: the altitude is {altitude}"), &terminal)?;
            answers.insert(ALTITUDE.to_owned(), altitude.to_owned());
        }
        while !answers.contains_key(&option.name) {
            let question = question(option, answers).filter(|_| option.locked.is_none());
            let Some(question) = question else {
                answers.insert(option.name.clone(), option.default.clone());
                break;
            };
            let answer = ask(option, &question, &terminal).map_err(unanswered)?;
            let mut attempt = answers.clone();
            attempt.insert(option.name.clone(), answer.value.clone());
            if let Some(sentence) = refusal(template, option, &answer.value, name, &attempt)? {
                let mark = style("✘").for_stderr().red();
                say(&format!("{mark} {sentence}"), &terminal)?;
            } else {
                say(&accepted(&question, &answer.shown), &terminal)?;
                *answers = attempt;
            }
        }
    }
    Ok(())
}

/// The sentence that refuses an answer, if it is refused.
fn refusal(
    template: &Template,
    option: &Declared,
    answer: &str,
    name: &str,
    attempt: &Answers,
) -> anyhow::Result<Option<String>> {
    if let Err(error) = judge(option, answer) {
        return Ok(Some(error.to_string()));
    }
    match template.rehearse(name, attempt) {
        Ok(()) => Ok(None),
        Err(error) => error
            .downcast::<Refusal>()
            .map(|refusal| Some(refusal.to_string())),
    }
}

/// Prints a text with a mark before it, which the next question does not clear. Further lines are indented.
fn say(text: &str, terminal: &Term) -> io::Result<()> {
    let width = usize::from(terminal.size().1);
    let lines = wrapped(text, width.saturating_sub(2));
    terminal.write_line(&lines.join("\n  "))
}

/// Splits a text between words into lines of at most `width` columns. A longer word is a line of its own.
fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = String::new();
    for word in text.split(' ') {
        if !line.is_empty() {
            if measure_text_width(&line) + 1 + measure_text_width(word) > width {
                lines.push(std::mem::take(&mut line));
            } else {
                line.push(' ');
            }
        }
        line.push_str(word);
    }
    lines.push(line);
    lines
}

/// The line that replaces a question after an accepted answer.
fn accepted(question: &str, answer: &str) -> String {
    let mut line = String::new();
    // Writing to a string does not fail.
    let _ = ColorfulTheme::default().format_input_prompt_selection(&mut line, question, answer);
    line
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
            Some(format!("Altitude (auto, or {low} to {high})"))
        }
        // Without an unload callback sc stop fails, whatever the answer.
        "service_stop" if answer("unload_policy") == Some("never") => None,
        // The note in parentheses is on the policy with which the option is not asked.
        "service_stop" => option.prompt.split(" (").next().map(str::to_owned),
        _ => Some(option.prompt.clone()),
    }
}

/// An answer that the user gave.
struct Answer {
    /// The answer, as it is written after `-d option=`.
    value: String,
    /// The answer, as it is shown after the question.
    shown: String,
}

impl Answer {
    fn as_written(value: String) -> Self {
        let shown = value.clone();
        Self { value, shown }
    }
}

/// Asks, and clears the question from the screen.
fn ask(option: &Declared, question: &str, terminal: &Term) -> dialoguer::Result<Answer> {
    let theme = ColorfulTheme::default();
    let labels = |choices: &[Choice]| {
        choices
            .iter()
            .map(|choice| choice.label.clone())
            .collect::<Vec<_>>()
    };
    let answer = match &option.kind {
        Kind::Text { .. } => {
            let value: String = Input::with_theme(&theme)
                .with_prompt(question)
                .default(option.default.clone())
                .report(false)
                .interact_text_on(terminal)?;
            clear_lines_above(option, question, &value, terminal)?;
            Answer::as_written(value)
        }
        Kind::Choice(choices) => {
            let default = choices
                .iter()
                .position(|choice| choice.value == option.default);
            let index = Select::with_theme(&theme)
                .with_prompt(question)
                .items(labels(choices))
                .default(default.unwrap_or_default())
                .report(false)
                .interact_on(terminal)?;
            Answer::as_written(choices[index].value.clone())
        }
        Kind::Flag => {
            let answer = Confirm::with_theme(&theme)
                .with_prompt(question)
                .default(option.default == "true")
                .report(false)
                .interact_on(terminal)?;
            Answer {
                value: answer.to_string(),
                shown: if answer { "yes" } else { "no" }.to_owned(),
            }
        }
        Kind::List(choices) => {
            let preset: Vec<bool> = choices
                .iter()
                .map(|choice| option.default.split(',').any(|item| item == choice.value))
                .collect();
            let chosen = MultiSelect::with_theme(&theme)
                .with_prompt(question)
                .items(labels(choices))
                .defaults(&preset)
                .report(false)
                .interact_on(terminal)?;
            let values: Vec<&str> = chosen
                .into_iter()
                .map(|index| choices[index].value.as_str())
                .collect();
            Answer {
                value: values.join(","),
                shown: values.join(", "),
            }
        }
    };
    Ok(answer)
}

/// Clears the lines of a question and its answer that are above the cursor. dialoguer clears only the last line of those
/// that do not fit on one.
fn clear_lines_above(
    option: &Declared,
    question: &str,
    answer: &str,
    terminal: &Term,
) -> io::Result<()> {
    let default = &option.default;
    // Enter alone gives the default.
    let typed = if answer == default { "" } else { answer };
    let columns = measure_text_width(&text_prompt(question, default)) + measure_text_width(typed);
    let width = usize::from(terminal.size().1).max(1);
    terminal.clear_last_lines(columns.saturating_sub(1) / width)
}

/// The question for a text, as it is on the screen.
fn text_prompt(question: &str, default: &str) -> String {
    let mut line = String::new();
    // Writing to a string does not fail.
    let _ = ColorfulTheme::default().format_input_prompt(&mut line, question, Some(default));
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The columns of a terminal where each question is on one line.
    const WIDTH: usize = 80;

    /// The lines that a question with these words puts on the screen.
    fn lines(option: &Declared, words: &str) -> Vec<String> {
        let theme = ColorfulTheme::default();
        let mut line = String::new();
        match &option.kind {
            Kind::Text { .. } => return vec![text_prompt(words, &option.default)],
            Kind::Flag => theme.format_confirm_prompt(&mut line, words, Some(false)),
            Kind::Choice(_) | Kind::List(_) => theme.format_prompt(&mut line, words),
        }
        .unwrap();
        let items = match &option.kind {
            Kind::Choice(choices) | Kind::List(choices) => choices.as_slice(),
            _ => &[],
        };
        // Two columns for the mark of an item.
        let items = items.iter().map(|item| format!("  {}", item.label));
        std::iter::once(line).chain(items).collect()
    }

    #[test]
    fn each_question_fits_on_a_line() {
        let options = crate::commands::options::declared().unwrap();
        for group in &GROUPS {
            let answers = Answers::from([("load_order_group".to_owned(), group.option.to_owned())]);
            for option in &options {
                let question = question(option, &answers).unwrap();
                for line in lines(option, &question) {
                    assert!(measure_text_width(&line) <= WIDTH, "{line}");
                }
            }
        }
    }

    /// cargo-generate puts a pictograph and blanks before a prompt, five columns in all, and repeats the default of a text.
    #[test]
    fn each_question_of_cargo_generate_fits_on_a_line() {
        for option in crate::commands::options::declared().unwrap() {
            let Declared {
                prompt, default, ..
            } = &option;
            let lines = match &option.kind {
                Kind::Text { .. } if default == "auto" => {
                    vec![format!("12345{prompt} [default: {default}] [{default}]: ")]
                }
                // A default in words of its own takes more than a line.
                Kind::Text { .. } => continue,
                _ => lines(&option, &format!("12345{prompt}")),
            };
            for line in lines {
                assert!(measure_text_width(&line) <= WIDTH, "{line}");
            }
        }
    }

    #[test]
    fn a_refusal_is_split_between_words() {
        assert_eq!(wrapped("", 10), [""]);
        assert_eq!(wrapped("one two three", 7), ["one two", "three"]);
        assert_eq!(wrapped("one two", 6), ["one", "two"]);
        assert_eq!(
            wrapped("a \"b  c\" long-word-of-22-columns d", 8),
            ["a \"b  c\"", "long-word-of-22-columns", "d"]
        );
    }
}
