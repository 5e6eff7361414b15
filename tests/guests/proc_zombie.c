// A zombie keeps its pid until it is awaited.
#include "guest.h"

int main(void) {
  pid_t child = SYS(fork());
  if (child == 0) _exit(2);
  siginfo_t info;
  SYS(waitid(P_PID, (id_t)child, &info, WEXITED | WNOWAIT));
  SYS(kill(child, 0));
  char path[64], text[512] = "";
  snprintf(path, sizeof path, "/proc/%d/stat", child);
  int fd = SYS(open(path, O_RDONLY));
  SYS(read(fd, text, sizeof text - 1));
  char* state = strrchr(text, ')');
  CHECK(state && state[2] == 'Z');
  printf("zombie %d state %c\n", child, state[2]);
  CHECK(wait_exit(child) == 2);
  FAILS(kill(child, 0), ESRCH);
  return success();
}
