// Several threads wait on one epoll; nested epolls; epoll_pwait and epoll_pwait2.
#include "guest.h"
#include <sys/epoll.h>
#include <sys/eventfd.h>

static int epoll, events;
static int served[3];

static void* body(void* argument) {
  for (;;) {
    struct epoll_event event;
    SYS(epoll_pwait(epoll, &event, 1, -1, NULL));
    uint64_t value;
    if (event.data.fd < 0) return NULL;
    if (read(event.data.fd, &value, 8) == 8) served[(long)argument]++;
    event.events = EPOLLIN | EPOLLONESHOT;
    SYS(epoll_ctl(epoll, EPOLL_CTL_MOD, event.data.fd, &event));
  }
}

int main(void) {
  epoll = (int)SYS(epoll_create(9));
  events = (int)SYS(eventfd(0, EFD_SEMAPHORE | EFD_NONBLOCK));
  struct epoll_event event = {.events = EPOLLIN | EPOLLONESHOT};
  event.data.fd = events;
  SYS(epoll_ctl(epoll, EPOLL_CTL_ADD, events, &event));
  int outer = (int)SYS(epoll_create1(0));
  event.events = EPOLLIN;
  SYS(epoll_ctl(outer, EPOLL_CTL_ADD, epoll, &event));
  CHECK(epoll_wait(outer, &event, 1, 0) == 0);
  pthread_t threads[3];
  for (long i = 0; i < 3; i++) OK(pthread_create(&threads[i], NULL, body, (void*)i));
  uint64_t ten = 10;
  CHECK(write(events, &ten, 8) == 8);
  while (served[0] + served[1] + served[2] < 10) usleep(500);
  int stop = (int)SYS(eventfd(1, 0));
  event.events = EPOLLIN;
  event.data.fd = -1;
  SYS(epoll_ctl(epoll, EPOLL_CTL_ADD, stop, &event));
  for (int i = 0; i < 3; i++) OK(pthread_join(threads[i], NULL));
  struct timespec t = {0, 3000000};
  long n = syscall(441 /* epoll_pwait2 */, outer, &event, 1, &t, NULL, 8);
  printf("served %d %d %d, pwait2 %ld\n", served[0], served[1], served[2], n);
  return success();
}
