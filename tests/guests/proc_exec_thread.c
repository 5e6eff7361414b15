// exec from a thread that is not the leader: it takes over the leader's tid, the other threads vanish.
#include "guest.h"

static char** arguments;

static void* sleeper(void* unused) {
  pause();
  return unused;
}

static void* executor(void* unused) {
  printf("thread %ld of process %d executes\n", syscall(SYS_gettid), getpid());
  char* args[] = {arguments[0], (char*)"after", NULL};
  execv("/proc/self/exe", args);
  CHECK(!"exec returned");
  return unused;
}

int main(int argc, char** argv) {
  if (argc > 1) {
    CHECK(syscall(SYS_gettid) == getpid());
    printf("now process %d thread %ld\n", getpid(), syscall(SYS_gettid));
    return success();
  }
  arguments = argv;
  pthread_t threads[3];
  for (int i = 0; i < 2; i++) OK(pthread_create(&threads[i], NULL, sleeper, NULL));
  sleep_ms(10);
  OK(pthread_create(&threads[2], NULL, executor, NULL));
  pthread_join(threads[2], NULL);
  return 1;
}
