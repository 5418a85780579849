/*
 * A minifilter in C that passes a bad pointer to a system function.
 *
 * The driver's name selects the case: FUNCTION_ARGUMENT, or FUNCTION_ARGUMENT_MEMBER if the bad pointer is in a member
 * of the structure that the argument points to.
 */
#include <fltKernel.h>

#define TAG 'tseT'

/* Exports that wdm.h and ntifs.h do not declare, because the C runtime's headers do, or define as macros. */
__declspec(dllimport) void *memcpy(void *, const void *, size_t);
__declspec(dllimport) void *memmove(void *, const void *, size_t);
__declspec(dllimport) void *memset(void *, int, size_t);
__declspec(dllimport) int memcmp(const void *, const void *, size_t);
__declspec(dllimport) size_t wcslen(const WCHAR *);
__declspec(dllimport) size_t strlen(const char *);
__declspec(dllimport) int wcscmp(const WCHAR *, const WCHAR *);
__declspec(dllimport) int strcmp(const char *, const char *);
__declspec(dllimport) WCHAR *wcschr(const WCHAR *, WCHAR);
__declspec(dllimport) int _wcsnicmp(const WCHAR *, const WCHAR *, size_t);
__declspec(dllimport) int _snwprintf(WCHAR *, size_t, const WCHAR *, ...);
__declspec(dllimport) int _snprintf(char *, size_t, const char *, ...);

/* NULL, an unmapped address, a kernel address, a non-canonical address, an address at the end of memory. */
#define NOTHING NULL
#define NOWHERE ((PVOID)0x0000123456780000)
#define KERNEL ((PVOID)0xFFFF900000001000)
#define NOT_CANONICAL ((PVOID)0x1234567812345678)
#define LAST ((PVOID)0xFFFFFFFFFFFFFFF8)

static PFLT_FILTER Filter;
static WCHAR Own[64];
static UCHAR Buffer[256];
static ULONG Number;
static PVOID Out;
static HANDLE Handle;
static LARGE_INTEGER Now;
static IO_STATUS_BLOCK Io;
static UNICODE_STRING Text = RTL_CONSTANT_STRING(L"text");
static UNICODE_STRING NoText = { 8, 8, NULL };
static ANSI_STRING NoBytes = { 8, 8, NULL };
static WCHAR Room[16];
static UNICODE_STRING Empty = { 0, sizeof(Room), Room };
static OBJECT_ATTRIBUTES Named = { sizeof(Named), NULL, &Text, OBJ_KERNEL_HANDLE, NULL, NULL };
static OBJECT_ATTRIBUTES NamedByNothing = { sizeof(Named), NULL, &NoText, OBJ_KERNEL_HANDLE, NULL, NULL };
static OBJECT_ATTRIBUTES Secured = { sizeof(Named), NULL, &Text, OBJ_KERNEL_HANDLE, NOWHERE, NULL };
static const GUID Guid = { 1, 2, 3, { 4 } };

static NTSTATUS FLTAPI Connect(PFLT_PORT Port, PVOID Server, PVOID Data, ULONG Length, PVOID *Cookie)
{
    return STATUS_ACCESS_DENIED;
}

static VOID FLTAPI Disconnect(PVOID Cookie)
{
}

