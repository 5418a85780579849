/*
 * A minifilter in C that creates, reads and copies security descriptors, like Microsoft's wdmsec.lib in a driver that
 * links it. If a result is not as documented, DriverEntry fails with a status that contains the line number.
 */
#include <fltKernel.h>

#define TAG 'tseT'

/* Functions that the C runtime's headers declare, and functions that no WDK header declares. */
__declspec(dllimport) int _wcsnicmp(const WCHAR *, const WCHAR *, size_t);
__declspec(dllimport) WCHAR *wcschr(const WCHAR *, WCHAR);
__declspec(dllimport) BOOLEAN NTAPI IoIsWdmVersionAvailable(UCHAR, UCHAR);
__declspec(dllimport) NTSTATUS NTAPI SeCaptureSecurityDescriptor(
    PSECURITY_DESCRIPTOR, KPROCESSOR_MODE, POOL_TYPE, BOOLEAN, PSECURITY_DESCRIPTOR *);

static PFLT_FILTER Filter;
static PFLT_PORT Server, Client;

/* A status with the line number. */
#define HERE ((NTSTATUS)(0xE0000000 | __LINE__))
#define EXPECT(Condition) \
    if (!(Condition)) { \
        return HERE; \
    }
/* Leaves the function if a call fails. */
#define DO(Call) \
    Status = (Call); \
    if (!NT_SUCCESS(Status)) { \
        goto Out; \
    }

static NTSTATUS Strings(void)
{
    static const WCHAR Sddl[] = L"D:P(A;;GA;;;SY)";

    EXPECT(_wcsnicmp(Sddl, L"d:p(", 4) == 0);
    EXPECT(_wcsnicmp(Sddl, L"d:p[", 4) != 0);
    EXPECT(_wcsnicmp(L"a", L"B", 5) < 0 && _wcsnicmp(L"ab", L"A", 5) > 0 && _wcsnicmp(L"x", L"y", 0) == 0);
    EXPECT(wcschr(Sddl, L'(') == Sddl + 3 && wcschr(Sddl, L'?') == NULL && wcschr(Sddl, 0) == Sddl + 15);
    EXPECT(IoIsWdmVersionAvailable(1, 0x10) && IoIsWdmVersionAvailable(6, 0) && !IoIsWdmVersionAvailable(6, 1));
    return STATUS_SUCCESS;
}

static NTSTATUS Identifiers(void)
{
    /* S-1-5-18 and S-1-5-32-544 */
    static const UCHAR System[] = { 1, 1, 0, 0, 0, 0, 0, 5, 18, 0, 0, 0 };
    static const UCHAR Administrators[] = { 1, 2, 0, 0, 0, 0, 0, 5, 32, 0, 0, 0, 32, 2, 0, 0 };

    EXPECT(RtlLengthSid(SeExports->SeLocalSystemSid) == sizeof(System));
    EXPECT(RtlCompareMemory(SeExports->SeLocalSystemSid, System, sizeof(System)) == sizeof(System));
    EXPECT(RtlLengthSid(SeExports->SeAliasAdminsSid) == sizeof(Administrators));
    EXPECT(RtlCompareMemory(SeExports->SeAliasAdminsSid, Administrators, sizeof(Administrators)) == sizeof(Administrators));
    EXPECT(SeExports->SeLoadDriverPrivilege.LowPart == 10 && SeExports->SeLoadDriverPrivilege.HighPart == 0);
    EXPECT(SeExports->SeTcbPrivilege.LowPart == 7);
    return STATUS_SUCCESS;
}

/* The size of the DACL of a descriptor, or 0 if there is none. */
static USHORT ListOf(PSECURITY_DESCRIPTOR Descriptor)
{
    BOOLEAN Present = 7, Defaulted = 7;
    PACL Acl = (PACL)1;

    if (RtlGetDaclSecurityDescriptor(Descriptor, &Present, &Acl, &Defaulted) != STATUS_SUCCESS || Present > 1) {
        return 0xFFFF;
    }
    return Present ? (Defaulted == 0 && Acl != NULL ? Acl->AclSize : 1) : 0;
}

static NTSTATUS CheckDefault(PSECURITY_DESCRIPTOR Descriptor)
{
    PSID Owner = Descriptor, Group = Descriptor;
    BOOLEAN Present = TRUE, Defaulted;
    PACL Acl;

    EXPECT(RtlGetOwnerSecurityDescriptor(Descriptor, &Owner, &Defaulted) == STATUS_SUCCESS && Owner == NULL);
    EXPECT(RtlGetGroupSecurityDescriptor(Descriptor, &Group, &Defaulted) == STATUS_SUCCESS && Group == NULL);
    EXPECT(RtlGetSaclSecurityDescriptor(Descriptor, &Present, &Acl, &Defaulted) == STATUS_SUCCESS && !Present);
    /* Two entries: administrators and the system. */
    EXPECT(ListOf(Descriptor) == sizeof(ACL) + 2 * 8 + 16 + 12);
    EXPECT(RtlLengthSecurityDescriptor(Descriptor) == sizeof(SECURITY_DESCRIPTOR) + ListOf(Descriptor));
    return STATUS_SUCCESS;
}

