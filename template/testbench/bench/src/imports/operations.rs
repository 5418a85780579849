//! Operations in progress: callback data, pended operations and buffers.

use crate::lifecycle::bottom;
use crate::lifecycle::catalogue::has_control_code;
use crate::lifecycle::files::volume_of;
use crate::lifecycle::operations::{self, MORE_PROCESSING};
use crate::lifecycle::parameters::{self, lock_user_buffer, objects_of};
use crate::lifecycle::volumes;
use crate::machine::declare::functions;
use crate::machine::events::refuse;
use crate::machine::function::{Fails, Optional};
use crate::machine::guest;
use crate::machine::ledger::bad_handle;
use crate::machine::schedule::enter;
use crate::machine::state::with;
use crate::machine::system::text;
use crate::machine::threads::{self, set_irql};
use crate::trace::{Callback, Routine};
use crate::vocabulary::bypass_io::{
    ENABLE, INPUT_SIZE, MANAGE_BYPASS_IO, MOST_REASON, OUTPUT_SIZE, QUERY, REASON_LENGTH, RESULTS,
};
use crate::vocabulary::irql::{ANY, APC, DISPATCH, PASSIVE};
use crate::vocabulary::layout::{callback_data as data_at, file_object, iopb as iopb_at};
use crate::vocabulary::major::{self, FILE_SYSTEM_CONTROL};
use crate::vocabulary::status::{self, Status};

functions! { pub OPERATIONS = "FLTMGR.SYS", "fltkernel.h";
    /// Returns whether an operation is synchronous.
    [ANY, Fails::Never]
    fn FltIsOperationSynchronous(data: u64) -> u8 {
        u8::from(operations::is_synchronous(parameters::checked(data)))
    }

    /// Requests a callback with the status that a lower driver returns for an oplock or directory notification
    /// operation.
    [APC, Fails::With(&[status::INSUFFICIENT_RESOURCES, status::INVALID_PARAMETER])]
    fn FltRequestOperationStatusCallback(data: u64, callback: u64, context: u64) -> Status {
        let thread = threads::current();
        let data = parameters::checked(data);
        // The model knows the status at this point. Windows calls the routine after the lower driver returns.
        let iopb = guest::read::<u64>(data + data_at::IOPB);
        let objects = objects_of(data);
        let routine = Routine::Other { callback: Callback::OperationStatus };
        let irql = threads::irql();
        let _ = enter(routine, irql, thread, callback, &[objects, iopb, u64::from(status::PENDING.0), context]);
        status::SUCCESS
    }

    /// Runs the safe post-operation callback at a safe IRQL.
    [ANY, Fails::Null, clears answer: u32]
    fn FltDoCompletionProcessingWhenSafe(data: u64, objects: u64, context: u64, flags: u32, safe: u64, answer: u64) -> u8 {
        let data = parameters::checked(data);
        let thread = threads::current();
        let run = move || {
            let routine = Routine::Other { callback: Callback::SafePost };
            let arguments = [data, objects, context, u64::from(flags)];
            enter(routine, PASSIVE, thread, safe, &arguments) as u32
        };
        let mut returned = 0;
        let safe = threads::irql() < DISPATCH || operations::can_be_posted(data);
        if threads::irql() < DISPATCH {
            returned = run();
        } else if safe {
            // Windows queues it to a worker thread. No other operation runs before it in the model.
            let irql = threads::irql();
            set_irql(PASSIVE);
            if run() != MORE_PROCESSING {
                with(|state| state.work.completed.push(data));
            }
            set_irql(irql);
            returned = MORE_PROCESSING;
        }
        guest::write(answer, returned);
        with(|state| state.work.answers.push((data, returned)));
        u8::from(safe)
    }

    /// Marks callback data as modified.
    [ANY, Fails::Never]
    fn FltSetCallbackDataDirty(data: u64) {
        let data = parameters::checked(data);
        let flags = guest::read::<u32>(data + data_at::FLAGS);
        guest::write(data + data_at::FLAGS, flags | data_at::DIRTY);
    }

    /// Clears the mark of modified callback data.
    [ANY, Fails::Never]
    fn FltClearCallbackDataDirty(data: u64) {
        let data = parameters::checked(data);
        let flags = guest::read::<u32>(data + data_at::FLAGS);
        guest::write(data + data_at::FLAGS, flags & !data_at::DIRTY);
    }

    /// Returns whether callback data is marked as modified.
    [ANY, Fails::Never]
    fn FltIsCallbackDataDirty(data: u64) -> u8 {
        u8::from(guest::read::<u32>(parameters::checked(data) + data_at::FLAGS) & data_at::DIRTY != 0)
    }

    /// Resumes an operation that a pre-operation callback pended.
    [DISPATCH, Fails::Never]
    fn FltCompletePendedPreOperation(data: u64, answer: u32, context: u64) {
        operations::complete_pended(parameters::checked(data), answer, context);
    }

    /// Resumes an operation whose post-operation callback returned `FLT_POSTOP_MORE_PROCESSING_REQUIRED`.
    [DISPATCH, Fails::Never]
    fn FltCompletePendedPostOperation(data: u64) {
        operations::complete_post(parameters::checked(data));
    }

    /// Locks the user buffer, so that any thread can access it.
    [APC, Fails::With(&[status::INSUFFICIENT_RESOURCES])]
    fn FltLockUserBuffer(data: u64) -> Status {
        lock_user_buffer(parameters::checked(data))
    }

    /// Undoes a successful open in a post-create callback.
    [PASSIVE, Fails::Never]
    fn FltCancelFileOpen(instance: u64, file: u64) {
        if volumes::by_instance(instance).is_none() {
            bad_handle("instance handle", instance);
        }
        if volume_of(file).is_none() {
            bad_handle("file object", file);
        }
        let flags = guest::read::<u32>(file + file_object::FLAGS);
        guest::write(file + file_object::FLAGS, flags | FILE_OPEN_CANCELLED);
    }

    /// Returns whether a file is a directory.
    [APC, Fails::With(&[status::NOT_SUPPORTED])]
    fn FltIsDirectory(file: u64, instance: u64, out: u64) -> Status {
        if volumes::by_instance(instance).is_none() {
            bad_handle("instance handle", instance);
        }
        if volume_of(file).is_none() {
            bad_handle("file object", file);
        }
        guest::write(out, u8::from(bottom::is_directory(file)));
        status::SUCCESS
    }

    /// Returns the addresses of the buffer parameters.
    [ANY, Fails::With(&[status::INVALID_PARAMETER])]
    fn FltDecodeParameters(data: u64, mdl: Optional, buffer: Optional, length: Optional, access: Optional) -> Status {
        let Some(places) = parameters::places(parameters::checked(data)) else {
            return status::INVALID_PARAMETER;
        };
        guest::write_if(mdl, places.mdl);
        guest::write_if(buffer, places.buffer);
        guest::write_if(length, places.length);
        // IoWriteAccess or IoReadAccess.
        guest::write_if(access, u32::from(places.written));
        status::SUCCESS
    }

    /// Vetoes `BypassIO`: stores the driver, the status and the reason in the output of the request.
    [APC, Fails::With(&[status::NOT_SUPPORTED])]
    fn FltVetoBypassIo(data: u64, _objects: u64, reason_status: Status, reason: u64) -> Status {
        veto_bypass_io(parameters::checked(data), reason_status, reason)
    }

    /// Returns the name of an operation.
    [ANY, Fails::Quiet]
    fn FltGetIrpName(major: u8) -> u64 {
        text(&major::name(major))
    }
}

