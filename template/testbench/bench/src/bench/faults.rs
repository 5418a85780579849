//! The calls that can fail, and the ways in which they can.

use crate::imports;
use crate::machine::function::Fails;
use crate::rules::view::Call;
use crate::scenario::{Fault, Injected};
use crate::trace::Routine;
use crate::vocabulary::status;

/// A call that fails.
pub fn fault(call: &Call<'_>, point: u32, routine: &Routine, result: Injected) -> Fault {
    Fault {
        point,
        function: call.function.to_owned(),
        site: call.site,
        within: routine.label(),
        result,
    }
}

/// The ways in which a call can turn out otherwise than it did.
#[must_use]
pub fn ways(function: &str, in_load: bool) -> Vec<Injected> {
    match imports::function(function).map(|function| function.fails) {
        Some(Fails::Null) => vec![Injected::Zero],
        Some(Fails::With(statuses)) => {
            let mut ways: Vec<Injected> = statuses.iter().copied().map(Injected::Status).collect();
            if in_load {
                // A warning is a failure too, and an informational status is none. A query means
                // something by STATUS_BUFFER_OVERFLOW, so it gets another warning.
                let is_query = function.contains("Query") || function.contains("Get");
                ways.push(Injected::Status(if is_query {
                    status::DEVICE_BUSY
                } else {
                    status::BUFFER_OVERFLOW
                }));
                ways.push(Injected::Status(status::OBJECT_NAME_EXISTS));
            } else {
                ways.truncate(1);
            }
            ways
        }
        _ => Vec::new(),
    }
}
