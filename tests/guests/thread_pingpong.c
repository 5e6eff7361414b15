// Two threads hand a byte to and fro over pipes.
#include "guest.h"

static int there[2], back[2];

static void* body(void* unused) {
  unsigned char c;
  while (SYS(read(there[0], &c, 1)) == 1) {
    c = (unsigned char)(c * 5 + 1);
    CHECK(write(back[1], &c, 1) == 1);
  }
  return unused;
}

int main(void) {
  SYS(pipe(there));
  SYS(pipe(back));
  pthread_t thread;
  OK(pthread_create(&thread, NULL, body, NULL));
  unsigned char c = (unsigned char)getpid();
  for (int i = 0; i < 200; i++) {
    CHECK(write(there[1], &c, 1) == 1);
    CHECK(read(back[0], &c, 1) == 1);
  }
  close(there[1]);
  OK(pthread_join(thread, NULL));
  printf("after 200 rounds: %d\n", c);
  return success();
}
