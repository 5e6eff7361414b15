// A background job that reads its terminal is stopped by SIGTTIN; hang-up sends SIGHUP.
#include "guest.h"
#include <pty.h>
#include <sys/ioctl.h>

int main(void) {
  int master, report[2];
  SYS(pipe(report));
  pid_t leader = SYS(forkpty(&master, NULL, NULL, NULL));
  if (leader == 0) {
    signal(SIGHUP, SIG_DFL);  // nohup has ignored it
    pid_t job = SYS(fork());
    if (job == 0) {
      setpgid(0, 0);
      char c;
      _exit(read(0, &c, 1) == 1 ? c : 1);
    }
    int status;
    CHECK(waitpid(job, &status, WUNTRACED) == job && WIFSTOPPED(status) && WSTOPSIG(status) == SIGTTIN);
    SYS(kill(job, SIGKILL));
    CHECK(wait_exit(job) == 137);
    CHECK(write(report[1], "t", 1) == 1);
    for (;;) pause();
  }
  char c;
  CHECK(read(report[0], &c, 1) == 1 && c == 't');
  close(master);
  CHECK(wait_exit(leader) == 128 + SIGHUP);
  printf("leader %d hung up\n", leader);
  return success();
}
