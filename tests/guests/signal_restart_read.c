// SA_RESTART: a read that a handler interrupts goes on by itself.
#include "guest.h"

static volatile sig_atomic_t seen;
static void handler(int signal) { seen = signal; }

int main(void) {
  struct sigaction action = {.sa_flags = SA_RESTART};
  action.sa_handler = handler;
  SYS(sigaction(SIGUSR1, &action, NULL));
  int fds[2];
  SYS(pipe(fds));
  pid_t child = SYS(fork());
  if (child == 0) {
    for (int i = 0; i < 3; i++) {
      sleep_ms(10);
      kill(getppid(), SIGUSR1);
    }
    sleep_ms(10);
    CHECK(write(fds[1], "done", 4) == 4);
    _exit(0);
  }
  char text[5] = "";
  CHECK(read(fds[0], text, 4) == 4);
  CHECK(seen == SIGUSR1 && strcmp(text, "done") == 0);
  CHECK(wait_exit(child) == 0);
  printf("read %s despite %d\n", text, child);
  return success();
}
