#include <openwdk.h>
#include <wdm.h>
#ifdef RTL_USE_AVL_TABLES
/* mingw-w64's ntddk.h uses these with AVL tables too, but declares them without only. */
typedef struct _RTL_SPLAY_LINKS {
    struct _RTL_SPLAY_LINKS *Parent;
    struct _RTL_SPLAY_LINKS *LeftChild;
    struct _RTL_SPLAY_LINKS *RightChild;
} RTL_SPLAY_LINKS, *PRTL_SPLAY_LINKS;
#endif
#include_next <ntddk.h>
