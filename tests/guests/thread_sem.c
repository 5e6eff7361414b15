// POSIX semaphores: wait, trywait, timedwait, between threads and by name.
#include "guest.h"
#include <semaphore.h>

static sem_t sem, back;

static void* body(void* unused) {
  for (int i = 0; i < 50; i++) {
    SYS(sem_wait(&sem));
    SYS(sem_post(&back));
  }
  return unused;
}

int main(void) {
  SYS(sem_init(&sem, 0, 0));
  SYS(sem_init(&back, 0, 0));
  FAILS(sem_trywait(&sem), EAGAIN);
  struct timespec t;
  clock_gettime(CLOCK_REALTIME, &t);
  t.tv_nsec = (t.tv_nsec + 5000000) % 1000000000;
  FAILS(sem_timedwait(&sem, &t), ETIMEDOUT);
  pthread_t thread;
  OK(pthread_create(&thread, NULL, body, NULL));
  for (int i = 0; i < 50; i++) {
    SYS(sem_post(&sem));
    SYS(sem_wait(&back));
  }
  OK(pthread_join(thread, NULL));
  char name[40];
  snprintf(name, sizeof name, "/guest-%d", getpid());
  sem_t* named = sem_open(name, O_CREAT | O_EXCL, 0600, 3);
  CHECK(named != SEM_FAILED);
  SYS(sem_unlink(name));
  SYS(sem_wait(named));
  int value;
  SYS(sem_getvalue(named, &value));
  printf("%s has %d\n", name, value);
  CHECK(value == 2);
  return success();
}
