// SIGXFSZ from the file-size limit and SIGXCPU from the time limit.
#include "guest.h"
#include <sys/resource.h>

static volatile sig_atomic_t seen;
static void handler(int signal) { seen = signal; }

int main(void) {
  enter_scratch();
  signal(SIGXFSZ, handler);
  signal(SIGXCPU, handler);
  struct rlimit limit = {100, 1000};
  SYS(setrlimit(RLIMIT_FSIZE, &limit));
  int fd = make_file("f", "");
  char block[200];
  memset(block, 'b', sizeof block);
  CHECK(write(fd, block, sizeof block) == 100);
  FAILS(write(fd, block, sizeof block), EFBIG);
  CHECK(seen == SIGXFSZ);
  raise(SIGXCPU);
  CHECK(seen == SIGXCPU);
  SYS(getrlimit(RLIMIT_CPU, &limit));
  printf("file size signal seen; cpu limit %ld\n", (long)limit.rlim_cur);
  return success();
}
