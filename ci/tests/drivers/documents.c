/*
 * A minifilter in C that uses locks, dispatcher objects, pool, names, memory descriptor lists, handles, work items and
 * user buffers as their documents say.
 *
 * Without a macro, it breaks no rule. Each test defines one of the macros below (#ifdef), which adds a defect, and
 * names the rule that must find it.
 */
#include <fltKernel.h>

#include "log.h"

#define TAG 'tseT'

static PFLT_FILTER Filter;
static ERESOURCE Resource;
static EX_PUSH_LOCK Push;
static KSPIN_LOCK Spin;
static KMUTEX Mutex;
static KSEMAPHORE Semaphore;
static KEVENT Event;
static FAST_MUTEX Fast;
static EX_RUNDOWN_REF Rundown;
static volatile UCHAR Sum;
static volatile LONG Creates;
static ULONG Number;

DRIVER_INITIALIZE DriverEntry;

/* RTL_QUERY_REGISTRY_TYPECHECK, which mingw-w64 does not declare. */
#define TYPECHECK 0x00000100

#ifdef PENDS_AND_SYNCHRONIZES
#define PENDS_AN_OPERATION 1
#endif
#ifdef LEAVES_A_DEVICE_INITIALIZING
#define CREATES_A_DEVICE_LATE 1
#endif

typedef VOID(NTAPI *PUSH_LOCK_ROUTINE)(PEX_PUSH_LOCK Lock, ULONG Flags);

/* --- Locks and dispatcher objects ------------------------------------------------------------ */

static void PushLocks(void)
{
#ifdef RETURNS_WITH_A_PUSH_LOCK
    FltAcquirePushLockExclusive(&Push);
    return;
#elif defined(ACQUIRES_A_SHARED_PUSH_LOCK_TWICE)
    FltAcquirePushLockShared(&Push);
    FltAcquirePushLockShared(&Push);
    FltReleasePushLock(&Push);
#elif defined(RELEASES_A_SHARED_PUSH_LOCK_AS_EXCLUSIVE)
    UNICODE_STRING Acquires = RTL_CONSTANT_STRING(L"ExAcquirePushLockSharedEx");
    UNICODE_STRING Releases = RTL_CONSTANT_STRING(L"ExReleasePushLockExclusiveEx");
    PUSH_LOCK_ROUTINE Acquire = (PUSH_LOCK_ROUTINE)(ULONG_PTR)MmGetSystemRoutineAddress(&Acquires);
    PUSH_LOCK_ROUTINE Release = (PUSH_LOCK_ROUTINE)(ULONG_PTR)MmGetSystemRoutineAddress(&Releases);
    if (Acquire != NULL && Release != NULL) {
        KeEnterCriticalRegion();
        Acquire(&Push, 0);
        Release(&Push, 0);
        KeLeaveCriticalRegion();
    }
#else
    FltAcquirePushLockShared(&Push);
    FltReleasePushLock(&Push);
#endif
}

static void Resources(void)
{
    BOOLEAN Before = KeAreApcsDisabled();

#ifdef ACQUIRES_A_RESOURCE_WITH_APCS
    ExAcquireResourceSharedLite(&Resource, TRUE);
    ExReleaseResourceLite(&Resource);
#elif defined(LEAVES_A_REGION_THAT_IT_DID_NOT_ENTER)
    KeLeaveCriticalRegion();
    KeEnterCriticalRegion();
#else
    KeEnterCriticalRegion();
#ifdef IGNORES_THAT_A_RESOURCE_IS_NOT_FREE
    ExAcquireResourceExclusiveLite(&Resource, FALSE);
    ExReleaseResourceLite(&Resource);
#else
    if (ExAcquireResourceExclusiveLite(&Resource, FALSE)) {
        ExReleaseResourceLite(&Resource);
    }
#endif
#ifdef RETURNS_IN_A_CRITICAL_REGION
    return;
#endif
    KeLeaveCriticalRegion();
#endif
    if (KeAreApcsDisabled() != Before) {
        DbgBreakPoint();
    }
}

