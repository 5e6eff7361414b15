// A tree of 31 processes; every one adds the sum of its children's statuses.
#include "guest.h"

static int grow(int depth) {
  if (depth == 0) return 1;
  pid_t children[2];
  for (int i = 0; i < 2; i++) {
    children[i] = SYS(fork());
    if (children[i] == 0) _exit(grow(depth - 1));
  }
  return 1 + wait_exit(children[0]) + wait_exit(children[1]);
}

int main(void) {
  int processes = grow(4);
  printf("%d processes under %d\n", processes, getpid());
  CHECK(processes == 31);
  return success();
}
