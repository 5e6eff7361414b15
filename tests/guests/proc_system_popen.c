// system() and popen(): shells as children of the C library.
#include "guest.h"

int main(void) {
  int status = system("echo shell $$; exit 6");
  CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 6);
  FILE* pipe = popen("echo one; echo two $PPID", "r");
  CHECK(pipe != NULL);
  char line[100];
  int lines = 0;
  while (fgets(line, sizeof line, pipe)) {
    printf("popen: %s", line);
    lines++;
  }
  CHECK(lines == 2 && pclose(pipe) == 0);
  pipe = popen("cat", "w");
  CHECK(pipe && fprintf(pipe, "from %d through cat\n", getpid()) > 0);
  CHECK(pclose(pipe) == 0);
  return success();
}
