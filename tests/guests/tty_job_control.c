// Keys of a terminal: ^C interrupts, ^Z stops, the foreground group moves.
#include "guest.h"
#include <pty.h>
#include <sys/ioctl.h>
#include <termios.h>

int main(void) {
  int master, report[2];
  SYS(pipe(report));
  pid_t shell = SYS(forkpty(&master, NULL, NULL, NULL));
  if (shell == 0) {
    signal(SIGTTOU, SIG_IGN);
    pid_t job = SYS(fork());
    if (job == 0) {
      setpgid(0, 0);
      signal(SIGTTOU, SIG_DFL);
      while (tcgetpgrp(0) != getpid()) usleep(500);
      CHECK(write(report[1], "j", 1) == 1);
      for (;;) pause();
    }
    setpgid(job, job);
    SYS(tcsetpgrp(0, job));
    int status;
    CHECK(waitpid(job, &status, WUNTRACED) == job && WIFSTOPPED(status) && WSTOPSIG(status) == SIGTSTP);
    SYS(tcsetpgrp(0, getpgrp()));
    CHECK(write(report[1], "s", 1) == 1);
    usleep(5000);
    SYS(tcsetpgrp(0, job));
    SYS(kill(-job, SIGCONT));
    CHECK(write(report[1], "c", 1) == 1);
    _exit(wait_exit(job) == 128 + SIGINT ? 0 : 1);
  }
  char c;
  CHECK(read(report[0], &c, 1) == 1 && c == 'j');
  CHECK(write(master, "\x1a", 1) == 1);
  CHECK(read(report[0], &c, 1) == 1 && c == 's');
  CHECK(read(report[0], &c, 1) == 1 && c == 'c');
  CHECK(write(master, "\x03", 1) == 1);
  CHECK(wait_exit(shell) == 0);
  char echo[32] = "";
  ssize_t n = read(master, echo, sizeof echo - 1);
  printf("shell %d done, echo of %zd bytes: %.2s\n", shell, n, echo);
  return success();
}
