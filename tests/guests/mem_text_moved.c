// A program moves a page of its own code, which nothing has changed before.
#include "guest.h"

__attribute__((noinline, section(".apart"), aligned(4096))) static unsigned long apart(unsigned long n) {
  unsigned long value = n;
  while (n-- > 0) value = value * 31 + (n ^ value >> 7);
  return value;
}
__attribute__((noinline, used, section(".apart"), aligned(4096))) static void behind(void) {}

int main(void) {
  CHECK((uintptr_t)apart % 4096 == 0 && (char*)behind == (char*)apart + 4096);
  printf("= %lx\n", apart(100000));
  char* place = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  CHECK(place != MAP_FAILED);
  CHECK(mremap((void*)apart, 4096, 4096, MREMAP_MAYMOVE | MREMAP_FIXED, place) == place);
  unsigned long (*moved)(unsigned long) = (void*)place;
  printf("= %lx\n", moved(100000));
  return success();
}
