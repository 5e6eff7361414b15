// vfork and exec while other threads compute; each child computes, too.
#include "guest.h"

static volatile int stop;
static volatile long progress[2];

static void* body(void* argument) {
  volatile long* own = argument;
  while (!stop) ++*own;
  return NULL;
}

int main(int argc, char** argv) {
  if (argc > 1) {
    uint64_t sum = strtoul(argv[1], NULL, 10);
    for (int i = 0; i < 300000; i++) sum = sum * 6364136223846793005ul + 1;
    return (int)(sum >> 58);
  }
  pthread_t threads[2];
  for (int i = 0; i < 2; i++) OK(pthread_create(&threads[i], NULL, body, (void*)&progress[i]));
  int sum = 0;
  for (int i = 0; i < 6; i++) {
    long seen[2] = {progress[0], progress[1]};
    char text[16];
    snprintf(text, sizeof text, "%d", i);
    char* arguments[] = {argv[0], text, NULL};
    pid_t child = vfork();
    if (child == 0) {
      execv("/proc/self/exe", arguments);
      _exit(120);
    }
    CHECK(child > 0);
    while (progress[0] == seen[0] || progress[1] == seen[1]) continue;
    int status = wait_exit(child);
    if (status >= 64) printf("status %d\n", status);
    CHECK(status < 64);
    sum = sum * 7 + status;
  }
  stop = 1;
  for (int i = 0; i < 2; i++) OK(pthread_join(threads[i], NULL));
  printf("= %d\n%ld %ld\n", sum, progress[0], progress[1]);
  return success();
}
