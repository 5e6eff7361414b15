// A program that reads its own code, and that of its libraries, before and after running it.
#include "tick.h"

static uint64_t hash_text(uintptr_t begin, uintptr_t end) { return digest((const void*)begin, end - begin); }

int main(void) {
  tick_find_modules();
  uint64_t before[64];
  int own = -1;
  for (int i = 0; i < tick_texts; i++) {
    if (tick_text[i].begin == tick_own_begin) own = i;
    size_t size = tick_text[i].end - tick_text[i].begin;
    before[i] = hash_text(tick_text[i].begin, tick_text[i].begin + (size < 400000 ? size : 400000));
    printf("module %d: %016lx\n", i, before[i]);
  }
  CHECK(own >= 0);
  for (int round = 0; round < 3; round++) {
    for (int i = 0; i < tick_texts; i++) {
      size_t size = tick_text[i].end - tick_text[i].begin;
      CHECK(hash_text(tick_text[i].begin, tick_text[i].begin + (size < 400000 ? size : 400000)) == before[i]);
    }
  }
  // What is copied out of the code is what was read there.
  size_t size = tick_own_end - tick_own_begin;
  char* copy = malloc(size);
  memcpy(copy, (const void*)tick_own_begin, size);
  if (size < 400000) CHECK(digest(copy, size) == before[own]);
  free(copy);
  return success();
}
