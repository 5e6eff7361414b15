// pthread_cancel of threads blocked in read, nanosleep, a condition and a semaphore.
#include "guest.h"
#include <semaphore.h>

static int fds[2];
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
static sem_t sem;
static int cleaned;

static void clean(void* argument) {
  cleaned += (int)(long)argument;
  pthread_mutex_trylock(&mutex);
  pthread_mutex_unlock(&mutex);
}

static void* body(void* argument) {
  long kind = (long)argument;
  char c;
  pthread_cleanup_push(clean, (void*)(kind + 1));
  if (kind == 0 && read(fds[0], &c, 1)) CHECK(!"read returned");
  if (kind == 1) sleep(100);
  if (kind == 2) {
    pthread_mutex_lock(&mutex);
    for (;;) pthread_cond_wait(&cond, &mutex);
  }
  if (kind == 3) sem_wait(&sem);
  pthread_cleanup_pop(0);
  return NULL;
}

int main(void) {
  SYS(pipe(fds));
  SYS(sem_init(&sem, 0, 0));
  for (long kind = 0; kind < 4; kind++) {
    pthread_t thread;
    OK(pthread_create(&thread, NULL, body, (void*)kind));
    sleep_ms(15);
    OK(pthread_cancel(thread));
    void* value;
    OK(pthread_join(thread, &value));
    CHECK(value == PTHREAD_CANCELED);
    printf("cancelled kind %ld, cleaned %d\n", kind, cleaned);
  }
  CHECK(cleaned == 10);
  return success();
}
