/*
 * A minifilter in C that passes arguments to Windows, for the test bench.
 *
 * Without a macro, Windows accepts them all. Each test defines one of the macros below (#ifdef), which changes an
 * argument, and names the rule that must find it. The driver works without what it does not get.
 */
#include <fltKernel.h>

#include "log.h"

#define TAG 'tseT'

static PFLT_FILTER Filter;
static PFLT_PORT ServerPort;
static PDEVICE_OBJECT Device;
static UNICODE_STRING DeviceName = RTL_CONSTANT_STRING(L"\\Device\\Test");
static BOOLEAN Linked;
/* The number of open handles, or a negative number if no more are opened. */
static volatile LONG Opens;
#define CLOSED ((LONG)0x80000000)
#ifdef LINKS_OUTSIDE_OF_DOSDEVICES
static UNICODE_STRING LinkName = RTL_CONSTANT_STRING(L"\\Device\\TestLink");
#elif defined(LINKS_WITHOUT_A_PATH)
static UNICODE_STRING LinkName = RTL_CONSTANT_STRING(L"Test");
#elif defined(LINKS_IN_A_MISSING_DIRECTORY)
static UNICODE_STRING LinkName = RTL_CONSTANT_STRING(L"\\DosDevice\\Test");
#else
static UNICODE_STRING LinkName = RTL_CONSTANT_STRING(L"\\DosDevices\\Test");
#endif

DRIVER_INITIALIZE DriverEntry;

/* wdm.h has only the declaration that wdmsec.lib implements. */
NTSTATUS WdmlibIoCreateDeviceSecure(
    PDRIVER_OBJECT Driver, ULONG ExtensionSize, PUNICODE_STRING Name, ULONG Type, ULONG Characteristics,
    BOOLEAN Exclusive, PCUNICODE_STRING Sddl, LPCGUID Class, PDEVICE_OBJECT *Result);

/* --- Files and keys ------------------------------------------------------------------------- */

static void InitializeAttributes(POBJECT_ATTRIBUTES Attributes, PUNICODE_STRING Name)
{
    InitializeObjectAttributes(Attributes, Name, OBJ_KERNEL_HANDLE | OBJ_CASE_INSENSITIVE, NULL, NULL);
#ifdef LENGTH_OF_THE_ATTRIBUTES_IS_ZERO
    Attributes->Length = 0;
#elif defined(ATTRIBUTES_HAVE_AN_UNKNOWN_BIT)
    Attributes->Attributes |= 0x10000;
#elif defined(HAS_NO_NAME)
    Attributes->ObjectName = NULL;
#elif defined(MAXIMUM_LENGTH_IS_TOO_SMALL)
    Name->MaximumLength = 2;
#endif
}

static void OpenFolder(void)
{
#ifdef HAS_A_RELATIVE_NAME
    UNICODE_STRING Name = RTL_CONSTANT_STRING(L"SystemRoot");
#else
    UNICODE_STRING Name = RTL_CONSTANT_STRING(L"\\SystemRoot");
#endif
    OBJECT_ATTRIBUTES Attributes;
    IO_STATUS_BLOCK IoStatus;
    HANDLE Folder;
    ACCESS_MASK Access = FILE_READ_ATTRIBUTES | SYNCHRONIZE;
    ULONG Options = FILE_DIRECTORY_FILE | FILE_SYNCHRONOUS_IO_NONALERT;
    ULONG Share = FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE;

    InitializeAttributes(&Attributes, &Name);
#ifdef OPENS_WITHOUT_SYNCHRONIZE
    Access = FILE_READ_ATTRIBUTES;
#elif defined(OPENS_A_DIRECTORY_THAT_IS_NONE)
    Options |= FILE_NON_DIRECTORY_FILE;
#elif defined(OPENS_TO_DELETE_WITHOUT_DELETE)
    Options |= FILE_DELETE_ON_CLOSE;
#elif defined(SHARES_WITH_AN_UNKNOWN_BIT)
    Share |= 8;
#endif
    if (NT_SUCCESS(ZwOpenFile(&Folder, Access, &Attributes, &IoStatus, Share, Options))) {
        ZwClose(Folder);
    }
}

static void OpenKey(PUNICODE_STRING Path)
{
    OBJECT_ATTRIBUTES Attributes;
    HANDLE Key;

    InitializeAttributes(&Attributes, Path);
    if (NT_SUCCESS(ZwOpenKey(&Key, KEY_READ, &Attributes))) {
        ZwClose(Key);
    }
}

