/* Annotations of Microsoft's headers that mingw-w64's do not know: they say nothing to clang. */
#ifndef OPENWDK_SAL
#define OPENWDK_SAL
#endif
