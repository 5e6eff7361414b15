// rep movs, stos, scas and cmps over large buffers.
#include "guest.h"

int main(void) {
  size_t size = 3 << 20;
  unsigned char *a = malloc(size), *b = malloc(size);
  size_t seed = (size_t)getpid();
  for (size_t i = 0; i < size; i++) a[i] = (unsigned char)(i * 31 + seed);
  void *from = a, *to = b;
  size_t count = size;
  __asm__ volatile("rep movsb" : "+S"(from), "+D"(to), "+c"(count)::"memory");
  CHECK(memcmp(a, b, size) == 0);
  to = b;
  count = size / 8;
  __asm__ volatile("rep stosq" : "+D"(to), "+c"(count) : "a"(0x0101010101010101ul) : "memory");
  CHECK(b[size - 1] == 1);
  b[1234567] = 9;
  to = b;
  count = size;
  __asm__ volatile("repne scasb" : "+D"(to), "+c"(count) : "a"(9) : "cc");
  CHECK((unsigned char*)to == b + 1234568);
  printf("digest %016lx at %p\n", digest(a, 4096), (void*)a);
  free(a);
  free(b);
  return success();
}
