// The clone system call itself, as a fork that stores tids.
#include "guest.h"
#include <sched.h>

int main(void) {
  pid_t parent_word = 0, child_word = 0;
  long child = syscall(SYS_clone, CLONE_PARENT_SETTID | CLONE_CHILD_SETTID | SIGCHLD, 0, &parent_word, &child_word, 0);
  CHECK(child >= 0);
  if (child == 0) {
    CHECK(child_word == getpid());
    printf("child sees its tid %d\n", child_word);
    _exit(4);
  }
  CHECK(wait_exit((pid_t)child) == 4);
  CHECK(parent_word == child && child_word == 0);
  printf("parent sees child tid %d\n", parent_word);
  return success();
}
