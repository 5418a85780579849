//! Rules about the error log.

use super::case::{Case, Seen};
use super::load;
use super::view::Call;
use crate::expect::ErrorLog;
use crate::imports;
use crate::scenario::{Injected, Script as Played};
use crate::trace::{Event, LogEntry, Routine};

fn entries<'a>(case: &Case<'a>) -> impl Iterator<Item = (usize, &'a LogEntry)> {
    case.trace
        .events
        .iter()
        .enumerate()
        .filter_map(|(at, event)| match event {
            Event::ErrorLog { entry } => Some((at, entry)),
            _ => None,
        })
}

pub(super) fn error_logged(case: &Case) -> Vec<Seen> {
    let Some((_, status)) = load::failed(case) else {
        return Vec::new();
    };
    let failures = case.view.load_failures();
    let Some((failing, _)) = failures.first() else {
        return Vec::new();
    };
    let debugger = case
        .expectations
        .is_some_and(|expected| expected.error_log == Some(ErrorLog::Debugger));
    let logged = case.view.load_calls().any(|call| {
        call.at >= failing.at
            && (call.function == "IoAllocateErrorLogEntry"
                || debugger && call.function.contains("DbgPrint"))
    });
    if logged {
        return Vec::new();
    }
    let means = if debugger {
        "prints nothing for the debugger"
    } else {
        "writes no error log entry"
    };
    vec![
        Seen::new(
            "silent",
            format!(
                "{} fails, DriverEntry returns {status} and {means}",
                failing.function
            ),
        )
        .called(failing.function, failing.site),
    ]
}

pub(super) fn odd_setting_logged(case: &Case) -> Vec<Seen> {
    if case.scenario.script != Played::OddSettings || !case.is_clean() {
        return Vec::new();
    }
    if let Some((_, status)) = load::failed(case) {
        return vec![Seen::new(
            "failed",
            format!("DriverEntry returns {status} because a registry value is invalid"),
        )];
    }
    let queried: Vec<(&str, Option<Call>)> = case
        .trace
        .events
        .iter()
        .enumerate()
        .filter_map(|(at, event)| match event {
            Event::NotInRegistry {
                odd: true, value, ..
            } if case
                .view
                .is_in(at, |routine| *routine == Routine::DriverEntry) =>
            {
                let call = case.view.load_calls().find(|call| {
                    call.at < at && call.returned.is_some_and(|returned| at < returned)
                });
                Some((value.as_deref().unwrap_or_default(), call))
            }
            _ => None,
        })
        .chain(
            case.scenario
                .values
                .all()
                .iter()
                .map(|value| (value.name.as_str(), None)),
        )
        .collect();
    let logged = case.view.load_calls().any(|call| {
        call.function == "IoAllocateErrorLogEntry" || call.function.contains("DbgPrint")
    });
    let silent = |name: &str| {
        !logged || case.is_strict() && !logged_texts(case).any(|text| names_setting(text, name))
    };
    let mut seen: Vec<Seen> = queried
        .iter()
        .filter(|(name, _)| silent(name))
        .map(|(name, call)| {
            let seen = Seen::new(
                format!("silent {name}"),
                format!("the value {name} in the registry is invalid, and DriverEntry logs nothing about it"),
            );
            match call {
                Some(call) => seen.called(call.function, call.site),
                None => seen,
            }
        })
        .collect();
    seen.dedup();
    seen
}

/// Returns the texts that `DriverEntry` writes to the event log or to the debugger.
pub(super) fn logged_texts<'a>(case: &'a Case) -> impl Iterator<Item = &'a str> {
    let events = case.trace.events.iter().enumerate();
    events
        .filter(|(at, _)| {
            case.view
                .is_in(*at, |routine| *routine == Routine::DriverEntry)
        })
        .flat_map(|(_, event)| match event {
            Event::ErrorLog { entry } => entry.strings.iter().map(String::as_str).collect(),
            Event::Trace { text } => vec![text.as_str()],
            _ => Vec::new(),
        })
}

/// Returns whether a text names a setting.
pub(super) fn names_setting(text: &str, name: &str) -> bool {
    let last = name.rsplit('\\').next().unwrap_or(name);
    text.to_lowercase().contains(&last.to_lowercase())
}

