// malloc, realloc, aligned and huge blocks, trimming; addresses are part of the output.
#include "guest.h"
#include <malloc.h>

int main(void) {
  void* blocks[200] = {0};
  uint32_t seed = 7;
  uint64_t hash = 0;
  for (int i = 0; i < 3000; i++) {
    seed = seed * 1664525 + 1013904223;
    int slot = (int)(seed >> 16) % 200;
    size_t size = (seed >> 8) % (i % 100 == 0 ? 400000 : 5000);
    blocks[slot] = realloc(blocks[slot], size + 1);
    CHECK(blocks[slot] != NULL);
    memset(blocks[slot], i, size + 1);
    hash = hash * 31 + (uintptr_t)blocks[slot];
  }
  for (int i = 0; i < 200; i++) free(blocks[i]);
  void* aligned = aligned_alloc(65536, 65536);
  CHECK(((uintptr_t)aligned & 65535) == 0);
  free(aligned);
  int trimmed = malloc_trim(0);
  printf("addresses %016lx trimmed %d\n", hash, trimmed);
  return success();
}
