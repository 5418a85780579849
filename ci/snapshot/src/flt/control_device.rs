//! A device that programs can open, and through which the system announces its shutdown.
//!
//! "`DriverEntry` Return Values" is about such a driver: it has dispatch entries for
//! `IRP_MJ_FLUSH_BUFFERS` and `IRP_MJ_SHUTDOWN`, and a `DriverEntry` that fails resets them to NULL.

use core::{
    marker::PhantomData,
    mem,
    mem::offset_of,
    ptr,
    sync::atomic::{AtomicU32, Ordering},
};

use wdk_sys::{
    DRIVER_OBJECT, FILE_DEVICE_SECURE_OPEN, FILE_DEVICE_UNKNOWN, GUID, IRP, IRP_MJ_CLEANUP,
    IRP_MJ_CLOSE, IRP_MJ_CREATE, IRP_MJ_FLUSH_BUFFERS, IRP_MJ_SHUTDOWN, NTSTATUS, PDEVICE_OBJECT,
    PDRIVER_DISPATCH, PIRP, STATUS_DELETE_PENDING, STATUS_SUCCESS, ULONG,
    ntddk::{
        IoCreateSymbolicLink, IoDeleteDevice, IoDeleteSymbolicLink, IoRegisterShutdownNotification,
        IoUnregisterShutdownNotification, IofCompleteRequest,
    },
};

use self::wdmsec::WdmlibIoCreateDeviceSecure;
use super::{
    answer::set_result,
    driver_object::DriverObject,
    published::{Minifilter, Resources},
    registration::Registered,
    step::{Failure, Step},
    unicode::{Text, text},
};

/// The step `IoCreateDeviceSecure`.
const CREATE_DEVICE: &Step = &Step::new(5, text!("IoCreateDeviceSecure"));

/// The step `IoCreateSymbolicLink`.
const CREATE_SYMBOLIC_LINK: &Step = &Step::new(6, text!("IoCreateSymbolicLink"));

/// The step `IoRegisterShutdownNotification`.
const REGISTER_SHUTDOWN_NOTIFICATION: &Step =
    &Step::new(7, text!("IoRegisterShutdownNotification"));

/// The control device of a driver. It has one at most.
pub trait ControlDevice: Minifilter {
    /// The name of the device, for example `\Device\my_filter`.
    const DEVICE_NAME: Text;

    /// The name for programs, for example `\DosDevices\my_filter` for `\\.\my_filter`.
    const LINK_NAME: Text;

    /// Who may open the device, in the Security Descriptor Definition Language.
    const SECURITY: Text;

    /// The setup class of the device, with which an administrator can change its security.
    const CLASS: GUID;

    /// Called for `IRP_MJ_FLUSH_BUFFERS`, which a program sends with `FlushFileBuffers`; IRQL
    /// `PASSIVE_LEVEL`, in the program's thread. The status is the program's result.
    fn flush(&self) -> NTSTATUS;

    /// Called for `IRP_MJ_SHUTDOWN`, once, before the file systems are flushed; IRQL
    /// `PASSIVE_LEVEL`. Files can be written ("`IoRegisterShutdownNotification` function"). The
    /// unload callback is not called at shutdown.
    fn shut_down(&self);
}

// The layouts the driver relies on, as documented for 64-bit Windows.
const _: () = {
    assert!(offset_of!(DRIVER_OBJECT, MajorFunction) == 112);
    assert!(size_of::<DRIVER_OBJECT>() == 336);
    assert!(offset_of!(IRP, IoStatus) == 48);
};

mod wdmsec {
    //! The function of wdmsec.h, which `wdk-sys` does not have.

    use wdk_sys::{
        BOOLEAN, GUID, NTSTATUS, PCUNICODE_STRING, PDEVICE_OBJECT, PDRIVER_OBJECT, PUNICODE_STRING,
        ULONG,
    };

    // A library that is linked into the driver, and not an export of the kernel.
    #[link(name = "wdmsec", kind = "static", modifiers = "-bundle")]
    unsafe extern "C" {
        /// "`WdmlibIoCreateDeviceSecure` function (wdmsec.h)"; the header calls it
        /// `IoCreateDeviceSecure`.
        pub fn WdmlibIoCreateDeviceSecure(
            driver_object: PDRIVER_OBJECT,
            device_extension_size: ULONG,
            device_name: PUNICODE_STRING,
            device_type: ULONG,
            device_characteristics: ULONG,
            exclusive: BOOLEAN,
            default_sddl_string: PCUNICODE_STRING,
            device_class_guid: *const GUID,
            device_object: *mut PDEVICE_OBJECT,
        ) -> NTSTATUS;
    }
}

/// The control device with its names. They are released in the order of the fields.
pub struct Device<S: ControlDevice> {
    _shutdown_notification: ShutdownNotification,
    _link: Link<S>,
    _object: DeviceObject,
}

