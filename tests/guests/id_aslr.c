// Addresses of code, data, heap, stack, library and mapping: recorded as they were.
#include "guest.h"
#include <sys/personality.h>

static int data = 1, bss;

int main(void) {
  int stack;
  void* heap = malloc(100);
  void* map = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  CHECK(heap && map != MAP_FAILED);
  printf("code %p data %p bss %p heap %p stack %p library %p map %p\n", (void*)main, (void*)&data, (void*)&bss, heap,
         (void*)&stack, (void*)printf, map);
  pid_t child = SYS(fork());
  if (child == 0) {
    printf("child stack %p heap %p\n", (void*)&stack, malloc(10));
    exit(0);
  }
  CHECK(wait_exit(child) == 0);
  int persona = personality(0xffffffff);
  CHECK(persona != -1);
  free(heap);
  return success();
}
