/*
 * A minifilter in C that reads system structures, registers notification routines, and leaves a part of its teardown to
 * its DriverUnload routine, which FltMgr calls.
 *
 * Without a macro, it breaks no rule. Each test defines one of the macros below (#ifdef), which adds a defect, and
 * names the rule that must find it.
 */
#include <fltKernel.h>

#include "log.h"

#define TAG 'tseT'

static PFLT_FILTER Filter;
static NPAGED_LOOKASIDE_LIST Entries;
static LARGE_INTEGER RegistryCookie;
static volatile LONG Reads;

DRIVER_INITIALIZE DriverEntry;

/* --- Structures of the system ---------------------------------------------------------------- */

/* Reads members of DEVICE_OBJECT, DRIVER_OBJECT and FILE_OBJECT that their documentation does not call opaque. */
static BOOLEAN IsADiskWithAName(PDEVICE_OBJECT Disk)
{
#ifdef READS_BEHIND_A_DEVICE_EXTENSION
    Reads = *(volatile LONG *)Disk->DeviceObjectExtension;
#elif defined(READS_BEHIND_A_DRIVER_SECTION)
    Reads = *(volatile LONG *)Disk->DriverObject->DriverSection;
#endif
    return Disk->DeviceType == FILE_DEVICE_DISK && !FlagOn(Disk->Characteristics, FILE_REMOTE_DEVICE)
        && Disk->SectorSize == 512 && Disk->DriverObject->DriverName.Length != 0
        && Disk->DriverObject->DeviceObject != NULL && Disk->StackSize != 0 && Disk->Size >= sizeof(DEVICE_OBJECT);
}

static BOOLEAN IsAFile(PFILE_OBJECT File)
{
    PFSRTL_ADVANCED_FCB_HEADER Header = File->FsContext;

#ifdef READS_BEHIND_FS_CONTEXT_2
    Reads = *(volatile LONG *)File->FsContext2;
#elif defined(READS_BEHIND_A_FILE_EXTENSION)
    Reads = *(volatile LONG *)File->FileObjectExtension;
#endif
    return File->Type == 5 && File->Size == sizeof(FILE_OBJECT) && File->FileName.Length != 0
        && IsADiskWithAName(File->Vpb->RealDevice) && File->Vpb->DeviceObject == File->DeviceObject
        && File->SectionObjectPointer->ImageSectionObject == NULL && Header->FileSize.QuadPart != 0
        && File->RelatedFileObject == NULL;
}

/* --- Notifications --------------------------------------------------------------------------- */

static VOID NTAPI ProcessNotify(PEPROCESS Process, HANDLE Id, PPS_CREATE_NOTIFY_INFO Info)
{
    UNREFERENCED_PARAMETER(Process);
    UNREFERENCED_PARAMETER(Id);
    UNREFERENCED_PARAMETER(Info);
}

static VOID NTAPI ParentNotify(HANDLE Parent, HANDLE Id, BOOLEAN Create)
{
    UNREFERENCED_PARAMETER(Parent);
    UNREFERENCED_PARAMETER(Id);
    UNREFERENCED_PARAMETER(Create);
}

static VOID NTAPI ThreadNotify(HANDLE Process, HANDLE Id, BOOLEAN Create)
{
    UNREFERENCED_PARAMETER(Process);
    UNREFERENCED_PARAMETER(Id);
    UNREFERENCED_PARAMETER(Create);
}

static VOID NTAPI ImageNotify(PUNICODE_STRING Name, HANDLE Process, PIMAGE_INFO Info)
{
    UNREFERENCED_PARAMETER(Name);
    UNREFERENCED_PARAMETER(Process);
    UNREFERENCED_PARAMETER(Info);
}

static NTSTATUS NTAPI RegistryNotify(PVOID Context, PVOID Kind, PVOID Data)
{
    UNREFERENCED_PARAMETER(Context);
    UNREFERENCED_PARAMETER(Kind);
    UNREFERENCED_PARAMETER(Data);
    return STATUS_SUCCESS;
}

/* Removes the first Count routines, in reverse order. */
static void StopListening(ULONG Count)
{
    if (Count > 4) {
        CmUnRegisterCallback(RegistryCookie);
    }
    if (Count > 3) {
        PsRemoveLoadImageNotifyRoutine(ImageNotify);
    }
    if (Count > 2) {
        PsRemoveCreateThreadNotifyRoutine(ThreadNotify);
    }
#ifndef DOES_NOT_REMOVE_A_NOTIFY_ROUTINE
    if (Count > 1) {
        PsSetCreateProcessNotifyRoutine(ParentNotify, TRUE);
    }
#endif
    if (Count > 0) {
        PsSetCreateProcessNotifyRoutineEx(ProcessNotify, TRUE);
    }
}

static NTSTATUS Listen(PDRIVER_OBJECT Driver)
{
    UNICODE_STRING Altitude = RTL_CONSTANT_STRING(L"370030");
    NTSTATUS Status = PsSetCreateProcessNotifyRoutineEx(ProcessNotify, FALSE);

    if (!NT_SUCCESS(Status)) {
        return Status;
    }
    Status = PsSetCreateProcessNotifyRoutine(ParentNotify, FALSE);
    if (!NT_SUCCESS(Status)) {
        StopListening(1);
        return Status;
    }
    Status = PsSetCreateThreadNotifyRoutine(ThreadNotify);
    if (!NT_SUCCESS(Status)) {
        StopListening(2);
        return Status;
    }
    Status = PsSetLoadImageNotifyRoutine(ImageNotify);
    if (!NT_SUCCESS(Status)) {
        StopListening(3);
        return Status;
    }
    Status = CmRegisterCallbackEx(RegistryNotify, &Altitude, Driver, NULL, &RegistryCookie, NULL);
    if (!NT_SUCCESS(Status)) {
        StopListening(4);
    }
    return Status;
}

