// Signals sent all the time by another process to one that makes calls all the time, in its handler too.
#include "guest.h"

enum { SIGNALS = 200 };
static volatile sig_atomic_t arrived;
static int file;
static void handler(int signal) {
  (void)signal;
  int error = errno;
  char text[8];
  CHECK(pread(file, text, sizeof text, 2) == 6 && memcmp(text, "cdefgh", 6) == 0);
  CHECK(getppid() > 0);
  errno = error;
  arrived++;
}

int main(void) {
  struct sigaction action = {.sa_handler = handler, .sa_flags = SA_RESTART};
  SYS(sigaction(SIGUSR1, &action, NULL));
  file = SYS(memfd_create("file", 0));
  CHECK(write(file, "abcdefgh", 8) == 8);
  pid_t parent = getpid(), child = SYS(fork());
  if (child == 0) {
    for (int i = 0; i < SIGNALS; i++) {
      SYS(kill(parent, SIGUSR1));
      usleep(20);
    }
    _exit(0);
  }
  unsigned long rounds = 0;
  for (int status; waitpid(child, &status, WNOHANG) == 0; rounds++) {
    for (int i = 0; i < 20; i++) {
      char text[4];
      CHECK(pread(file, text, sizeof text, 1) == 4 && memcmp(text, "bcde", 4) == 0);
      CHECK(lseek(file, i, SEEK_SET) == i && write(file, text, 0) == 0);
      FAILS(pread(-1, text, 1, 0), EBADF);
    }
  }
  CHECK(arrived > 0);
  printf("%d signals, %lu rounds\n", (int)arrived, rounds);
  return success();
}