static void Others(void)
{
    KIRQL Irql;

    KeWaitForSingleObject(&Mutex, Executive, KernelMode, FALSE, NULL);
    KeWaitForSingleObject(&Mutex, Executive, KernelMode, FALSE, NULL);
    KeReleaseMutex(&Mutex, FALSE);
    KeReleaseMutex(&Mutex, FALSE);
    if (ExAcquireRundownProtection(&Rundown)) {
        ExReleaseRundownProtection(&Rundown);
#ifdef RELEASES_RUNDOWN_PROTECTION_TWICE
        ExReleaseRundownProtection(&Rundown);
#endif
    }
#ifdef RELEASES_A_MUTEX_THAT_IT_DOES_NOT_HOLD
    KeReleaseMutex(&Mutex, FALSE);
#endif
#ifdef RELEASES_A_SEMAPHORE_BEYOND_ITS_LIMIT
    KeReleaseSemaphore(&Semaphore, IO_NO_INCREMENT, 2, FALSE);
#else
    KeReleaseSemaphore(&Semaphore, IO_NO_INCREMENT, 1, FALSE);
#endif
    KeWaitForSingleObject(&Semaphore, Executive, KernelMode, FALSE, NULL);
    if (ExTryToAcquireFastMutex(&Fast)) {
        if (ExTryToAcquireFastMutex(&Fast)) {
            DbgBreakPoint();
        }
        ExReleaseFastMutex(&Fast);
    }
#ifdef ACQUIRES_A_SPIN_LOCK_BELOW_DISPATCH_LEVEL
    KeAcquireSpinLockAtDpcLevel(&Spin);
    KeReleaseSpinLockFromDpcLevel(&Spin);
#else
    KeAcquireSpinLock(&Spin, &Irql);
    KeReleaseSpinLock(&Spin, Irql);
#endif
#ifdef RELEASES_A_QUEUED_SPIN_LOCK_AS_AN_ORDINARY_ONE
    {
        KLOCK_QUEUE_HANDLE Handle;
        KeAcquireInStackQueuedSpinLock(&Spin, &Handle);
        KeReleaseSpinLock(&Spin, PASSIVE_LEVEL);
    }
#endif
}

/* --- Memory ---------------------------------------------------------------------------------- */

typedef struct _BLOCK {
    ERESOURCE Resource;
    KEVENT Event;
    KTIMER Timer;
    KDPC Dpc;
} BLOCK, *PBLOCK;

static VOID NTAPI Expires(PKDPC Dpc, PVOID Context, PVOID First, PVOID Second)
{
    UNREFERENCED_PARAMETER(Dpc);
    UNREFERENCED_PARAMETER(Context);
    UNREFERENCED_PARAMETER(First);
    UNREFERENCED_PARAMETER(Second);
    Sum++;
}

static void Blocks(void)
{
    LARGE_INTEGER Due;
#ifdef HAS_AN_EVENT_IN_PAGED_POOL
    PBLOCK Block = ExAllocatePool2(POOL_FLAG_PAGED, sizeof(BLOCK), TAG);
#else
    PBLOCK Block = ExAllocatePool2(POOL_FLAG_NON_PAGED | POOL_FLAG_UNINITIALIZED, sizeof(BLOCK), TAG);
#endif

    if (Block == NULL) {
        return;
    }
#ifndef SETS_AN_EVENT_THAT_IS_NOT_INITIALIZED
    KeInitializeEvent(&Block->Event, NotificationEvent, FALSE);
#endif
    KeSetEvent(&Block->Event, IO_NO_INCREMENT, FALSE);
#ifndef HAS_AN_EVENT_IN_PAGED_POOL
    KeInitializeDpc(&Block->Dpc, Expires, NULL);
#ifndef SETS_A_TIMER_THAT_IS_NOT_INITIALIZED
    KeInitializeTimer(&Block->Timer);
#endif
    Due.QuadPart = -10000;
    KeSetTimer(&Block->Timer, Due, &Block->Dpc);
#ifndef FREES_A_TIMER_THAT_IS_SET
    KeCancelTimer(&Block->Timer);
#endif
    ExInitializeResourceLite(&Block->Resource);
#ifndef FREES_A_RESOURCE_WITH_ITS_MEMORY
    ExDeleteResourceLite(&Block->Resource);
#endif
#endif
#ifdef FREES_WITH_ANOTHER_TAG
    ExFreePoolWithTag(Block, 'rhtO');
#else
    ExFreePoolWithTag(Block, TAG);
#endif
}

