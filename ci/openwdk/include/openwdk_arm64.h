/* The documented values for ARM64, which mingw-w64's wdm.h does not support. */
#ifndef OPENWDK_ARM64
#define OPENWDK_ARM64

#define PASSIVE_LEVEL 0
#define LOW_LEVEL 0
#define APC_LEVEL 1
#define DISPATCH_LEVEL 2
#define CLOCK_LEVEL 13
#define IPI_LEVEL 14
#define POWER_LEVEL 15
#define PROFILE_LEVEL 15
#define HIGH_LEVEL 15

#define PAGE_SIZE 0x1000
#define PAGE_SHIFT 12L

#ifdef __cplusplus
extern "C" {
#endif
NTKERNELAPI struct _KTHREAD *NTAPI KeGetCurrentThread(VOID);
#ifdef __cplusplus
}
#endif

#endif
