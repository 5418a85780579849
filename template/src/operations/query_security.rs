//! `IRP_MJ_QUERY_SECURITY`: a file's security descriptor is queried.

use wdk_sys::IRP_MJ_QUERY_SECURITY;

use crate::{
    callbacks::{Answer, PostOperation, PreOperation, pre_and_post},
    fltmgr::{FLT_CALLBACK_DATA, FLT_OPERATION_REGISTRATION, FLT_RELATED_OBJECTS},
    state::State,
};

/// The operation.
pub struct QuerySecurity;

/// The registration of the operation.
pub const REGISTRATION: FLT_OPERATION_REGISTRATION = pre_and_post::<QuerySecurity>();

impl PreOperation for QuerySecurity {
    const MAJOR_FUNCTION: u32 = IRP_MJ_QUERY_SECURITY;
    type Answer = Answer;

    /// Called before the operation is passed on. Your code goes here.
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
    /// Called when the operation is complete, if `pre_operation` returned `WithCallback`. Your code
    /// goes here.
    ///
    /// Runs at `DISPATCH_LEVEL` or below. The descriptor is in the caller's buffer: access it
    /// through an MDL.
    fn post_operation(
        _state: &State,
        _data: &mut FLT_CALLBACK_DATA,
        _objects: &FLT_RELATED_OBJECTS,
    ) {
    }
}
