/*
 * A small minifilter in C, for the test bench: a driver that this project did not emit.
 *
 * Without a macro, it breaks no rule. Each test defines one of the macros below (#ifdef), which adds
 * a defect, and names the rule that must find it.
 */
#include <fltKernel.h>

#define TAG 'tseT'

typedef struct _INSTANCE_CONTEXT {
    ULONG Operations;
} INSTANCE_CONTEXT, *PINSTANCE_CONTEXT;

typedef struct _ENTRY {
    PFLT_FILE_NAME_INFORMATION Name;
} ENTRY, *PENTRY;

static PFLT_FILTER Filter;
static PFLT_PORT ServerPort;
static PFLT_PORT ClientPort;
static PDEVICE_OBJECT Device;
static NPAGED_LOOKASIDE_LIST Entries;
static ERESOURCE Lock;
static KSPIN_LOCK Counting;
static volatile LONG Reads;
static PULONG Settings;

DRIVER_INITIALIZE DriverEntry;

/* --- Functions that the WDK headers inline ------------------------------------------------- */

static KIRQL CurrentIrql(void)
{
    ULONG64 Value;
    __asm__ volatile("movq %%cr8, %0" : "=r"(Value));
    return (KIRQL)Value;
}

static ULONG64 Ticks(void)
{
    return *(volatile ULONG64 *)0xFFFFF78000000320;
}

static PVOID Thread(void)
{
    PVOID Value;
    __asm__ volatile("movq %%gs:0x188, %0" : "=r"(Value));
    return Value;
}

/* --- Instructions and calls that stop the driver --------------------------------------------- */

#ifdef RUNS_OUT_OF_STACK
/* Which instruction reaches the end of the stack depends on the stack pointer: here, on whether filtering has started. */
static volatile BOOLEAN Started;

static ULONG Deeper(volatile ULONG *Above)
{
    volatile ULONG Here[512];
    Here[0] = *Above + 1;
    return Deeper(Here) + Here[0];
}

static ULONG DeeperOnceStarted(volatile ULONG *Above)
{
    volatile ULONG Here[512];
    Here[0] = *Above + 2;
    return DeeperOnceStarted(Here) + Here[0];
}
#endif

static void Stumble(void)
{
#ifdef HITS_A_BREAKPOINT
    __asm__ volatile("int3");
#elif defined(FAILS_AN_ASSERTION)
    __asm__ volatile("int $0x2C");
#elif defined(FAILS_A_CHECKED_ASSERTION)
    RtlAssert("Reads < 0", __FILE__, 77, NULL);
#elif defined(CALLS_A_BREAKPOINT)
    DbgBreakPoint();
#elif defined(CALLS_KE_BUG_CHECK_EX)
    KeBugCheckEx(MANUALLY_INITIATED_CRASH, 1, 2, 3, 4);
#elif defined(CALLS_THE_DEBUGGER)
    __asm__ volatile("int $0x2D");
#elif defined(REPORTS_A_CORRUPT_LIST)
    __asm__ volatile("int $0x29" : : "c"(3));
#elif defined(RUNS_AN_UNDEFINED_INSTRUCTION)
    __asm__ volatile("ud2");
#elif defined(DIVIDES_BY_ZERO)
    __asm__ volatile("xorl %%ecx, %%ecx\n\tdivl %%ecx" : : : "eax", "ecx", "edx");
#elif defined(READS_THE_PROCESSOR_REGION)
    __asm__ volatile("movq %%gs:0x20, %%rax" : : : "rax");
#elif defined(WRITES_THE_PROCESSOR_REGION)
    __asm__ volatile("movl %%eax, %%gs:8(,%%rcx,4)" : : "c"(6) : "memory");
#elif defined(READS_A_KERNEL_ADDRESS)
    Reads = *(volatile LONG *)0xFFFF800000001000;
#elif defined(READS_A_NON_CANONICAL_ADDRESS)
    Reads = *(volatile LONG *)0x4141414141414141;
#elif defined(RUNS_DATA)
    ((void (*)(void))(ULONG_PTR)&Reads)();
#elif defined(RUNS_OUT_OF_STACK)
    Reads = Started ? DeeperOnceStarted((volatile ULONG *)&Reads) : Deeper((volatile ULONG *)&Reads);
#elif defined(READS_A_MODEL_SPECIFIC_REGISTER)
    __asm__ volatile("rdmsr" : : "c"(0x10) : "eax", "edx");
#endif
}

