/*
 * A minifilter in C that loads only with its settings: one of each type, read with the functions that drivers use.
 */
#include <fltKernel.h>

/* In wdm.h of Windows 8 and later. */
#ifndef RTL_QUERY_REGISTRY_TYPECHECK
#define RTL_QUERY_REGISTRY_TYPECHECK 0x100
#define RTL_QUERY_REGISTRY_TYPECHECK_SHIFT 24
#endif

static PFLT_FILTER Filter;

typedef struct _VALUE {
    KEY_VALUE_PARTIAL_INFORMATION Head;
    UCHAR More[128];
} VALUE;

/* Opens a key below another one, or by its full path. */
static NTSTATUS Open(HANDLE Root, PUNICODE_STRING Name, PHANDLE Key)
{
    OBJECT_ATTRIBUTES Attributes;

    InitializeObjectAttributes(&Attributes, Name, OBJ_KERNEL_HANDLE | OBJ_CASE_INSENSITIVE, Root, NULL);
    return ZwOpenKey(Key, KEY_READ, &Attributes);
}

/* Fails unless the value exists, with this type and these bytes. */
static NTSTATUS Demand(HANDLE Key, const WCHAR *Name, ULONG Type, const void *Data, ULONG Length)
{
    VALUE Value;
    UNICODE_STRING String;
    ULONG Returned;
    NTSTATUS Status;

    RtlInitUnicodeString(&String, Name);
    Status = ZwQueryValueKey(Key, &String, KeyValuePartialInformation, &Value, sizeof(Value), &Returned);
    if (!NT_SUCCESS(Status)) {
        return Status;
    }
    if (Value.Head.Type != Type || Value.Head.DataLength != Length
        || RtlCompareMemory(Value.Head.Data, Data, Length) != Length) {
        return STATUS_OBJECT_TYPE_MISMATCH;
    }
    return STATUS_SUCCESS;
}

static NTSTATUS NTAPI Count(PWSTR Name, ULONG Type, PVOID Data, ULONG Length, PVOID Context, PVOID Entry)
{
    UNREFERENCED_PARAMETER(Name);
    UNREFERENCED_PARAMETER(Entry);
    if (Type == REG_SZ && Length == 2 * sizeof(WCHAR) && *(PWCHAR)Data == L'a' + *(PULONG)Context) {
        ++*(PULONG)Context;
    }
    return STATUS_SUCCESS;
}

/* Reads values with a query table, relative to the Services key. */
static NTSTATUS DemandByTable(PUNICODE_STRING Path)
{
    ULONG Mode = 0, Missing = 0, Strings = 0, Default = 7;
    UNICODE_STRING Text = { 0 };
    WCHAR Name[128];
    ULONG Begin, End = Path->Length / sizeof(WCHAR), i;
    RTL_QUERY_REGISTRY_TABLE Table[] = {
        { NULL, RTL_QUERY_REGISTRY_SUBKEY, L"Parameters" },
        { NULL, RTL_QUERY_REGISTRY_DIRECT | RTL_QUERY_REGISTRY_REQUIRED | RTL_QUERY_REGISTRY_TYPECHECK, L"Mode", &Mode,
          REG_DWORD << RTL_QUERY_REGISTRY_TYPECHECK_SHIFT },
        { NULL, RTL_QUERY_REGISTRY_DIRECT | RTL_QUERY_REGISTRY_TYPECHECK, L"Missing", &Missing,
          (REG_DWORD << RTL_QUERY_REGISTRY_TYPECHECK_SHIFT) | REG_DWORD, &Default, sizeof(Default) },
        { NULL, RTL_QUERY_REGISTRY_DIRECT | RTL_QUERY_REGISTRY_REQUIRED | RTL_QUERY_REGISTRY_TYPECHECK, L"Text", &Text,
          REG_SZ << RTL_QUERY_REGISTRY_TYPECHECK_SHIFT },
        { Count, RTL_QUERY_REGISTRY_REQUIRED, L"List", NULL },
        { NULL },
    };
    NTSTATUS Status;

    for (Begin = End; Begin > 0 && Path->Buffer[Begin - 1] != L'\\'; Begin--) {
    }
    for (i = 0; Begin + i < End; i++) {
        Name[i] = Path->Buffer[Begin + i];
    }
    Name[i] = 0;
    Status = RtlQueryRegistryValues(RTL_REGISTRY_SERVICES, Name, Table, &Strings, NULL);
    if (Text.Buffer != NULL) {
        UNICODE_STRING Expected = RTL_CONSTANT_STRING(L"C:\\data");
        if (!RtlEqualUnicodeString(&Text, &Expected, FALSE)) {
            Status = STATUS_OBJECT_TYPE_MISMATCH;
        }
        ExFreePool(Text.Buffer);
    }
    if (NT_SUCCESS(Status) && (Mode != 1 || Missing != 7 || Strings != 2)) {
        return STATUS_OBJECT_TYPE_MISMATCH;
    }
    return Status;
}

