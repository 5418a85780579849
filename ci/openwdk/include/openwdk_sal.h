/* Annotations in Microsoft's headers that mingw-w64 does not define. They are empty for clang. */
#ifndef OPENWDK_SAL
#define OPENWDK_SAL

#include <sal.h>
#include <specstrings.h>
#include <driverspecs.h>

#ifndef _Acquires_exclusive_lock_
#define _Acquires_exclusive_lock_(lock)
#endif
#ifndef _Acquires_lock_
#define _Acquires_lock_(lock)
#endif
#ifndef _Acquires_shared_lock_
#define _Acquires_shared_lock_(lock)
#endif
#ifndef _Analysis_assume_
#define _Analysis_assume_(expression)
#endif
#ifndef _Analysis_mode_
#define _Analysis_mode_(mode)
#endif
#ifndef _At_
#define _At_(target, annotation)
#endif
#ifndef _Dispatch_type_
#define _Dispatch_type_(type)
#endif
#ifndef _Function_class_
#define _Function_class_(name)
#endif
#ifndef _Global_critical_region_
#define _Global_critical_region_
#endif
#ifndef _Must_inspect_result_
#define _Must_inspect_result_
#endif
#ifndef _Outptr_result_buffer_
#define _Outptr_result_buffer_(size)
#endif
#ifndef _Outptr_result_bytebuffer_maybenull_
#define _Outptr_result_bytebuffer_maybenull_(size)
#endif
#ifndef _Outptr_result_maybenull_
#define _Outptr_result_maybenull_
#endif
#ifndef _Outptr_opt_result_maybenull_
#define _Outptr_opt_result_maybenull_
#endif
#ifndef _Out_range_
#define _Out_range_(low, high)
#endif
#ifndef _Post_invalid_
#define _Post_invalid_
#endif
#ifndef _Post_notnull_
#define _Post_notnull_
#endif
#ifndef _Post_null_
#define _Post_null_
#endif
#ifndef _Post_satisfies_
#define _Post_satisfies_(expression)
#endif
#ifndef _Post_writable_byte_size_
#define _Post_writable_byte_size_(size)
#endif
#ifndef _Pre_maybenull_
#define _Pre_maybenull_
#endif
#ifndef _Pre_notnull_
#define _Pre_notnull_
#endif
#ifndef _Pre_satisfies_
#define _Pre_satisfies_(expression)
#endif
#ifndef _Pre_valid_
#define _Pre_valid_
#endif
#ifndef _Releases_lock_
#define _Releases_lock_(lock)
#endif
#ifndef _Requires_lock_held_
#define _Requires_lock_held_(lock)
#endif
#ifndef _Requires_lock_not_held_
#define _Requires_lock_not_held_(lock)
#endif
#ifndef _Return_type_success_
#define _Return_type_success_(expression)
#endif
#ifndef _Success_
#define _Success_(expression)
#endif
#ifndef _Unreferenced_parameter_
#define _Unreferenced_parameter_
#endif
#ifndef _When_
#define _When_(condition, annotation)
#endif

/* Macros of suppress.h that a driver may use without including it. */
#ifndef ANALYSIS_ASSUME
#define ANALYSIS_ASSUME(expression)
#endif

#endif
