//! `IRP_MJ_QUERY_VOLUME_INFORMATION`: information about a volume is asked for.

use wdk_sys::IRP_MJ_QUERY_VOLUME_INFORMATION;

use crate::{
    callbacks::{Answer, PostOperation, PreOperation, pre_and_post},
    fltmgr::{FLT_CALLBACK_DATA, FLT_OPERATION_REGISTRATION, FLT_RELATED_OBJECTS},
    state::State,
};

/// The operation.
pub struct QueryVolumeInformation;

/// How it is registered.
pub const REGISTRATION: FLT_OPERATION_REGISTRATION = pre_and_post::<QueryVolumeInformation>();

impl PreOperation for QueryVolumeInformation {
    const MAJOR_FUNCTION: u32 = IRP_MJ_QUERY_VOLUME_INFORMATION;
    type Answer = Answer;

    /// Your code for the time before the operation goes here.
    ///
    /// Runs at `PASSIVE_LEVEL`. `data.Iopb` names the information class.
    fn pre_operation(
        _state: &State,
        _data: &mut FLT_CALLBACK_DATA,
        _objects: &FLT_RELATED_OBJECTS,
    ) -> Answer {
        Answer::NoCallback
    }
}

impl PostOperation for QueryVolumeInformation {
    /// Your code for the time after the operation goes here. It is called when `pre_operation`
    /// answered `WithCallback`.
    ///
    /// Runs up to `DISPATCH_LEVEL`. What the file system answered lies in the buffer of
    /// `data.Iopb`.
    fn post_operation(
        _state: &State,
        _data: &mut FLT_CALLBACK_DATA,
        _objects: &FLT_RELATED_OBJECTS,
    ) {
    }
}
