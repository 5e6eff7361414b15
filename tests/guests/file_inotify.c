// inotify: events with names, cookies that pair moves, a blocking read in a thread.
#include "guest.h"
#include <sys/inotify.h>

static int fd;

static void* mover(void* unused) {
  sleep_ms(10);
  SYS(rename("a", "b"));
  return unused;
}

int main(void) {
  enter_scratch();
  fd = (int)SYS(inotify_init1(IN_CLOEXEC));
  int watch = (int)SYS(inotify_add_watch(fd, ".", IN_CREATE | IN_MOVE | IN_DELETE | IN_CLOSE_WRITE));
  close(make_file("a", "x"));
  char buffer[4096] __attribute__((aligned(8)));
  ssize_t n = SYS(read(fd, buffer, sizeof buffer));
  pthread_t thread;
  OK(pthread_create(&thread, NULL, mover, NULL));
  ssize_t moved = SYS(read(fd, buffer + n, sizeof buffer - (size_t)n));
  OK(pthread_join(thread, NULL));
  if (moved == (ssize_t)sizeof(struct inotify_event) + 16) moved += SYS(read(fd, buffer + n + moved, 1000));
  uint32_t cookie = 0;
  for (ssize_t at = 0; at < n + moved;) {
    struct inotify_event* event = (struct inotify_event*)(buffer + at);
    CHECK(event->wd == watch);
    printf("mask %x name %s cookie %u\n", event->mask, event->len ? event->name : "", event->cookie);
    cookie ^= event->cookie;
    at += (ssize_t)(sizeof *event + event->len);
  }
  CHECK(cookie == 0);
  SYS(inotify_rm_watch(fd, watch));
  return success();
}
