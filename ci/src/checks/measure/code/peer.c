/*
 * The C drivers that the emitted drivers are measured beside. They do the same as the project with the defaults, and,
 * with EXAMPLE, the same as the filter in example.toml.
 */
#include <fltKernel.h>

static PFLT_FILTER Filter;
static volatile LONG Attached;

#define LOAD_FAILED ((NTSTATUS)0xE0040001L)

static void LogFailure(PDRIVER_OBJECT DriverObject, ULONG Step, PCWSTR Function, NTSTATUS Status)
{
    size_t Length = wcslen(Function) + 1;
    size_t Size = sizeof(IO_ERROR_LOG_PACKET) + (Length + 11) * sizeof(WCHAR);
    PIO_ERROR_LOG_PACKET Packet = IoAllocateErrorLogEntry(DriverObject, (UCHAR)Size);
    PWCHAR Strings;
    int Digit;

    if (Packet == NULL) {
        return;
    }
    RtlZeroMemory(Packet, sizeof(*Packet));
    Packet->NumberOfStrings = 2;
    Packet->StringOffset = sizeof(*Packet);
    Packet->ErrorCode = LOAD_FAILED;
    Packet->UniqueErrorValue = Step;
    Packet->FinalStatus = Status;
    Strings = (PWCHAR)((PUCHAR)Packet + sizeof(*Packet));
    while ((*Strings++ = *Function++) != 0) {
    }
    *Strings++ = '0';
    *Strings++ = 'x';
    for (Digit = 28; Digit >= 0; Digit -= 4) {
        ULONG Value = ((ULONG)Status >> Digit) & 0xF;
        *Strings++ = (WCHAR)(Value < 10 ? '0' + Value : 'A' + Value - 10);
    }
    *Strings = 0;
    IoWriteErrorLogEntry(Packet);
}

static NTSTATUS FLTAPI Setup(
    PCFLT_RELATED_OBJECTS Objects, FLT_INSTANCE_SETUP_FLAGS Flags, DEVICE_TYPE DeviceType,
    FLT_FILESYSTEM_TYPE FileSystem)
{
    UNREFERENCED_PARAMETER(Objects);
    UNREFERENCED_PARAMETER(Flags);
    UNREFERENCED_PARAMETER(DeviceType);
    if (FileSystem == FLT_FSTYPE_RAW) {
        return STATUS_FLT_DO_NOT_ATTACH;
    }
    InterlockedIncrement(&Attached);
    return STATUS_SUCCESS;
}

static NTSTATUS FLTAPI QueryTeardown(PCFLT_RELATED_OBJECTS Objects, FLT_INSTANCE_QUERY_TEARDOWN_FLAGS Flags)
{
    UNREFERENCED_PARAMETER(Objects);
    UNREFERENCED_PARAMETER(Flags);
    return STATUS_SUCCESS;
}

static VOID FLTAPI TeardownComplete(PCFLT_RELATED_OBJECTS Objects, FLT_INSTANCE_TEARDOWN_FLAGS Flags)
{
    UNREFERENCED_PARAMETER(Objects);
    UNREFERENCED_PARAMETER(Flags);
    InterlockedDecrement(&Attached);
}

static NTSTATUS FLTAPI Unload(FLT_FILTER_UNLOAD_FLAGS Flags)
{
    UNREFERENCED_PARAMETER(Flags);
    FltUnregisterFilter(Filter);
    return STATUS_SUCCESS;
}

#ifdef EXAMPLE

static volatile LONG64 BytesRequested;
static volatile LONG64 BytesRead;

static BOOLEAN Equal(WCHAR One, WCHAR Other)
{
    return One == Other || RtlUpcaseUnicodeChar(One) == RtlUpcaseUnicodeChar(Other);
}

static BOOLEAN Matches(PCWSTR Name, PCWSTR NameEnd, PCWSTR Pattern)
{
    PCWSTR AfterAny = NULL;
    PCWSTR Retry = NULL;

    for (;;) {
        if (*Pattern == '*') {
            AfterAny = ++Pattern;
            Retry = Name;
        } else if (Name == NameEnd && *Pattern == 0) {
            return TRUE;
        } else if (Name != NameEnd && *Pattern != 0 && (*Pattern == '?' || Equal(*Name, *Pattern))) {
            Name++;
            Pattern++;
        } else if (AfterAny != NULL && Retry != NameEnd) {
            Name = ++Retry;
            Pattern = AfterAny;
        } else {
            return FALSE;
        }
    }
}

/* The end of a name without its stream. */
static PCWSTR EndOfPath(PCWSTR Name, PCWSTR End)
{
    PCWSTR Place = End;

    while (Place != Name && Place[-1] != '\\') {
        Place--;
    }
    while (Place != End && *Place != ':') {
        Place++;
    }
    return Place;
}

