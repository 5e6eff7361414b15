// A POSIX timer that notifies by starting a thread's function.
#include "guest.h"
#include <semaphore.h>

static sem_t sem;
static volatile int value;

static void notified(union sigval v) {
  value = v.sival_int;
  printf("notified in thread %ld\n", syscall(SYS_gettid));
  sem_post(&sem);
}

int main(void) {
  SYS(sem_init(&sem, 0, 0));
  struct sigevent event;
  memset(&event, 0, sizeof event);
  event.sigev_notify = SIGEV_THREAD;
  event.sigev_notify_function = notified;
  event.sigev_value.sival_int = 31;
  timer_t timer;
  SYS(timer_create(CLOCK_REALTIME, &event, &timer));
  struct itimerspec spec = {{0, 0}, {0, 10000000}};
  for (int i = 0; i < 3; i++) {
    SYS(timer_settime(timer, 0, &spec, NULL));
    SYS(sem_wait(&sem));
  }
  SYS(timer_delete(timer));
  CHECK(value == 31);
  return success();
}