static void AlignedBlocks(PFLT_INSTANCE Instance)
{
#ifdef HAS_A_TAG_THAT_IS_NOT_PRINTABLE
    PVOID Block = FltAllocatePoolAlignedWithTag(Instance, NonPagedPoolNx, 512, 7);
#else
    PVOID Block = FltAllocatePoolAlignedWithTag(Instance, NonPagedPoolNx, 512, TAG);
#endif

    if (Block == NULL) {
        return;
    }
#ifdef FREES_AN_ALIGNED_BLOCK_AS_POOL
    ExFreePoolWithTag(Block, TAG);
#else
    FltFreePoolAlignedWithTag(Instance, Block, 0);
#endif
}

static void Pages(void)
{
    PUCHAR Buffer = ExAllocatePool2(POOL_FLAG_PAGED, 64, TAG);
    PMDL Mdl;

    if (Buffer == NULL) {
        return;
    }
    Mdl = IoAllocateMdl(Buffer, 64, FALSE, FALSE, NULL);
    if (Mdl != NULL) {
#ifdef MAPS_PAGES_THAT_ARE_NOT_LOCKED
        MmMapLockedPagesSpecifyCache(Mdl, KernelMode, MmCached, NULL, FALSE, NormalPagePriority);
#elif defined(LOCKS_PAGES_OUTSIDE_TRY)
        MmProbeAndLockPages(Mdl, KernelMode, IoReadAccess);
        MmUnlockPages(Mdl);
#else
        __try {
            MmProbeAndLockPages(Mdl, KernelMode, IoReadAccess);
#ifdef LOCKS_PAGES_TWICE
            MmProbeAndLockPages(Mdl, KernelMode, IoReadAccess);
#endif
            MmMapLockedPagesSpecifyCache(Mdl, KernelMode, MmCached, NULL, FALSE, NormalPagePriority);
#ifndef DOES_NOT_UNLOCK_PAGES
            MmUnlockPages(Mdl);
#endif
        } __except (EXCEPTION_EXECUTE_HANDLER) {
            Sum++;
        }
#endif
        IoFreeMdl(Mdl);
    }
    ExFreePoolWithTag(Buffer, TAG);
}

/* --- Work items, handles, names ------------------------------------------------------------- */

static VOID FLTAPI Work(PFLT_GENERIC_WORKITEM Item, PVOID Object, PVOID Context)
{
    UNREFERENCED_PARAMETER(Object);
    UNREFERENCED_PARAMETER(Context);
#ifndef FREES_A_QUEUED_WORK_ITEM
    FltFreeGenericWorkItem(Item);
#else
    UNREFERENCED_PARAMETER(Item);
#endif
}

static void Items(PFLT_INSTANCE Instance)
{
    PFLT_GENERIC_WORKITEM Item = FltAllocateGenericWorkItem();

    if (Item == NULL) {
        return;
    }
    if (!NT_SUCCESS(FltQueueGenericWorkItem(Item, Instance, Work, DelayedWorkQueue, NULL))) {
        FltFreeGenericWorkItem(Item);
        return;
    }
#ifdef FREES_A_QUEUED_WORK_ITEM
    FltFreeGenericWorkItem(Item);
#elif defined(QUEUES_A_WORK_ITEM_OF_ANOTHER_FAMILY)
    FltQueueDeferredIoWorkItem((PFLT_DEFERRED_IO_WORKITEM)Item, NULL, NULL, DelayedWorkQueue, NULL);
#elif defined(QUEUES_A_WORK_ITEM_TWICE)
    FltQueueGenericWorkItem(Item, Instance, Work, DelayedWorkQueue, NULL);
#endif
}

static void Contexts(PFLT_INSTANCE Instance)
{
#ifdef ALLOCATES_A_CONTEXT_OF_NO_BYTES
    PFLT_CONTEXT Context;
    if (NT_SUCCESS(FltAllocateContext(Filter, FLT_STREAM_CONTEXT, 0, PagedPool, &Context))) {
        FltReleaseContext(Context);
    }
#elif defined(ENUMERATES_THE_INSTANCES_OF_NOTHING)
    ULONG Count;
    FltEnumerateInstances(NULL, NULL, &Instance, 1, &Count);
#endif
    UNREFERENCED_PARAMETER(Instance);
}

