/*
 * wdmsec.lib of the open WDK: a static library that is linked into the driver, like Microsoft's wdmsec.lib.
 *
 * "WdmlibIoCreateDeviceSecure function (wdmsec.h)" also supports kernels that lack IoCreateDeviceSecure. Every
 * kernel that this project supports exports IoCreateDeviceSecure, but no header declares the export, so the
 * library gets its address by name. Microsoft's library has an implementation of its own for older kernels.
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
