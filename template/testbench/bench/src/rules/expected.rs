//! Rules about what the expectations state.

use std::collections::BTreeMap;

use super::case::{Case, Seen};
use super::log::{logged_texts, names_setting};
use super::{device, load};
use crate::expect::{Device, ErrorLog, Reinitialization};
use crate::objects::volumes::VolumeKind;
use crate::scenario::{Injected, Script};
use crate::settings::{self, Setting, dword};
use crate::trace::{Callback, Event, Kind, Routine, Stage};
use crate::vocabulary::major;
use crate::vocabulary::status::{self, Status};

/// Returns whether the driver loaded and no call was made to fail.
pub(super) fn is_loaded(case: &Case) -> bool {
    let status = case.trace.driver_entry_status();
    case.is_clean() && status.is_some_and(Status::is_success)
}

/// Returns the volumes that are expected with the settings of a scenario.
fn expected_volumes<'a>(case: &Case<'a>) -> Option<&'a [VolumeKind]> {
    let expectations = case.expectations?;
    let with_defaults = expectations.volumes.as_deref();
    if case.scenario.script == Script::Life {
        return with_defaults;
    }
    if case.scenario.script != Script::GoodSettings {
        return None;
    }
    let has = |changed: &BTreeMap<String, u32>| {
        let mut values = case.scenario.values.all().iter();
        values.all(|value| {
            let default = expectations.settings.get(&value.name).map(|it| it.default);
            let expected = changed.get(&value.name).copied().or(default);
            expected.is_some_and(|number| value.text == dword(number))
        })
    };
    let mut changes = expectations.when.iter();
    match changes.find(|when| has(&when.settings)) {
        Some(when) => Some(&when.volumes),
        None if has(&BTreeMap::new()) => with_defaults,
        None => None,
    }
}

pub(super) fn volumes(case: &Case) -> Vec<Seen> {
    let Some(expected) = expected_volumes(case).filter(|_| is_loaded(case)) else {
        return Vec::new();
    };
    let attached: Vec<&str> = (case.trace.events.iter().enumerate())
        .filter(|(at, _)| case.view.stage(*at) == Stage::Load)
        .filter_map(|(_, event)| match event {
            Event::Attached { volume } => Some(volume.as_str()),
            _ => None,
        })
        .collect();
    let expected: Vec<String> = expected.iter().map(ToString::to_string).collect();
    let missing = expected
        .iter()
        .filter(|volume| !attached.contains(&volume.as_str()))
        .map(|volume| (volume.as_str(), "is not attached to"));
    let extra = attached
        .iter()
        .filter(|volume| !expected.iter().any(|known| known == *volume))
        .map(|volume| (*volume, "is attached to"));
    let detached = attached_again(case).map(|problem| Seen::new(problem, problem));
    missing
        .chain(extra)
        .map(|(volume, how)| {
            Seen::new(
                format!("{how} {volume}"),
                format!("the filter {how} {volume}, against its expectations"),
            )
        })
        .chain(detached)
        .collect()
}

/// Returns what is wrong with the result of a request to detach an instance and of one to attach it again.
fn attached_again(case: &Case) -> Option<&'static str> {
    let expected = case.expectations?.detach?;
    let mut events = case.trace.events.iter().enumerate();
    let again = events.any(|(at, event)| {
        matches!(event, Event::Attached { .. }) && case.view.stage(at) == Stage::Operations
    });
    match (expected, again) {
        _ if !case.trace.completed() => None,
        (true, false) => Some(
            "a request to detach an instance, or to attach it again, has no effect, against the expectations",
        ),
        (false, true) => Some("a request detaches an instance, against the expectations"),
        _ => None,
    }
}

