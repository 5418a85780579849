//! The operations that the filter sees.
//!
//! Each has a file of its own, where your code goes into `pre_operation` and `post_operation`.
{% assign modules = operation_modules | sort %}
{%- for operation in modules %}
mod {{operation}};
{%- endfor %}

use core::ptr;

use crate::fltmgr::{FLT_OPERATION_REGISTRATION, IRP_MJ_OPERATION_END};

/// The list that is registered.
pub const OPERATIONS: &[FLT_OPERATION_REGISTRATION] = &[
{%- for operation in operation_modules %}
    {{operation}}::REGISTRATION,
{%- endfor %}
    // FltRegisterFilter reads up to this entry.
    FLT_OPERATION_REGISTRATION {
        MajorFunction: IRP_MJ_OPERATION_END,
        Flags: 0,
        PreOperation: None,
        PostOperation: None,
        Reserved1: ptr::null_mut(),
    },
];
