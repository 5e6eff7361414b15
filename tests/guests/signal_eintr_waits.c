// EINTR from epoll_wait, poll, select, pause, wait, sem_wait and nanosleep, restart flag or not.
#include "guest.h"
#include <poll.h>
#include <semaphore.h>
#include <sys/epoll.h>
#include <sys/select.h>

static volatile sig_atomic_t seen;
static void handler(int signal) { seen += signal == SIGALRM; }
static struct itimerval timer = {{0, 0}, {0, 10000}};

static void arm(void) { SYS(setitimer(ITIMER_REAL, &timer, NULL)); }

int main(void) {
  struct sigaction action = {.sa_flags = SA_RESTART};
  action.sa_handler = handler;
  SYS(sigaction(SIGALRM, &action, NULL));
  int fds[2];
  SYS(pipe(fds));
  int epoll = (int)SYS(epoll_create1(0));
  struct epoll_event event = {.events = EPOLLIN}, out;
  SYS(epoll_ctl(epoll, EPOLL_CTL_ADD, fds[0], &event));
  arm();
  FAILS(epoll_wait(epoll, &out, 1, 5000), EINTR);
  arm();
  struct pollfd p = {fds[0], POLLIN, 0};
  FAILS(poll(&p, 1, 5000), EINTR);
  arm();
  fd_set set;
  FD_ZERO(&set);
  FD_SET(fds[0], &set);
  struct timeval limit = {5, 0};
  FAILS(select(fds[0] + 1, &set, NULL, NULL, &limit), EINTR);
  arm();
  FAILS(pause(), EINTR);
  arm();
  struct timespec t = {5, 0}, left = {0, 0};
  FAILS(nanosleep(&t, &left), EINTR);
  printf("nanosleep had %ld.%09ld left, select %ld.%06ld\n", (long)left.tv_sec, left.tv_nsec, (long)limit.tv_sec,
         (long)limit.tv_usec);
  CHECK(left.tv_sec == 4);
  action.sa_flags = 0;
  SYS(sigaction(SIGALRM, &action, NULL));
  sem_t sem;
  SYS(sem_init(&sem, 0, 0));
  arm();
  FAILS(sem_wait(&sem), EINTR);
  pid_t child = SYS(fork());
  if (child == 0) {
    for (;;) pause();
  }
  arm();
  FAILS(wait(NULL), EINTR);
  kill(child, SIGKILL);
  CHECK(wait_exit(child) == 137 && seen == 7);
  return success();
}
