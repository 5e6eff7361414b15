// XXH3 by the widest vectors that this CPU has: three times as fast as what every x86-64 has. Where the library does not
// choose among them, as in its static form, as the compiler makes it. The values are the same.
#pragma once

#if __has_include(<xxh_x86dispatch.h>) && !defined(TMREC_STATIC)
#define XXH_STATIC_LINKING_ONLY
#include <xxh_x86dispatch.h>
#else
#define XXH_INLINE_ALL
#include <xxhash.h>
#endif
