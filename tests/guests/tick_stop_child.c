// SIGSTOP and SIGCONT, and at last SIGTERM, all to a child that computes.
#include "guest.h"

int main(void) {
  volatile long* count = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  CHECK(count != MAP_FAILED);
  pid_t child = SYS(fork());
  if (!child) {
    for (;;) count[0]++;
  }
  for (int round = 0; round < 4; round++) {
    for (long seen = count[0]; count[0] < seen + 1000;) sleep_ms(1);
    int status;
    SYS(kill(child, SIGSTOP));
    CHECK(waitpid(child, &status, WUNTRACED) == child && WIFSTOPPED(status));
    printf("stopped by %d at %ld\n", WSTOPSIG(status), count[0]);
    long seen = count[0];
    sleep_ms(3);
    CHECK(count[0] == seen);
    SYS(kill(child, SIGCONT));
    CHECK(waitpid(child, &status, WCONTINUED) == child && WIFCONTINUED(status));
    while (count[0] == seen) sleep_ms(1);
  }
  SYS(kill(child, SIGTERM));
  CHECK(wait_exit(child) == 128 + SIGTERM);
  printf("count %ld\n", count[0]);
  return success();
}