static FLT_PREOP_CALLBACK_STATUS FLTAPI PreCreate(
    PFLT_CALLBACK_DATA Data, PCFLT_RELATED_OBJECTS Objects, PVOID *Context)
{
    PFLT_FILE_NAME_INFORMATION Name;
    PCWSTR Begin;
    BOOLEAN Denied;

    UNREFERENCED_PARAMETER(Objects);
    UNREFERENCED_PARAMETER(Context);
    if (!NT_SUCCESS(FltGetFileNameInformation(Data, FLT_FILE_NAME_NORMALIZED | FLT_FILE_NAME_QUERY_DEFAULT, &Name))) {
        return FLT_PREOP_SUCCESS_NO_CALLBACK;
    }
    Begin = Name->Name.Buffer;
    Denied = Matches(Begin, EndOfPath(Begin, Begin + Name->Name.Length / sizeof(WCHAR)), L"*.blocked");
    if (Denied) {
        (void)FltGetRequestorProcessId(Data);
    }
    FltReleaseFileNameInformation(Name);
    if (!Denied) {
        return FLT_PREOP_SUCCESS_NO_CALLBACK;
    }
    Data->IoStatus.Status = STATUS_ACCESS_DENIED;
    Data->IoStatus.Information = 0;
    return FLT_PREOP_COMPLETE;
}

static FLT_PREOP_CALLBACK_STATUS FLTAPI PreRead(
    PFLT_CALLBACK_DATA Data, PCFLT_RELATED_OBJECTS Objects, PVOID *Context)
{
    UNREFERENCED_PARAMETER(Objects);
    *Context = (PVOID)(ULONG_PTR)Data->Iopb->Parameters.Read.Length;
    return FLT_PREOP_SUCCESS_WITH_CALLBACK;
}

static FLT_POSTOP_CALLBACK_STATUS FLTAPI PostRead(
    PFLT_CALLBACK_DATA Data, PCFLT_RELATED_OBJECTS Objects, PVOID Context, FLT_POST_OPERATION_FLAGS Flags)
{
    UNREFERENCED_PARAMETER(Objects);
    if (Flags & FLTFL_POST_OPERATION_DRAINING) {
        return FLT_POSTOP_FINISHED_PROCESSING;
    }
    InterlockedExchangeAdd64(&BytesRequested, (ULONG)(ULONG_PTR)Context);
    if (NT_SUCCESS(Data->IoStatus.Status)) {
        InterlockedExchangeAdd64(&BytesRead, Data->IoStatus.Information);
    }
    return FLT_POSTOP_FINISHED_PROCESSING;
}

static FLT_PREOP_CALLBACK_STATUS FLTAPI PreQuery(
    PFLT_CALLBACK_DATA Data, PCFLT_RELATED_OBJECTS Objects, PVOID *Context)
{
    FILE_STANDARD_INFORMATION Information = {0};
    PMDL *Mdl = NULL;
    PVOID *Buffer = NULL;
    PULONG Length = NULL;
    PUCHAR To;
    ULONG Byte;

    UNREFERENCED_PARAMETER(Objects);
    UNREFERENCED_PARAMETER(Context);
    if (Data->Iopb->Parameters.QueryFileInformation.FileInformationClass != FileStandardInformation) {
        return FLT_PREOP_SUCCESS_NO_CALLBACK;
    }
    if (FLT_IS_FASTIO_OPERATION(Data)) {
        return FLT_PREOP_DISALLOW_FASTIO;
    }
    Information.AllocationSize.QuadPart = BytesRead;
    Information.EndOfFile = Information.AllocationSize;
    if (!NT_SUCCESS(FltDecodeParameters(Data, &Mdl, &Buffer, &Length, NULL)) || !FLT_IS_SYSTEM_BUFFER(Data)
        || Buffer == NULL || Length == NULL || *Length < sizeof(Information)) {
        return FLT_PREOP_SUCCESS_NO_CALLBACK;
    }
    To = *Buffer;
    for (Byte = 0; Byte < sizeof(Information); Byte++) {
        To[Byte] = ((PUCHAR)&Information)[Byte];
    }
    Data->IoStatus.Status = STATUS_SUCCESS;
    Data->IoStatus.Information = sizeof(Information);
    return FLT_PREOP_COMPLETE;
}

/* A filter of reads vetoes BypassIO. */

typedef NTSTATUS(FLTAPI *VETO)(PFLT_CALLBACK_DATA, PCFLT_RELATED_OBJECTS, NTSTATUS, PCUNICODE_STRING);

