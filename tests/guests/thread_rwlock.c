// Readers share, writers exclude.
#include "guest.h"
#include <sched.h>

static pthread_rwlock_t lock = PTHREAD_RWLOCK_INITIALIZER;
static long a, b;
static uint64_t seen;

static void* writer(void* unused) {
  for (int i = 0; i < 60; i++) {
    OK(pthread_rwlock_wrlock(&lock));
    a++;
    sched_yield();
    b++;
    OK(pthread_rwlock_unlock(&lock));
    if (i % 10 == 0) usleep(200);
  }
  return unused;
}

static void* reader(void* unused) {
  for (int i = 0; i < 60; i++) {
    OK(pthread_rwlock_rdlock(&lock));
    CHECK(a == b);
    __atomic_fetch_add(&seen, (uint64_t)(a * i), __ATOMIC_RELAXED);
    OK(pthread_rwlock_unlock(&lock));
    if (i % 7 == 0) usleep(100);
  }
  return unused;
}

int main(void) {
  pthread_t threads[5];
  for (int i = 0; i < 5; i++) OK(pthread_create(&threads[i], NULL, i < 2 ? writer : reader, NULL));
  for (int i = 0; i < 5; i++) OK(pthread_join(threads[i], NULL));
  printf("a %ld b %ld seen %lu\n", a, b, seen);
  CHECK(a == 120);
  return success();
}
