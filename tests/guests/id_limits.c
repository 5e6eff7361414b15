// getrlimit, setrlimit, prlimit on itself and on a child.
#include "guest.h"
#include <sys/resource.h>

int main(void) {
  struct rlimit limit, old;
  for (int i = 0; i < 16; i++) {
    SYS(getrlimit(i, &limit));
    printf("= limit %d: %ld %ld\n", i, (long)limit.rlim_cur, (long)limit.rlim_max);
  }
  SYS(getrlimit(RLIMIT_NOFILE, &limit));
  limit.rlim_cur = 20;
  SYS(setrlimit(RLIMIT_NOFILE, &limit));
  int fd = -1, last = -1;
  while ((fd = open("/dev/null", O_RDONLY)) >= 0) last = fd;
  CHECK(errno == EMFILE && last == 19);
  pid_t child = SYS(fork());
  if (child == 0) {
    for (;;) pause();
  }
  limit.rlim_cur = 15;
  SYS(prlimit(child, RLIMIT_NOFILE, &limit, &old));
  CHECK(old.rlim_cur == 20);
  SYS(kill(child, SIGKILL));
  CHECK(wait_exit(child) == 137);
  printf("child %d had %ld\n", child, (long)old.rlim_cur);
  return success();
}
