// RLIMIT_CORE decides whether a crash says that it dumped; the file is the crashed process's affair.
#include "guest.h"
#include <sys/resource.h>

static int crash(rlim_t limit) {
  pid_t child = SYS(fork());
  if (child == 0) {
    struct rlimit r;
    getrlimit(RLIMIT_CORE, &r);
    r.rlim_cur = limit < r.rlim_max ? limit : r.rlim_max;
    setrlimit(RLIMIT_CORE, &r);
    abort();
  }
  int status;
  SYS(waitpid(child, &status, 0));
  CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
  printf("pid %d limit %ld dumped %d\n", child, (long)limit, WCOREDUMP(status) ? 1 : 0);
  return WCOREDUMP(status);
}

int main(void) {
  enter_scratch();
  CHECK(!crash(0));
  crash(RLIM_INFINITY);
  return success();
}
