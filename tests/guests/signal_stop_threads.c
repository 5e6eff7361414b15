// A group stop reaches every thread of a process, and SIGCONT starts them all again.
#include "guest.h"

static volatile long* progress;

static void* body(void* argument) {
  for (;;) {
    progress[(long)argument]++;
    usleep(400);
  }
  return NULL;
}

int main(void) {
  progress = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  pid_t child = SYS(fork());
  if (child == 0) {
    pthread_t thread;
    for (long i = 0; i < 3; i++) OK(pthread_create(&thread, NULL, body, (void*)i));
    body((void*)3L);
  }
  for (int i = 0; i < 4; i++)
    while (progress[i] < 3) usleep(500);
  for (int round = 0; round < 2; round++) {
    int status;
    SYS(kill(child, SIGSTOP));
    CHECK(waitpid(child, &status, WUNTRACED) == child && WIFSTOPPED(status));
    long before[4], after[4];
    for (int i = 0; i < 4; i++) before[i] = progress[i];
    usleep(10000);
    for (int i = 0; i < 4; i++) CHECK((after[i] = progress[i]) == before[i]);
    SYS(kill(child, SIGCONT));
    CHECK(waitpid(child, &status, WCONTINUED) == child && WIFCONTINUED(status));
    for (int i = 0; i < 4; i++)
      while (progress[i] == after[i]) usleep(500);
    printf("round %d stood at %ld %ld %ld %ld\n", round, after[0], after[1], after[2], after[3]);
  }
  SYS(kill(child, SIGKILL));
  CHECK(wait_exit(child) == 137);
  return success();
}
