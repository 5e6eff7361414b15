// A sleeping process is stopped and continued: nanosleep, poll and futex go on through their restart blocks.
#include "guest.h"
#include <linux/futex.h>
#include <poll.h>

static long elapsed_ms(struct timespec start) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (now.tv_sec - start.tv_sec) * 1000 + (now.tv_nsec - start.tv_nsec) / 1000000;
}

static void sleeper(void) {
  struct timespec start, t = {0, 120000000};
  static int word;
  clock_gettime(CLOCK_MONOTONIC, &start);
  CHECK(nanosleep(&t, NULL) == 0);
  long first = elapsed_ms(start);
  CHECK(poll(NULL, 0, 120) == 0);
  long second = elapsed_ms(start);
  FAILS(syscall(SYS_futex, &word, FUTEX_WAIT, 0, &t, NULL, 0), ETIMEDOUT);
  long third = elapsed_ms(start);
  printf("slept until %ld, %ld, %ld ms\n", first, second, third);
  CHECK(first >= 120 && second >= first + 119 && third >= second + 119);
  exit(0);
}

int main(void) {
  pid_t child = SYS(fork());
  if (child == 0) sleeper();
  int status, stops = 0;
  for (int i = 0; i < 3; i++) {
    sleep_ms(i == 0 ? 40 : 110);
    SYS(kill(child, SIGSTOP));
    CHECK(waitpid(child, &status, WUNTRACED) == child);
    if (!WIFSTOPPED(status)) return 1;
    stops++;
    sleep_ms(5);
    SYS(kill(child, SIGCONT));
  }
  CHECK(wait_exit(child) == 0);
  printf("stopped %d times\n", stops);
  return success();
}
