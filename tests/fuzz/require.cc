#include <cstdio>
#include <cstdlib>

#include "tests/fuzz/target.h"

void tmrec::fuzz::require(bool holds, const char* promise) {
  if (holds) return;
  std::fprintf(stderr, "broken promise: %s\n", promise);
  std::abort();
}
