#include <openwdk.h>
#include_next <ntifs.h>
#include <openwdk_ntifs.h>
