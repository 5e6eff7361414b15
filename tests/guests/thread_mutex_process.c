// A process-shared mutex and condition variable, parent and child in turns.
#include "guest.h"

struct shared {
  pthread_mutex_t mutex;
  pthread_cond_t cond;
  int turn;
  long sum;
};

static void play(struct shared* s, int me) {
  for (int i = 0; i < 40; i++) {
    OK(pthread_mutex_lock(&s->mutex));
    while (s->turn != me) OK(pthread_cond_wait(&s->cond, &s->mutex));
    s->sum = (s->sum * 3 + me + 1) % 1000003;
    s->turn = 1 - me;
    OK(pthread_cond_signal(&s->cond));
    OK(pthread_mutex_unlock(&s->mutex));
  }
}

int main(void) {
  struct shared* s = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  CHECK(s != MAP_FAILED);
  pthread_mutexattr_t ma;
  pthread_condattr_t ca;
  OK(pthread_mutexattr_init(&ma));
  OK(pthread_mutexattr_setpshared(&ma, PTHREAD_PROCESS_SHARED));
  OK(pthread_condattr_init(&ca));
  OK(pthread_condattr_setpshared(&ca, PTHREAD_PROCESS_SHARED));
  OK(pthread_mutex_init(&s->mutex, &ma));
  OK(pthread_cond_init(&s->cond, &ca));
  pid_t child = SYS(fork());
  play(s, child == 0);
  if (child == 0) _exit(0);
  CHECK(wait_exit(child) == 0);
  printf("sum %ld with %d\n", s->sum, child);
  return success();
}