pub(super) fn error_packet(case: &Case) -> Vec<Seen> {
    let mut seen: Vec<Seen> = entries(case)
        .flat_map(|(_, entry)| &entry.problems)
        .map(|problem| Seen::new(problem.clone(), problem.clone()))
        .collect();
    for (_, entry) in entries(case).filter(|(_, entry)| entry.problems.is_empty()) {
        if entry.sentence.is_some() {
            continue;
        }
        // The file has no other messages. The registry specifies the other files in which the system searches.
        let known = if is_in_iologmsg(entry.code) {
            "it is a message of IoLogMsg.dll"
        } else {
            "it is not in IoLogMsg.dll either: Event Viewer shows a message only if EventMessageFile of the event source names a file that contains it"
        };
        let foreign = Seen::new(
            format!("foreign code {:X}", entry.code),
            format!(
                "the entry's ErrorCode 0x{:08X} is not in the driver's own message table; {known}",
                entry.code
            ),
        );
        if case.is_strict() {
            seen.push(foreign);
        } else if !is_in_iologmsg(entry.code) {
            seen.push(foreign.as_advice());
        }
    }
    seen.extend(entries(case).flat_map(|(at, entry)| content(case, at, entry)));
    let failures = case.view.load_failures();
    // If the driver loads despite the failure, the entry reports something else.
    let Some((call, Injected::Status(original))) =
        failures.first().filter(|_| load::failed(case).is_some())
    else {
        return seen;
    };
    let statuses: Vec<_> = failures
        .iter()
        .filter_map(|(_, injected)| injected.status())
        .collect();
    let other = entries(case).find(|(at, entry)| {
        *at > call.at && entry.problems.is_empty() && !statuses.contains(&entry.status)
    });
    if let Some((_, entry)) = other {
        seen.push(
            Seen::new(
                "final status",
                format!(
                    "{} returned {original}, and the entry's FinalStatus is {}",
                    call.function, entry.status
                ),
            )
            .as_advice(),
        );
    }
    seen
}

/// Returns what is wrong with the content of a valid entry.
fn content(case: &Case, at: usize, entry: &LogEntry) -> Vec<Seen> {
    let mut seen = Vec::new();
    if !entry.problems.is_empty() {
        return seen;
    }
    let code = format!("0x{:08X}", entry.code);
    if let Some(number) = entry.strings.iter().position(String::is_empty) {
        seen.push(
            Seen::new(
                format!("empty {code}"),
                format!(
                    "string {} of the entry with ErrorCode {code} is empty",
                    number + 1
                ),
            )
            .as_advice(),
        );
    }
    if load::failed(case).is_none() {
        return seen;
    }
    if entry.code >> 30 < 2 {
        let text = format!(
            "the entry of a DriverEntry that fails has ErrorCode {code}, whose severity is not that of an error"
        );
        seen.push(Seen::new(format!("severity {code}"), text).as_advice());
    }
    if entry.unique == 0 && case.is_strict() {
        let text =
            "UniqueErrorValue of the entry is 0: it does not identify the place of the error";
        seen.push(Seen::new("unique", text));
    }
    if case.view.load_failures().is_empty() {
        return seen;
    }
    seen.extend(entry.strings.iter().filter_map(|name| {
        // The functions of wdmsec.lib are in the driver. What they call can fail.
        let is_known = imports::function(name).is_some_and(|known| known.header != "wdmsec.h");
        let calls = case.view.load_calls();
        let calls: Vec<Call> = calls
            .filter(|call| call.at < at && call.function == name)
            .collect();
        let fails =
            |call: &Call| call.injected || call.status().is_some_and(|status| !status.is_success());
        // A function that is not called can be the wrapper of one that fails.
        let succeeded = !calls.is_empty() && !calls.iter().any(fails);
        (is_known && succeeded && case.is_strict()).then(|| {
            Seen::new(
                format!("names {name}"),
                format!("the entry of a DriverEntry that fails names {name}, which did not fail"),
            )
        })
    }));
    seen
}

