//! Rules about `FLT_REGISTRATION`.

use super::case::{Case, Seen};
use crate::expect::BypassIo;
use crate::trace::Registration;
use crate::vocabulary::major;

pub(super) fn expected_operations(case: &Case) -> Vec<Seen> {
    let expected = case
        .expectations
        .and_then(|expected| expected.operations.as_ref());
    let (Some(expected), Some(registration)) = (expected, case.trace.registration()) else {
        return Vec::new();
    };
    if !case.is_clean() {
        return Vec::new();
    }
    let vetoes = case.expectations.is_some_and(|expected| {
        matches!(expected.bypass_io, Some(BypassIo::Veto | BypassIo::Choose))
    });
    // A veto of BypassIO needs this operation.
    let controls = vetoes.then_some(major::FILE_SYSTEM_CONTROL);
    let expected: Vec<u8> = expected
        .iter()
        .filter_map(|name| major::by_option(name))
        .chain(controls)
        .collect();
    let missing = expected
        .iter()
        .filter(|major| !registration.operations.contains(major))
        .map(|major| (*major, "is expected and not registered"));
    let extra = registration
        .operations
        .iter()
        .filter(|major| !expected.contains(major))
        .map(|major| (*major, "is registered and not expected"));
    let flags = case
        .expectations
        .and_then(|expected| expected.skip_paging_io.as_ref());
    let flags = flags.into_iter().flat_map(|skipped| {
        let flags = registration
            .operations
            .iter()
            .zip(&registration.operation_flags);
        flags.filter_map(|(major, flags)| {
            let expected = skipped
                .iter()
                .any(|name| major::by_option(name) == Some(*major));
            match (expected, flags & Registration::SKIP_PAGING_IO != 0) {
                (true, false) => Some((
                    *major,
                    "is registered without FLTFL_OPERATION_REGISTRATION_SKIP_PAGING_IO",
                )),
                (false, true) => Some((
                    *major,
                    "is registered with FLTFL_OPERATION_REGISTRATION_SKIP_PAGING_IO",
                )),
                _ => None,
            }
        })
    });
    missing
        .chain(extra)
        .chain(flags)
        .chain(callbacks(case, registration))
        .map(|(major, how)| {
            let name = major::name(major);
            Seen::new(name.clone(), format!("{name} {how}"))
        })
        .collect()
}

/// Compares the callbacks of each operation with the expectations.
fn callbacks<'a>(
    case: &'a Case,
    registration: &'a Registration,
) -> impl Iterator<Item = (u8, &'static str)> + 'a {
    let listed = |list: &[String], major| {
        let mut names = list.iter();
        names.any(|name| major::by_option(name) == Some(major))
    };
    let operations = registration.operations.iter();
    operations
        .zip(&registration.operation_callbacks)
        .filter_map(move |(major, (pre, post))| {
            let expected = case.expectations?;
            let only = expected.pre_operation_only.as_ref()?;
            if !listed(expected.operations.as_ref()?, *major) {
                return None;
            }
            let how = match (pre, post, listed(only, *major)) {
                (false, ..) => "has no pre-operation callback",
                (_, false, false) => "has no post-operation callback",
                (_, true, true) => "has a post-operation callback",
                _ => return None,
            };
            Some((*major, how))
        })
}

#[cfg(test)]
mod tests {
    use super::super::testing::Recording;
    use super::*;
    use crate::expect::Expectations;
    use crate::scenario::{self, Scenario};
    use crate::trace::Event;

    #[test]
    fn missing_and_extra_operations_are_distinguished() {
        let scenario = Scenario::clean(scenario::Script::Life);
        let trace = Recording::new()
            .event(Event::Registered {
                registration: Registration {
                    operations: vec![0x00, 0x04],
                    ..Registration::default()
                },
            })
            .done();
        let expectations = Expectations {
            operations: Some(vec!["create".to_owned(), "set-information".to_owned()]),
            ..Expectations::default()
        };
        let mut case = Case::new(&scenario, &trace);
        assert!(expected_operations(&case).is_empty(), "nothing is expected");
        case.expectations = Some(&expectations);
        let seen: Vec<_> = expected_operations(&case)
            .into_iter()
            .map(|seen| seen.seen)
            .collect();
        assert_eq!(
            seen,
            [
                "IRP_MJ_SET_INFORMATION is expected and not registered",
                "IRP_MJ_WRITE is registered and not expected"
            ]
        );
    }
}
