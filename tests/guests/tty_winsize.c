// Window size: set, read, and SIGWINCH to the foreground group.
#include "guest.h"
#include <pty.h>
#include <sys/ioctl.h>

static volatile sig_atomic_t seen;
static void handler(int signal) { seen = signal; }

int main(void) {
  int master, ready[2];
  SYS(pipe(ready));
  struct winsize size = {24, 80, 0, 0};
  pid_t child = SYS(forkpty(&master, NULL, NULL, &size));
  if (child == 0) {
    signal(SIGWINCH, handler);
    CHECK(write(ready[1], "r", 1) == 1);
    while (!seen) usleep(500);
    SYS(ioctl(0, TIOCGWINSZ, &size));
    _exit(size.ws_col);
  }
  char c;
  CHECK(read(ready[0], &c, 1) == 1);
  SYS(ioctl(master, TIOCGWINSZ, &size));
  CHECK(size.ws_row == 24 && size.ws_col == 80);
  size.ws_col = 99;
  SYS(ioctl(master, TIOCSWINSZ, &size));
  CHECK(wait_exit(child) == 99);
  printf("child %d saw the new width\n", child);
  return success();
}
