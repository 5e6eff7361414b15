// Spinning on a variable: a thread waits for main, main waits for a thread, main waits for a signal handler.
#include "guest.h"

static volatile int flag, answer;
static volatile sig_atomic_t alarmed;

static void* waits(void* argument) {
  long spins = 0;
  answer = 1;
  while (!flag) spins++;
  answer = 2;
  return (void*)spins;
  (void)argument;
}

static void* sets(void* argument) {
  for (volatile long i = 0; i < 3000000; i++) continue;
  flag = 2;
  while (flag != 3) continue;
  return argument;
}

static void on_alarm(int signal) { alarmed = signal; }

int main(void) {
  pthread_t thread;
  OK(pthread_create(&thread, NULL, waits, NULL));
  while (answer != 1) continue;
  for (volatile long i = 0; i < 3000000; i++) continue;
  flag = 1;
  while (answer != 2) continue;
  void* spins;
  OK(pthread_join(thread, &spins));
  flag = 0;
  OK(pthread_create(&thread, NULL, sets, NULL));
  long own = 0;
  while (flag != 2) own++;
  flag = 3;
  OK(pthread_join(thread, NULL));
  struct sigaction action = {.sa_handler = on_alarm};
  SYS(sigaction(SIGALRM, &action, NULL));
  struct itimerval timer = {{0, 0}, {0, 5000}};
  SYS(setitimer(ITIMER_REAL, &timer, NULL));
  long before = 0;
  while (!alarmed) before++;
  printf("%ld, %ld and %ld rounds\n", (long)spins, own, before);
  return success();
}
