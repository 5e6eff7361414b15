// The kernel clears the tid word at thread exit and wakes those who wait on it: clone without a library.
#include "guest.h"
#include <linux/futex.h>
#include <sched.h>

static int tid_word, ran;
static char stack[65536] __attribute__((aligned(16)));

static int body(void* argument) {
  ran = *(int*)argument;
  struct timespec t = {0, 20000000};
  syscall(SYS_nanosleep, &t, NULL);
  syscall(SYS_exit, 0);
  return 0;
}

int main(void) {
  int argument = 55, flags = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM |
                             CLONE_CHILD_CLEARTID | CLONE_PARENT_SETTID;
  int tid = (int)SYS(clone(body, stack + sizeof stack, flags, &argument, &tid_word, NULL, &tid_word));
  int seen;
  while ((seen = __atomic_load_n(&tid_word, __ATOMIC_SEQ_CST)) != 0) {
    CHECK(seen == tid);
    syscall(SYS_futex, &tid_word, FUTEX_WAIT, seen, NULL, NULL, 0);
  }
  CHECK(ran == 55);
  printf("thread %d of %d is gone\n", tid, getpid());
  return success();
}
