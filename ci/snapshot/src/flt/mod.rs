//! A thin layer over the filter manager and the kernel.
//!
//! Nothing here depends on what this driver filters. A driver rarely needs to change these files;
//! its own code is in the files beside this folder.
//!
//! | file | what it has |
//! |---|---|
//! | `operation.rs`, `answer.rs`, `token.rs` | the operations, and the answers that are legal for each of them |
//! | `callbacks.rs` | the trait that a filter implements for an operation, and its callbacks |
//! | `data.rs`, `parameters.rs` | the callback data: who requested the operation, and its parameters |
//! | `buffer.rs`, `name.rs` | the buffer of an operation, and the name of its file |
//! | `context.rs` | values that a pre-operation callback hands to its post-operation callback |
//! | `status.rs` | statuses that are known to be an error, or to be final |
//! | `published.rs` | the place of the driver's state, and the order of its release |
//! | `registration.rs`, `instance.rs`, `unload.rs` | the registration of the filter and its other callbacks |
//! | `step.rs` | the steps of loading that can fail |
//! | `trace.rs` | the output for a kernel debugger |
//! | `bindings.rs`, `driver_object.rs`, `handle.rs`, `unicode.rs` | the filter manager's declarations, the driver object, handles, strings |
//!
//! No code is in a `PAGE` or `INIT` section. Each section takes 512 bytes of the image or more, and
//! lld does not mark `INIT` as discardable.

#![allow(
    dead_code,
    unused_imports,
    unused_macros,
    reason = "the layer offers more than one driver uses"
)]

mod answer;
pub mod bindings;
mod buffer;
mod callbacks;
mod context;
mod data;
mod driver_object;
mod handle;
mod instance;
pub mod name;
mod operation;
mod parameters;
mod published;
mod registration;
mod status;
mod step;
mod token;
pub mod trace;
pub mod unicode;
mod unload;

pub mod bypass_io;
pub mod control_device;
pub mod event_log;
pub mod registry;
pub mod reinitialization;

pub use self::{
    answer::{Answer, PostAnswer},
    buffer::Buffer,
    callbacks::{Callbacks, OperationRegistration, WhenSafe},
    context::{AtApc, AtDispatch, Carried, DropAtDispatch, NonPaged},
    data::{CallbackData, PostOperation, PreOperation},
    driver_object::DriverObject,
    handle::KernelHandle,
    instance::{InstanceSetup, Instances},
    name::{FileName, NameFormat},
    operation::{
        Access, AcquireForSectionSynchronization, Cleanup, Close, Create, DeviceControl,
        DirectoryControl, FileSystemControl, FlushBuffers, LockControl, NetworkQueryOpen,
        Operation, QueryEa, QueryInformation, QueryOpen, QuerySecurity, QueryVolumeInformation,
        Read, ReadOnly, SetEa, SetInformation, SetSecurity, SetVolumeInformation, Shutdown,
        Writable, Write,
    },
    published::{Minifilter, Published, Resources},
    registration::{FilterRegistration, Loading, Registered},
    status::{ErrorStatus, FinalStatus},
    step::{Failure, Step},
    token::{CreatesSection, FastIo, Synchronous},
    unload::{Unload, UnloadCallback},
};

pub(crate) use self::{trace::trace, unicode::text};
/// The classes of file information, for a `match`: `FileInformationClass::FileRenameInformation`.
pub use wdk_sys::_FILE_INFORMATION_CLASS as FileInformationClass;
