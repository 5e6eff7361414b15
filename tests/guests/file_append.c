// O_APPEND from several processes: nothing is lost.
#include "guest.h"

int main(void) {
  enter_scratch();
  close(make_file("log", ""));
  pid_t children[4];
  for (int i = 0; i < 4; i++) {
    children[i] = SYS(fork());
    if (children[i] == 0) {
      int fd = (int)SYS(open("log", O_WRONLY | O_APPEND));
      for (int n = 0; n < 10; n++) {
        char line[32];
        int length = snprintf(line, sizeof line, "%d-%d-%d\n", i, n, getpid());
        CHECK(write(fd, line, (size_t)length) == length);
        if (n % 4 == i) usleep(300);
      }
      _exit(0);
    }
  }
  for (int i = 0; i < 4; i++) CHECK(wait_exit(children[i]) == 0);
  FILE* log = fopen("log", "r");
  char line[32];
  int lines = 0;
  uint64_t hash = 0;
  while (fgets(line, sizeof line, log)) {
    hash = hash * 31 + digest(line, strlen(line));
    lines++;
  }
  fclose(log);
  printf("%d lines in order %016lx\n", lines, hash);
  CHECK(lines == 40);
  return success();
}