/* --- Operations ---------------------------------------------------------------------------- */

#ifdef PAGEABLE_CODE_AT_DISPATCH
__attribute__((section("PAGE"), noinline))
#endif
static void CountRead(void)
{
    InterlockedIncrement(&Reads);
}

static FLT_PREOP_CALLBACK_STATUS FLTAPI PreCreate(
    PFLT_CALLBACK_DATA Data, PCFLT_RELATED_OBJECTS Objects, PVOID *Context)
{
    PENTRY Entry;
    NTSTATUS Status;

    UNREFERENCED_PARAMETER(Objects);
    if (CurrentIrql() != PASSIVE_LEVEL || Ticks() == 0 || Thread() == NULL || Thread() != KeGetCurrentThread()) {
        return 99;
    }
    Stumble();
    KeEnterCriticalRegion();
    ExAcquireResourceSharedLite(&Lock, TRUE);
    Entry = *Settings == 1 ? ExAllocateFromNPagedLookasideList(&Entries) : NULL;
    ExReleaseResourceLite(&Lock);
    KeLeaveCriticalRegion();
    if (Entry == NULL) {
        return FLT_PREOP_SUCCESS_NO_CALLBACK;
    }
    Status = FltGetFileNameInformation(
        Data, FLT_FILE_NAME_NORMALIZED | FLT_FILE_NAME_QUERY_DEFAULT, &Entry->Name);
    if (!NT_SUCCESS(Status)) {
        ExFreeToNPagedLookasideList(&Entries, Entry);
        return FLT_PREOP_SUCCESS_NO_CALLBACK;
    }
    *Context = Entry;
#ifdef DISALLOWS_FAST_IO_FOR_AN_IRP
    return FLT_PREOP_DISALLOW_FASTIO;
#else
    return FLT_PREOP_SUCCESS_WITH_CALLBACK;
#endif
}

static FLT_POSTOP_CALLBACK_STATUS FLTAPI PostCreate(
    PFLT_CALLBACK_DATA Data, PCFLT_RELATED_OBJECTS Objects, PVOID Context, FLT_POST_OPERATION_FLAGS Flags)
{
    PENTRY Entry = Context;
    PINSTANCE_CONTEXT Instance;
    PFLT_FILE_NAME_INFORMATION Tunneled = NULL;

#ifndef IGNORES_DRAINING
    if (!FlagOn(Flags, FLTFL_POST_OPERATION_DRAINING))
#endif
    {
        if (NT_SUCCESS(Data->IoStatus.Status) && NT_SUCCESS(FltGetTunneledName(Data, Entry->Name, &Tunneled))
            && Tunneled != NULL) {
            FltReleaseFileNameInformation(Entry->Name);
            Entry->Name = Tunneled;
        }
        if (NT_SUCCESS(FltParseFileNameInformation(Entry->Name)) && Entry->Name->FinalComponent.Length != 0
            && NT_SUCCESS(FltGetInstanceContext(Objects->Instance, (PFLT_CONTEXT *)&Instance))) {
            Instance->Operations++;
#ifndef DOES_NOT_RELEASE_A_CONTEXT
            FltReleaseContext(Instance);
#endif
#ifdef RELEASES_A_CONTEXT_TWICE
            FltReleaseContext(Instance);
#endif
        }
    }
    FltReleaseFileNameInformation(Entry->Name);
#ifndef LEAKS_AN_ENTRY
    ExFreeToNPagedLookasideList(&Entries, Entry);
#endif
#ifdef READS_BEHIND_A_HANDLE
    if (*(volatile ULONG *)Objects->Instance == 7) {
        return FLT_POSTOP_MORE_PROCESSING_REQUIRED;
    }
#endif
    UNREFERENCED_PARAMETER(Flags);
    return FLT_POSTOP_FINISHED_PROCESSING;
}

