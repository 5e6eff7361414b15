// EINTR and restart of accept, recv, connect-less waits and file locks.
#include "guest.h"
#include <netinet/in.h>
#include <sys/file.h>

static volatile sig_atomic_t seen;
static void handler(int signal) { seen += signal == SIGALRM; }
// Again and again: on a busy machine the first may come before the call that it is to interrupt.
static struct itimerval timer = {{0, 10000}, {0, 10000}};

int main(void) {
  enter_scratch();
  struct sigaction action = {.sa_flags = 0};
  action.sa_handler = handler;
  SYS(sigaction(SIGALRM, &action, NULL));
  int listener = (int)SYS(socket(AF_INET, SOCK_STREAM, 0));
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = 0};
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  SYS(bind(listener, (struct sockaddr*)&address, sizeof address));
  SYS(listen(listener, 5));
  SYS(setitimer(ITIMER_REAL, &timer, NULL));
  FAILS(accept(listener, NULL, NULL), EINTR);
  int pair[2];
  SYS(socketpair(AF_UNIX, SOCK_DGRAM, 0, pair));
  char c;
  SYS(setitimer(ITIMER_REAL, &timer, NULL));
  FAILS(recv(pair[0], &c, 1, 0), EINTR);
  int lock = make_file("lock", "x");
  int other = (int)SYS(open("lock", O_RDWR));
  SYS(flock(lock, LOCK_EX));
  SYS(setitimer(ITIMER_REAL, &timer, NULL));
  FAILS(flock(other, LOCK_EX), EINTR);
  action.sa_flags = SA_RESTART;
  SYS(sigaction(SIGALRM, &action, NULL));
  SYS(setitimer(ITIMER_REAL, &timer, NULL));
  pid_t child = SYS(fork());
  if (child == 0) {
    sleep_ms(30);
    CHECK(send(pair[1], "z", 1, 0) == 1);
    _exit(0);
  }
  CHECK(recv(pair[0], &c, 1, 0) == 1 && c == 'z');
  CHECK(wait_exit(child) == 0 && seen >= 4);
  printf("port %d family %d\n", ntohs(address.sin_port), address.sin_family);
  return success();
}
