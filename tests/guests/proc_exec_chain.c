// Ten execs in a row, descriptors inherited or closed on the way.
#include "guest.h"

int main(int argc, char** argv) {
  int depth = argc > 1 ? atoi(argv[1]) : 0;
  if (depth == 0) {
    CHECK(dup2(1, 50) == 50);
    CHECK(fcntl(1, F_DUPFD_CLOEXEC, 60) == 60);
  } else {
    CHECK(fcntl(50, F_GETFD) == 0);
    FAILS(fcntl(60, F_GETFD), EBADF);
  }
  if (depth < 10) {
    char next[16];
    snprintf(next, sizeof next, "%d", depth + 1);
    execl("/proc/self/exe", argv[0], next, (char*)NULL);
    CHECK(!"exec returned");
  }
  printf("pid %d after %d execs\n", getpid(), depth);
  return success();
}
