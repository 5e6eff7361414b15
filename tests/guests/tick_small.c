// Little computing between alarms, beside a thread that blocks every signal and sends SIGURG, which hardware counters
// interrupt by. For tick sources that are slow.
#include "guest.h"

static volatile long alarms, urgent, progress;
static volatile int stop;
static pthread_t main_thread;

static void on_alarm(int signal) {
  (void)signal;
  alarms = alarms + 1;
}

static void on_urgent(int signal) {
  (void)signal;
  urgent = urgent + 1;
}

static void* count(void* argument) {
  sigset_t all;
  SYS(sigfillset(&all));
  OK(pthread_sigmask(SIG_BLOCK, &all, NULL));
  while (!stop) {
    progress = progress + 1;
    if (progress % 300 == 0) OK(pthread_kill(main_thread, SIGURG));
  }
  return argument;
}

static unsigned long work(void) {
  unsigned long a = 1;
  for (int i = 0; i < 200; i++) a = a & 4 ? a * 3 + 1 : (a ^ 0x5555) * 5;
  return a;
}

int main(void) {
  main_thread = pthread_self();
  CHECK(signal(SIGALRM, on_alarm) != SIG_ERR);
  CHECK(signal(SIGURG, on_urgent) != SIG_ERR);
  const unsigned long expected = work();
  printf("= %lx\n", expected);
  struct itimerval timer = {{0, 40000}, {0, 40000}};
  SYS(setitimer(ITIMER_REAL, &timer, NULL));
  pthread_t thread;
  OK(pthread_create(&thread, NULL, count, NULL));
  long changes = 0, rounds = 0;
  for (long seen = 0; alarms < 10 || changes < 5 || urgent < 3; rounds++) {
    CHECK(work() == expected);
    if (progress != seen) changes++;
    seen = progress;
  }
  stop = 1;
  OK(pthread_join(thread, NULL));
  printf("%ld rounds, %ld alarms, %ld urgent\n", rounds, alarms, urgent);
  return success();
}