#define CASES(X) \
    X(memcpy_1, memcpy(NOTHING, Buffer, 8)) \
    X(memcpy_2, memcpy(Buffer, Buffer + 1, (SIZE_T)-1)) \
    X(memmove_1, memmove(NOWHERE, Buffer, 8)) \
    X(memmove_2, memmove(Buffer, KERNEL, 8)) \
    X(memset_1, memset(NOT_CANONICAL, 1, 8)) \
    X(memcmp_2, memcmp(Buffer, LAST, 16)) \
    X(RtlCompareMemory_1, RtlCompareMemory(NOTHING, Buffer, 8)) \
    X(wcslen_1, wcslen(NOTHING)) \
    X(strlen_1, strlen(NOWHERE)) \
    X(wcscmp_2, wcscmp(L"a", NOTHING)) \
    X(strcmp_1, strcmp(NOTHING, "a")) \
    X(wcschr_1, wcschr(NOTHING, L'a')) \
    X(_wcsnicmp_2, _wcsnicmp(L"abc", NOTHING, 3)) \
    X(_snwprintf_1, _snwprintf(NOTHING, 8, L"%d", 1)) \
    X(_snwprintf_3, _snwprintf(Room, 8, NOTHING)) \
    X(_snprintf_4, _snprintf((char *)Buffer, 8, "%s", (char *)NOWHERE)) \
    X(RtlInitUnicodeString_1, RtlInitUnicodeString(NOTHING, L"text")) \
    X(RtlInitUnicodeString_2, RtlInitUnicodeString(&Empty, NOT_CANONICAL)) \
    X(RtlInitAnsiString_2, RtlInitAnsiString((PANSI_STRING)Buffer, NOWHERE)) \
    X(RtlCopyUnicodeString_1, RtlCopyUnicodeString(NOTHING, &Text)) \
    X(RtlCopyUnicodeString_1_Buffer, RtlCopyUnicodeString(&NoText, &Text)) \
    X(RtlCopyUnicodeString_2_Buffer, RtlCopyUnicodeString(&Empty, &NoText)) \
    X(RtlAppendUnicodeStringToString_2, RtlAppendUnicodeStringToString(&Empty, NOTHING)) \
    X(RtlAppendUnicodeToString_1, RtlAppendUnicodeToString(NOTHING, L"text")) \
    X(RtlEqualUnicodeString_2, RtlEqualUnicodeString(&Text, NOTHING, FALSE)) \
    X(RtlCompareUnicodeString_1_Buffer, RtlCompareUnicodeString(&NoText, &Text, TRUE)) \
    X(RtlPrefixUnicodeString_2_Buffer, RtlPrefixUnicodeString(&Text, &NoText, FALSE)) \
    X(RtlUpcaseUnicodeString_2, RtlUpcaseUnicodeString(&Empty, NOTHING, FALSE)) \
    X(RtlUnicodeStringToAnsiString_1, RtlUnicodeStringToAnsiString(NOTHING, &Text, FALSE)) \
    X(RtlAnsiStringToUnicodeString_2_Buffer, RtlAnsiStringToUnicodeString(&Empty, &NoBytes, FALSE)) \
    X(RtlUnicodeStringToInteger_3, RtlUnicodeStringToInteger(&Text, 16, NOTHING)) \
    X(RtlIntegerToUnicodeString_3, RtlIntegerToUnicodeString(1, 10, NOTHING)) \
    X(RtlStringFromGUID_1, RtlStringFromGUID(NOTHING, &Empty)) \
    X(RtlStringFromGUID_2, RtlStringFromGUID(&Guid, NOTHING)) \
    X(KeInitializeEvent_1, KeInitializeEvent(NOTHING, NotificationEvent, FALSE)) \
    X(KeSetEvent_1, KeSetEvent(NOTHING, 0, FALSE)) \
    X(KeWaitForSingleObject_1, KeWaitForSingleObject(NOTHING, Executive, KernelMode, FALSE, NULL)) \
    X(KeWaitForSingleObject_5, KeWaitForSingleObject((KeRaiseIrqlToDpcLevel(), Buffer), Executive, KernelMode, FALSE, NOWHERE)) \
    X(KeDelayExecutionThread_3, KeDelayExecutionThread(KernelMode, FALSE, NOTHING)) \
    X(KeAcquireSpinLockRaiseToDpc_1, KeAcquireSpinLockRaiseToDpc(NOTHING)) \
    X(ExAcquireFastMutex_1, ExAcquireFastMutex(NOTHING)) \
    X(KeInitializeTimer_1, KeInitializeTimer(NOTHING)) \
    X(KeSetTimer_1, KeSetTimer(NOTHING, Now, NULL)) \
    X(KeCancelTimer_1, KeCancelTimer(NOTHING)) \
    X(KeInsertQueueDpc_1, KeInsertQueueDpc(NOTHING, (PVOID)5, NULL)) \
    X(ExInitializeResourceLite_1, ExInitializeResourceLite(NOTHING)) \
    X(ExInitializeNPagedLookasideList_1, ExInitializeNPagedLookasideList(NOTHING, NULL, NULL, 0, 8, TAG, 0)) \
    X(ExQueueWorkItem_1, ExQueueWorkItem(NOTHING, DelayedWorkQueue)) \
    X(DbgPrint_1, DbgPrint(NOTHING)) \
    X(DbgPrintEx_3, DbgPrintEx(DPFLTR_IHVDRIVER_ID, DPFLTR_ERROR_LEVEL, NOTHING)) \
    X(ZwCreateKey_1, ZwCreateKey(NOTHING, KEY_READ, &Named, 0, NULL, 0, NULL)) \
    X(ZwOpenKey_3, ZwOpenKey(&Handle, KEY_READ, NOTHING)) \
    X(ZwOpenKey_3_ObjectName, ZwOpenKey(&Handle, KEY_READ, &NamedByNothing)) \
    X(ZwCreateFile_1, ZwCreateFile(NOTHING, GENERIC_READ, &Named, &Io, NULL, 0, 7, FILE_OPEN, 0, NULL, 0)) \
    X(ZwCreateFile_4, ZwCreateFile(&Handle, GENERIC_READ, &Named, NOTHING, NULL, 0, 7, FILE_OPEN, 0, NULL, 0)) \
    X(IoOpenDriverRegistryKey_5, IoOpenDriverRegistryKey(Driver, 0, KEY_READ, 0, NOTHING)) \
    X(IoCreateSymbolicLink_1_Buffer, IoCreateSymbolicLink(&NoText, &Text)) \
    X(IoCreateSymbolicLink_2, IoCreateSymbolicLink(&Text, NOTHING)) \
    X(CmRegisterCallbackEx_2, CmRegisterCallbackEx((PVOID)Connect, NOTHING, Driver, NULL, &Now, NULL)) \
    X(IoCreateDevice_7, IoCreateDevice(Driver, 0, NULL, FILE_DEVICE_UNKNOWN, 0, FALSE, NOTHING)) \
    X(MmGetSystemRoutineAddress_1_Buffer, MmGetSystemRoutineAddress(&NoText)) \
    X(MmBuildMdlForNonPagedPool_1, MmBuildMdlForNonPagedPool(NOTHING)) \
    X(MmUnlockPages_1, MmUnlockPages(NOTHING)) \
    X(RtlCreateSecurityDescriptor_1, RtlCreateSecurityDescriptor(NOTHING, SECURITY_DESCRIPTOR_REVISION)) \
    X(RtlSetDaclSecurityDescriptor_1, RtlSetDaclSecurityDescriptor(NOTHING, TRUE, NULL, FALSE)) \
    X(RtlLengthSid_1, RtlLengthSid(NOTHING)) \
    X(FltGetFileNameInformation_3, FltGetFileNameInformation(Data, FLT_FILE_NAME_NORMALIZED | FLT_FILE_NAME_QUERY_DEFAULT, NOTHING)) \
    X(FltAllocateContext_5, FltAllocateContext(Filter, FLT_INSTANCE_CONTEXT, 8, NonPagedPool, NOTHING)) \
    X(FltGetInstanceContext_2, FltGetInstanceContext(Objects->Instance, NOTHING)) \
    X(FltGetVolumeName_2_Buffer, FltGetVolumeName(Objects->Volume, &NoRoom, &Number)) \
    X(FltGetVolumeProperties_2, FltGetVolumeProperties(Objects->Volume, NOTHING, 4096, &Number)) \
    X(FltGetVolumeProperties_4, FltGetVolumeProperties(Objects->Volume, (PFLT_VOLUME_PROPERTIES)Buffer, 0, NOTHING)) \
    X(FltGetFileSystemType_2, FltGetFileSystemType(Objects->Instance, NOTHING)) \
    X(FltGetDiskDeviceObject_2, FltGetDiskDeviceObject(Objects->Volume, NOTHING)) \
    X(FltIsDirectory_3, FltIsDirectory(Objects->FileObject, Objects->Instance, NOTHING)) \
    X(FltEnumerateVolumes_4, FltEnumerateVolumes(Filter, (PFLT_VOLUME *)Buffer, 0, NOTHING)) \
    X(FltCreateFile_3, FltCreateFile(Filter, NULL, NOTHING, GENERIC_READ, &Named, &Io, NULL, 0, 7, FILE_OPEN, 0, NULL, 0, 0)) \
    X(FltReadFile_5, FltReadFile(Objects->Instance, Objects->FileObject, NULL, 512, NOTHING, 0, NULL, NULL, NULL)) \
    X(FltReadFile_7, FltReadFile(Objects->Instance, Objects->FileObject, NULL, 8, Buffer, 0, NOWHERE, NULL, NULL)) \
    X(FltCreateFile_5, FltCreateFile(Filter, NULL, &Handle, GENERIC_READ, NOTHING, &Io, NULL, 0, 7, FILE_OPEN, 0, NULL, 0, 0)) \
    X(FltWriteFile_5, FltWriteFile(Objects->Instance, Objects->FileObject, NULL, 8, NOTHING, 0, NULL, NULL, NULL)) \
    X(FltSetInformationFile_3, FltSetInformationFile(Objects->Instance, Objects->FileObject, NOTHING, 8, FileBasicInformation)) \
    X(FltFsControlFile_4, FltFsControlFile(Objects->Instance, Objects->FileObject, 0x90028, NOTHING, 8, NULL, 0, NULL)) \
    X(FltQueryInformationFile_3, FltQueryInformationFile(Objects->Instance, Objects->FileObject, NOTHING, 40, 4, NULL)) \
    X(FltBuildDefaultSecurityDescriptor_1, FltBuildDefaultSecurityDescriptor(NOTHING, FLT_PORT_ALL_ACCESS)) \
    X(FltCreateCommunicationPort_2, FltCreateCommunicationPort(Filter, NOTHING, &Named, NULL, Connect, Disconnect, NULL, 1)) \
    X(FltCreateCommunicationPort_3, FltCreateCommunicationPort(Filter, (PFLT_PORT *)&Out, NOTHING, NULL, Connect, Disconnect, NULL, 1)) \
    X(FltCreateCommunicationPort_3_SecurityDescriptor, FltCreateCommunicationPort(Filter, (PFLT_PORT *)&Out, &Secured, NULL, Connect, Disconnect, NULL, 1)) \
    X(FltCloseClientPort_2, FltCloseClientPort(Filter, NOTHING)) \
    X(FltGetRequestorSessionId_2, FltGetRequestorSessionId(Data, NOTHING))