static void Handles(void)
{
    UNICODE_STRING Name = RTL_CONSTANT_STRING(L"\\REGISTRY\\MACHINE\\SYSTEM\\CurrentControlSet\\Control");
    OBJECT_ATTRIBUTES Attributes;
    HANDLE Key;

#ifdef OPENS_A_HANDLE_OF_THE_PROGRAM
    InitializeObjectAttributes(&Attributes, &Name, OBJ_CASE_INSENSITIVE, NULL, NULL);
#else
    InitializeObjectAttributes(&Attributes, &Name, OBJ_CASE_INSENSITIVE | OBJ_KERNEL_HANDLE, NULL, NULL);
#endif
    if (NT_SUCCESS(ZwOpenKey(&Key, KEY_READ, &Attributes))) {
        ZwClose(Key);
    }
}

/* Reads the first sector of a file, without the cache. */
static void Files(PFLT_INSTANCE Instance)
{
    UNICODE_STRING Name = RTL_CONSTANT_STRING(L"\\??\\C:\\documents\\list.txt");
    OBJECT_ATTRIBUTES Attributes;
    IO_STATUS_BLOCK Io;
    LARGE_INTEGER Offset = {.QuadPart = 0};
    PFILE_OBJECT Object;
    HANDLE File;
    PVOID Sector;
#ifdef READS_HALF_A_SECTOR
    ULONG Length = 256;
#else
    ULONG Length = 512;
#endif

    InitializeObjectAttributes(&Attributes, &Name, OBJ_CASE_INSENSITIVE | OBJ_KERNEL_HANDLE, NULL, NULL);
    if (!NT_SUCCESS(FltCreateFileEx(
            Filter, Instance, &File, &Object, FILE_READ_DATA, &Attributes, &Io, NULL, FILE_ATTRIBUTE_NORMAL,
            FILE_SHARE_READ, FILE_OPEN, FILE_NO_INTERMEDIATE_BUFFERING, NULL, 0, 0))) {
        return;
    }
    Sector = FltAllocatePoolAlignedWithTag(Instance, NonPagedPoolNx, 512, TAG);
    if (Sector != NULL) {
        if (NT_SUCCESS(FltReadFile(Instance, Object, &Offset, Length, Sector, 0, NULL, NULL, NULL))) {
            Sum += *(PUCHAR)Sector;
        }
        FltFreePoolAlignedWithTag(Instance, Sector, TAG);
    }
    ObDereferenceObject(Object);
    FltClose(File);
}

static void Patterns(void)
{
    UNICODE_STRING Name = RTL_CONSTANT_STRING(L"Report.txt");
#ifdef HAS_AN_EXPRESSION_IN_LOWER_CASE
    UNICODE_STRING Pattern = RTL_CONSTANT_STRING(L"*.txt");
#else
    UNICODE_STRING Pattern = RTL_CONSTANT_STRING(L"*.TXT");
#endif

#ifdef DOES_NOT_HANDLE_THAT_MEMORY_IS_SHORT
    Sum += FsRtlIsNameInExpression(&Pattern, &Name, TRUE, NULL);
#else
    __try {
        Sum += FsRtlIsNameInExpression(&Pattern, &Name, TRUE, NULL);
    } __except (EXCEPTION_EXECUTE_HANDLER) {
        Sum++;
    }
#endif
}

/* --- Operations ------------------------------------------------------------------------------ */

