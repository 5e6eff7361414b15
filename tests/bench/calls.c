// calls WHAT COUNT: so many system calls of one kind, or hand-overs between threads; prints nanoseconds for one.
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { kThreads = 4, kBlock = 4096, kBlocks = 1000 };

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t turned[kThreads] = {PTHREAD_COND_INITIALIZER, PTHREAD_COND_INITIALIZER, PTHREAD_COND_INITIALIZER,
                                          PTHREAD_COND_INITIALIZER};
static long turn, turns;

static void* pass(void* own) {
  const long mine = (long)own;
  pthread_mutex_lock(&mutex);
  while (turn < turns) {
    if (turn % kThreads == mine) {
      turn++;
      pthread_cond_signal(&turned[(mine + 1) % kThreads]);
    } else {
      pthread_cond_wait(&turned[mine], &mutex);
    }
  }
  for (int i = 0; i < kThreads; i++) pthread_cond_signal(&turned[i]);
  pthread_mutex_unlock(&mutex);
  return NULL;
}

static void pass_around(long count) {
  pthread_t threads[kThreads];
  turns = count;
  for (long i = 0; i < kThreads; i++) pthread_create(&threads[i], NULL, pass, (void*)i);
  for (int i = 0; i < kThreads; i++) pthread_join(threads[i], NULL);
}

static void get_id(long count) {
  for (long i = 0; i < count; i++) syscall(SYS_getppid);
}

static void read_byte(long count) {
  char byte;
  const int zeros = open("/dev/zero", O_RDONLY);
  for (long i = 0; i < count; i++) {
    if (read(zeros, &byte, 1) != 1) abort();
  }
}

static void read_blocks(long count) {
  static char block[kBlock];
  const int file = open("calls-data", O_RDONLY);
  for (long i = 0; i < count; i++) {
    if (pread(file, block, sizeof block, i % kBlocks * kBlock) != kBlock) abort();
  }
}

static void ask_time(long count) {
  struct timespec now;
  for (long i = 0; i < count; i++) clock_gettime(CLOCK_MONOTONIC, &now);
}

int main(int argc, char** argv) {
  static const struct {
    const char* name;
    void (*run)(long count);
  } kinds[] = {{"getppid", get_id}, {"read", read_byte}, {"pread", read_blocks}, {"clock", ask_time}, {"pass", pass_around}};
  if (argc != 3) return 2;
  const long count = atol(argv[2]);
  for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
    if (strcmp(kinds[i].name, argv[1]) != 0) continue;
    struct timespec begin, end;
    clock_gettime(CLOCK_MONOTONIC, &begin);
    kinds[i].run(count);
    clock_gettime(CLOCK_MONOTONIC, &end);
    printf("%.1f\n", ((double)(end.tv_sec - begin.tv_sec) * 1e9 + (double)(end.tv_nsec - begin.tv_nsec)) / (double)count);
    return 0;
  }
  return 2;
}