impl<S: ControlDevice> Device<S> {
    /// Creates the device and sets the dispatch entries. No program can open it before `DriverEntry`
    /// returned: until then the I/O manager marks it as initializing. IRQL `PASSIVE_LEVEL`.
    ///
    /// # Errors
    ///
    /// The status of the function that fails, for example `STATUS_OBJECT_NAME_COLLISION` if another
    /// driver has a device of this name.
    pub fn create(filter: &mut Registered<'_, S>) -> Result<Self, Failure> {
        let mut driver_object = filter.driver_object();
        // If a step fails, `restore` resets them.
        set_entries(&mut driver_object, &entries::<S>());
        let object = DeviceObject::create::<S>(&mut driver_object)?;
        let link = Link::create()?;
        let shutdown_notification = ShutdownNotification::register(&object)?;
        Ok(Self {
            _shutdown_notification: shutdown_notification,
            _link: link,
            _object: object,
        })
    }
}

impl<S: ControlDevice> Resources for Device<S> {
    /// Resets the dispatch entries to NULL. When `DriverEntry` returns, the I/O manager sets its own
    /// routine where it finds NULL. A driver that is unloaded keeps its entries: it has no device
    /// that could receive a request.
    fn restore(driver_object: &mut DriverObject<'_>) {
        set_entries(
            driver_object,
            &entries::<S>().map(|(major, _)| (major, None)),
        );
    }
}

/// Returns the dispatch entries, with their index in `MajorFunction`.
const fn entries<S: ControlDevice>() -> [(ULONG, PDRIVER_DISPATCH); 5] {
    [
        (IRP_MJ_CREATE, Some(on_create)),
        (IRP_MJ_CLEANUP, Some(on_cleanup)),
        (IRP_MJ_CLOSE, Some(on_close)),
        (IRP_MJ_FLUSH_BUFFERS, Some(on_flush_buffers::<S>)),
        (IRP_MJ_SHUTDOWN, Some(on_shutdown::<S>)),
    ]
}

fn set_entries(driver_object: &mut DriverObject<'_>, entries: &[(ULONG, PDRIVER_DISPATCH)]) {
    for (major_function, routine) in entries {
        if let Some(entry) = driver_object
            .get()
            .MajorFunction
            .get_mut(*major_function as usize)
        {
            *entry = *routine;
        }
    }
}

/// The device object, which is deleted when it is dropped.
///
/// # Invariants
///
/// The pointer came from `WdmlibIoCreateDeviceSecure`, and nobody else deletes the device.
struct DeviceObject(PDEVICE_OBJECT);

// SAFETY: any thread may use an object of the I/O manager.
unsafe impl Send for DeviceObject {}
// SAFETY: as above.
unsafe impl Sync for DeviceObject {}

impl DeviceObject {
    /// Wraps `WdmlibIoCreateDeviceSecure`.
    fn create<S: ControlDevice>(driver_object: &mut DriverObject<'_>) -> Result<Self, Failure> {
        let (mut name, security) = (S::DEVICE_NAME.counted(), S::SECURITY.counted());
        let mut device: PDEVICE_OBJECT = ptr::null_mut();
        // SAFETY: the driver's own object, strings and a GUID that outlive the call, and a place for
        // the device, which has no extension. FILE_DEVICE_SECURE_OPEN: the security of the device
        // holds for names below it, too.
        let status = unsafe {
            WdmlibIoCreateDeviceSecure(
                driver_object.as_ptr(),
                0,
                &raw mut name,
                FILE_DEVICE_UNKNOWN,
                FILE_DEVICE_SECURE_OPEN,
                0,
                &raw const security,
                const { &S::CLASS },
                &raw mut device,
            )
        };
        CREATE_DEVICE.check(status)?;
        Ok(Self(device))
    }
}

impl Drop for DeviceObject {
    fn drop(&mut self) {
        // If an unload is mandatory, a handle may still be open: its requests are refused from here
        // on, and the I/O manager keeps the object until it is closed ("IoDeleteDevice").
        USES.fetch_or(NO_MORE, Ordering::AcqRel);
        // SAFETY: the invariant.
        unsafe { IoDeleteDevice(self.0) };
    }
}

/// The name for programs, which is deleted when it is dropped.
struct Link<S: ControlDevice>(PhantomData<S>);

impl<S: ControlDevice> Link<S> {
    /// Wraps `IoCreateSymbolicLink`.
    fn create() -> Result<Self, Failure> {
        let (mut link, mut device) = (S::LINK_NAME.counted(), S::DEVICE_NAME.counted());
        // SAFETY: both strings outlive the call.
        let status = unsafe { IoCreateSymbolicLink(&raw mut link, &raw mut device) };
        CREATE_SYMBOLIC_LINK.check(status)?;
        Ok(Self(PhantomData))
    }
}

impl<S: ControlDevice> Drop for Link<S> {
    fn drop(&mut self) {
        let mut link = S::LINK_NAME.counted();
        // SAFETY: the string outlives the call, and this driver created the link.
        let _status = unsafe { IoDeleteSymbolicLink(&raw mut link) };
    }
}

/// The registration for the system's shutdown, which ends when it is dropped.
///
/// # Invariants
///
/// The device is registered, and exists: its object is dropped later.
struct ShutdownNotification(PDEVICE_OBJECT);