static FLT_PREOP_CALLBACK_STATUS FLTAPI PreCreate(
    PFLT_CALLBACK_DATA Data, PCFLT_RELATED_OBJECTS Objects, PVOID *Context)
{
    PFLT_FILE_NAME_INFORMATION Name;
    NTSTATUS Status;

    if (InterlockedIncrement(&Creates) <= 2) {
        PushLocks();
        Resources();
        Others();
        Blocks();
        AlignedBlocks(Objects->Instance);
        Pages();
        Items(Objects->Instance);
        Contexts(Objects->Instance);
        Handles();
        Files(Objects->Instance);
        Patterns();
    }
#ifdef CANCELS_AN_OPEN_BEFORE_IT
    FltCancelFileOpen(Objects->Instance, Objects->FileObject);
#elif defined(COMPLETES_AN_OPERATION_BEFORE_IT)
    FltCompletePendedPostOperation(Data);
#elif defined(SETS_THE_RESULT_OF_AN_OPERATION_THAT_IT_PASSES_ON)
    Data->IoStatus.Status = STATUS_SUCCESS;
#elif defined(CHANGES_THE_RELATED_OBJECTS)
    *(PUSHORT)(ULONG_PTR)&Objects->TransactionContext = 7;
#endif
    Status = FltGetFileNameInformation(Data, FLT_FILE_NAME_NORMALIZED | FLT_FILE_NAME_QUERY_DEFAULT, &Name);
    if (!NT_SUCCESS(Status)) {
        return FLT_PREOP_SUCCESS_NO_CALLBACK;
    }
#ifdef READS_A_COMPONENT_BEFORE_A_PARSE
    Sum += (UCHAR)Name->FinalComponent.Buffer[0];
#else
    if (NT_SUCCESS(FltParseFileNameInformation(Name)) && Name->FinalComponent.Length != 0) {
        Sum += (UCHAR)Name->FinalComponent.Buffer[0];
    }
#endif
#ifdef CHANGES_A_NAME
    Name->Name.Length -= sizeof(WCHAR);
#endif
    *Context = Name;
#ifdef SETS_A_CONTEXT_THAT_NO_CALLBACK_GETS
    FltReleaseFileNameInformation(Name);
    return FLT_PREOP_SUCCESS_NO_CALLBACK;
#else
    return FLT_PREOP_SUCCESS_WITH_CALLBACK;
#endif
}

/* Sets a context on the stream, unless it has one. */
static void KeepContext(PCFLT_RELATED_OBJECTS Objects)
{
    PFLT_CONTEXT New, Old = NULL;
    NTSTATUS Status;

    if (!NT_SUCCESS(FltAllocateContext(Filter, FLT_STREAM_CONTEXT, 8, PagedPool, &New))) {
        return;
    }
    Status = FltSetStreamContext(Objects->Instance, Objects->FileObject, FLT_SET_CONTEXT_KEEP_IF_EXISTS, New, &Old);
#ifdef KEEPS_THE_OLD_CONTEXT
    UNREFERENCED_PARAMETER(Status);
#else
    if (Status == STATUS_FLT_CONTEXT_ALREADY_DEFINED) {
        FltReleaseContext(Old);
    }
#endif
    FltReleaseContext(New);
}

static FLT_POSTOP_CALLBACK_STATUS FLTAPI PostCreate(
    PFLT_CALLBACK_DATA Data, PCFLT_RELATED_OBJECTS Objects, PVOID Context, FLT_POST_OPERATION_FLAGS Flags)
{
    PFLT_FILE_NAME_INFORMATION Name = Context;

    if (!FlagOn(Flags, FLTFL_POST_OPERATION_DRAINING) && NT_SUCCESS(Data->IoStatus.Status)) {
        if (Data->IoStatus.Status != STATUS_REPARSE) {
            KeepContext(Objects);
        }
#ifndef USES_A_NAME_THAT_CAN_BE_TUNNELED
        PFLT_FILE_NAME_INFORMATION Tunneled = NULL;
        if (NT_SUCCESS(FltGetTunneledName(Data, Name, &Tunneled)) && Tunneled != NULL) {
            FltReleaseFileNameInformation(Tunneled);
        }
#endif
#ifdef READS_WITHOUT_ALIGNMENT
        {
            UCHAR Buffer[10];
            LARGE_INTEGER Offset = {.QuadPart = 0};
            FltReadFile(Objects->Instance, Objects->FileObject, &Offset, sizeof(Buffer), Buffer,
                        FLTFL_IO_OPERATION_NON_CACHED, NULL, NULL, NULL);
        }
#endif
#ifdef FAILS_AN_OPEN_WITHOUT_CANCELING_IT
        Data->IoStatus.Status = STATUS_ACCESS_DENIED;
        Data->IoStatus.Information = 0;
#elif defined(FAILS_AND_CANCELS_AN_OPEN)
        if (Data->IoStatus.Status != STATUS_REPARSE) {
            FltCancelFileOpen(Objects->Instance, Objects->FileObject);
            Data->IoStatus.Status = STATUS_ACCESS_DENIED;
            Data->IoStatus.Information = 0;
        }
#endif
    }
    FltReleaseFileNameInformation(Name);
    UNREFERENCED_PARAMETER(Objects);
    return FLT_POSTOP_FINISHED_PROCESSING;
}

