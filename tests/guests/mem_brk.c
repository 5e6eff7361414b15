// The heap's end moves both ways.
#include "guest.h"

int main(void) {
  long start = syscall(SYS_brk, 0);
  long up = syscall(SYS_brk, start + 100000);
  CHECK(up == start + 100000);
  volatile char* heap = (volatile char*)start;
  heap[50000] = 'h';
  long down = syscall(SYS_brk, start + 4096);
  CHECK(down == start + 4096);
  up = syscall(SYS_brk, start + 200000);
  CHECK(up == start + 200000 && heap[50000] == 0);
  CHECK(syscall(SYS_brk, 1) == up);
  void* block = sbrk(8192);
  CHECK(block != (void*)-1 || errno == ENOMEM);
  printf("heap from %lx to %lx\n", start, up);
  return success();
}