// SAFETY: any thread may use an object of the I/O manager.
unsafe impl Send for ShutdownNotification {}
// SAFETY: as above.
unsafe impl Sync for ShutdownNotification {}

impl ShutdownNotification {
    /// Wraps `IoRegisterShutdownNotification`.
    fn register(device: &DeviceObject) -> Result<Self, Failure> {
        // SAFETY: the device exists, and outlives the registration by the order of the fields.
        let status = unsafe { IoRegisterShutdownNotification(device.0) };
        REGISTER_SHUTDOWN_NOTIFICATION.check(status)?;
        Ok(Self(device.0))
    }
}

impl Drop for ShutdownNotification {
    fn drop(&mut self) {
        // SAFETY: the invariant.
        unsafe { IoUnregisterShutdownNotification(self.0) };
    }
}

/// How many handles are open and how many requests are in progress, and whether more are let in. It
/// lies in the image and not in the state, because a handle may be closed after the state was
/// released.
static USES: AtomicU32 = AtomicU32::new(0);

/// The bit of [`USES`] that refuses more.
const NO_MORE: u32 = 1 << 31;

/// Refuses further requests, unless the device is in use now; returns whether it did. No open gets
/// in between.
pub fn close_unless_in_use() -> bool {
    USES.compare_exchange(0, NO_MORE, Ordering::AcqRel, Ordering::Acquire)
        .is_ok()
}

/// A use of the device, which ends when it is dropped.
struct Use;

impl Use {
    fn begin() -> Option<Self> {
        USES.fetch_update(Ordering::AcqRel, Ordering::Acquire, |uses| {
            (uses & NO_MORE == 0).then_some(uses.wrapping_add(1))
        })
        .is_ok()
        .then_some(Self)
    }

    /// Calls `request` with the state, unless the device is going away.
    fn with_state<S: ControlDevice, T>(request: impl FnOnce(&S) -> T) -> Option<T> {
        let _use = Self::begin()?;
        // SAFETY: the state outlives the use. An unload that may be refused is refused while the
        // device is in use, and a mandatory one comes when no request is in progress ("Unload
        // Routine Environment").
        Some(request(unsafe { S::published().in_callback() }))
    }
}

impl Drop for Use {
    fn drop(&mut self) {
        USES.fetch_sub(1, Ordering::AcqRel);
    }
}

/// `IRP_MJ_CREATE`: a handle is opened.
unsafe extern "C" fn on_create(_device: PDEVICE_OBJECT, irp: PIRP) -> NTSTATUS {
    let status = Use::begin().map_or(STATUS_DELETE_PENDING, |in_use| {
        // The close ends it.
        mem::forget(in_use);
        STATUS_SUCCESS
    });
    // SAFETY: the I/O manager's request, completed once.
    unsafe { complete(irp, status) }
}

/// `IRP_MJ_CLEANUP`: the last handle of an open is closed.
unsafe extern "C" fn on_cleanup(_device: PDEVICE_OBJECT, irp: PIRP) -> NTSTATUS {
    // SAFETY: the I/O manager's request, completed once.
    unsafe { complete(irp, STATUS_SUCCESS) }
}

/// `IRP_MJ_CLOSE`: the open is over.
///
/// The end of the use lets an unload release the driver while this routine still runs. Its code is
/// not unmapped before it returned: the I/O manager holds a reference to the device object for the
/// open file until then, and unloads the image after the last device of the driver is deleted.
unsafe extern "C" fn on_close(_device: PDEVICE_OBJECT, irp: PIRP) -> NTSTATUS {
    // The use that the create began.
    drop(Use);
    // SAFETY: the I/O manager's request, completed once.
    unsafe { complete(irp, STATUS_SUCCESS) }
}

/// `IRP_MJ_FLUSH_BUFFERS`: what the driver holds is to reach the disk.
unsafe extern "C" fn on_flush_buffers<S: ControlDevice>(
    _device: PDEVICE_OBJECT,
    irp: PIRP,
) -> NTSTATUS {
    let status = Use::with_state(S::flush).unwrap_or(STATUS_DELETE_PENDING);
    // SAFETY: the I/O manager's request, completed once.
    unsafe { complete(irp, status) }
}

/// `IRP_MJ_SHUTDOWN`: the system shuts down. It must not be failed.
unsafe extern "C" fn on_shutdown<S: ControlDevice>(_device: PDEVICE_OBJECT, irp: PIRP) -> NTSTATUS {
    Use::with_state(S::shut_down);
    // SAFETY: the I/O manager's request, completed once.
    unsafe { complete(irp, STATUS_SUCCESS) }
}

/// Completes a request. Wraps `IofCompleteRequest`, to which the macro `IoCompleteRequest` expands.
///
/// # Safety
///
/// The request is the one that the dispatch routine received, and nobody uses it afterwards.
unsafe fn complete(irp: PIRP, status: NTSTATUS) -> NTSTATUS {
    // SAFETY: the request belongs to the dispatch routine until it is completed.
    set_result(unsafe { &mut (*irp).IoStatus }, status, 0);
    // SAFETY: it is completed once. No boost: nothing was waited for.
    unsafe { IofCompleteRequest(irp, 0) };
    status
}
