#include <openwdk.h>
/* mingw-w64 has it as an inline; Windows exports it, and wdk-sys binds functions only. */
#define KeGetCurrentIrql openwdk_inline_KeGetCurrentIrql
#include_next <wdm.h>
#undef KeGetCurrentIrql
#include <openwdk_wdm.h>