static FLT_PREOP_CALLBACK_STATUS FLTAPI PreControl(
    PFLT_CALLBACK_DATA Data, PCFLT_RELATED_OBJECTS Objects, PVOID *Context)
{
    static const UNICODE_STRING Reason = RTL_CONSTANT_STRING(L"example filters reads of this file");
    ULONG Operation;
    VETO Veto;

    UNREFERENCED_PARAMETER(Context);
    if ((Data->Iopb->MinorFunction != IRP_MN_USER_FS_REQUEST && Data->Iopb->MinorFunction != IRP_MN_KERNEL_CALL)
        || Data->Iopb->Parameters.FileSystemControl.Common.FsControlCode != 0x00090448
        || Data->Iopb->Parameters.FileSystemControl.Common.InputBufferLength < 24) {
        return FLT_PREOP_SUCCESS_NO_CALLBACK;
    }
    Operation = *(PULONG)Data->Iopb->Parameters.FileSystemControl.Buffered.SystemBuffer;
    if (Operation != 1 && Operation != 3) {
        return FLT_PREOP_SUCCESS_NO_CALLBACK;
    }
    Veto = (VETO)FltGetRoutineAddress("FltVetoBypassIo");
    if (Veto == NULL) {
        return FLT_PREOP_SUCCESS_NO_CALLBACK;
    }
    Data->IoStatus.Status = Veto(Data, Objects, (NTSTATUS)0xC00004CEL, &Reason);
    Data->IoStatus.Information = NT_SUCCESS(Data->IoStatus.Status) ? 352 : 0;
    return FLT_PREOP_COMPLETE;
}

#else

static FLT_PREOP_CALLBACK_STATUS FLTAPI PreCreate(
    PFLT_CALLBACK_DATA Data, PCFLT_RELATED_OBJECTS Objects, PVOID *Context)
{
    UNREFERENCED_PARAMETER(Data);
    UNREFERENCED_PARAMETER(Objects);
    UNREFERENCED_PARAMETER(Context);
    return FLT_PREOP_SUCCESS_NO_CALLBACK;
}

#endif

static FLT_POSTOP_CALLBACK_STATUS FLTAPI PostOperation(
    PFLT_CALLBACK_DATA Data, PCFLT_RELATED_OBJECTS Objects, PVOID Context, FLT_POST_OPERATION_FLAGS Flags)
{
    UNREFERENCED_PARAMETER(Data);
    UNREFERENCED_PARAMETER(Objects);
    UNREFERENCED_PARAMETER(Context);
    UNREFERENCED_PARAMETER(Flags);
    return FLT_POSTOP_FINISHED_PROCESSING;
}

static const FLT_OPERATION_REGISTRATION Operations[] = {
    {IRP_MJ_CREATE, 0, PreCreate, PostOperation, NULL},
#ifdef EXAMPLE
    {IRP_MJ_READ, FLTFL_OPERATION_REGISTRATION_SKIP_PAGING_IO, PreRead, PostRead, NULL},
    {IRP_MJ_QUERY_INFORMATION, 0, PreQuery, PostOperation, NULL},
    {IRP_MJ_FILE_SYSTEM_CONTROL, 0, PreControl, NULL, NULL},
#endif
    {IRP_MJ_OPERATION_END, 0, NULL, NULL, NULL},
};

static const FLT_REGISTRATION Registration = {
    .Size = sizeof(FLT_REGISTRATION),
    .Version = FLT_REGISTRATION_VERSION,
#ifndef EXAMPLE
    .Flags = FLTFL_REGISTRATION_SUPPORT_DAX_VOLUME,
#endif
    .OperationRegistration = Operations,
    .FilterUnloadCallback = Unload,
    .InstanceSetupCallback = Setup,
    .InstanceQueryTeardownCallback = QueryTeardown,
    .InstanceTeardownCompleteCallback = TeardownComplete,
};

DRIVER_INITIALIZE DriverEntry;

NTSTATUS DriverEntry(PDRIVER_OBJECT DriverObject, PUNICODE_STRING RegistryPath)
{
    NTSTATUS Status;

    UNREFERENCED_PARAMETER(RegistryPath);
    Status = FltRegisterFilter(DriverObject, &Registration, &Filter);
    if (!NT_SUCCESS(Status)) {
        LogFailure(DriverObject, 1, L"FltRegisterFilter", Status);
        return Status;
    }
    Status = FltStartFiltering(Filter);
    if (!NT_SUCCESS(Status)) {
        FltUnregisterFilter(Filter);
        LogFailure(DriverObject, 2, L"FltStartFiltering", Status);
        return Status;
    }
    return STATUS_SUCCESS;
}
