// exit_group while other threads are blocked in read, futex, sleep and poll.
#include "guest.h"
#include <poll.h>

static int fds[2];
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

static void* in_read(void* unused) {
  char c;
  CHECK(read(fds[0], &c, 1) < 0);
  return unused;
}
static void* in_futex(void* unused) {
  pthread_mutex_lock(&mutex);
  return unused;
}
static void* in_sleep(void* unused) {
  sleep(100);
  return unused;
}
static void* in_poll(void* unused) {
  poll(NULL, 0, -1);
  return unused;
}

int main(void) {
  SYS(pipe(fds));
  OK(pthread_mutex_lock(&mutex));
  void* (*bodies[])(void*) = {in_read, in_futex, in_sleep, in_poll};
  pthread_t thread;
  for (int i = 0; i < 4; i++) OK(pthread_create(&thread, NULL, bodies[i], NULL));
  sleep_ms(30);
  printf("process %d leaves four threads behind\n", getpid());
  return success();
}