/* --- Operations and instances ---------------------------------------------------------------- */

static FLT_PREOP_CALLBACK_STATUS FLTAPI PreCreate(
    PFLT_CALLBACK_DATA Data, PCFLT_RELATED_OBJECTS Objects, PVOID *Context)
{
    PFILE_OBJECT File = Objects->FileObject;

    UNREFERENCED_PARAMETER(Data);
    UNREFERENCED_PARAMETER(Context);
    if (File->FileName.Length != 0 && File->Vpb != NULL && !IsAFile(File)) {
        return 99;
    }
    return FLT_PREOP_SUCCESS_NO_CALLBACK;
}

static CONST FLT_OPERATION_REGISTRATION Operations[] = {
    { IRP_MJ_CREATE, 0, PreCreate, NULL },
    { IRP_MJ_OPERATION_END },
};

static CONST FLT_CONTEXT_REGISTRATION Contexts[] = {
    { FLT_INSTANCE_CONTEXT, 0, NULL, sizeof(ULONG), TAG },
    { FLT_CONTEXT_END },
};

static NTSTATUS FLTAPI InstanceSetup(
    PCFLT_RELATED_OBJECTS Objects, FLT_INSTANCE_SETUP_FLAGS Flags, DEVICE_TYPE Type, FLT_FILESYSTEM_TYPE FileSystem)
{
    PFLT_CONTEXT Context;
    PDEVICE_OBJECT Disk;
    NTSTATUS Status;

    UNREFERENCED_PARAMETER(Flags);
    UNREFERENCED_PARAMETER(FileSystem);
    if (Type == FILE_DEVICE_NETWORK_FILE_SYSTEM) {
        return STATUS_FLT_DO_NOT_ATTACH;
    }
    Status = FltGetDiskDeviceObject(Objects->Volume, &Disk);
    if (!NT_SUCCESS(Status)) {
        return Status;
    }
    if (!IsADiskWithAName(Disk)) {
        Status = STATUS_FLT_DO_NOT_ATTACH;
    }
    ObDereferenceObject(Disk);
    if (!NT_SUCCESS(Status)) {
        return Status;
    }
    Status = FltAllocateContext(Objects->Filter, FLT_INSTANCE_CONTEXT, sizeof(ULONG), NonPagedPool, &Context);
    if (!NT_SUCCESS(Status)) {
        return Status;
    }
    Status = FltSetInstanceContext(Objects->Instance, FLT_SET_CONTEXT_KEEP_IF_EXISTS, Context, NULL);
    FltReleaseContext(Context);
    return Status;
}

/* Deletes the context of the instance. A context that a callback references stays valid until it is released. */
static VOID FLTAPI TeardownStart(PCFLT_RELATED_OBJECTS Objects, FLT_INSTANCE_TEARDOWN_FLAGS Reason)
{
    PFLT_CONTEXT Context;

    UNREFERENCED_PARAMETER(Reason);
    if (NT_SUCCESS(FltDeleteInstanceContext(Objects->Instance, &Context))) {
        FltReleaseContext(Context);
    }
}

static NTSTATUS FLTAPI InstanceQueryTeardown(PCFLT_RELATED_OBJECTS Objects, FLT_INSTANCE_QUERY_TEARDOWN_FLAGS Flags)
{
    UNREFERENCED_PARAMETER(Objects);
    UNREFERENCED_PARAMETER(Flags);
    return STATUS_SUCCESS;
}

/* --- Unloading and loading ----------------------------------------------------------------- */

static NTSTATUS FLTAPI Unload(FLT_FILTER_UNLOAD_FLAGS Flags)
{
    UNREFERENCED_PARAMETER(Flags);
    FltUnregisterFilter(Filter);
    StopListening(5);
    return STATUS_SUCCESS;
}

/* FltMgr saves this routine when the filter is registered, and calls it after the FilterUnloadCallback. */
static VOID NTAPI DriverUnload(PDRIVER_OBJECT Driver)
{
    UNREFERENCED_PARAMETER(Driver);
#ifndef LEAKS_A_LIST_WHEN_UNLOADED
    ExDeleteNPagedLookasideList(&Entries);
#endif
}

NTSTATUS NTAPI DriverEntry(PDRIVER_OBJECT Driver, PUNICODE_STRING Path)
{
    static CONST FLT_REGISTRATION Registration = {
        sizeof(FLT_REGISTRATION),
        FLT_REGISTRATION_VERSION,
        0,
        Contexts,
        Operations,
        Unload,
        InstanceSetup,
        NULL,
        TeardownStart,
    };
    NTSTATUS Status;

    UNREFERENCED_PARAMETER(Path);
    ExInitializeNPagedLookasideList(&Entries, NULL, NULL, POOL_NX_ALLOCATION, 64, TAG, 0);
    Status = Listen(Driver);
    if (!NT_SUCCESS(Status)) {
        goto DeleteList;
    }
    Driver->DriverUnload = DriverUnload;
    Status = FltRegisterFilter(Driver, &Registration, &Filter);
    if (!NT_SUCCESS(Status)) {
        goto StopListening;
    }
    Status = FltStartFiltering(Filter);
    if (!NT_SUCCESS(Status)) {
        goto Unregister;
    }
    return STATUS_SUCCESS;

Unregister:
    FltUnregisterFilter(Filter);
StopListening:
    StopListening(5);
DeleteList:
#ifndef LEAKS_A_LIST_WHEN_LOADING_FAILS
    ExDeleteNPagedLookasideList(&Entries);
#endif
    Log(Driver, Status);
    return Status;
}
