//! The x64 layouts of structures that the driver and the system share, as offsets.
//!
//! Documents: the reference pages of the structures, e.g. "`FLT_CALLBACK_DATA` structure (fltkernel.h)". The offsets
//! follow from the declarations and the alignment on x64.

/// `DRIVER_OBJECT`.
pub mod driver_object {
    /// `Type`, `Size`.
    pub const HEAD: u64 = 0x00;
    /// `DeviceObject`.
    pub const DEVICE: u64 = 0x08;
    /// `DriverStart`.
    pub const START: u64 = 0x18;
    /// `DriverSize`.
    pub const LENGTH: u64 = 0x20;
    /// `DriverSection`, which belongs to the loader.
    pub const SECTION: u64 = 0x28;
    /// `DriverExtension`.
    pub const EXTENSION: u64 = 0x30;
    /// `DriverName`.
    pub const NAME: u64 = 0x38;
    /// `HardwareDatabase`.
    pub const HARDWARE: u64 = 0x48;
    /// `FastIoDispatch`.
    pub const FAST_IO: u64 = 0x50;
    /// `DriverInit`.
    pub const INIT: u64 = 0x58;
    /// `DriverUnload`.
    pub const UNLOAD: u64 = 0x68;
    /// `MajorFunction`.
    pub const MAJOR: u64 = 0x70;
    /// The size.
    pub const SIZE: usize = 0x150;
}

/// `DEVICE_OBJECT`.
pub mod device_object {
    /// `DriverObject`.
    pub const DRIVER: u64 = 0x08;
    /// `NextDevice`.
    pub const NEXT: u64 = 0x10;
    /// `AttachedDevice`, which is opaque.
    pub const ATTACHED: u64 = 0x18;
    /// `Flags`.
    pub const FLAGS: u64 = 0x30;
    /// `Characteristics`.
    pub const CHARACTERISTICS: u64 = 0x34;
    /// `Vpb`, which is opaque.
    pub const VPB: u64 = 0x38;
    /// `DeviceExtension`.
    pub const EXTENSION: u64 = 0x40;
    /// `DeviceType`.
    pub const TYPE: u64 = 0x48;
    /// `StackSize`.
    pub const STACK_SIZE: u64 = 0x4C;
    /// `SectorSize`.
    pub const SECTOR_SIZE: u64 = 0x130;
    /// `DeviceObjectExtension`, which is opaque.
    pub const OBJECT_EXTENSION: u64 = 0x138;
    /// The size.
    pub const SIZE: usize = 0x150;
}

/// `FILE_OBJECT`.
pub mod file_object {
    /// `Type`, `Size`.
    pub const HEAD: u64 = 0x00;
    /// `DeviceObject`.
    pub const DEVICE: u64 = 0x08;
    /// `Vpb`.
    pub const VPB: u64 = 0x10;
    /// `FsContext`.
    pub const FS_CONTEXT: u64 = 0x18;
    /// `FsContext2`.
    pub const FS_CONTEXT2: u64 = 0x20;
    /// `SectionObjectPointer`.
    pub const SECTION: u64 = 0x28;
    /// `PrivateCacheMap`.
    pub const PRIVATE_CACHE_MAP: u64 = 0x30;
    /// `RelatedFileObject`.
    pub const RELATED: u64 = 0x40;
    /// `DeletePending`.
    pub const DELETE_PENDING: u64 = 0x49;
    /// `ReadAccess`, `WriteAccess`, `DeleteAccess`, `SharedRead`, `SharedWrite`, `SharedDelete`.
    pub const ACCESS: u64 = 0x4A;
    /// `Flags`.
    pub const FLAGS: u64 = 0x50;
    /// `FO_NO_INTERMEDIATE_BUFFERING`, in the flags.
    pub const NO_BUFFERING: u32 = 0x8;
    /// `FileName`.
    pub const NAME: u64 = 0x58;
    /// `CurrentByteOffset`.
    pub const POSITION: u64 = 0x68;
    /// `FileObjectExtension`, which is opaque.
    pub const OBJECT_EXTENSION: u64 = 0xD0;
    /// The size.
    pub const SIZE: usize = 0xD8;
}

