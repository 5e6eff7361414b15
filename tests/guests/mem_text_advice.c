// A program gives the pages of its own text back to the kernel, makes them writable and back again, and moves some.
#include "guest.h"

__attribute__((noinline, section(".apart"), aligned(4096))) static unsigned long apart(unsigned long n) {
  unsigned long value = n;
  while (n-- > 0) value = value * 31 + (n ^ value >> 7);
  return value;
}
__attribute__((noinline, used, section(".apart"), aligned(4096))) static void behind(void) {}

__attribute__((noinline)) static unsigned long mixed(unsigned long n) {
  unsigned long value = n;
  while (n-- > 0) value = value * 33 + (n ^ value >> 5);
  return value;
}

static char* page_of(void* at) { return (char*)((uintptr_t)at & ~(uintptr_t)4095); }

static void both(const char* when) { printf("= %s: %lx %lx\n", when, mixed(100000), apart(100000)); }

int main(void) {
  char *here = page_of(mixed), *there = page_of(apart);
  CHECK((char*)apart == there && (char*)behind == there + 4096);
  both("at first");
  SYS(madvise(here, 4096, MADV_DONTNEED));
  SYS(madvise(there, 4096, MADV_DONTNEED));
  both("given back");
  SYS(mprotect(there, 4096, PROT_READ | PROT_WRITE | PROT_EXEC));
  both("writable");
  SYS(mprotect(there, 4096, PROT_READ | PROT_EXEC));
  SYS(madvise(here, 4096, MADV_DONTNEED));
  SYS(madvise(there, 4096, MADV_DONTNEED));
  both("given back again");
  char* place = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  CHECK(place != MAP_FAILED);
  CHECK(mremap(there, 4096, 4096, MREMAP_MAYMOVE | MREMAP_FIXED, place) == place);
  unsigned long (*moved)(unsigned long) = (void*)place;
  printf("= moved: %lx %lx\n", mixed(100000), moved(100000));
  return success();
}