/* --- The device ------------------------------------------------------------------------------ */

static NTSTATUS NTAPI Dispatch(PDEVICE_OBJECT Target, PIRP Irp)
{
    UCHAR Major = IoGetCurrentIrpStackLocation(Irp)->MajorFunction;
    NTSTATUS Status = STATUS_SUCCESS;

    UNREFERENCED_PARAMETER(Target);
    if (Major == IRP_MJ_CREATE) {
        if (InterlockedIncrement(&Opens) < 0) {
            InterlockedDecrement(&Opens);
            Status = STATUS_DELETE_PENDING;
        }
    } else if (Major == IRP_MJ_CLOSE) {
        InterlockedDecrement(&Opens);
    }
    Irp->IoStatus.Status = Status;
    Irp->IoStatus.Information = 0;
    IoCompleteRequest(Irp, IO_NO_INCREMENT);
    return Status;
}

static void CreateDevice(PDRIVER_OBJECT Driver)
{
#ifdef SECURES_ITS_DEVICE_WITH_AN_OWNER
    UNICODE_STRING Sddl = RTL_CONSTANT_STRING(L"O:SY");
#else
    UNICODE_STRING Sddl = RTL_CONSTANT_STRING(L"D:P(A;;GA;;;SY)(A;;GA;;;BA)");
#endif
#ifdef LINKS_TO_NO_DEVICE
    UNICODE_STRING Target = RTL_CONSTANT_STRING(L"\\Device\\Other");
#else
    UNICODE_STRING Target = DeviceName;
#endif
    static const GUID Class = {0x9b1c7a54, 0x2e08, 0x4f3d, {0x8a, 0x61, 0x0d, 0x94, 0x7c, 0x52, 0xe6, 0x18}};

    if (!NT_SUCCESS(WdmlibIoCreateDeviceSecure(
            Driver, 0, &DeviceName, FILE_DEVICE_UNKNOWN, FILE_DEVICE_SECURE_OPEN, FALSE, &Sddl, &Class, &Device))) {
        Device = NULL;
        return;
    }
    Linked = NT_SUCCESS(IoCreateSymbolicLink(&LinkName, &Target));
#ifdef DELETES_THE_LINK_OF_ANOTHER_DRIVER
    if (!Linked) {
        IoDeleteSymbolicLink(&LinkName);
    }
#endif
#ifndef HAS_NO_ROUTINE_FOR_CREATES
    Driver->MajorFunction[IRP_MJ_CREATE] = Dispatch;
#endif
    Driver->MajorFunction[IRP_MJ_CLEANUP] = Dispatch;
    Driver->MajorFunction[IRP_MJ_CLOSE] = Dispatch;
}

static void DeleteDevice(void)
{
    if (Linked) {
        IoDeleteSymbolicLink(&LinkName);
    }
    if (Device != NULL) {
        IoDeleteDevice(Device);
    }
}

/* --- The filter manager ---------------------------------------------------------------------- */

static NTSTATUS FLTAPI Connect(PFLT_PORT Port, PVOID Server, PVOID Data, ULONG Length, PVOID *Cookie)
{
    UNREFERENCED_PARAMETER(Port);
    UNREFERENCED_PARAMETER(Server);
    UNREFERENCED_PARAMETER(Data);
    UNREFERENCED_PARAMETER(Length);
    UNREFERENCED_PARAMETER(Cookie);
    return STATUS_ACCESS_DENIED;
}

static VOID FLTAPI Disconnect(PVOID Cookie)
{
    UNREFERENCED_PARAMETER(Cookie);
}

static void CreatePort(void)
{
    OBJECT_ATTRIBUTES Attributes;
    PSECURITY_DESCRIPTOR Descriptor;
    UNICODE_STRING Name = RTL_CONSTANT_STRING(L"\\TestPort");
    ULONG Flags = OBJ_KERNEL_HANDLE | OBJ_CASE_INSENSITIVE;

#ifdef CREATES_A_PORT_WITHOUT_A_KERNEL_HANDLE
    Flags = OBJ_CASE_INSENSITIVE;
#endif
    if (!NT_SUCCESS(FltBuildDefaultSecurityDescriptor(&Descriptor, FLT_PORT_ALL_ACCESS))) {
        return;
    }
    InitializeObjectAttributes(&Attributes, &Name, Flags, NULL, Descriptor);
    if (!NT_SUCCESS(FltCreateCommunicationPort(Filter, &ServerPort, &Attributes, NULL, Connect, Disconnect, NULL, 1))) {
        ServerPort = NULL;
    }
    FltFreeSecurityDescriptor(Descriptor);
}

