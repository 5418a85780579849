#include <openwdk.h>
/* Inline in mingw-w64. Windows exports it, and wdk-sys does not bind inline functions. */
#define KeGetCurrentIrql openwdk_inline_KeGetCurrentIrql
#include_next <wdm.h>
#undef KeGetCurrentIrql
#include <openwdk_wdm.h>
