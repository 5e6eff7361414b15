// What this machine's kernel and memory cost, printed beside every benchmark: one `name value unit` per line.
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void one_cpu(void) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(sched_getcpu(), &set);
  sched_setaffinity(0, sizeof set, &set);
}

// Microseconds of a stop and its continuation, measured on a child that makes system calls in a loop.
static double stop_microseconds(int request, int stops) {
  pid_t child = fork();
  if (child == 0) {
    ptrace(PTRACE_TRACEME, 0, NULL, NULL);
    raise(SIGSTOP);
    for (;;) syscall(SYS_getppid);
  }
  int status;
  waitpid(child, &status, 0);
  double start = now();
  for (int i = 0; i < stops; i++) {
    if (ptrace(request, child, NULL, NULL) != 0 || waitpid(child, &status, 0) != child) exit(1);
  }
  double taken = now() - start;
  kill(child, SIGKILL);
  waitpid(child, &status, 0);
  return taken / stops * 1e6;
}

static double copy_rate(void) {
  size_t size = 64 << 20;
  char *from = malloc(size), *to = malloc(size);
  memset(from, 1, size);
  memset(to, 2, size);
  double best = 0;
  for (int i = 0; i < 8; i++) {
    double start = now();
    memcpy(to, from, size);
    __asm__ volatile("" ::"r"(to) : "memory");
    double rate = (double)size / (now() - start) / 1e9;
    if (rate > best) best = rate;
  }
  free(from);
  free(to);
  return best;
}

static double call_nanoseconds(void) {
  double start = now();
  for (int i = 0; i < 1000000; i++) syscall(SYS_getppid);
  return (now() - start) * 1e3;
}

int main(void) {
  printf("getppid %.3f ns\n", call_nanoseconds());
  printf("memcpy %.3f GB/s\n", copy_rate());
  printf("ptrace-stop-two-cpus %.3f us\n", stop_microseconds(PTRACE_SYSCALL, 10000));
  one_cpu();
  printf("ptrace-stop-one-cpu %.3f us\n", stop_microseconds(PTRACE_SYSCALL, 20000));
  printf("ptrace-single-step %.3f us\n", stop_microseconds(PTRACE_SINGLESTEP, 20000));
  return 0;
}
