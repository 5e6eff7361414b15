// mremap: growing, shrinking, moving, to a fixed place, and duplicating shared memory.
#include "guest.h"

int main(void) {
  char* a = mmap(NULL, 4 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  CHECK(a != MAP_FAILED);
  for (int i = 0; i < 4; i++) a[i * 4096] = (char)('a' + i);
  a = mremap(a, 4 * 4096, 2 * 4096, 0);
  CHECK(a != MAP_FAILED);
  char* b = mremap(a, 2 * 4096, 64 * 4096, MREMAP_MAYMOVE);
  CHECK(b != MAP_FAILED && b[4096] == 'b' && b[63 * 4096] == 0);
  char* target = mmap(NULL, 64 * 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  char* c = mremap(b, 64 * 4096, 64 * 4096, MREMAP_MAYMOVE | MREMAP_FIXED, target);
  CHECK(c == target && c[0] == 'a');
  FAILS(mremap(b, 64 * 4096, 65 * 4096, 0), EFAULT);
  char* d = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  char* e = mremap(d, 0, 4096, MREMAP_MAYMOVE);
  CHECK(e != MAP_FAILED && e != d);
  strcpy(d, "twice");
  CHECK(strcmp(e, "twice") == 0);
  char* f = mremap(c, 4096, 4096, MREMAP_MAYMOVE | 4 /* DONTUNMAP */, NULL);
  if (f != MAP_FAILED) CHECK(f[0] == 'a' && c[0] == 0);
  printf("%p %p %p %p %p\n", (void*)b, (void*)c, (void*)d, (void*)e, (void*)f);
  return success();
}