static FLT_PREOP_CALLBACK_STATUS FLTAPI PreRead(
    PFLT_CALLBACK_DATA Data, PCFLT_RELATED_OBJECTS Objects, PVOID *Context)
{
    UNREFERENCED_PARAMETER(Data);
    UNREFERENCED_PARAMETER(Objects);
    UNREFERENCED_PARAMETER(Context);
    return FLT_PREOP_SUCCESS_WITH_CALLBACK;
}

static FLT_POSTOP_CALLBACK_STATUS FLTAPI PostRead(
    PFLT_CALLBACK_DATA Data, PCFLT_RELATED_OBJECTS Objects, PVOID Context, FLT_POST_OPERATION_FLAGS Flags)
{
    KIRQL Irql;

    UNREFERENCED_PARAMETER(Data);
    UNREFERENCED_PARAMETER(Objects);
    UNREFERENCED_PARAMETER(Context);
    if (FlagOn(Flags, FLTFL_POST_OPERATION_DRAINING)) {
        return FLT_POSTOP_FINISHED_PROCESSING;
    }
    KeAcquireSpinLock(&Counting, &Irql);
    CountRead();
#ifdef TAKES_A_LOCK_TWICE
    KeAcquireSpinLock(&Counting, &Irql);
#endif
#ifdef DOES_NOT_RELEASE_A_SPIN_LOCK
    return FLT_POSTOP_FINISHED_PROCESSING;
#endif
    KeReleaseSpinLock(&Counting, Irql);
    return FLT_POSTOP_FINISHED_PROCESSING;
}

static FLT_PREOP_CALLBACK_STATUS FLTAPI PreWrite(
    PFLT_CALLBACK_DATA Data, PCFLT_RELATED_OBJECTS Objects, PVOID *Context)
{
    UNREFERENCED_PARAMETER(Objects);
    UNREFERENCED_PARAMETER(Context);
#ifdef COMPLETES_WITHOUT_A_STATUS
    Data->IoStatus.Information = 0;
    return FLT_PREOP_COMPLETE;
#elif defined(COMPLETES_WITHOUT_INFORMATION)
    Data->IoStatus.Status = STATUS_SUCCESS;
    return FLT_PREOP_COMPLETE;
#elif defined(CHANGES_PARAMETERS)
    Data->Iopb->Parameters.Write.Length = 1;
#elif defined(CHANGES_PARAMETERS_AND_SAYS_SO)
    Data->Iopb->Parameters.Write.Length = 1;
    FltSetCallbackDataDirty(Data);
#else
    UNREFERENCED_PARAMETER(Data);
#endif
    return FLT_PREOP_SUCCESS_NO_CALLBACK;
}

static FLT_PREOP_CALLBACK_STATUS FLTAPI PreCleanup(
    PFLT_CALLBACK_DATA Data, PCFLT_RELATED_OBJECTS Objects, PVOID *Context)
{
    UNREFERENCED_PARAMETER(Data);
    UNREFERENCED_PARAMETER(Objects);
    UNREFERENCED_PARAMETER(Context);
#ifdef NEVER_RETURNS
    while (Reads >= 0) {
    }
#endif
#ifdef CHANGES_THE_POINTER_TO_THE_PARAMETERS
    *(PVOID *)&Data->Iopb = (PVOID)8;
#endif
#ifdef WAITS_FOR_AN_EVENT_THAT_IS_NEVER_SET
    {
        KEVENT Event;
        KeInitializeEvent(&Event, NotificationEvent, FALSE);
        KeWaitForSingleObject(&Event, Executive, KernelMode, FALSE, NULL);
    }
#endif
    return FLT_PREOP_SUCCESS_NO_CALLBACK;
}

static CONST FLT_OPERATION_REGISTRATION Operations[] = {
    { IRP_MJ_CREATE, 0, PreCreate, PostCreate },
    { IRP_MJ_READ, FLTFL_OPERATION_REGISTRATION_SKIP_PAGING_IO, PreRead, PostRead },
    { IRP_MJ_CLEANUP, 0, PreCleanup, NULL },
#ifdef REGISTERS_NO_CALLBACK
    { IRP_MJ_WRITE, 0, NULL, NULL },
#else
    { IRP_MJ_WRITE, 0, PreWrite, NULL },
#endif
    { IRP_MJ_OPERATION_END },
};

