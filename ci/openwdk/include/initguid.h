#include <openwdk.h>
#include_next <initguid.h>
