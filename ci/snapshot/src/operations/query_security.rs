//! `IRP_MJ_QUERY_SECURITY`: a file's security descriptor is asked for.

use wdk_sys::IRP_MJ_QUERY_SECURITY;

use crate::{
    callbacks::{Answer, PostOperation, PreOperation, pre_and_post},
    fltmgr::{FLT_CALLBACK_DATA, FLT_OPERATION_REGISTRATION, FLT_RELATED_OBJECTS},
    state::State,
};

/// The operation.
pub struct QuerySecurity;

/// How it is registered.
pub const REGISTRATION: FLT_OPERATION_REGISTRATION = pre_and_post::<QuerySecurity>();

impl PreOperation for QuerySecurity {
    const MAJOR_FUNCTION: u32 = IRP_MJ_QUERY_SECURITY;
    type Answer = Answer;

    /// Your code for the time before the operation goes here.
    ///
    /// Runs at `PASSIVE_LEVEL`.
    fn pre_operation(
        _state: &State,
        _data: &mut FLT_CALLBACK_DATA,
        _objects: &FLT_RELATED_OBJECTS,
    ) -> Answer {
        Answer::NoCallback
    }
}

impl PostOperation for QuerySecurity {
    /// Your code for the time after the operation goes here. It is called when `pre_operation`
    /// answered `WithCallback`.
    ///
    /// Runs up to `DISPATCH_LEVEL`. The descriptor lies in the caller's buffer: reach it through
    /// an MDL.
    fn post_operation(
        _state: &State,
        _data: &mut FLT_CALLBACK_DATA,
        _objects: &FLT_RELATED_OBJECTS,
    ) {
    }
}