/* --- Instances ----------------------------------------------------------------------------- */

static VOID FLTAPI InstanceContextCleanup(PFLT_CONTEXT Context, FLT_CONTEXT_TYPE Type)
{
    UNREFERENCED_PARAMETER(Context);
    UNREFERENCED_PARAMETER(Type);
    InterlockedIncrement((volatile LONG *)Settings);
    InterlockedDecrement((volatile LONG *)Settings);
}

static CONST FLT_CONTEXT_REGISTRATION Contexts[] = {
    { FLT_INSTANCE_CONTEXT, 0, InstanceContextCleanup, sizeof(INSTANCE_CONTEXT), TAG },
    { FLT_CONTEXT_END },
};

static NTSTATUS FLTAPI InstanceSetup(
    PCFLT_RELATED_OBJECTS Objects, FLT_INSTANCE_SETUP_FLAGS Flags, DEVICE_TYPE Type, FLT_FILESYSTEM_TYPE FileSystem)
{
    PINSTANCE_CONTEXT Context;
    NTSTATUS Status;

    UNREFERENCED_PARAMETER(Flags);
    UNREFERENCED_PARAMETER(FileSystem);
    if (Type == FILE_DEVICE_NETWORK_FILE_SYSTEM) {
        return STATUS_FLT_DO_NOT_ATTACH;
    }
#ifdef RETURNS_PENDING_FROM_ITS_SETUP
    if (Type == FILE_DEVICE_DISK_FILE_SYSTEM) {
        return STATUS_PENDING;
    }
#endif
    Status = FltAllocateContext(Filter, FLT_INSTANCE_CONTEXT, sizeof(*Context), NonPagedPool, (PFLT_CONTEXT *)&Context);
    if (!NT_SUCCESS(Status)) {
        return Status;
    }
    Context->Operations = 0;
    Status = FltSetInstanceContext(Objects->Instance, FLT_SET_CONTEXT_KEEP_IF_EXISTS, Context, NULL);
    FltReleaseContext(Context);
    return Status;
}

static NTSTATUS FLTAPI InstanceQueryTeardown(PCFLT_RELATED_OBJECTS Objects, FLT_INSTANCE_QUERY_TEARDOWN_FLAGS Flags)
{
    UNREFERENCED_PARAMETER(Objects);
    UNREFERENCED_PARAMETER(Flags);
    return STATUS_SUCCESS;
}

/* --- The port ------------------------------------------------------------------------------ */

static NTSTATUS FLTAPI Connect(PFLT_PORT Port, PVOID Server, PVOID Data, ULONG Length, PVOID *Cookie)
{
    UNREFERENCED_PARAMETER(Server);
    UNREFERENCED_PARAMETER(Data);
    UNREFERENCED_PARAMETER(Length);
    UNREFERENCED_PARAMETER(Cookie);
    ClientPort = Port;
    return STATUS_SUCCESS;
}

static VOID FLTAPI Disconnect(PVOID Cookie)
{
    UNREFERENCED_PARAMETER(Cookie);
    FltCloseClientPort(Filter, &ClientPort);
}

static NTSTATUS FLTAPI Message(PVOID Cookie, PVOID In, ULONG InLength, PVOID Out, ULONG OutLength, PULONG Returned)
{
    UNREFERENCED_PARAMETER(Cookie);
    UNREFERENCED_PARAMETER(In);
    *Returned = 0;
#ifndef DOES_NOT_CHECK_A_MESSAGE
    if (InLength < sizeof(ULONG) || OutLength < sizeof(LONG)) {
        return STATUS_INVALID_PARAMETER;
    }
#endif
    *(LONG *)Out = Reads;
    *Returned = sizeof(LONG);
    return STATUS_SUCCESS;
}

