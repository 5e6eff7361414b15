// Anonymous private mappings: addresses, contents, partial unmapping, errors.
#include "guest.h"

int main(void) {
  char* a = mmap(NULL, 16 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  CHECK(a != MAP_FAILED);
  for (int i = 0; i < 16; i++) a[i * 4096] = (char)i;
  SYS(munmap(a + 4 * 4096, 4 * 4096));
  unsigned char residency[1];
  FAILS(mincore(a + 4 * 4096, 4096, residency), ENOMEM);
  CHECK(a[15 * 4096] == 15 && a[3 * 4096] == 3);
  char* b = mmap(a + 4 * 4096, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
  CHECK(b == a + 4 * 4096 && *b == 0);
  char* c = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE | MAP_NORESERVE, -1, 0);
  CHECK(c != MAP_FAILED && c[99999] == 0);
  FAILS(mmap(NULL, 0, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), EINVAL);
  FAILS(mmap((void*)123, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0), EINVAL);
  FAILS(mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, 99, 0), EBADF);
  void* d = mmap(a, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
  CHECK(d == MAP_FAILED && errno == EEXIST);
  printf("%p %p %p\n", (void*)a, (void*)b, (void*)c);
  return success();
}
