//! The faults that are injected into calls.

use crate::imports;
use crate::machine::function::Fails;
use crate::rules::view::Call;
use crate::scenario::{Fault, Injected};
use crate::trace::Routine;
use crate::vocabulary::status;

/// Creates a fault for a call.
pub fn fault(call: &Call<'_>, point: u32, routine: &Routine, result: Injected) -> Fault {
    Fault {
        point,
        function: call.function.to_owned(),
        site: call.site,
        within: routine.label(),
        result,
    }
}

/// Returns the results that can be injected into a call.
#[must_use]
pub fn ways(function: &str, in_load: bool) -> Vec<Injected> {
    match imports::function(function).map(|function| function.fails) {
        Some(Fails::Null) => vec![Injected::Zero],
        Some(Fails::Raises(statuses)) => statuses.iter().copied().map(Injected::Status).collect(),
        Some(Fails::With(statuses)) => {
            let mut ways: Vec<Injected> = statuses.iter().copied().map(Injected::Status).collect();
            if in_load {
                // A warning is a failure, an informational status is not. Queries return STATUS_BUFFER_OVERFLOW in
                // normal operation, so they get a different warning.
                let is_query = function.contains("Query") || function.contains("Get");
                ways.push(Injected::Status(if is_query {
                    status::DEVICE_BUSY
                } else {
                    status::BUFFER_OVERFLOW
                }));
                ways.push(Injected::Status(status::OBJECT_NAME_EXISTS));
            }
            ways
        }
        _ => Vec::new(),
    }
}
