/* Documented kernel interfaces that mingw-w64's wdm.h lacks or declares differently. */
#ifndef OPENWDK_WDM
#define OPENWDK_WDM

#ifdef __cplusplus
extern "C" {
#endif

/* An expression, as in Microsoft's headers. */
#undef UNREFERENCED_PARAMETER
#define UNREFERENCED_PARAMETER(P) ((void)(P))

NTKERNELAPI KIRQL NTAPI KeGetCurrentIrql(VOID);

/* ---- Pool ---------------------------------------------------------------------------------- */

typedef ULONG64 POOL_FLAGS;
#define POOL_FLAG_USE_QUOTA 0x0000000000000001UI64
#define POOL_FLAG_UNINITIALIZED 0x0000000000000002UI64
#define POOL_FLAG_SESSION 0x0000000000000004UI64
#define POOL_FLAG_CACHE_ALIGNED 0x0000000000000008UI64
#define POOL_FLAG_RAISE_ON_FAILURE 0x0000000000000020UI64
#define POOL_FLAG_NON_PAGED 0x0000000000000040UI64
#define POOL_FLAG_NON_PAGED_EXECUTE 0x0000000000000080UI64
#define POOL_FLAG_PAGED 0x0000000000000100UI64

NTKERNELAPI PVOID NTAPI ExAllocatePool2(POOL_FLAGS Flags, SIZE_T NumberOfBytes, ULONG Tag);
NTKERNELAPI VOID NTAPI ExFreePool2(
    PVOID Pool, ULONG Tag, PVOID ExtendedParameters, ULONG ExtendedParametersCount);

#define POOL_NX_ALLOCATION 512

#define DrvRtPoolNxOptIn 0x00000001

/* With POOL_NX_OPTIN, Microsoft's function changes NonPagedPool to NonPagedPoolNx. This one does nothing. */
static __inline__ VOID ExInitializeDriverRuntime(ULONG RuntimeFlags)
{
    UNREFERENCED_PARAMETER(RuntimeFlags);
}

/* The documented replacements of ExAllocatePoolWithTag for Windows before 2004. */
static __inline__ PVOID ExAllocatePoolZero(POOL_TYPE PoolType, SIZE_T NumberOfBytes, ULONG Tag)
{
    PVOID Pool = ExAllocatePoolWithTag(PoolType, NumberOfBytes, Tag);
    if (Pool != NULL) {
        RtlZeroMemory(Pool, NumberOfBytes);
    }
    return Pool;
}

static __inline__ PVOID ExAllocatePoolUninitialized(POOL_TYPE PoolType, SIZE_T NumberOfBytes, ULONG Tag)
{
    return ExAllocatePoolWithTag(PoolType, NumberOfBytes, Tag);
}

#define MdlMappingNoWrite 0x80000000
#define MdlMappingNoExecute 0x40000000

/* ---- Small helpers ------------------------------------------------------------------------- */

#ifndef Add2Ptr
#define Add2Ptr(P, I) ((PVOID)((PUCHAR)(P) + (I)))
#endif
#ifndef ROUND_TO_SIZE
#define ROUND_TO_SIZE(Length, Alignment) \
    (((ULONG_PTR)(Length) + ((Alignment) - 1)) & ~((ULONG_PTR)(Alignment) - 1))
#endif
#ifndef IS_ALIGNED
#define IS_ALIGNED(Pointer, Alignment) ((((ULONG_PTR)(Pointer)) & ((Alignment) - 1)) == 0)
#endif

#ifdef _AMD64_
static __inline__ VOID KeMemoryBarrier(VOID)
{
    __sync_synchronize();
}
#endif

/* ---- The driver's registry keys ------------------------------------------------------------ */

typedef enum _DRIVER_REGKEY_TYPE {
    DriverRegKeyParameters,
    DriverRegKeyPersistentState,
    DriverRegKeySharedPersistentState
} DRIVER_REGKEY_TYPE, *PDRIVER_REGKEY_TYPE;

NTKERNELAPI NTSTATUS NTAPI IoOpenDriverRegistryKey(
    PDRIVER_OBJECT DriverObject, DRIVER_REGKEY_TYPE RegKeyType, ACCESS_MASK DesiredAccess,
    ULONG Flags, PHANDLE DriverRegKey);

/* ---- Silos --------------------------------------------------------------------------------- */

typedef struct _EJOB *PESILO;

/* ---- Transactions -------------------------------------------------------------------------- */

typedef struct _KTRANSACTION KTRANSACTION, *PKTRANSACTION;
typedef struct _KENLISTMENT KENLISTMENT, *PKENLISTMENT;
typedef struct _KRESOURCEMANAGER KRESOURCEMANAGER, *PKRESOURCEMANAGER;

#ifdef __cplusplus
}
#endif

#endif
