//! `IRP_MJ_QUERY_VOLUME_INFORMATION`: information about a volume is queried.

use wdk_sys::IRP_MJ_QUERY_VOLUME_INFORMATION;

use crate::{
    callbacks::{Answer, PostOperation, PreOperation, pre_and_post},
    fltmgr::{FLT_CALLBACK_DATA, FLT_OPERATION_REGISTRATION, FLT_RELATED_OBJECTS},
    state::State,
};

/// The operation.
pub struct QueryVolumeInformation;

/// The registration of the operation.
pub const REGISTRATION: FLT_OPERATION_REGISTRATION = pre_and_post::<QueryVolumeInformation>();

impl PreOperation for QueryVolumeInformation {
    const MAJOR_FUNCTION: u32 = IRP_MJ_QUERY_VOLUME_INFORMATION;
    type Answer = Answer;

    /// Called before the operation is passed on. Your code goes here.
    ///
    /// Runs at `PASSIVE_LEVEL`. `data.Iopb` contains the information class.
    fn pre_operation(
        _state: &State,
        _data: &mut FLT_CALLBACK_DATA,
        _objects: &FLT_RELATED_OBJECTS,
    ) -> Answer {
        Answer::NoCallback
    }
}

impl PostOperation for QueryVolumeInformation {
    /// Called when the operation is complete, if `pre_operation` returned `WithCallback`. Your code
    /// goes here.
    ///
    /// Runs at `DISPATCH_LEVEL` or below. The result of the file system is in the buffer of
    /// `data.Iopb`.
    fn post_operation(
        _state: &State,
        _data: &mut FLT_CALLBACK_DATA,
        _objects: &FLT_RELATED_OBJECTS,
    ) {
    }
}