pub(super) fn reinitialization(case: &Case) -> Vec<Seen> {
    let expected = case
        .expectations
        .and_then(|expected| expected.reinitialization);
    let (Some(expected), true, true) = (expected, is_loaded(case), case.trace.completed()) else {
        return Vec::new();
    };
    let most = case.expectations.and_then(|it| it.reinitialization_calls);
    let wanted = match (expected, case.scenario.script) {
        (Reinitialization::None, Script::Life | Script::ServiceStop) => Some(0),
        (_, Script::Life) | (Reinitialization::Once, Script::ServiceStop) => Some(1),
        // In this script, files can be opened in the fourth call.
        (Reinitialization::UntilFilesOpen, Script::ServiceStop) => Some(4),
        // In this script, files can never be opened.
        (Reinitialization::UntilFilesOpen, Script::Shutdown) => most,
        _ => None,
    };
    let Some(wanted) = wanted else {
        return Vec::new();
    };
    let routine = Routine::Other {
        callback: Callback::Reinitialize,
    };
    let calls = case.trace.events.iter();
    let calls = calls
        .filter(
            |event| matches!(event, Event::Enter { routine: entered, .. } if *entered == routine),
        )
        .count();
    if calls == wanted {
        return Vec::new();
    }
    vec![Seen::new(
        format!("calls {:?}", case.scenario.script),
        format!("the reinitialization routine is called {calls} times, and {wanted} are expected"),
    )]
}

pub(super) fn device(case: &Case) -> Vec<Seen> {
    let expected = case
        .expectations
        .and_then(|expected| expected.device.as_ref());
    let (Some(expected), true) = (expected, is_loaded(case)) else {
        return Vec::new();
    };
    let mut seen = Vec::new();
    if case.scenario.script == Script::Life {
        seen.extend(device_names(case, expected));
    }
    let wanted: &[u8] = match case.scenario.script {
        Script::Life => &[
            major::CREATE,
            major::CLEANUP,
            major::CLOSE,
            major::FLUSH_BUFFERS,
        ],
        Script::Shutdown => &[major::SHUTDOWN],
        _ => return seen,
    };
    let requests = expected.requests.iter();
    let majors = requests.filter_map(|name| major::by_option(name));
    for sent in majors.filter(|major| wanted.contains(major)) {
        let mut results = case.trace.events.iter().filter_map(|event| match event {
            Event::DeviceRequest { major, status, .. } if *major == sent => Some(*status),
            _ => None,
        });
        let name = major::name(sent);
        let failed = |status: &Status| {
            let permitted = expected.exclusive && device::is_exclusive(case, *status);
            !(status.is_success() || permitted)
        };
        let text = match results.clone().find(failed) {
            Some(status) => format!("a request {name} to the device returns {status}"),
            // Without an open, no other request is sent.
            None if results.next().is_none() && seen.is_empty() && case.trace.completed() => {
                format!("no request {name} reaches the device")
            }
            None => continue,
        };
        seen.push(Seen::new(name, text));
    }
    seen
}

/// Checks the names of the device and of its link.
fn device_names(case: &Case, expected: &Device) -> Vec<Seen> {
    let Some((loaded, _)) = case.view.driver_entry() else {
        return Vec::new();
    };
    let has = |kind: Kind, name: &str| {
        let mut held = case.view.held_at(loaded);
        held.any(|resource| resource.kind == kind && resource.what.eq_ignore_ascii_case(name))
    };
    let names = [
        (Kind::Device, &expected.name),
        (Kind::SymbolicLink, &expected.link),
    ];
    let class = expected.class.as_ref().filter(|class| {
        let mut events = case.trace.events.iter();
        !events.any(|event| {
            matches!(event, Event::DeviceClass { class: given } if given.eq_ignore_ascii_case(class))
        })
    });
    names
        .into_iter()
        .filter(|(kind, name)| !has(*kind, name))
        .map(|(kind, name)| (kind.to_string(), name))
        .chain(class.map(|class| ("device setup class".to_owned(), class)))
        .map(|(kind, name)| {
            let text = format!("the driver has no {kind} {name}, which is expected");
            Seen::new(kind, text)
        })
        .collect()
}

pub(super) fn settings(case: &Case) -> Vec<Seen> {
    match case.scenario.script {
        _ if !case.is_clean() => missing_setting(case).into_iter().collect(),
        Script::GoodSettings => accepted_settings(case),
        Script::OddSettings if load::failed(case).is_none() => refused_settings(case),
        _ => Vec::new(),
    }
}

