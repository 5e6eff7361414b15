#include "elsewhere.h"

__attribute__((optimize("optimize-sibling-calls"))) void tail_there(volatile int* done) {
  if (!*done) tail_here(done);
}

uint64_t tree_there(unsigned n, volatile int* done) {
  return n < 2 || *done ? n : tree_here(n - 1, done) + tree_here(n - 2, done);
}

uint64_t direct_there(unsigned n, volatile int* done) {
  return n < 2 || *done ? n : direct_here(n - 1, done) + direct_here(n - 2, done);
}
