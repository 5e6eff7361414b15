// fork: two processes with different answers, the child's status collected.
#include "guest.h"

int main(void) {
  int value = 1;
  pid_t child = SYS(fork());
  if (child == 0) {
    value = 2;
    printf("child %d of %d value %d\n", getpid(), getppid(), value);
    exit(5);
  }
  CHECK(wait_exit(child) == 5);
  printf("parent %d child %d value %d\n", getpid(), child, value);
  CHECK(value == 1);
  return success();
}