/// Returns the values within the limits that `DriverEntry` does not accept.
fn accepted_settings(case: &Case) -> Vec<Seen> {
    if let Some((_, status)) = load::failed(case) {
        return vec![Seen::new(
            "failed",
            format!("DriverEntry returns {status}, and all settings are within their limits"),
        )];
    }
    let values = case.scenario.values.all().iter();
    values
        .filter(|value| logged_texts(case).any(|text| names_setting(text, &value.name)))
        .map(|Setting { name, text, .. }| {
            Seen::new(
                format!("{name} {text}"),
                format!(
                    "{text} is a value of {name} within its limits, and DriverEntry reports it"
                ),
            )
        })
        .collect()
}

/// Returns that `DriverEntry` fails because a setting, or the key of the settings, does not exist.
fn missing_setting(case: &Case) -> Option<Seen> {
    let ([fault], (_, status)) = (&case.scenario.faults[..], load::failed(case)?) else {
        return None;
    };
    let function = fault.function.as_str();
    let is_missing = fault.result == Injected::Status(status::OBJECT_NAME_NOT_FOUND)
        && READS_SETTINGS.contains(&function);
    (is_missing && !case.expectations?.settings.is_empty()).then(|| {
        let text = format!(
            "DriverEntry returns {status} because {function} does not find a setting: without a value, a setting has its default"
        );
        Seen::new(format!("missing {function}"), text)
    })
}

/// The functions that return `STATUS_OBJECT_NAME_NOT_FOUND` if a setting or the key of the settings does not exist.
const READS_SETTINGS: [&str; 3] = ["IoOpenDriverRegistryKey", "ZwOpenKey", "ZwQueryValueKey"];

/// Returns the error log entries about settings that have another status than the expected one.
fn refused_settings(case: &Case) -> Vec<Seen> {
    let Some(expected) = case
        .expectations
        .and_then(|expected| expected.refused_settings.as_ref())
    else {
        return Vec::new();
    };
    let mut seen = Vec::new();
    for value in case.scenario.values.all() {
        let is_number = value.kind() == settings::DWORD;
        let status = if is_number {
            &expected.number
        } else {
            &expected.of_type
        };
        let entries = case.trace.events.iter().filter_map(|event| match event {
            Event::ErrorLog { entry } => Some(entry),
            _ => None,
        });
        let mut about = entries.filter(|entry| {
            let mut texts = entry.strings.iter();
            texts.any(|text| names_setting(text, &value.name))
        });
        if let Some(entry) = about.find(|entry| entry.status.name() != Some(status)) {
            let text = format!(
                "the entry about the value {} of {} has FinalStatus {}, and {status} is expected",
                value.text, value.name, entry.status
            );
            seen.push(Seen::new(format!("{} {status}", value.name), text));
        }
    }
    seen
}

pub(super) fn load_failures(case: &Case) -> Vec<Seen> {
    load_failure(case).into_iter().collect()
}

/// Returns what is wrong after the failure of a function that the expectations list.
fn load_failure(case: &Case) -> Option<Seen> {
    let expected = case.expectations?;
    let failures = case.view.load_failures();
    let [(call, Injected::Status(status))] = &failures[..] else {
        return None;
    };
    let name = call.function;
    let number = expected.load_failures.get(name)?;
    let (_, returned) = case.view.driver_entry()?;
    if returned.is_success() {
        // The driver can have a default for what is not found.
        let has_default = *status == status::OBJECT_NAME_NOT_FOUND;
        let text = format!("{name} returns {status}, and DriverEntry succeeds");
        return (!has_default).then(|| Seen::new(format!("{name} succeeds"), text));
    }
    let code = format!("0x{:08X}", status.0);
    let mut is_logged = false;
    for event in &case.trace.events {
        let is_complete = match event {
            Event::ErrorLog { entry } => {
                let has = |what: &str| entry.strings.iter().any(|text| text == what);
                entry.unique == *number && entry.status == *status && has(name) && has(&code)
            }
            Event::Trace { text } => {
                let has = |what: &str| text.to_lowercase().contains(&what.to_lowercase());
                let is_for_it = expected.error_log == Some(ErrorLog::Debugger);
                is_for_it && has(name) && has(code.trim_start_matches("0x"))
            }
            _ => continue,
        };
        if is_complete {
            return None;
        }
        is_logged = true;
    }
    // The rule error-logged reports that nothing is logged.
    is_logged.then(|| {
        let text = format!(
            "{name} fails with {status}, and what is logged does not have this name, {code} and the number {number}"
        );
        Seen::new(format!("{name} logged"), text).called(name, call.site)
    })
}

