//! The text of what happened in a test.

use std::fmt::Write as _;

use crate::imports;
use crate::machine::function::Fails;
use crate::report::Finding;
use crate::trace::{Event, Routine};
use crate::vocabulary::preop;
use crate::vocabulary::status::Status;

/// The most lines of an account of what the driver did.
const MOST_LINES: usize = 40;

/// Returns what the driver did during events, one line for each call, indented by the nesting. Returns an empty text if
/// it did nothing.
#[must_use]
pub fn account(events: &[Event]) -> String {
    let mut lines: Vec<String> = Vec::new();
    let mut open: Vec<(usize, bool)> = Vec::new();
    for event in events {
        let depth = open.len();
        let indent = "  ".repeat(depth);
        match event {
            Event::Enter { routine, .. } => {
                open.push((lines.len(), false));
                lines.push(format!("{indent}{}", routine_text(routine)));
            }
            Event::Leave { .. } => {
                open.pop();
            }
            Event::Call { function, .. } => {
                open.push((lines.len(), can_return_status(function)));
                lines.push(format!("{indent}{function}"));
            }
            Event::Return { result, injected } => {
                if let Some((line, is_status)) = open.pop() {
                    let result = if is_status {
                        Status(*result as u32).to_string()
                    } else if *result == 0 && *injected {
                        "NULL".to_owned()
                    } else {
                        String::new()
                    };
                    let injected = if *injected { ", injected" } else { "" };
                    if let Some(line) = lines.get_mut(line).filter(|_| !result.is_empty()) {
                        let _ = write!(line, ": {result}{injected}");
                    }
                }
            }
            Event::PreAnswer { answer, status, .. } => {
                let mut line = format!("{indent}  returns {}", preop::name(*answer));
                if *answer == preop::COMPLETE {
                    let _ = write!(line, " with {status}");
                }
                lines.push(line);
            }
            Event::PostAnswer { before, after, .. } if before != after => {
                lines.push(format!(
                    "{indent}  changes the status from {before} to {after}"
                ));
            }
            Event::Below {
                operation,
                path,
                status,
                ..
            } => lines.push(format!(
                "{indent}the file system: {operation} of {path}: {status}"
            )),
            Event::Trace { text } => lines.push(format!("{indent}  {text:?}")),
            Event::ErrorLog { entry } => {
                let what = entry.sentence.clone().unwrap_or_default();
                lines.push(format!("{indent}event log: {what} ({})", entry.status));
            }
            _ => {}
        }
    }
    if lines.len() > MOST_LINES {
        let more = lines.len() - MOST_LINES;
        lines.truncate(MOST_LINES);
        lines.push(format!("… and {more} more lines"));
    }
    lines.join("\n")
}

fn routine_text(routine: &Routine) -> String {
    let text = routine.to_string();
    text.strip_prefix("the ")
        .map_or(text.clone(), str::to_owned)
}

fn can_return_status(function: &str) -> bool {
    let known = imports::function(function);
    known.is_some_and(|known| matches!(known.fails, Fails::With(_)) || known.result == "Status")
}

/// Returns the text of findings.
#[must_use]
pub fn findings(findings: &[Finding]) -> String {
    let mut text = String::new();
    for finding in findings {
        let _ = writeln!(text, "{}", finding.line());
        let _ = writeln!(text, "    asked: {}", finding.asks);
        if let Some(place) = &finding.place {
            let _ = writeln!(text, "    where: {place}");
        }
        let _ = writeln!(text, "    see:   {}", finding.documents.join("; "));
    }
    text
}

/// Returns a text whose lines are indented.
#[must_use]
pub fn indented(text: &str) -> String {
    let lines = text.lines().map(|line| format!("    {line}\n"));
    lines.collect()
}

/// Returns bytes as text if they are readable, otherwise in hexadecimal.
#[must_use]
pub fn bytes(bytes: &[u8]) -> String {
    const MOST: usize = 64;
    let shown = &bytes[..bytes.len().min(MOST)];
    let rest = if bytes.len() > MOST {
        format!("… ({} bytes)", bytes.len())
    } else {
        String::new()
    };
    match std::str::from_utf8(shown) {
        Ok(text)
            if !text
                .chars()
                .any(|letter| letter.is_control() && letter != '\n') =>
        {
            format!("{text:?}{rest}")
        }
        _ => {
            let digits: Vec<String> = shown.iter().map(|byte| format!("{byte:02x}")).collect();
            format!("[{}]{rest}", digits.join(" "))
        }
    }
}