/// Returns whether a code has the facility of `IoLogMsg.dll` (`IO_ERR_` and similar codes), without the customer bit.
fn is_in_iologmsg(code: u32) -> bool {
    code & 0x3FFF_0000 == 0x0004_0000 && matches!(code & 0xFFFF, 1..=0x100)
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Recording, names};
    use super::*;
    use crate::expect::Expectations;
    use crate::scenario::{self, Fault, Scenario};
    use crate::trace::{Routine, Trace};
    use crate::vocabulary::status;

    fn failing() -> Scenario {
        Scenario::clean(scenario::Script::Life).with(Fault {
            point: 0,
            function: "FltRegisterFilter".to_owned(),
            site: 0,
            within: "DriverEntry".to_owned(),
            result: Injected::Status(status::FLT_NOT_INITIALIZED),
        })
    }

    fn logging(entry: LogEntry) -> Trace {
        Recording::new()
            .enter(Routine::DriverEntry)
            .fails("FltRegisterFilter", status::FLT_NOT_INITIALIZED)
            .call("IoAllocateErrorLogEntry", status::Status(0x1000))
            .begin("IoWriteErrorLogEntry")
            .event(Event::ErrorLog { entry })
            .end(status::SUCCESS)
            .leave(status::FLT_NOT_INITIALIZED)
            .done()
    }

    fn entry() -> LogEntry {
        LogEntry {
            code: 0xC004_0004,
            status: status::FLT_NOT_INITIALIZED,
            ..LogEntry::default()
        }
    }

    #[test]
    fn a_valid_entry_has_no_finding() {
        let (scenario, trace) = (failing(), logging(entry()));
        assert!(names(&Case::new(&scenario, &trace)).is_empty());
    }

    #[test]
    fn only_invalid_values_that_driver_entry_reads_are_judged() {
        let scenario = Scenario::clean(scenario::Script::OddSettings);
        let odd = || Event::NotInRegistry {
            key: "Parameters".to_owned(),
            value: Some("Mode".to_owned()),
            setting: None,
            odd: true,
        };
        let loading = || Recording::new().enter(Routine::DriverEntry);
        let loaded = loading().event(odd()).leave(status::SUCCESS).done();
        assert!(names(&Case::new(&scenario, &loaded)).contains(&"odd-setting-logged"));
        let unload = Routine::FilterUnload { mandatory: false };
        let later = loading().leave(status::SUCCESS).enter(unload);
        let later = later.event(odd()).leave(status::SUCCESS).done();
        assert!(!names(&Case::new(&scenario, &later)).contains(&"odd-setting-logged"));
    }

    #[test]
    fn problems_of_the_packet_are_findings() {
        let scenario = failing();
        let trace = logging(LogEntry {
            problems: vec!["StringOffset is 7".to_owned()],
            ..entry()
        });
        assert_eq!(names(&Case::new(&scenario, &trace)), ["error-packet"]);
    }

    #[test]
    fn a_code_without_a_message_is_advice_unless_expectations_are_set() {
        let scenario = failing();
        let seen = |code, expectations: Option<&Expectations>| {
            let trace = logging(LogEntry { code, ..entry() });
            let mut case = Case::new(&scenario, &trace);
            case.expectations = expectations;
            let seen = error_packet(&case);
            seen.first().map(|seen| (seen.advice, seen.seen.clone()))
        };
        let strict = Expectations::default();
        for own in [0xE005_0001, 0xE004_0008, 0x6004_0001] {
            let (advice, says) = seen(own, None).unwrap();
            assert!(advice && says.contains("EventMessageFile"), "{says}");
        }
        assert!(!seen(0xE005_0001, Some(&strict)).unwrap().0);
        assert_eq!(seen(0xC004_0004, None), None);
        let (advice, says) = seen(0xC004_0004, Some(&strict)).unwrap();
        assert!(
            !advice && says.ends_with("it is a message of IoLogMsg.dll"),
            "{says}"
        );
    }

    #[test]
    fn another_final_status_is_seen() {
        let scenario = failing();
        let trace = logging(LogEntry {
            status: status::UNSUCCESSFUL,
            ..entry()
        });
        assert_eq!(names(&Case::new(&scenario, &trace)), ["error-packet"]);
    }

    #[test]
    fn debugger_output_is_sufficient_if_it_is_expected() {
        let scenario = failing();
        let trace = Recording::new()
            .enter(Routine::DriverEntry)
            .fails("FltRegisterFilter", status::FLT_NOT_INITIALIZED)
            .call("DbgPrint", status::SUCCESS)
            .leave(status::FLT_NOT_INITIALIZED)
            .done();
        let mut expected = Expectations::default();
        let mut case = Case::new(&scenario, &trace);
        case.expectations = Some(&expected);
        assert_eq!(names(&case), ["error-logged"]);
        expected.error_log = Some(ErrorLog::Debugger);
        let mut case = Case::new(&scenario, &trace);
        case.expectations = Some(&expected);
        assert!(names(&case).is_empty());
    }

    #[test]
    fn a_defect_only_without_the_log_is_a_defect_of_the_logging() {
        let scenario = failing().with(Fault {
            point: 1,
            function: "IoAllocateErrorLogEntry".to_owned(),
            site: 0,
            within: "DriverEntry".to_owned(),
            result: Injected::Zero,
        });
        let trace = Recording::new()
            .enter(Routine::DriverEntry)
            .fails("FltRegisterFilter", status::FLT_NOT_INITIALIZED)
            .fails("IoAllocateErrorLogEntry", status::SUCCESS)
            .leave(status::INSUFFICIENT_RESOURCES)
            .done();
        let case = Case::new(&scenario, &trace);
        assert_eq!(names(&case), ["error-log-failure-tolerated"]);
        let base = ["original-status: substitute".to_owned()];
        let mut case = Case::new(&scenario, &trace);
        case.base = &base;
        assert_eq!(names(&case), ["original-status"]);
    }
}
