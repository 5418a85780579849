//! The operations that the filter sees.
//!
//! Each has a file, with the callbacks before and after the operation.
{% assign modules = operation_modules | sort %}
{%- for operation in modules %}
mod {{operation}};
{%- endfor %}

use crate::{flt::OperationRegistration, state::State};

/// The operations that are registered.
pub const OPERATIONS: &[OperationRegistration<State>] = &[
{%- for registration in operation_registrations %}
    OperationRegistration::{{registration}}(),
{%- endfor %}
    OperationRegistration::END,
];