__attribute__((noinline)) static UCHAR ReadByte(volatile UCHAR *Address)
{
    return *Address;
}

/* Reads the first byte of a user buffer. */
static FLT_PREOP_CALLBACK_STATUS FLTAPI PreWrite(
    PFLT_CALLBACK_DATA Data, PCFLT_RELATED_OBJECTS Objects, PVOID *Context)
{
    PUCHAR Buffer = Data->Iopb->Parameters.Write.WriteBuffer;

    UNREFERENCED_PARAMETER(Objects);
    UNREFERENCED_PARAMETER(Context);
    if (Data->RequestorMode != UserMode || Data->Iopb->Parameters.Write.MdlAddress != NULL) {
        return FLT_PREOP_SUCCESS_NO_CALLBACK;
    }
#ifdef READS_A_USER_BUFFER_OUTSIDE_TRY
    __try {
        ProbeForRead(Buffer, Data->Iopb->Parameters.Write.Length, 1);
    } __except (EXCEPTION_EXECUTE_HANDLER) {
        return FLT_PREOP_SUCCESS_NO_CALLBACK;
    }
    Sum += ReadByte(Buffer);
#else
    __try {
        ProbeForRead(Buffer, Data->Iopb->Parameters.Write.Length, 1);
        Sum += ReadByte(Buffer);
    } __except (EXCEPTION_EXECUTE_HANDLER) {
        Data->IoStatus.Status = GetExceptionCode();
        Data->IoStatus.Information = 0;
        return FLT_PREOP_COMPLETE;
    }
#endif
    return FLT_PREOP_SUCCESS_NO_CALLBACK;
}

static FLT_PREOP_CALLBACK_STATUS FLTAPI PreRead(
    PFLT_CALLBACK_DATA Data, PCFLT_RELATED_OBJECTS Objects, PVOID *Context)
{
    UNREFERENCED_PARAMETER(Objects);
    UNREFERENCED_PARAMETER(Context);
#ifndef SYNCHRONIZES_AN_ASYNCHRONOUS_READ
    if (!FltIsOperationSynchronous(Data)) {
        return FLT_PREOP_SUCCESS_WITH_CALLBACK;
    }
#endif
    UNREFERENCED_PARAMETER(Data);
    return FLT_PREOP_SYNCHRONIZE;
}

static FLT_POSTOP_CALLBACK_STATUS FLTAPI SafePostRead(
    PFLT_CALLBACK_DATA Data, PCFLT_RELATED_OBJECTS Objects, PVOID Context, FLT_POST_OPERATION_FLAGS Flags)
{
    UNREFERENCED_PARAMETER(Data);
    UNREFERENCED_PARAMETER(Objects);
    UNREFERENCED_PARAMETER(Context);
    UNREFERENCED_PARAMETER(Flags);
    Sum++;
    return FLT_POSTOP_FINISHED_PROCESSING;
}

static FLT_POSTOP_CALLBACK_STATUS FLTAPI PostRead(
    PFLT_CALLBACK_DATA Data, PCFLT_RELATED_OBJECTS Objects, PVOID Context, FLT_POST_OPERATION_FLAGS Flags)
{
    FLT_POSTOP_CALLBACK_STATUS Status = FLT_POSTOP_FINISHED_PROCESSING;

    if (FlagOn(Flags, FLTFL_POST_OPERATION_DRAINING) || !FLT_IS_IRP_OPERATION(Data)) {
        return FLT_POSTOP_FINISHED_PROCESSING;
    }
    if (!FltDoCompletionProcessingWhenSafe(Data, Objects, Context, Flags, SafePostRead, &Status)) {
        Sum++;
    }
#ifdef IGNORES_THE_STATUS_THAT_IT_RECEIVES
    return FLT_POSTOP_FINISHED_PROCESSING;
#else
    return Status;
#endif
}

