// Fifty threads, each blocked in its own read, released in a scattered order.
#include "guest.h"

static int fds[50][2];
static char order[51];
static int length;

static void* body(void* argument) {
  char c;
  CHECK(read(fds[(long)argument][0], &c, 1) == 1);
  order[__atomic_fetch_add(&length, 1, __ATOMIC_SEQ_CST)] = (char)('0' + (long)argument);
  return NULL;
}

int main(void) {
  pthread_t threads[50];
  pthread_attr_t small;
  OK(pthread_attr_init(&small));
  OK(pthread_attr_setstacksize(&small, 65536));
  for (long i = 0; i < 50; i++) {
    SYS(pipe(fds[i]));
    OK(pthread_create(&threads[i], &small, body, (void*)i));
  }
  for (int i = 0; i < 50; i++) CHECK(write(fds[i * 13 % 50][1], "g", 1) == 1);
  for (int i = 0; i < 50; i++) OK(pthread_join(threads[i], NULL));
  printf("%s\n", order);
  CHECK(length == 50);
  return success();
}
