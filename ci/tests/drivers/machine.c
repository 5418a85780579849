/*
 * Minifilters that use the machine they run on in unusual ways: structured exceptions, the stack, waits, calls that the
 * bench does not model, system calls. One macro chooses what the driver does.
 */
#include <fltKernel.h>

/* IO_ERR_DRIVER_ERROR of ntiologc.h. */
#define DRIVER_ERROR ((NTSTATUS)0xC0040004)

/* A user-mode address at which there is no memory. */
#define BAD_ADDRESS 0x123400000000

/* One function that the bench does not model. */
NTKERNELAPI ULONG NTAPI KeGetRecommendedSharedDataAlignment(VOID);

static PFLT_FILTER Filter;

__attribute__((noinline)) static ULONG Read(volatile ULONG *Address)
{
    return *Address;
}

/* ---- Structured exceptions: each returns STATUS_SUCCESS if everything was as it must be. */

static ULONG Steps;

__attribute__((noinline)) static LONG Filters(ULONG Code, ULONG Expected)
{
    Steps = Steps * 10 + 1;
    return Code == Expected ? EXCEPTION_EXECUTE_HANDLER : EXCEPTION_CONTINUE_SEARCH;
}

__attribute__((noinline)) static void ReadsWithFinally(volatile ULONG *Address)
{
    __try {
        Read(Address);
    } __finally {
        Steps = Steps * 10 + 2;
    }
}

