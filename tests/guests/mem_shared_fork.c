// Anonymous shared memory between parent, child and grandchild.
#include "guest.h"

int main(void) {
  volatile int* shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  CHECK(shared != MAP_FAILED);
  shared[0] = 1;
  pid_t child = SYS(fork());
  if (child == 0) {
    pid_t grandchild = SYS(fork());
    if (grandchild == 0) {
      shared[2] = getpid();
      shared[0] *= 7;
      _exit(0);
    }
    CHECK(wait_exit(grandchild) == 0);
    shared[1] = getpid();
    shared[0] += 3;
    _exit(0);
  }
  CHECK(wait_exit(child) == 0);
  CHECK(shared[0] == 10 && shared[1] == child && shared[2] > 0);
  printf("%d %d %d at %p\n", shared[0], shared[1], shared[2], (void*)shared);
  return success();
}
