// clone3 with a pidfd; the structure is read, the descriptor written.
#include "guest.h"
#include <linux/sched.h>
#include <poll.h>

int main(void) {
  int pidfd = -1;
  struct clone_args args;
  memset(&args, 0, sizeof args);
  args.flags = CLONE_PIDFD;
  args.pidfd = (uint64_t)&pidfd;
  args.exit_signal = SIGCHLD;
  long child = syscall(SYS_clone3, &args, sizeof args);
  if (child == -1 && errno == ENOSYS) {
    puts("clone3 refused");
    return success();
  }
  CHECK(child >= 0);
  if (child == 0) _exit(9);
  struct pollfd p = {pidfd, POLLIN, 0};
  CHECK(poll(&p, 1, 1000) == 1 && (p.revents & POLLIN));
  CHECK(wait_exit((pid_t)child) == 9);
  printf("child %ld pidfd %d\n", child, pidfd);
  return success();
}
