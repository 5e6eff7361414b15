// exec from a thread, and from the first thread, while all others compute: the new program starts afresh.
#include "guest.h"

static char** arguments;
static volatile int started;

static void* spin(void* argument) {
  __atomic_fetch_add(&started, 1, __ATOMIC_SEQ_CST);
  for (volatile long i = 0;; i++) continue;
  return argument;
}

static void* replace(void* argument) {
  while (started < 3) continue;
  execv("/proc/self/exe", arguments);
  _exit(120);
  return argument;
}

int main(int argc, char** argv) {
  int generation = argc > 1 ? atoi(argv[1]) : 0;
  uint64_t sum = 1;
  for (int i = 0; i < 1000000; i++) sum = sum * 6364136223846793005ul + (uint64_t)generation;
  printf("= generation %d: %lx\n", generation, sum);
  if (generation == 4) return success();
  char next[16];
  snprintf(next, sizeof next, "%d", generation + 1);
  char* list[] = {argv[0], next, NULL};
  arguments = list;
  pthread_t threads[4];
  for (int i = 0; i < 3; i++) OK(pthread_create(&threads[i], NULL, spin, NULL));
  if (generation % 2 == 0) replace(NULL);
  OK(pthread_create(&threads[3], NULL, replace, NULL));
  spin(NULL);
}