static UNICODE_STRING NoRoom = { 0, 512, NULL };

#define BODY(Name, Call) \
    static void Do_##Name(PDRIVER_OBJECT Driver, PFLT_CALLBACK_DATA Data, PCFLT_RELATED_OBJECTS Objects) \
    { \
        (void)(Call); \
    }
CASES(BODY)

typedef void CASE(PDRIVER_OBJECT Driver, PFLT_CALLBACK_DATA Data, PCFLT_RELATED_OBJECTS Objects);

#define ENTRY(Name, Call) { L"" #Name, Do_##Name },
static const struct {
    const WCHAR *Name;
    CASE *Do;
} Cases[] = { CASES(ENTRY) };

static PDRIVER_OBJECT Self;

static FLT_PREOP_CALLBACK_STATUS FLTAPI PreCreate(PFLT_CALLBACK_DATA Data, PCFLT_RELATED_OBJECTS Objects, PVOID *Context)
{
    ULONG i;

    for (i = 0; i < sizeof(Cases) / sizeof(Cases[0]); i++) {
        if (wcscmp(Own, Cases[i].Name) == 0) {
            Cases[i].Do(Self, Data, Objects);
        }
    }
    return FLT_PREOP_SUCCESS_NO_CALLBACK;
}

/*
 * The compiler generates a jump for the call in the return statement, so the return address of the function is not in
 * the driver.
 */
