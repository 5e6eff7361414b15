// epoll: level-triggered, edge-triggered, one-shot, modification, data values.
#include "guest.h"
#include <sys/epoll.h>

int main(void) {
  int epoll = (int)SYS(epoll_create1(EPOLL_CLOEXEC)), fds[3][2];
  struct epoll_event event, out[4];
  uint32_t kinds[3] = {EPOLLIN, EPOLLIN | EPOLLET, EPOLLIN | EPOLLONESHOT};
  for (int i = 0; i < 3; i++) {
    SYS(pipe(fds[i]));
    event.events = kinds[i];
    event.data.u64 = 0xfeed00000000u + (uint64_t)i;
    SYS(epoll_ctl(epoll, EPOLL_CTL_ADD, fds[i][0], &event));
  }
  FAILS(epoll_ctl(epoll, EPOLL_CTL_ADD, fds[0][0], &event), EEXIST);
  CHECK(epoll_wait(epoll, out, 4, 0) == 0);
  for (int i = 0; i < 3; i++) CHECK(write(fds[i][1], "ab", 2) == 2);
  CHECK(epoll_wait(epoll, out, 4, 1000) == 3);
  for (int i = 0; i < 3; i++) printf("event %x data %lx\n", out[i].events, (unsigned long)out[i].data.u64);
  CHECK(epoll_wait(epoll, out, 4, 0) == 1 && out[0].data.u64 == 0xfeed00000000u);
  CHECK(write(fds[1][1], "c", 1) == 1);
  CHECK(epoll_wait(epoll, out, 4, 0) == 2);
  event.events = EPOLLIN;
  event.data.u64 = 77;
  SYS(epoll_ctl(epoll, EPOLL_CTL_MOD, fds[2][0], &event));
  SYS(epoll_ctl(epoll, EPOLL_CTL_DEL, fds[0][0], NULL));
  CHECK(epoll_wait(epoll, out, 4, 0) == 1 && out[0].data.u64 == 77);
  close(fds[2][1]);
  CHECK(epoll_wait(epoll, out, 4, 0) == 1 && (out[0].events & EPOLLHUP));
  FAILS(epoll_wait(epoll, out, 0, 0), EINVAL);
  return success();
}
