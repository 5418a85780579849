/*
 * wdmsec.lib of the open WDK: a library that becomes a part of the driver, as Microsoft's does.
 *
 * "WdmlibIoCreateDeviceSecure function (wdmsec.h)" is there for kernels older than the function itself. Of the
 * kernels that this project is for, each has it, under the name that the header documents it by, and no header
 * declares it: the library asks for it by name. Microsoft's has code of its own for where it is missing.
 */
#include <ntddk.h>

typedef NTSTATUS CREATE(
    PDRIVER_OBJECT DriverObject, ULONG DeviceExtensionSize, PUNICODE_STRING DeviceName,
    DEVICE_TYPE DeviceType, ULONG DeviceCharacteristics, BOOLEAN Exclusive,
    PCUNICODE_STRING DefaultSDDLString, LPCGUID DeviceClassGuid, PDEVICE_OBJECT *DeviceObject);

NTSTATUS WdmlibIoCreateDeviceSecure(
    PDRIVER_OBJECT DriverObject, ULONG DeviceExtensionSize, PUNICODE_STRING DeviceName,
    DEVICE_TYPE DeviceType, ULONG DeviceCharacteristics, BOOLEAN Exclusive,
    PCUNICODE_STRING DefaultSDDLString, LPCGUID DeviceClassGuid, PDEVICE_OBJECT *DeviceObject)
{
    UNICODE_STRING Name;
    CREATE *Create;
    RtlInitUnicodeString(&Name, L"IoCreateDeviceSecure");
    Create = (CREATE *)(ULONG_PTR)MmGetSystemRoutineAddress(&Name);
    if (Create == NULL) {
        return STATUS_PROCEDURE_NOT_FOUND;
    }
    return Create(
        DriverObject, DeviceExtensionSize, DeviceName, DeviceType, DeviceCharacteristics, Exclusive,
        DefaultSDDLString, DeviceClassGuid, DeviceObject);
}