/// `FSRTL_ADVANCED_FCB_HEADER`, to which `FsContext` of a file object points.
pub mod fcb_header {
    /// `NodeTypeCode`, `NodeByteSize`, `Flags`, `IsFastIoPossible`, `Flags2`, `Version`.
    pub const HEAD: u64 = 0x00;
    /// `Resource`, which belongs to the file system.
    pub const RESOURCE: u64 = 0x08;
    /// `PagingIoResource`, which belongs to the file system.
    pub const PAGING_RESOURCE: u64 = 0x10;
    /// `AllocationSize`, `FileSize`, `ValidDataLength`.
    pub const SIZES: [u64; 3] = [0x18, 0x20, 0x28];
    /// `FilterContexts`, a list.
    pub const CONTEXTS: u64 = 0x38;
    /// The size.
    pub const SIZE: usize = 0x70;
}

/// `VPB`.
pub mod vpb {
    /// `Type`, `Size`.
    pub const HEAD: u64 = 0x00;
    /// `Flags`.
    pub const FLAGS: u64 = 0x04;
    /// `DeviceObject`.
    pub const DEVICE: u64 = 0x08;
    /// `RealDevice`.
    pub const REAL_DEVICE: u64 = 0x10;
    /// The size.
    pub const SIZE: usize = 0x60;
}

/// `FLT_CALLBACK_DATA`.
pub mod callback_data {
    /// `Flags`.
    pub const FLAGS: u64 = 0x00;
    /// `Thread`.
    pub const THREAD: u64 = 0x08;
    /// `Iopb`.
    pub const IOPB: u64 = 0x10;
    /// `IoStatus.Status`.
    pub const STATUS: u64 = 0x18;
    /// `IoStatus.Information`.
    pub const INFORMATION: u64 = 0x20;
    /// `RequestorMode`.
    pub const MODE: u64 = 0x50;
    /// The size.
    pub const SIZE: usize = 0x58;
    /// `FLTFL_CALLBACK_DATA_IRP_OPERATION`.
    pub const IRP: u32 = 0x1;
    /// `FLTFL_CALLBACK_DATA_FAST_IO_OPERATION`.
    pub const FAST_IO: u32 = 0x2;
    /// `FLTFL_CALLBACK_DATA_FS_FILTER_OPERATION`.
    pub const FS_FILTER: u32 = 0x4;
    /// `FLTFL_CALLBACK_DATA_SYSTEM_BUFFER`.
    pub const SYSTEM_BUFFER: u32 = 0x8;
    /// `FLTFL_CALLBACK_DATA_POST_OPERATION`.
    pub const POST_OPERATION: u32 = 0x8_0000;
    /// `FLTFL_CALLBACK_DATA_DIRTY`.
    pub const DIRTY: u32 = 0x8000_0000;
}

/// `FLT_IO_PARAMETER_BLOCK`.
pub mod iopb {
    /// `IrpFlags`.
    pub const IRP_FLAGS: u64 = 0x00;
    /// `MajorFunction`.
    pub const MAJOR: u64 = 0x04;
    /// `MinorFunction`.
    pub const MINOR: u64 = 0x05;
    /// `OperationFlags`.
    pub const OPERATION_FLAGS: u64 = 0x06;
    /// `TargetFileObject`.
    pub const FILE: u64 = 0x08;
    /// `TargetInstance`.
    pub const INSTANCE: u64 = 0x10;
    /// `Parameters`.
    pub const PARAMETERS: u64 = 0x18;
    /// The size.
    pub const SIZE: usize = 0x48;
}

/// `FLT_RELATED_OBJECTS`.
pub mod related_objects {
    /// `Size`.
    pub const LENGTH: u64 = 0x00;
    /// `Filter`.
    pub const FILTER: u64 = 0x08;
    /// `Volume`.
    pub const VOLUME: u64 = 0x10;
    /// `Instance`.
    pub const INSTANCE: u64 = 0x18;
    /// `FileObject`.
    pub const FILE: u64 = 0x20;
    /// The size.
    pub const SIZE: usize = 0x30;
}

/// `FLT_REGISTRATION`.
pub mod registration {
    /// `Size`.
    pub const LENGTH: u64 = 0x00;
    /// `Version`.
    pub const VERSION: u64 = 0x02;
    /// `Flags`.
    pub const FLAGS: u64 = 0x04;
    /// `ContextRegistration`.
    pub const CONTEXTS: u64 = 0x08;
    /// `OperationRegistration`.
    pub const OPERATIONS: u64 = 0x10;
    /// `FilterUnloadCallback`.
    pub const UNLOAD: u64 = 0x18;
    /// `InstanceSetupCallback`.
    pub const SETUP: u64 = 0x20;
    /// `InstanceQueryTeardownCallback`.
    pub const QUERY_TEARDOWN: u64 = 0x28;
    /// `InstanceTeardownStartCallback`.
    pub const TEARDOWN_START: u64 = 0x30;
    /// `InstanceTeardownCompleteCallback`.
    pub const TEARDOWN_COMPLETE: u64 = 0x38;
    /// `GenerateFileNameCallback`.
    pub const GENERATE_NAME: u64 = 0x40;
    /// `NormalizeNameComponentCallback`.
    pub const NORMALIZE_NAME: u64 = 0x48;
}

