/* The intrinsics that the kernel headers use. Clang's intrin.h includes every SIMD type. */
#pragma once
#include <crtdefs.h>
#include <setjmp.h>
#include <stddef.h>
/* wdm.h defines these two. */
#define __INTRINSIC_DEFINED_InterlockedBitTestAndSet
#define __INTRINSIC_DEFINED_InterlockedBitTestAndReset
#include <psdk_inc/intrin-impl.h>
unsigned __int64 __umulh(unsigned __int64, unsigned __int64);
