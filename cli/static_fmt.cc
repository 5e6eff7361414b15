// libfmt for a static tmrec. Debian packages its headers, which hold all of it, but no static library; FMT_HEADER_ONLY
// would compile it anew in each of our files, three times slower than this one.
#include <fmt/format-inl.h>