static FLT_PREOP_CALLBACK_STATUS FLTAPI PreSetInformation(
    PFLT_CALLBACK_DATA Data, PCFLT_RELATED_OBJECTS Objects, PVOID *Context)
{
    UNREFERENCED_PARAMETER(Objects);
    UNREFERENCED_PARAMETER(Context);
    if (FlagOn(Data->Flags, FLTFL_CALLBACK_DATA_SYSTEM_BUFFER)) {
        PUCHAR Buffer = Data->Iopb->Parameters.SetFileInformation.InfoBuffer;
#ifdef CHANGES_THE_INFORMATION_THAT_IS_SET
        Buffer[0] ^= 1;
#else
        Sum += Buffer[0];
#endif
    }
    return FLT_PREOP_SUCCESS_NO_CALLBACK;
}

#ifdef PENDS_AN_OPERATION
static VOID FLTAPI Resume(PFLT_DEFERRED_IO_WORKITEM Item, PFLT_CALLBACK_DATA Data, PVOID Context)
{
    UNREFERENCED_PARAMETER(Context);
    FltFreeDeferredIoWorkItem(Item);
#ifdef PENDS_AND_SYNCHRONIZES
    FltCompletePendedPreOperation(Data, FLT_PREOP_SYNCHRONIZE, NULL);
#else
    FltCompletePendedPreOperation(Data, FLT_PREOP_SUCCESS_NO_CALLBACK, NULL);
#endif
}

static FLT_PREOP_CALLBACK_STATUS FLTAPI PreFlush(
    PFLT_CALLBACK_DATA Data, PCFLT_RELATED_OBJECTS Objects, PVOID *Context)
{
    PFLT_DEFERRED_IO_WORKITEM Item = FltAllocateDeferredIoWorkItem();

    UNREFERENCED_PARAMETER(Objects);
    UNREFERENCED_PARAMETER(Context);
    if (Item == NULL) {
        return FLT_PREOP_SUCCESS_NO_CALLBACK;
    }
    if (!NT_SUCCESS(FltQueueDeferredIoWorkItem(Item, Data, Resume, DelayedWorkQueue, NULL))) {
        FltFreeDeferredIoWorkItem(Item);
        return FLT_PREOP_SUCCESS_NO_CALLBACK;
    }
    return FLT_PREOP_PENDING;
}
static FLT_POSTOP_CALLBACK_STATUS FLTAPI PostFlush(
    PFLT_CALLBACK_DATA Data, PCFLT_RELATED_OBJECTS Objects, PVOID Context, FLT_POST_OPERATION_FLAGS Flags)
{
    UNREFERENCED_PARAMETER(Data);
    UNREFERENCED_PARAMETER(Objects);
    UNREFERENCED_PARAMETER(Context);
    UNREFERENCED_PARAMETER(Flags);
    return FLT_POSTOP_FINISHED_PROCESSING;
}
#define FLUSHES { IRP_MJ_FLUSH_BUFFERS, 0, PreFlush, PostFlush },
#else
#define FLUSHES
#endif

static CONST FLT_OPERATION_REGISTRATION Operations[] = {
    { IRP_MJ_CREATE, 0, PreCreate, PostCreate },
    { IRP_MJ_READ, 0, PreRead, PostRead },
    { IRP_MJ_WRITE, 0, PreWrite, NULL },
    { IRP_MJ_SET_INFORMATION, 0, PreSetInformation, NULL },
    FLUSHES
    { IRP_MJ_OPERATION_END },
};

/* --- Instances, unloading and loading -------------------------------------------------------- */

#ifdef CREATES_A_DEVICE_LATE
static PDEVICE_OBJECT Device;
static PDRIVER_OBJECT Driver;
#endif

