#include <openwdk.h>
#include_next <ntstrsafe.h>
