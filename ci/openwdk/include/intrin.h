/* The few intrinsics that the kernel headers use. Clang's own intrin.h brings in every SIMD type. */
#pragma once
#include <crtdefs.h>
#include <setjmp.h>
#include <stddef.h>
#include <psdk_inc/intrin-impl.h>
unsigned __int64 __umulh(unsigned __int64, unsigned __int64);
