// MSG_PEEK, MSG_WAITALL, MSG_DONTWAIT, MSG_TRUNC; shutdown; FIONREAD.
#include "guest.h"
#include <sys/ioctl.h>

static int pair[2];

static void* feeder(void* unused) {
  for (int i = 0; i < 5; i++) {
    sleep_ms(3);
    CHECK(send(pair[1], "12", 2, 0) == 2);
  }
  return unused;
}

int main(void) {
  SYS(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
  char text[16] = "";
  FAILS(recv(pair[0], text, 1, MSG_DONTWAIT), EAGAIN);
  pthread_t thread;
  OK(pthread_create(&thread, NULL, feeder, NULL));
  CHECK(recv(pair[0], text, 10, MSG_WAITALL) == 10);
  OK(pthread_join(thread, NULL));
  CHECK(send(pair[1], "peeked", 6, 0) == 6);
  CHECK(recv(pair[0], text, 16, MSG_PEEK) == 6);
  int waiting;
  SYS(ioctl(pair[0], FIONREAD, &waiting));
  CHECK(waiting == 6 && recv(pair[0], text, 16, 0) == 6);
  SYS(shutdown(pair[1], SHUT_WR));
  CHECK(recv(pair[0], text, 16, 0) == 0);
  CHECK(send(pair[0], "back", 4, 0) == 4 && recv(pair[1], text, 16, 0) == 4);
  SYS(shutdown(pair[0], SHUT_RDWR));
  FAILS(send(pair[0], "x", 1, MSG_NOSIGNAL), EPIPE);
  printf("descriptors %d %d\n", pair[0], pair[1]);
  return success();
}
