/* The few intrinsics that the kernel headers use. Clang's own intrin.h brings in every SIMD type. */
#pragma once
#include <crtdefs.h>
#include <setjmp.h>
#include <stddef.h>
/* wdm.h has these two itself. */
#define __INTRINSIC_DEFINED_InterlockedBitTestAndSet
#define __INTRINSIC_DEFINED_InterlockedBitTestAndReset
#include <psdk_inc/intrin-impl.h>
unsigned __int64 __umulh(unsigned __int64, unsigned __int64);
