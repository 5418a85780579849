#include <openwdk.h>
#include_next <ntddk.h>
