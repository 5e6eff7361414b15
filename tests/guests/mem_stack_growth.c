// The stack grows by a deep recursion and by a large frame.
#include "guest.h"

static uint64_t deep(int level) {
  volatile char block[2048];
  block[level % 2048] = (char)level;
  return level == 0 ? (uint64_t)(uintptr_t)block : deep(level - 1) + (uint64_t)block[level % 2048];
}

int main(void) {
  uint64_t sum = deep(1500);
  volatile char* large = __builtin_alloca(1 << 20);
  for (int i = (1 << 20) - 1; i > 0; i -= 4096) large[i] = (char)i;
  printf("sum %lx large %p\n", sum, (void*)large);
  CHECK(large[0xfffff] == (char)0xff);
  return success();
}