/* Reads a value of the service key by the path that DriverEntry receives, which ends with a NUL on every Windows. */
static NTSTATUS DemandByPath(PUNICODE_STRING Path)
{
    ULONG Debug = 0;
    RTL_QUERY_REGISTRY_TABLE Table[] = {
        { NULL, RTL_QUERY_REGISTRY_DIRECT | RTL_QUERY_REGISTRY_REQUIRED | RTL_QUERY_REGISTRY_TYPECHECK, L"Debug", &Debug,
          REG_DWORD << RTL_QUERY_REGISTRY_TYPECHECK_SHIFT },
        { NULL },
    };
    NTSTATUS Status = RtlQueryRegistryValues(RTL_REGISTRY_ABSOLUTE, Path->Buffer, Table, NULL, NULL);

    if (NT_SUCCESS(Status) && Debug != 1) {
        return STATUS_OBJECT_TYPE_MISMATCH;
    }
    return Status;
}

static NTSTATUS Read(PDRIVER_OBJECT Driver, PUNICODE_STRING Path)
{
    static const ULONG Mode = 1;
    static const ULONG64 Limit = 0x100000000;
    static const UCHAR Bytes[] = { 0x01, 0xFF, 0x00 };
    UNICODE_STRING Rules = RTL_CONSTANT_STRING(L"Rules");
    HANDLE Own, Parameters, Below;
    NTSTATUS Status = Open(NULL, Path, &Own);

    if (!NT_SUCCESS(Status)) {
        return Status;
    }
    Status = Demand(Own, L"Debug", REG_DWORD, &Mode, sizeof(Mode));
    ZwClose(Own);
    if (NT_SUCCESS(Status)) {
        Status = DemandByPath(Path);
    }
    if (!NT_SUCCESS(Status)) {
        return Status;
    }
    Status = IoOpenDriverRegistryKey(Driver, DriverRegKeyParameters, KEY_READ, 0, &Parameters);
    if (!NT_SUCCESS(Status)) {
        return Status;
    }
    Status = Demand(Parameters, L"Mode", REG_DWORD, &Mode, sizeof(Mode));
    if (NT_SUCCESS(Status)) {
        Status = Demand(Parameters, L"Limit", REG_QWORD, &Limit, sizeof(Limit));
    }
    if (NT_SUCCESS(Status)) {
        Status = Demand(Parameters, L"Text", REG_SZ, L"C:\\data", sizeof(L"C:\\data"));
    }
    if (NT_SUCCESS(Status)) {
        Status = Demand(Parameters, L"Root", REG_EXPAND_SZ, L"%SystemRoot%", sizeof(L"%SystemRoot%"));
    }
    if (NT_SUCCESS(Status)) {
        Status = Demand(Parameters, L"List", REG_MULTI_SZ, L"a\0b\0", sizeof(L"a\0b\0"));
    }
    if (NT_SUCCESS(Status)) {
        Status = Open(Parameters, &Rules, &Below);
        if (NT_SUCCESS(Status)) {
            Status = Demand(Below, L"Bytes", REG_BINARY, Bytes, sizeof(Bytes));
            ZwClose(Below);
        }
    }
    ZwClose(Parameters);
    return NT_SUCCESS(Status) ? DemandByTable(Path) : Status;
}

static FLT_PREOP_CALLBACK_STATUS FLTAPI PreCreate(PFLT_CALLBACK_DATA Data, PCFLT_RELATED_OBJECTS Objects, PVOID *Context)
{
    UNREFERENCED_PARAMETER(Data);
    UNREFERENCED_PARAMETER(Objects);
    UNREFERENCED_PARAMETER(Context);
#ifdef CRASHES_LATER
    *(volatile ULONG *)0 = 1;
#endif
    return FLT_PREOP_SUCCESS_NO_CALLBACK;
}

static NTSTATUS FLTAPI Unload(FLT_FILTER_UNLOAD_FLAGS Flags)
{
    UNREFERENCED_PARAMETER(Flags);
    FltUnregisterFilter(Filter);
    return STATUS_SUCCESS;
}

static CONST FLT_OPERATION_REGISTRATION Operations[] = {
    { IRP_MJ_CREATE, 0, PreCreate, NULL },
    { IRP_MJ_OPERATION_END },
};

static CONST FLT_REGISTRATION Registration = {
    sizeof(FLT_REGISTRATION), FLT_REGISTRATION_VERSION, 0, NULL, Operations, Unload,
};

/* Logs a failed load with a message of another file, which an INF can name in EventMessageFile. */
static void Log(PDRIVER_OBJECT Driver, NTSTATUS Status)
{
    PIO_ERROR_LOG_PACKET Packet = IoAllocateErrorLogEntry(Driver, sizeof(IO_ERROR_LOG_PACKET));

    if (Packet == NULL) {
        return;
    }
    RtlZeroMemory(Packet, sizeof(IO_ERROR_LOG_PACKET));
    Packet->ErrorCode = (NTSTATUS)0xE0050001;
    Packet->FinalStatus = Status;
    IoWriteErrorLogEntry(Packet);
}

NTSTATUS NTAPI DriverEntry(PDRIVER_OBJECT Driver, PUNICODE_STRING Path)
{
    NTSTATUS Status = Read(Driver, Path);

    if (NT_SUCCESS(Status)) {
        Status = FltRegisterFilter(Driver, &Registration, &Filter);
    }
    if (NT_SUCCESS(Status)) {
        Status = FltStartFiltering(Filter);
        if (!NT_SUCCESS(Status)) {
            FltUnregisterFilter(Filter);
        }
    }
    if (!NT_SUCCESS(Status)) {
        Log(Driver, Status);
        return Status;
    }
    return STATUS_SUCCESS;
}