static NTSTATUS OpenPort(void)
{
    OBJECT_ATTRIBUTES Attributes;
    PSECURITY_DESCRIPTOR Descriptor;
    UNICODE_STRING Name = RTL_CONSTANT_STRING(L"\\TestPort");
    NTSTATUS Status = FltBuildDefaultSecurityDescriptor(&Descriptor, FLT_PORT_ALL_ACCESS);

    if (!NT_SUCCESS(Status)) {
        return Status;
    }
    InitializeObjectAttributes(&Attributes, &Name, OBJ_KERNEL_HANDLE | OBJ_CASE_INSENSITIVE, NULL, Descriptor);
    Status = FltCreateCommunicationPort(Filter, &ServerPort, &Attributes, NULL, Connect, Disconnect, Message, 1);
#ifdef LEAKS_A_DESCRIPTOR
    if (NT_SUCCESS(Status)) {
        return Status;
    }
#endif
    FltFreeSecurityDescriptor(Descriptor);
    return Status;
}

/* --- The control device -------------------------------------------------------------------- */

static NTSTATUS NTAPI Dispatch(PDEVICE_OBJECT Target, PIRP Irp)
{
    UNREFERENCED_PARAMETER(Target);

#ifdef FAILS_A_CLOSE
    Irp->IoStatus.Status =
        IoGetCurrentIrpStackLocation(Irp)->MajorFunction == IRP_MJ_CLOSE ? STATUS_UNSUCCESSFUL : STATUS_SUCCESS;
#elif !defined(DOES_NOT_SET_THE_STATUS_OF_A_REQUEST)
    Irp->IoStatus.Status = STATUS_SUCCESS;
#endif
    Irp->IoStatus.Information = 0;
#ifdef PENDS_AN_UNMARKED_REQUEST
    IoCompleteRequest(Irp, IO_NO_INCREMENT);
    return STATUS_PENDING;
#elif defined(PENDS_A_REQUEST)
    IoMarkIrpPending(Irp);
    IoCompleteRequest(Irp, IO_NO_INCREMENT);
    return STATUS_PENDING;
#elif defined(FAILS_A_CLOSE)
    {
        NTSTATUS Status = Irp->IoStatus.Status;
        IoCompleteRequest(Irp, IO_NO_INCREMENT);
        return Status;
    }
#endif
#ifdef COMPLETES_A_REQUEST_WITH_A_SPIN_LOCK
    {
        KIRQL Irql;
        KeAcquireSpinLock(&Counting, &Irql);
        IoCompleteRequest(Irp, IO_NO_INCREMENT);
        KeReleaseSpinLock(&Counting, Irql);
        return STATUS_SUCCESS;
    }
#endif
#ifndef DOES_NOT_COMPLETE_A_REQUEST
    IoCompleteRequest(Irp, IO_NO_INCREMENT);
#endif
#ifdef COMPLETES_A_REQUEST_TWICE
    IoCompleteRequest(Irp, IO_NO_INCREMENT);
#endif
#ifdef WRITES_TO_A_COMPLETED_REQUEST
    Irp->IoStatus.Information = 1;
#endif
    return STATUS_SUCCESS;
}

/* Declared in wdmsec.h, as IoCreateDeviceSecure. */
NTSTATUS WdmlibIoCreateDeviceSecure(
    PDRIVER_OBJECT Driver, ULONG ExtensionSize, PUNICODE_STRING Name, ULONG Type, ULONG Characteristics,
    BOOLEAN Exclusive, PCUNICODE_STRING Sddl, LPCGUID Class, PDEVICE_OBJECT *Result);

static NTSTATUS MakeDevice(PDRIVER_OBJECT Driver)
{
    UNICODE_STRING Name = RTL_CONSTANT_STRING(L"\\FileSystem\\Filters\\Test");
    UNICODE_STRING Sddl = RTL_CONSTANT_STRING(L"D:P(A;;GA;;;SY)(A;;GA;;;BA)");
    static const GUID Class = {0x2a9f3b51, 0x7c04, 0x4d6e, {0x9b, 0x12, 0x58, 0x3d, 0x6f, 0x0e, 0x71, 0xc4}};
    NTSTATUS Status = WdmlibIoCreateDeviceSecure(
        Driver, 0, &Name, FILE_DEVICE_DISK_FILE_SYSTEM, FILE_DEVICE_SECURE_OPEN, FALSE, &Sddl, &Class, &Device);

    if (!NT_SUCCESS(Status)) {
        return Status;
    }
    Status = IoRegisterShutdownNotification(Device);
    if (!NT_SUCCESS(Status)) {
        IoDeleteDevice(Device);
        Device = NULL;
        return Status;
    }
    Driver->MajorFunction[IRP_MJ_CREATE] = Dispatch;
    Driver->MajorFunction[IRP_MJ_CLEANUP] = Dispatch;
    Driver->MajorFunction[IRP_MJ_CLOSE] = Dispatch;
    Driver->MajorFunction[IRP_MJ_FLUSH_BUFFERS] = Dispatch;
    Driver->MajorFunction[IRP_MJ_SHUTDOWN] = Dispatch;
    return Status;
}