#[cfg(test)]
mod tests {
    use super::super::testing::Recording;
    use super::*;
    use crate::expect::Expectations;
    use crate::scenario::Scenario;
    use crate::settings::Settings;
    use crate::trace::{LogEntry, Trace};

    fn expecting(text: &str) -> Expectations {
        toml::from_str(text).unwrap()
    }

    fn texts(
        rule: fn(&Case) -> Vec<Seen>,
        scenario: &Scenario,
        trace: &Trace,
        expected: &Expectations,
    ) -> Vec<String> {
        let mut case = Case::new(scenario, trace);
        case.expectations = Some(expected);
        rule(&case).into_iter().map(|seen| seen.seen).collect()
    }

    fn loading() -> Recording {
        Recording::new().enter(Routine::DriverEntry)
    }

    #[test]
    fn missing_and_extra_volumes_are_distinguished() {
        let attached = Event::Attached {
            volume: "a raw disk".to_owned(),
        };
        let trace = loading().event(attached).leave(status::SUCCESS).done();
        let expected = expecting("volumes = [\"ntfs\"]");
        assert_eq!(
            texts(volumes, &Scenario::clean(Script::Life), &trace, &expected),
            [
                "the filter is not attached to a fixed NTFS disk, against its expectations",
                "the filter is attached to a raw disk, against its expectations"
            ]
        );
    }

    #[test]
    fn the_calls_of_the_reinitialization_routine_are_counted() {
        let routine = Routine::Other {
            callback: Callback::Reinitialize,
        };
        let called = loading().leave(status::SUCCESS).enter(routine);
        let trace = called.leave(status::SUCCESS).done();
        for (text, script, fits) in [
            ("once", Script::Life, true),
            ("until-files-open", Script::Life, true),
            ("until-files-open", Script::ServiceStop, false),
            ("none", Script::Life, false),
        ] {
            let expected = expecting(&format!("reinitialization = \"{text}\""));
            let seen = texts(
                reinitialization,
                &Scenario::clean(script),
                &trace,
                &expected,
            );
            assert_eq!(seen.is_empty(), fits, "{text}");
        }
    }

    #[test]
    fn names_and_requests_of_the_device_are_compared() {
        let request = |major| Event::DeviceRequest {
            major,
            dispatched: true,
            status: status::SUCCESS,
        };
        let trace = loading()
            .acquires(r"\Device\a", Kind::Device)
            .acquires(r"\DosDevices\a", Kind::SymbolicLink)
            .leave(status::SUCCESS)
            .event(request(major::CREATE))
            .done();
        let life = Scenario::clean(Script::Life);
        let seen = |name: &str, requests: &str| {
            let text = format!(
                "[device]\nname = '\\Device\\{name}'\nlink = '\\DosDevices\\a'\nrequests = [{requests}]"
            );
            texts(device, &life, &trace, &expecting(&text))
        };
        assert!(seen("a", "'create', 'shutdown'").is_empty());
        assert_eq!(seen("b", "'create'").len(), 1);
        assert_eq!(
            seen("a", "'create', 'close'"),
            ["no request IRP_MJ_CLOSE reaches the device"]
        );
    }

    #[test]
    fn a_value_within_the_limits_is_not_reported() {
        let scenario = Scenario {
            values: Settings::of([("Mode", dword(1))].into_iter()).unwrap(),
            ..Scenario::clean(Script::GoodSettings)
        };
        let logging = |name: &str| {
            let entry = LogEntry {
                strings: vec![name.to_owned()],
                ..LogEntry::default()
            };
            let trace = loading().event(Event::ErrorLog { entry });
            let trace = trace.leave(status::SUCCESS).done();
            texts(settings, &scenario, &trace, &Expectations::default()).len()
        };
        assert_eq!((logging("Other"), logging("Mode")), (0, 1));
    }
}
