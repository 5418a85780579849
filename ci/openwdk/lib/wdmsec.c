/*
 * wdmsec.lib of the open WDK: a library that becomes a part of the driver, as Microsoft's does.
 *
 * Written from "WdmlibIoCreateDeviceSecure function (wdmsec.h)" and "SDDL for Device Objects", of
 * documented kernel calls. It reads the SDDL that device objects mostly have: a DACL of aces that allow
 * generic rights to the system (SY), administrators (BA), users (BU) and everyone (WD). It does not
 * look into the registry for an administrator's own choice, which is what the class GUID is for.
 */
#include <ntifs.h>

NTSTATUS WdmlibIoCreateDeviceSecure(
    PDRIVER_OBJECT DriverObject, ULONG DeviceExtensionSize, PUNICODE_STRING DeviceName,
    DEVICE_TYPE DeviceType, ULONG DeviceCharacteristics, BOOLEAN Exclusive,
    PCUNICODE_STRING DefaultSDDLString, LPCGUID DeviceClassGuid, PDEVICE_OBJECT *DeviceObject);

/* Room for more aces than a DACL for a device has. */
#define ACL_SIZE 256

/* "Well-known SIDs". */
typedef struct {
    WCHAR Name[2];
    struct {
        UCHAR Revision;
        UCHAR SubAuthorityCount;
        UCHAR Authority[6];
        ULONG SubAuthority[2];
    } Sid;
} KNOWN_SID;

static const KNOWN_SID KnownSids[] = {
    {{'S', 'Y'}, {1, 1, {0, 0, 0, 0, 0, 5}, {18}}},
    {{'B', 'A'}, {1, 2, {0, 0, 0, 0, 0, 5}, {32, 544}}},
    {{'B', 'U'}, {1, 2, {0, 0, 0, 0, 0, 5}, {32, 545}}},
    {{'W', 'D'}, {1, 1, {0, 0, 0, 0, 0, 1}, {0}}},
};

typedef struct {
    const WCHAR *Next;
    const WCHAR *End;
} READER;

static BOOLEAN Take(READER *Reader, WCHAR Unit)
{
    if (Reader->Next == Reader->End || *Reader->Next != Unit) {
        return FALSE;
    }
    Reader->Next += 1;
    return TRUE;
}

static BOOLEAN TakePair(READER *Reader, WCHAR First, WCHAR Second)
{
    READER Start = *Reader;
    if (Take(Reader, First) && Take(Reader, Second)) {
        return TRUE;
    }
    *Reader = Start;
    return FALSE;
}

static ACCESS_MASK TakeRights(READER *Reader)
{
    ACCESS_MASK Mask = 0;
    for (;;) {
        if (TakePair(Reader, 'G', 'A')) {
            Mask |= GENERIC_ALL;
        } else if (TakePair(Reader, 'G', 'R')) {
            Mask |= GENERIC_READ;
        } else if (TakePair(Reader, 'G', 'W')) {
            Mask |= GENERIC_WRITE;
        } else if (TakePair(Reader, 'G', 'X')) {
            Mask |= GENERIC_EXECUTE;
        } else {
            return Mask;
        }
    }
}

static PSID TakeSid(READER *Reader)
{
    ULONG Index;
    for (Index = 0; Index < sizeof(KnownSids) / sizeof(KnownSids[0]); Index += 1) {
        if (TakePair(Reader, KnownSids[Index].Name[0], KnownSids[Index].Name[1])) {
            return (PSID)&KnownSids[Index].Sid;
        }
    }
    return NULL;
}

/* An ace is (A;;rights;;;sid). */
static NTSTATUS TakeAce(READER *Reader, PACL Acl)
{
    ACCESS_MASK Mask;
    PSID Sid;
    if (!Take(Reader, '(') || !Take(Reader, 'A') || !TakePair(Reader, ';', ';')) {
        return STATUS_INVALID_PARAMETER;
    }
    Mask = TakeRights(Reader);
    if (!TakePair(Reader, ';', ';') || !Take(Reader, ';')) {
        return STATUS_INVALID_PARAMETER;
    }
    Sid = TakeSid(Reader);
    if (Sid == NULL || !Take(Reader, ')')) {
        return STATUS_INVALID_PARAMETER;
    }
    return RtlAddAccessAllowedAce(Acl, ACL_REVISION, Mask, Sid);
}

static NTSTATUS ReadSddl(PCUNICODE_STRING Text, PACL Acl, SECURITY_INFORMATION *Information)
{
    READER Reader;
    NTSTATUS Status = RtlCreateAcl(Acl, ACL_SIZE, ACL_REVISION);
    Reader.Next = Text->Buffer;
    Reader.End = Text->Buffer + Text->Length / sizeof(WCHAR);
    *Information = DACL_SECURITY_INFORMATION;
    if (!TakePair(&Reader, 'D', ':')) {
        return STATUS_INVALID_PARAMETER;
    }
    if (Take(&Reader, 'P')) {
        *Information |= PROTECTED_DACL_SECURITY_INFORMATION;
    }
    while (NT_SUCCESS(Status) && Reader.Next != Reader.End) {
        Status = TakeAce(&Reader, Acl);
    }
    return Status;
}

static NTSTATUS Secure(PDEVICE_OBJECT Device, PCUNICODE_STRING Sddl)
{
    ULONG_PTR Room[ACL_SIZE / sizeof(ULONG_PTR)];
    PACL Acl = (PACL)Room;
    SECURITY_DESCRIPTOR Descriptor;
    SECURITY_INFORMATION Information;
    HANDLE Handle;
    NTSTATUS Status = ReadSddl(Sddl, Acl, &Information);
    if (NT_SUCCESS(Status)) {
        Status = RtlCreateSecurityDescriptor(&Descriptor, SECURITY_DESCRIPTOR_REVISION);
    }
    if (NT_SUCCESS(Status)) {
        Status = RtlSetDaclSecurityDescriptor(&Descriptor, TRUE, Acl, FALSE);
    }
    if (NT_SUCCESS(Status)) {
        Status = ObOpenObjectByPointer(
            Device, OBJ_KERNEL_HANDLE, NULL, WRITE_DAC, NULL, KernelMode, &Handle);
    }
    if (NT_SUCCESS(Status)) {
        Status = ZwSetSecurityObject(Handle, Information, &Descriptor);
        ZwClose(Handle);
    }
    return Status;
}

NTSTATUS WdmlibIoCreateDeviceSecure(
    PDRIVER_OBJECT DriverObject, ULONG DeviceExtensionSize, PUNICODE_STRING DeviceName,
    DEVICE_TYPE DeviceType, ULONG DeviceCharacteristics, BOOLEAN Exclusive,
    PCUNICODE_STRING DefaultSDDLString, LPCGUID DeviceClassGuid, PDEVICE_OBJECT *DeviceObject)
{
    NTSTATUS Status;
    UNREFERENCED_PARAMETER(DeviceClassGuid);
    if (DeviceName == NULL && !(DeviceCharacteristics & FILE_AUTOGENERATED_DEVICE_NAME)) {
        return STATUS_INVALID_PARAMETER;
    }
    Status = IoCreateDevice(
        DriverObject, DeviceExtensionSize, DeviceName, DeviceType, DeviceCharacteristics, Exclusive,
        DeviceObject);
    if (NT_SUCCESS(Status)) {
        Status = Secure(*DeviceObject, DefaultSDDLString);
        if (!NT_SUCCESS(Status)) {
            IoDeleteDevice(*DeviceObject);
            *DeviceObject = NULL;
        }
    }
    return Status;
}