static void DropDevice(PDRIVER_OBJECT Driver)
{
#ifdef DELETES_THE_DEVICE_FIRST
    PDEVICE_OBJECT Deleted = Device;
    IoDeleteDevice(Device);
    IoUnregisterShutdownNotification(Deleted);
#else
    IoUnregisterShutdownNotification(Device);
    IoDeleteDevice(Device);
#endif
    Device = NULL;
    Driver->MajorFunction[IRP_MJ_FLUSH_BUFFERS] = NULL;
    Driver->MajorFunction[IRP_MJ_SHUTDOWN] = NULL;
}

/* --- The error log ------------------------------------------------------------------------- */

static void Log(PDRIVER_OBJECT Driver, ULONG Step, NTSTATUS Status)
{
    static const WCHAR Text[] = L"DriverEntry";
    UCHAR Size = sizeof(IO_ERROR_LOG_PACKET) + sizeof(Text);
    PIO_ERROR_LOG_PACKET Packet = IoAllocateErrorLogEntry(Driver, Size);

    if (Packet == NULL) {
        return;
    }
    RtlZeroMemory(Packet, Size);
    Packet->ErrorCode = (NTSTATUS)0xC0040004; /* IO_ERR_DRIVER_ERROR */
    Packet->UniqueErrorValue = Step;
    Packet->FinalStatus = Status;
    Packet->NumberOfStrings = 1;
    Packet->StringOffset = sizeof(IO_ERROR_LOG_PACKET);
#ifdef LOGS_AN_ODD_OFFSET
    Packet->StringOffset = sizeof(IO_ERROR_LOG_PACKET) + 1;
#endif
    RtlCopyMemory((PUCHAR)Packet + sizeof(IO_ERROR_LOG_PACKET), Text, sizeof(Text));
    IoWriteErrorLogEntry(Packet);
}

/* --- Unloading and loading ----------------------------------------------------------------- */

#ifdef UNLOADS_WITH_QUEUED_WORK
static WORK_QUEUE_ITEM Item;

static VOID NTAPI Work(PVOID Parameter)
{
    UNREFERENCED_PARAMETER(Parameter);
    InterlockedIncrement(&Reads);
}
#endif

static NTSTATUS FLTAPI Unload(FLT_FILTER_UNLOAD_FLAGS Flags)
{
    PDRIVER_OBJECT Driver;

#ifdef UNREGISTERS_AND_SUCCEEDS
    if (Device == NULL) {
        return STATUS_SUCCESS;
    }
#endif
    Driver = Device->DriverObject;
    if (!FlagOn(Flags, FLTFL_FILTER_UNLOAD_MANDATORY)) {
        return STATUS_FLT_DO_NOT_DETACH;
    }
    DropDevice(Driver);
    FltCloseCommunicationPort(ServerPort);
#ifdef FREES_GLOBALS_FIRST
    ExFreePoolWithTag(Settings, TAG);
    FltUnregisterFilter(Filter);
#elif defined(DELETES_A_LOCK_FIRST)
    ExDeleteResourceLite(&Lock);
    FltUnregisterFilter(Filter);
    ExFreePoolWithTag(Settings, TAG);
#elif defined(HOLDS_A_LOCK_WHILE_UNREGISTERING)
    ExAcquireResourceExclusiveLite(&Lock, TRUE);
    FltUnregisterFilter(Filter);
    ExReleaseResourceLite(&Lock);
    ExFreePoolWithTag(Settings, TAG);
#else
    FltUnregisterFilter(Filter);
    ExFreePoolWithTag(Settings, TAG);
#endif
#ifndef DELETES_A_LOCK_FIRST
    ExDeleteResourceLite(&Lock);
#endif
    ExDeleteNPagedLookasideList(&Entries);
#ifdef UNLOADS_WITH_QUEUED_WORK
    ExInitializeWorkItem(&Item, Work, NULL);
    ExQueueWorkItem(&Item, DelayedWorkQueue);
#endif
    return STATUS_SUCCESS;
}

