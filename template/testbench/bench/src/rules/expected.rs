//! Rules about what the expectations state.

use super::case::{Case, Seen};
use super::load;
use super::log::{logged_texts, names_setting};
use crate::expect::{Device, Reinitialization};
use crate::scenario::Script;
use crate::trace::{Callback, Event, Kind, Routine, Stage};
use crate::vocabulary::major;
use crate::vocabulary::status::Status;

/// Returns whether the driver loaded and no call was made to fail.
fn is_loaded(case: &Case) -> bool {
    let status = case.trace.driver_entry_status();
    case.is_clean() && status.is_some_and(Status::is_success)
}

pub(super) fn volumes(case: &Case) -> Vec<Seen> {
    let expectations = case.expectations;
    let Some(expected) = expectations.and_then(|expected| expected.volumes.as_ref()) else {
        return Vec::new();
    };
    let is_default = |(name, value): &(String, u32)| {
        let limits = expectations.and_then(|expected| expected.settings.get(name));
        limits.is_some_and(|limits| limits.default == *value)
    };
    let values = &case.scenario.values;
    let with_defaults = match case.scenario.script {
        Script::Life => true,
        Script::GoodSettings => values.iter().all(is_default),
        _ => false,
    };
    if !is_loaded(case) || !with_defaults {
        return Vec::new();
    }
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
    missing
        .chain(extra)
        .map(|(volume, how)| {
            Seen::new(
                format!("{how} {volume}"),
                format!("the filter {how} {volume}, against its expectations"),
            )
        })
        .collect()
}

pub(super) fn reinitialization(case: &Case) -> Vec<Seen> {
    let expected = case
        .expectations
        .and_then(|expected| expected.reinitialization);
    let (Some(expected), true, true) = (expected, is_loaded(case), case.trace.completed()) else {
        return Vec::new();
    };
    let wanted = match (expected, case.scenario.script) {
        (Reinitialization::None, Script::Life | Script::ServiceStop) => 0,
        (_, Script::Life) | (Reinitialization::Once, Script::ServiceStop) => 1,
        // In this script, files can be opened in the fourth call.
        (Reinitialization::UntilFilesOpen, Script::ServiceStop) => 4,
        _ => return Vec::new(),
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
    for expected in majors.filter(|major| wanted.contains(major)) {
        let mut results = case.trace.events.iter().filter_map(|event| match event {
            Event::DeviceRequest { major, status, .. } if *major == expected => Some(*status),
            _ => None,
        });
        let name = major::name(expected);
        let text = match results.clone().find(|status| !status.is_success()) {
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
    names
        .into_iter()
        .filter(|(kind, name)| !has(*kind, name))
        .map(|(kind, name)| {
            Seen::new(
                kind.to_string(),
                format!("the driver has no {kind} {name}, which is expected"),
            )
        })
        .collect()
}

pub(super) fn settings(case: &Case) -> Vec<Seen> {
    if case.scenario.script != Script::GoodSettings || !case.is_clean() {
        return Vec::new();
    }
    let values = &case.scenario.values;
    if let Some((_, status)) = load::failed(case) {
        return vec![Seen::new(
            "failed",
            format!("DriverEntry returns {status}, and all settings are within their limits"),
        )];
    }
    values
        .iter()
        .filter(|(name, _)| logged_texts(case).any(|text| names_setting(text, name)))
        .map(|(name, value)| {
            Seen::new(
                format!("{name} {value}"),
                format!(
                    "{value} is a value of {name} within its limits, and DriverEntry reports it"
                ),
            )
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::testing::Recording;
    use super::*;
    use crate::expect::Expectations;
    use crate::scenario::Scenario;
    use crate::trace::{LogEntry, Trace};
    use crate::vocabulary::status;

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
            values: vec![("Mode".to_owned(), 1)],
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