/// `FLT_FILE_NAME_INFORMATION`.
pub mod name_information {
    /// `Size`.
    pub const LENGTH: u64 = 0x00;
    /// `NamesParsed`.
    pub const PARSED: u64 = 0x02;
    /// `Format`.
    pub const FORMAT: u64 = 0x04;
    /// `Name`.
    pub const NAME: u64 = 0x08;
    /// `Volume`.
    pub const VOLUME: u64 = 0x18;
    /// `Extension`.
    pub const EXTENSION: u64 = 0x38;
    /// `FinalComponent`.
    pub const FINAL: u64 = 0x58;
    /// `ParentDir`.
    pub const PARENT: u64 = 0x68;
    /// `Share`, `Extension`, `Stream`, `FinalComponent`, `ParentDir`.
    pub const PARTS: [u64; 5] = [0x28, EXTENSION, 0x48, FINAL, PARENT];
    /// The size.
    pub const SIZE: usize = 0x78;
}

/// `IRP`, with the members that the driver of a control device uses.
pub mod irp {
    /// `Type`, `Size`.
    pub const HEAD: u64 = 0x00;
    /// `MdlAddress`.
    pub const MDL: u64 = 0x08;
    /// `AssociatedIrp.SystemBuffer`.
    pub const SYSTEM_BUFFER: u64 = 0x18;
    /// `IoStatus.Status`.
    pub const STATUS: u64 = 0x30;
    /// `IoStatus.Information`.
    pub const INFORMATION: u64 = 0x38;
    /// `RequestorMode`.
    pub const MODE: u64 = 0x40;
    /// `StackCount`, `CurrentLocation`.
    pub const LOCATION: u64 = 0x42;
    /// `UserBuffer`.
    pub const USER_BUFFER: u64 = 0x70;
    /// `Tail.Overlay.Thread`.
    pub const THREAD: u64 = 0x98;
    /// `Tail.Overlay.CurrentStackLocation`.
    pub const STACK: u64 = 0xB8;
    /// The size of `IRP`.
    pub const SIZE: usize = 0xD0;
    /// The size of `IO_STACK_LOCATION`.
    pub const STACK_SIZE: usize = 0x48;
}

/// `EXCEPTION_RECORD`.
pub mod exception_record {
    /// `ExceptionFlags`.
    pub const FLAGS: u64 = 0x04;
    /// `ExceptionAddress`.
    pub const ADDRESS: u64 = 0x10;
    /// `NumberParameters`.
    pub const COUNT: u64 = 0x18;
    /// `ExceptionInformation`.
    pub const PARAMETERS: u64 = 0x20;
    /// The size.
    pub const SIZE: usize = 0x98;
}

/// `CONTEXT`.
pub mod context {
    /// `EFlags`.
    pub const FLAGS: u64 = 0x44;
    /// `Rax`, followed by the other registers in the order of their numbers.
    pub const REGISTERS: u64 = 0x78;
    /// `Rip`.
    pub const RIP: u64 = 0xF8;
    /// The size.
    pub const SIZE: usize = 0x4D0;
}

/// `DISPATCHER_CONTEXT`.
pub mod dispatcher_context {
    /// `ControlPc`.
    pub const PC: u64 = 0x00;
    /// `ImageBase`.
    pub const IMAGE: u64 = 0x08;
    /// `FunctionEntry`.
    pub const ENTRY: u64 = 0x10;
    /// `EstablisherFrame`.
    pub const ESTABLISHER: u64 = 0x18;
    /// `TargetIp`.
    pub const TARGET: u64 = 0x20;
    /// `ContextRecord`.
    pub const CONTEXT: u64 = 0x28;
    /// `LanguageHandler`.
    pub const HANDLER: u64 = 0x30;
    /// `HandlerData`.
    pub const DATA: u64 = 0x38;
    /// `ScopeIndex`.
    pub const SCOPE: u64 = 0x48;
    /// The size.
    pub const SIZE: usize = 0x50;
}