/* Copies a descriptor into pool that the caller frees. */
static NTSTATUS Copy(PSECURITY_DESCRIPTOR From, PSECURITY_DESCRIPTOR *To)
{
    ULONG Length = 0;
    NTSTATUS Status = RtlAbsoluteToSelfRelativeSD(From, NULL, &Length);

    EXPECT(Status == STATUS_BUFFER_TOO_SMALL && Length >= 20 + ListOf(From));
    *To = ExAllocatePool2(POOL_FLAG_PAGED, Length, TAG);
    if (*To == NULL) {
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    Status = RtlAbsoluteToSelfRelativeSD(From, *To, &Length);
    if (!NT_SUCCESS(Status)) {
        ExFreePoolWithTag(*To, TAG);
    }
    return Status;
}

static NTSTATUS CheckCopy(PSECURITY_DESCRIPTOR Original, PSECURITY_DESCRIPTOR Relative)
{
    ULONG Length = 4096;

    EXPECT(ListOf(Relative) == ListOf(Original));
    EXPECT(RtlLengthSecurityDescriptor(Relative) == 20 + ListOf(Original));
    EXPECT(RtlAbsoluteToSelfRelativeSD(Relative, Original, &Length) == STATUS_BAD_DESCRIPTOR_FORMAT);
    EXPECT(RtlSetDaclSecurityDescriptor(Relative, TRUE, NULL, FALSE) == STATUS_INVALID_SECURITY_DESCR);
    return STATUS_SUCCESS;
}

static NTSTATUS Copies(PSECURITY_DESCRIPTOR Descriptor)
{
    PSECURITY_DESCRIPTOR Relative, Captured;
    NTSTATUS Status = Copy(Descriptor, &Relative);

    if (!NT_SUCCESS(Status)) {
        return Status;
    }
    DO(CheckCopy(Descriptor, Relative));
    DO(SeCaptureSecurityDescriptor(Descriptor, KernelMode, PagedPool, FALSE, &Captured));
    if (Captured != Descriptor) {
        Status = HERE;
        goto Out;
    }
    DO(SeCaptureSecurityDescriptor(Descriptor, KernelMode, PagedPool, TRUE, &Captured));
    Status = CheckCopy(Descriptor, Captured);
    ExFreePool(Captured);
Out:
    ExFreePoolWithTag(Relative, TAG);
    return Status;
}

static NTSTATUS Lists(void)
{
    SECURITY_DESCRIPTOR Descriptor, Wrong = { 2 };
    ULONG Room[16];
    PACL Acl = (PACL)Room;
    BOOLEAN Present = FALSE, Defaulted = FALSE;
    NTSTATUS Status;

    EXPECT(RtlCreateSecurityDescriptor(&Descriptor, 2) == STATUS_UNKNOWN_REVISION);
    EXPECT(RtlCreateSecurityDescriptor(&Descriptor, SECURITY_DESCRIPTOR_REVISION) == STATUS_SUCCESS);
    EXPECT(ListOf(&Descriptor) == 0 && RtlLengthSecurityDescriptor(&Descriptor) == sizeof(Descriptor));
    EXPECT(RtlGetDaclSecurityDescriptor(&Wrong, &Present, &Acl, &Defaulted) == STATUS_UNKNOWN_REVISION);
    EXPECT(RtlSetDaclSecurityDescriptor(&Wrong, TRUE, NULL, FALSE) == STATUS_UNKNOWN_REVISION);
    EXPECT(RtlCreateAcl(Acl, sizeof(Room), ACL_REVISION) == STATUS_SUCCESS);
    Status = RtlAddAccessAllowedAce(Acl, ACL_REVISION, GENERIC_READ, SeExports->SeWorldSid);
    if (!NT_SUCCESS(Status)) {
        return Status;
    }
    EXPECT(RtlSetDaclSecurityDescriptor(&Descriptor, TRUE, Acl, TRUE) == STATUS_SUCCESS);
    EXPECT(RtlGetDaclSecurityDescriptor(&Descriptor, &Present, &Acl, &Defaulted) == STATUS_SUCCESS);
    EXPECT(Present && Defaulted && Acl == (PACL)Room && Acl->AceCount == 1);
    EXPECT(RtlSetDaclSecurityDescriptor(&Descriptor, FALSE, NULL, FALSE) == STATUS_SUCCESS && ListOf(&Descriptor) == 0);
    return STATUS_SUCCESS;
}

static NTSTATUS FLTAPI Connect(PFLT_PORT Port, PVOID Cookie, PVOID Context, ULONG Length, PVOID *Connection)
{
    UNREFERENCED_PARAMETER(Cookie);
    UNREFERENCED_PARAMETER(Context);
    UNREFERENCED_PARAMETER(Length);
    UNREFERENCED_PARAMETER(Connection);
    Client = Port;
    return STATUS_SUCCESS;
}

static VOID FLTAPI Disconnect(PVOID Connection)
{
    UNREFERENCED_PARAMETER(Connection);
    FltCloseClientPort(Filter, &Client);
}

static NTSTATUS OpenPort(void)
{
    OBJECT_ATTRIBUTES Attributes;
    UNICODE_STRING Name = RTL_CONSTANT_STRING(L"\\SecurityPort");
    PSECURITY_DESCRIPTOR Descriptor;
    NTSTATUS Status = FltBuildDefaultSecurityDescriptor(&Descriptor, FLT_PORT_ALL_ACCESS);

    if (!NT_SUCCESS(Status)) {
        return Status;
    }
    DO(CheckDefault(Descriptor));
    DO(Copies(Descriptor));
#ifdef NULL_DACL
    DO(RtlSetDaclSecurityDescriptor(Descriptor, TRUE, NULL, FALSE));
#endif
    InitializeObjectAttributes(&Attributes, &Name, OBJ_KERNEL_HANDLE | OBJ_CASE_INSENSITIVE, NULL, Descriptor);
    Status = FltCreateCommunicationPort(Filter, &Server, &Attributes, NULL, Connect, Disconnect, NULL, 1);
Out:
    FltFreeSecurityDescriptor(Descriptor);
#ifdef READS_A_FREED_DESCRIPTOR
    Status = CheckDefault(Descriptor);
#endif
    return Status;
}

static FLT_PREOP_CALLBACK_STATUS FLTAPI PreSetSecurity(
    PFLT_CALLBACK_DATA Data, PCFLT_RELATED_OBJECTS Objects, PVOID *Context)
{
    UNREFERENCED_PARAMETER(Objects);
    UNREFERENCED_PARAMETER(Context);
    return ListOf(Data->Iopb->Parameters.SetSecurity.SecurityDescriptor) > 1 ? FLT_PREOP_SUCCESS_NO_CALLBACK : 99;
}

static NTSTATUS FLTAPI Unload(FLT_FILTER_UNLOAD_FLAGS Flags)
{
    UNREFERENCED_PARAMETER(Flags);
    FltCloseCommunicationPort(Server);
    FltUnregisterFilter(Filter);
    return STATUS_SUCCESS;
}

static CONST FLT_OPERATION_REGISTRATION Operations[] = {
    { IRP_MJ_SET_SECURITY, 0, PreSetSecurity, NULL },
    { IRP_MJ_OPERATION_END },
};

static CONST FLT_REGISTRATION Registration = {
    sizeof(FLT_REGISTRATION), FLT_REGISTRATION_VERSION, 0, NULL, Operations, Unload,
};

static NTSTATUS Start(PDRIVER_OBJECT Driver)
{
    NTSTATUS Status;

    DO(Strings());
    DO(Identifiers());
    DO(Lists());
    DO(FltRegisterFilter(Driver, &Registration, &Filter));
    Status = OpenPort();
    if (!NT_SUCCESS(Status)) {
        FltUnregisterFilter(Filter);
        return Status;
    }
    Status = FltStartFiltering(Filter);
    if (!NT_SUCCESS(Status)) {
        FltCloseCommunicationPort(Server);
        FltUnregisterFilter(Filter);
    }
Out:
    return Status;
}

NTSTATUS NTAPI DriverEntry(PDRIVER_OBJECT Driver, PUNICODE_STRING Path)
{
    NTSTATUS Status = Start(Driver);
    PIO_ERROR_LOG_PACKET Packet;

    UNREFERENCED_PARAMETER(Path);
    if (NT_SUCCESS(Status)) {
        return STATUS_SUCCESS;
    }
    Packet = IoAllocateErrorLogEntry(Driver, sizeof(IO_ERROR_LOG_PACKET));
    if (Packet != NULL) {
        RtlZeroMemory(Packet, sizeof(IO_ERROR_LOG_PACKET));
        Packet->ErrorCode = (NTSTATUS)0xC0040004; /* IO_ERR_DRIVER_ERROR */
        Packet->FinalStatus = Status;
        IoWriteErrorLogEntry(Packet);
    }
    return Status;
}