static NTSTATUS FLTAPI InstanceSetup(
    PCFLT_RELATED_OBJECTS Objects, FLT_INSTANCE_SETUP_FLAGS Flags, DEVICE_TYPE Type, FLT_FILESYSTEM_TYPE FileSystem)
{
    UNREFERENCED_PARAMETER(Objects);
    UNREFERENCED_PARAMETER(Flags);
    UNREFERENCED_PARAMETER(Type);
    UNREFERENCED_PARAMETER(FileSystem);
#ifdef WAITS_IN_ITS_SETUP
    KeWaitForSingleObject(&Event, Executive, KernelMode, FALSE, NULL);
#endif
#ifdef CREATES_A_DEVICE_LATE
    if (Device == NULL && NT_SUCCESS(IoCreateDevice(Driver, 0, NULL, FILE_DEVICE_DISK_FILE_SYSTEM, 0, FALSE, &Device))) {
#ifndef LEAVES_A_DEVICE_INITIALIZING
        ClearFlag(Device->Flags, DO_DEVICE_INITIALIZING);
#endif
    }
#endif
    return STATUS_SUCCESS;
}

static void Release(void)
{
#ifdef CREATES_A_DEVICE_LATE
    if (Device != NULL) {
        IoDeleteDevice(Device);
        Device = NULL;
    }
#endif
    FltUnregisterFilter(Filter);
    ExDeleteResourceLite(&Resource);
    FltDeletePushLock(&Push);
}

static NTSTATUS FLTAPI Unload(FLT_FILTER_UNLOAD_FLAGS Flags)
{
    UNREFERENCED_PARAMETER(Flags);
    Release();
    return STATUS_SUCCESS;
}

/* Reads a number. The driver has a default for it. */
static void ReadNumber(PUNICODE_STRING Path)
{
    RTL_QUERY_REGISTRY_TABLE Table[2];

    RtlZeroMemory(Table, sizeof(Table));
#ifdef DOES_NOT_CHECK_THE_TYPE_OF_A_VALUE
    Table[0].Flags = RTL_QUERY_REGISTRY_DIRECT | RTL_QUERY_REGISTRY_NOEXPAND;
    Table[0].DefaultType = REG_NONE;
#else
    Table[0].Flags = RTL_QUERY_REGISTRY_DIRECT | TYPECHECK | RTL_QUERY_REGISTRY_NOEXPAND;
    Table[0].DefaultType = REG_DWORD << 24;
#endif
    Table[0].Name = L"Number";
    Table[0].EntryContext = &Number;
    if (!NT_SUCCESS(RtlQueryRegistryValues(RTL_REGISTRY_ABSOLUTE, Path->Buffer, Table, NULL, NULL))) {
        Number = 1;
    }
}

NTSTATUS NTAPI DriverEntry(PDRIVER_OBJECT DriverObject, PUNICODE_STRING Path)
{
    static CONST FLT_CONTEXT_REGISTRATION Contexts[] = {
        { FLT_STREAM_CONTEXT, 0, NULL, 8, TAG },
        { FLT_CONTEXT_END },
    };
    static CONST FLT_REGISTRATION Registration = {
        sizeof(FLT_REGISTRATION), FLT_REGISTRATION_VERSION, 0, Contexts, Operations, Unload, InstanceSetup,
    };
    NTSTATUS Status;

#ifdef CREATES_A_DEVICE_LATE
    Driver = DriverObject;
#endif
    ReadNumber(Path);
    ExInitializeResourceLite(&Resource);
    FltInitializePushLock(&Push);
    KeInitializeSpinLock(&Spin);
    KeInitializeMutex(&Mutex, 0);
    KeInitializeSemaphore(&Semaphore, 0, 1);
    KeInitializeEvent(&Event, NotificationEvent, TRUE);
    ExInitializeFastMutex(&Fast);
    ExInitializeRundownProtection(&Rundown);
    Status = FltRegisterFilter(DriverObject, &Registration, &Filter);
    if (!NT_SUCCESS(Status)) {
        ExDeleteResourceLite(&Resource);
        FltDeletePushLock(&Push);
        Log(DriverObject, Status);
        return Status;
    }
    Status = FltStartFiltering(Filter);
    if (!NT_SUCCESS(Status)) {
        Release();
        Log(DriverObject, Status);
        return Status;
    }
    return STATUS_SUCCESS;
}
