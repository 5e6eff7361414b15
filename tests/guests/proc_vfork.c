// vfork: the child runs in the parent's memory while the parent waits.
#include "guest.h"

int main(void) {
  volatile int shared = 1;
  pid_t child = vfork();
  CHECK(child >= 0);
  if (child == 0) {
    shared = 42;
    _exit(3);
  }
  CHECK(shared == 42);
  CHECK(wait_exit(child) == 3);
  printf("vfork child %d left %d\n", child, shared);
  return success();
}