static CONST FLT_CONTEXT_REGISTRATION Contexts[] = {
    { FLT_STREAM_CONTEXT, 0, NULL, 16, TAG },
    { FLT_CONTEXT_END },
};

static FLT_PREOP_CALLBACK_STATUS FLTAPI PreCreate(
    PFLT_CALLBACK_DATA Data, PCFLT_RELATED_OBJECTS Objects, PVOID *Context)
{
    PFLT_FILE_NAME_INFORMATION Name;
    PFLT_CONTEXT Allocated;
    PVOID Block;
    SIZE_T Size = 16;
    ULONG Failures = 2;
    ULONG Options = FLT_FILE_NAME_NORMALIZED | FLT_FILE_NAME_QUERY_DEFAULT;
    POOL_FLAGS Pool = POOL_FLAG_NON_PAGED;

    UNREFERENCED_PARAMETER(Context);
    UNREFERENCED_PARAMETER(Failures);
#ifdef ALLOCATES_A_CONTEXT_OF_ANOTHER_SIZE
    Size = 32;
#elif defined(QUERIES_A_NAME_WITHOUT_A_METHOD)
    Options = FLT_FILE_NAME_NORMALIZED;
#elif defined(ALLOCATES_POOL_WITHOUT_A_TYPE)
    Pool = POOL_FLAG_UNINITIALIZED;
#endif
    if (NT_SUCCESS(FltAllocateContext(Objects->Filter, FLT_STREAM_CONTEXT, Size, PagedPool, &Allocated))) {
        FltReleaseContext(Allocated);
        Failures--;
    }
    if (NT_SUCCESS(FltGetFileNameInformation(Data, Options, &Name))) {
        FltReleaseFileNameInformation(Name);
        Failures--;
    }
    Block = ExAllocatePool2(Pool, 8, TAG);
#ifdef LEAKS_IF_TWO_CALLS_FAIL
    if (Failures == 2) {
        return FLT_PREOP_SUCCESS_NO_CALLBACK;
    }
#endif
    if (Block != NULL) {
        ExFreePoolWithTag(Block, TAG);
    }
    return FLT_PREOP_SUCCESS_NO_CALLBACK;
}

static CONST FLT_OPERATION_REGISTRATION Operations[] = {
    { IRP_MJ_CREATE, 0, PreCreate, NULL },
    { IRP_MJ_OPERATION_END },
};

static void ReleaseAll(void)
{
    if (ServerPort != NULL) {
        FltCloseCommunicationPort(ServerPort);
    }
    FltUnregisterFilter(Filter);
    DeleteDevice();
}

static NTSTATUS FLTAPI Unload(FLT_FILTER_UNLOAD_FLAGS Flags)
{
    if (!FlagOn(Flags, FLTFL_FILTER_UNLOAD_MANDATORY) && InterlockedCompareExchange(&Opens, CLOSED, 0) != 0) {
        return STATUS_FLT_DO_NOT_DETACH;
    }
    ReleaseAll();
    return STATUS_SUCCESS;
}

static CONST FLT_REGISTRATION Registration = {
    sizeof(FLT_REGISTRATION), FLT_REGISTRATION_VERSION, 0, Contexts, Operations, Unload,
};

NTSTATUS NTAPI DriverEntry(PDRIVER_OBJECT Driver, PUNICODE_STRING Path)
{
    UNICODE_STRING Copy = *Path;
    NTSTATUS Status;

    OpenFolder();
    OpenKey(&Copy);
    CreateDevice(Driver);
    Status = FltRegisterFilter(Driver, &Registration, &Filter);
    if (!NT_SUCCESS(Status)) {
        DeleteDevice();
        Log(Driver, Status);
        return Status;
    }
    CreatePort();
    Status = FltStartFiltering(Filter);
    if (!NT_SUCCESS(Status)) {
        ReleaseAll();
        Log(Driver, Status);
        return Status;
    }
    return STATUS_SUCCESS;
}
