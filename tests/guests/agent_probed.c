// A call of every class that a signal interrupts in its own way, again and again, each behind one that the supervisor
// sees. Under --probe-agent a signal comes at each instruction of the agent in turn.
// args: 40 1
#include "guest.h"
#include <linux/futex.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/select.h>

static volatile int handled;
static void on_signal(int signal) {
  (void)signal;
  handled++;
}

int main(int argc, char** argv) {
  CHECK(argc == 3);
  const int rounds = atoi(argv[1]), restarts = atoi(argv[2]);
  struct sigaction action = {.sa_handler = on_signal, .sa_flags = restarts ? SA_RESTART : 0};
  SYS(sigaction(SIGUSR1, &action, NULL));
  for (int i = 0; i < 100; i++) getppid();
  int fds[2], waits = 0, interrupted = 0;
  SYS(socketpair(AF_UNIX, SOCK_STREAM, 0, fds));
  const struct timeval soon = {0, 500};
  SYS(setsockopt(fds[0], SOL_SOCKET, SO_RCVTIMEO, &soon, sizeof soon));
  const int set = (int)SYS(epoll_create1(0));
  struct epoll_event event = {.events = EPOLLIN, .data.fd = fds[0]};
  SYS(epoll_ctl(set, EPOLL_CTL_ADD, fds[0], &event));
  for (int i = 0; i < rounds; i++) {
    char name[16], c;
    int word = 5;
    struct timespec time = {0, 300000}, left = {7, 7};
    struct timeval select_time = {0, 300};
    struct pollfd one = {.fd = fds[0], .events = POLLIN};
    fd_set none;
    SYS(prctl(PR_GET_NAME, name));
    errno = 0;
    long done = -1;
    int timed_out = 0;  // what it ends with when nothing comes
    switch (i % 8) {
      case 0:  // ERESTARTSYS, or EAGAIN when the time is up
        done = read(fds[0], &c, 1);
        timed_out = EAGAIN;
        break;
      case 1:  // ERESTART_RESTARTBLOCK
        done = nanosleep(&time, &left);
        CHECK(done == 0 || left.tv_sec == 0);
        break;
      case 2:  // the same, with a time of its own
        done = syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, 5, &time, NULL, 0);
        timed_out = ETIMEDOUT;
        break;
      case 3:  // EINTR in any case
        done = epoll_wait(set, &event, 1, 1);
        break;
      case 4:
        done = poll(&one, 1, 1);
        break;
      case 5:  // ERESTARTNOHAND
        FD_ZERO(&none);
        FD_SET(fds[0], &none);
        done = select(fds[0] + 1, &none, NULL, NULL, &select_time);
        break;
      case 6:  // never waits
        done = getppid() > 0 && write(fds[1], "x", 1) == 1 && read(fds[0], &c, 1) == 1 && c == 'x' ? 0 : -1;
        break;
      case 7:
        done = sched_yield();
        break;
    }
    CHECK(timed_out ? done == -1 && (errno == timed_out || errno == EINTR) : done == 0 || errno == EINTR);
    waits++;
    interrupted += errno == EINTR;
  }
  printf("= waits %d\n", waits);
  printf("handled %d, interrupted %d\n", handled, interrupted);
  return success();
}
