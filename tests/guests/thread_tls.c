// Thread-local variables and keys with destructors.
#include "guest.h"

static __thread long local = 10;
static __thread char block[300];
static pthread_key_t key;
static int destroyed;

static void destroy(void* value) { __atomic_fetch_add(&destroyed, *(int*)value, __ATOMIC_SEQ_CST), free(value); }

static void* body(void* argument) {
  CHECK(local == 10 && block[299] == 0);
  local += (long)argument;
  memset(block, 1, sizeof block);
  int* value = malloc(sizeof *value);
  *value = (int)local;
  OK(pthread_setspecific(key, value));
  sleep_ms(5);
  CHECK(local == 10 + (long)argument && pthread_getspecific(key) == value);
  printf("local %ld at %p\n", local, (void*)&local);
  return NULL;
}

int main(void) {
  OK(pthread_key_create(&key, destroy));
  pthread_t threads[4];
  for (long i = 0; i < 4; i++) OK(pthread_create(&threads[i], NULL, body, (void*)i));
  for (int i = 0; i < 4; i++) OK(pthread_join(threads[i], NULL));
  CHECK(destroyed == 46 && local == 10);
  return success();
}
