/*
 * Included first by each entry header of the open WDK.
 *
 * mingw-w64's headers are written for GCC. Here clang reads them for *-windows-msvc, so that layout and
 * calling convention are Microsoft's. These macros only select branches in the headers.
 */
#ifndef OPENWDK_PRELUDE
#define OPENWDK_PRELUDE

#undef _MSC_VER
#undef _MSC_FULL_VER
#undef _MSC_EXTENSIONS
#define __GNUC__ 4
#define __GNUC_MINOR__ 8
#define __GNUC_PATCHLEVEL__ 0
#define __MINGW32__ 1
#define __MINGW64__ 1
#define WIN32 1

/* Windows 10 version 2004, the oldest version that the drivers support. */
#undef _WIN32_WINNT
#undef WINVER
#undef NTDDI_VERSION
#define _WIN32_WINNT 0x0A00
#define WINVER 0x0A00
#define NTDDI_VERSION 0x0A000008

/* Inline in every file that includes it, so that the linker needs no other definition. */
#define FORCEINLINE static __inline__

#include <openwdk_sal.h>

#endif