NTSTATUS NTAPI DriverEntry(PDRIVER_OBJECT Driver, PUNICODE_STRING Path)
{
    static FLT_REGISTRATION Registration = {
        sizeof(FLT_REGISTRATION),
        FLT_REGISTRATION_VERSION,
        0,
        Contexts,
        Operations,
        Unload,
        InstanceSetup,
        InstanceQueryTeardown,
    };
    ULONG Step = 1;
    NTSTATUS Status = STATUS_INSUFFICIENT_RESOURCES;

    UNREFERENCED_PARAMETER(Path);
#ifdef REGISTERS_DATA_AS_CODE
    Registration.InstanceQueryTeardownCallback = (PFLT_INSTANCE_QUERY_TEARDOWN_CALLBACK)&Reads;
#endif
#ifdef REGISTERS_CONTEXTS_WITHOUT_END
    {
        static CONST FLT_CONTEXT_REGISTRATION Endless[2] = {
            { FLT_INSTANCE_CONTEXT, 0, NULL, sizeof(INSTANCE_CONTEXT), TAG },
            { 0x33 },
        };
        Registration.ContextRegistration = Endless;
    }
#endif
#ifdef FAILS_THOUGH_NO_CALL_FAILED
    if (Path->Length != 0) {
        Log(Driver, Step, STATUS_INVALID_PARAMETER);
        return STATUS_INVALID_PARAMETER;
    }
#endif
    ExInitializeNPagedLookasideList(&Entries, NULL, NULL, POOL_NX_ALLOCATION, sizeof(ENTRY), TAG, 0);
    ExInitializeResourceLite(&Lock);
    KeInitializeSpinLock(&Counting);
#ifdef ALLOCATES_EXECUTABLE_POOL
    Settings = ExAllocatePoolWithTag(NonPagedPool, sizeof(ULONG), TAG);
#else
    Settings = ExAllocatePoolWithTag(NonPagedPoolNx, sizeof(ULONG), TAG);
#endif
    if (Settings == NULL) {
        goto FreeLists;
    }
    *Settings = 1;
    Step = 2;
    Status = FltRegisterFilter(Driver, &Registration, &Filter);
    if (!NT_SUCCESS(Status)) {
        goto FreeSettings;
    }
    Step = 3;
    Status = OpenPort();
    if (!NT_SUCCESS(Status)) {
        goto Unregister;
    }
    Step = 4;
    Status = MakeDevice(Driver);
    if (!NT_SUCCESS(Status)) {
        goto ClosePort;
    }
    Step = 5;
    Status = FltStartFiltering(Filter);
    if (!NT_SUCCESS(Status)) {
        goto DeleteDevice;
    }
#ifdef RUNS_OUT_OF_STACK
    Started = TRUE;
#endif
#ifdef UNREGISTERS_AND_SUCCEEDS
    DropDevice(Driver);
    FltCloseCommunicationPort(ServerPort);
    FltUnregisterFilter(Filter);
    ExFreePoolWithTag(Settings, TAG);
    ExDeleteResourceLite(&Lock);
    ExDeleteNPagedLookasideList(&Entries);
#endif
    return STATUS_SUCCESS;

DeleteDevice:
    DropDevice(Driver);
ClosePort:
    FltCloseCommunicationPort(ServerPort);
Unregister:
    FltUnregisterFilter(Filter);
FreeSettings:
    ExFreePoolWithTag(Settings, TAG);
FreeLists:
    ExDeleteResourceLite(&Lock);
    ExDeleteNPagedLookasideList(&Entries);
    Log(Driver, Step, Status);
    return Status;
}
