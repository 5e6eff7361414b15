// A signal without effect (ignored, or SIGCONT) does not disturb a sleep, a poll or an epoll_wait.
#include "guest.h"
#include <poll.h>
#include <sys/epoll.h>

int main(void) {
  pid_t child = SYS(fork());
  if (child == 0) {
    signal(SIGUSR1, SIG_IGN);
    struct timespec t = {0, 60000000};
    CHECK(nanosleep(&t, NULL) == 0);
    CHECK(poll(NULL, 0, 60) == 0);
    struct epoll_event event;
    CHECK(epoll_wait((int)SYS(epoll_create1(0)), &event, 1, 60) == 0);
    _exit(0);
  }
  int sent = 0;
  for (int i = 0; i < 8; i++) {
    sleep_ms(15);
    siginfo_t ended = {0};  // on a busy machine it may have
    SYS(kill(child, i % 2 ? SIGUSR1 : SIGCONT));
    SYS(waitid(P_PID, (id_t)child, &ended, WEXITED | WNOHANG | WNOWAIT));
    sent += ended.si_pid == 0;
  }
  CHECK(wait_exit(child) == 0);
  printf("%d signals to %d\n", sent, child);
  return success();
}