/// `FO_FILE_OPEN_CANCELLED`.
const FILE_OPEN_CANCELLED: u32 = 0x20_0000;

/// Document: "`FltVetoBypassIo` function (fltkernel.h)".
fn veto_bypass_io(data: u64, reason_status: Status, reason: u64) -> Status {
    let iopb = guest::read::<u64>(data + data_at::IOPB);
    let parameters = iopb + iopb_at::PARAMETERS;
    let post = guest::read::<u32>(data + data_at::FLAGS) & data_at::POST_OPERATION != 0;
    if post
        || guest::read::<u8>(iopb + iopb_at::MAJOR) != FILE_SYSTEM_CONTROL
        || !has_control_code(guest::read(iopb + iopb_at::MINOR))
        || guest::read::<u32>(parameters + 16) != MANAGE_BYPASS_IO
    {
        let reason = "the operation is no FSCTL_MANAGE_BYPASS_IO that is on its way down";
        return refuse(status::NOT_SUPPORTED, reason);
    }
    if guest::read::<u32>(parameters + 8) < INPUT_SIZE {
        return status::INVALID_BUFFER_SIZE;
    }
    if guest::read::<u32>(parameters) < OUTPUT_SIZE {
        return status::BUFFER_TOO_SMALL;
    }
    let buffer = guest::read::<u64>(parameters + 24);
    if !matches!(guest::read::<u32>(buffer), ENABLE | QUERY) {
        return status::NOT_SUPPORTED;
    }
    if reason_status.is_success() {
        let reason = format!("OperationStatus is {reason_status}, which is a success");
        return refuse(status::INVALID_PARAMETER_3, reason);
    }
    let units = if reason == 0 {
        Vec::new()
    } else {
        guest::unicode_units(reason)
    };
    if units.is_empty() {
        return refuse(status::INVALID_PARAMETER_4, "FailureReason is empty");
    }
    let results = buffer + RESULTS;
    let length = units.len().min(MOST_REASON as usize);
    guest::write(results, reason_status.0);
    guest::write(results + REASON_LENGTH, length as u16);
    for (at, unit) in (1..).zip(&units[..length]) {
        guest::write(results + REASON_LENGTH + 2 * at, *unit);
    }
    status::SUCCESS
}