__attribute__((noinline)) static NTSTATUS Exceptions(void)
{
    volatile ULONG kept = 0x1234;
    NTSTATUS Status = STATUS_UNSUCCESSFUL;

#if defined(READS_A_BAD_USER_ADDRESS_IN_TRY)
    __try {
        Read((ULONG *)BAD_ADDRESS);
    } __except (EXCEPTION_EXECUTE_HANDLER) {
        Status = GetExceptionCode() == STATUS_ACCESS_VIOLATION && kept == 0x1234 ? STATUS_SUCCESS : STATUS_UNSUCCESSFUL;
    }
#elif defined(READS_NULL_IN_TRY)
    __try {
        Read(NULL);
    } __except (Filters(GetExceptionCode(), STATUS_ACCESS_VIOLATION)) {
        Status = Steps == 1 ? STATUS_SUCCESS : STATUS_UNSUCCESSFUL;
    }
#elif defined(TERMINATES_BEFORE_IT_HANDLES)
    __try {
        __try {
            ReadsWithFinally((ULONG *)BAD_ADDRESS);
        } __except (Filters(GetExceptionCode(), STATUS_BREAKPOINT)) {
            Steps = 0;
        }
    } __except (Filters(GetExceptionCode(), STATUS_ACCESS_VIOLATION)) {
        /* Both filters, then the handler of termination, then this. */
        Status = Steps == 112 && kept == 0x1234 ? STATUS_SUCCESS : STATUS_UNSUCCESSFUL;
    }
#elif defined(RAISES_A_STATUS)
    __try {
        ExRaiseStatus(STATUS_INSUFFICIENT_RESOURCES);
    } __except (EXCEPTION_EXECUTE_HANDLER) {
        Status = GetExceptionCode() == STATUS_INSUFFICIENT_RESOURCES ? STATUS_SUCCESS : STATUS_UNSUCCESSFUL;
    }
#elif defined(COPIES_FROM_A_BAD_USER_ADDRESS)
    UCHAR Buffer[16];
    __try {
        RtlCopyMemory(Buffer, (PVOID)BAD_ADDRESS, sizeof(Buffer));
        RtlCopyMemory(Buffer, NULL, sizeof(Buffer));
    } __except (EXCEPTION_EXECUTE_HANDLER) {
        Status = kept == 0x1234 ? STATUS_SUCCESS : STATUS_UNSUCCESSFUL;
    }
#elif defined(PROBES_USER_BUFFERS)
    ULONG Refused = 0;
    __try {
        ProbeForRead((PVOID)0x7FFFFFFF0000, 16, 1);
    } __except (EXCEPTION_EXECUTE_HANDLER) {
        Refused += GetExceptionCode() == STATUS_ACCESS_VIOLATION;
    }
    __try {
        ProbeForRead((PVOID)(BAD_ADDRESS + 1), 16, 4);
    } __except (EXCEPTION_EXECUTE_HANDLER) {
        Refused += GetExceptionCode() == STATUS_DATATYPE_MISALIGNMENT;
    }
    __try {
        ProbeForWrite((PVOID)BAD_ADDRESS, 0x3000, 1);
    } __except (EXCEPTION_EXECUTE_HANDLER) {
        Refused += GetExceptionCode() == STATUS_ACCESS_VIOLATION;
    }
    __try {
        ProbeForRead((PVOID)(BAD_ADDRESS + 1), 0, 4);
        ProbeForRead((PVOID)&kept, sizeof(kept), sizeof(kept));
        ProbeForWrite((PVOID)&kept, sizeof(kept), sizeof(kept));
        Status = Refused == 3 && kept == 0x1234 ? STATUS_SUCCESS : STATUS_UNSUCCESSFUL;
    } __except (EXCEPTION_EXECUTE_HANDLER) {
        Status = GetExceptionCode();
    }
#elif defined(HANDLES_IN_A_LOOP)
    ULONG i, Handled = 0;
    for (i = 0; i < 1000; i++) {
        __try {
            Read((ULONG *)(ULONG_PTR)(BAD_ADDRESS + 4 * i));
        } __except (EXCEPTION_EXECUTE_HANDLER) {
            Handled++;
        }
    }
    Status = Handled == 1000 ? STATUS_SUCCESS : STATUS_UNSUCCESSFUL;
#elif defined(NO_FILTER_TAKES_IT)
    __try {
        Read((ULONG *)BAD_ADDRESS);
    } __except (Filters(GetExceptionCode(), STATUS_BREAKPOINT)) {
        Status = STATUS_SUCCESS;
    }
#elif defined(NO_FILTER_TAKES_A_RAISED_STATUS)
    __try {
        ExRaiseStatus(STATUS_INSUFFICIENT_RESOURCES);
    } __except (Filters(GetExceptionCode(), STATUS_BREAKPOINT)) {
        Status = STATUS_SUCCESS;
    }
#elif defined(READS_FREED_POOL_IN_TRY)
    ULONG *Block = ExAllocatePool2(POOL_FLAG_NON_PAGED, 64, 'tseT');
    if (Block == NULL) {
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    ExFreePool(Block);
    __try {
        Read(Block);
    } __except (EXCEPTION_EXECUTE_HANDLER) {
        Status = STATUS_SUCCESS;
    }
#elif defined(LEAKS_WHEN_IT_HANDLES)
    __try {
        if (ExAllocatePool2(POOL_FLAG_NON_PAGED, 64, 'tseT') != NULL) {
            Read((ULONG *)BAD_ADDRESS);
        }
    } __except (EXCEPTION_EXECUTE_HANDLER) {
    }
    Status = STATUS_SUCCESS;
#else
    UNREFERENCED_PARAMETER(kept);
    Status = STATUS_SUCCESS;
#endif
    return Status;
}

/* ---- The stack, waits, memory. */

#if defined(USES_UP_THE_STACK)
__attribute__((noinline)) static ULONG Recurse(volatile ULONG *Depth)
{
    volatile UCHAR Local[512];
    Local[*Depth % sizeof(Local)] = 1;
    ++*Depth;
    return Recurse(Depth) + Local[0];
}
#endif

#if defined(HAS_A_LARGE_LOCAL)
__attribute__((noinline)) static ULONG Large(void)
{
    volatile UCHAR Local[64 * 1024];
    ULONG i;
    for (i = 0; i < sizeof(Local); i += 64) {
        Local[i] = (UCHAR)i;
    }
    return Local[128];
}
#endif

#if defined(NESTS_WITHIN_THE_STACK)
__attribute__((noinline)) static ULONG Nest(ULONG Depth)
{
    volatile UCHAR Local[512];
    Local[0] = (UCHAR)Depth;
    return Depth == 0 ? 0 : Nest(Depth - 1) + Local[0];
}
#endif

#if defined(NEEDS_AN_ORDER_OF_WORK_ITEMS)
static WORK_QUEUE_ITEM First, Second;
static BOOLEAN FirstRan;

static VOID NTAPI RunFirst(PVOID Parameter)
{
    UNREFERENCED_PARAMETER(Parameter);
    FirstRan = TRUE;
}

static VOID NTAPI RunSecond(PVOID Parameter)
{
    UNREFERENCED_PARAMETER(Parameter);
    if (!FirstRan) {
        DbgBreakPoint();
    }
}
#endif

/* A system call of Linux: the driver leaves the machine. */
__attribute__((noinline)) static LONG_PTR SystemCall(ULONG_PTR Number, ULONG_PTR One, ULONG_PTR Two, ULONG_PTR Three)
{
    LONG_PTR Result;
    __asm__ volatile("syscall"
                     : "=a"(Result)
                     : "a"(Number), "D"(One), "S"(Two), "d"(Three)
                     : "rcx", "r11", "memory");
    return Result;
}

static void Acts(void)
{
#if defined(USES_UP_THE_STACK)
    volatile ULONG Depth = 0;
    Recurse(&Depth);
#elif defined(HAS_A_LARGE_LOCAL)
    Large();
#elif defined(NESTS_WITHIN_THE_STACK)
    Nest(30);
#elif defined(BLOCKS_FOREVER)
    KEVENT Event;
    KeInitializeEvent(&Event, NotificationEvent, FALSE);
    KeWaitForSingleObject(&Event, Executive, KernelMode, FALSE, NULL);
#elif defined(NEEDS_AN_ORDER_OF_WORK_ITEMS)
    LARGE_INTEGER Interval = { .QuadPart = -10000 };
    FirstRan = FALSE;
    ExInitializeWorkItem(&First, RunFirst, NULL);
    ExInitializeWorkItem(&Second, RunSecond, NULL);
    ExQueueWorkItem(&First, DelayedWorkQueue);
    ExQueueWorkItem(&Second, DelayedWorkQueue);
    KeDelayExecutionThread(KernelMode, FALSE, &Interval);
#elif defined(ALLOCATES_WITHOUT_END)
    while (ExAllocatePool2(POOL_FLAG_NON_PAGED, 16 * 1024 * 1024, 'tseT') != NULL) {
    }
#elif defined(OPENS_A_SOCKET)
    SystemCall(41, 2, 1, 0);
#elif defined(WRITES_A_FILE)
    static const char Path[] = "/tmp/written-by-a-driver";
    LONG_PTR File = SystemCall(2, (ULONG_PTR)Path, 0x41, 0600);
    SystemCall(1, (ULONG_PTR)File, (ULONG_PTR)Path, sizeof(Path));
#elif defined(FORKS)
    while (SystemCall(57, 0, 0, 0) >= 0) {
    }
#elif defined(KILLS_ITS_PARENT)
    SystemCall(62, (ULONG_PTR)SystemCall(110, 0, 0, 0), 9, 0);
#else
    (void)SystemCall;
#endif
}

#if defined(CALLS_UNMODELLED_IN_A_WORK_ITEM)
static VOID FLTAPI Work(PFLT_GENERIC_WORKITEM Item, PVOID Object, PVOID Context)
{
    UNREFERENCED_PARAMETER(Object);
    UNREFERENCED_PARAMETER(Context);
    (void)KeGetRecommendedSharedDataAlignment();
    FltFreeGenericWorkItem(Item);
}

static void Queue(void)
{
    PFLT_GENERIC_WORKITEM Item = FltAllocateGenericWorkItem();

    if (Item != NULL && !NT_SUCCESS(FltQueueGenericWorkItem(Item, Filter, Work, DelayedWorkQueue, NULL))) {
        FltFreeGenericWorkItem(Item);
    }
}
#endif

static FLT_PREOP_CALLBACK_STATUS FLTAPI PreCreate(PFLT_CALLBACK_DATA Data, PCFLT_RELATED_OBJECTS Objects, PVOID *Context)
{
    UNREFERENCED_PARAMETER(Data);
    UNREFERENCED_PARAMETER(Objects);
    UNREFERENCED_PARAMETER(Context);
    Acts();
#if defined(CALLS_UNMODELLED_IN_A_CALLBACK)
    (void)KeGetRecommendedSharedDataAlignment();
#elif defined(CALLS_UNMODELLED_IN_A_WORK_ITEM)
    Queue();
#endif
    return FLT_PREOP_SUCCESS_NO_CALLBACK;
}

static NTSTATUS FLTAPI Unload(FLT_FILTER_UNLOAD_FLAGS Flags)
{
    UNREFERENCED_PARAMETER(Flags);
#if defined(CALLS_UNMODELLED_IN_UNLOAD)
    (void)KeGetRecommendedSharedDataAlignment();
#endif
    FltUnregisterFilter(Filter);
    return STATUS_SUCCESS;
}

static const FLT_OPERATION_REGISTRATION Operations[] = {
    { IRP_MJ_CREATE, 0, PreCreate, NULL },
    { IRP_MJ_OPERATION_END },
};

static const FLT_REGISTRATION Registration = {
    sizeof(FLT_REGISTRATION), FLT_REGISTRATION_VERSION, 0, NULL, Operations, Unload,
};

/* Logs that the driver does not start. */
static NTSTATUS Fails(PDRIVER_OBJECT DriverObject, NTSTATUS Status)
{
    PIO_ERROR_LOG_PACKET Entry = IoAllocateErrorLogEntry(DriverObject, sizeof(*Entry));

    if (Entry != NULL) {
        RtlZeroMemory(Entry, sizeof(*Entry));
        Entry->ErrorCode = DRIVER_ERROR;
        Entry->FinalStatus = Status;
        IoWriteErrorLogEntry(Entry);
    }
    return Status;
}

NTSTATUS NTAPI DriverEntry(PDRIVER_OBJECT DriverObject, PUNICODE_STRING RegistryPath)
{
    NTSTATUS Status;

    UNREFERENCED_PARAMETER(RegistryPath);
#if defined(CALLS_UNMODELLED_IN_DRIVERENTRY)
    (void)KeGetRecommendedSharedDataAlignment();
#endif
    Status = Exceptions();
    if (!NT_SUCCESS(Status)) {
        return Status;
    }
    Status = FltRegisterFilter(DriverObject, &Registration, &Filter);
    if (!NT_SUCCESS(Status)) {
        return Fails(DriverObject, Status);
    }
    Status = FltStartFiltering(Filter);
    if (!NT_SUCCESS(Status)) {
        FltUnregisterFilter(Filter);
        return Fails(DriverObject, Status);
    }
    return STATUS_SUCCESS;
}