static NTSTATUS FLTAPI InstanceSetup(
    PCFLT_RELATED_OBJECTS Objects, FLT_INSTANCE_SETUP_FLAGS Flags, DEVICE_TYPE Type, FLT_FILESYSTEM_TYPE FileSystem)
{
    if (wcscmp(Own, L"RtlAppendUnicodeStringToString_1") == 0) {
        return RtlAppendUnicodeStringToString(NOTHING, &Text);
    }
    return STATUS_SUCCESS;
}

static NTSTATUS FLTAPI Unload(FLT_FILTER_UNLOAD_FLAGS Flags)
{
    FltUnregisterFilter(Filter);
    return STATUS_SUCCESS;
}

static CONST FLT_CONTEXT_REGISTRATION Contexts[] = {
    { FLT_INSTANCE_CONTEXT, 0, NULL, 8, TAG },
    { FLT_CONTEXT_END },
};

static CONST FLT_OPERATION_REGISTRATION Operations[] = {
    { IRP_MJ_CREATE, 0, PreCreate, NULL },
    { IRP_MJ_OPERATION_END },
};

static CONST FLT_REGISTRATION Registration = {
    sizeof(FLT_REGISTRATION), FLT_REGISTRATION_VERSION, 0, Contexts, Operations, Unload, InstanceSetup,
};

/* The driver's name is the last part of the path of its registry key. */
static void RememberName(PUNICODE_STRING Path)
{
    ULONG End = Path->Length / sizeof(WCHAR), Begin = End, i;

    while (Begin > 0 && Path->Buffer[Begin - 1] != L'\\') {
        Begin--;
    }
    for (i = Begin; i < End && i - Begin < 63; i++) {
        Own[i - Begin] = Path->Buffer[i];
    }
}

NTSTATUS NTAPI DriverEntry(PDRIVER_OBJECT Driver, PUNICODE_STRING Path)
{
    NTSTATUS Status;

    Self = Driver;
    RememberName(Path);
    Status = FltRegisterFilter(Driver, &Registration, &Filter);
    if (!NT_SUCCESS(Status)) {
        return Status;
    }
    Status = FltStartFiltering(Filter);
    if (!NT_SUCCESS(Status)) {
        FltUnregisterFilter(Filter);
    }
    return Status;
}
