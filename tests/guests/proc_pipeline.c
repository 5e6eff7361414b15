// A pipeline of four processes, as a shell builds it.
#include "guest.h"

int main(void) {
  int input = -1;
  pid_t children[4];
  for (int stage = 0; stage < 4; stage++) {
    int fds[2];
    SYS(pipe(fds));
    children[stage] = SYS(fork());
    if (children[stage] == 0) {
      close(fds[0]);
      char c;
      if (stage == 0) {
        for (int i = 0; i < 200; i++) CHECK(write(fds[1], &(char){(char)('a' + i % 26)}, 1) == 1);
      } else {
        while (SYS(read(input, &c, 1)) == 1) {
          c = (char)('a' + (c - 'a' + stage) % 26);
          CHECK(write(fds[1], &c, 1) == 1);
        }
      }
      _exit(0);
    }
    close(fds[1]);
    if (input >= 0) close(input);
    input = fds[0];
  }
  char result[256];
  size_t size = 0;
  for (ssize_t n; (n = SYS(read(input, result + size, sizeof result - size))) > 0;) size += (size_t)n;
  for (int i = 0; i < 4; i++) CHECK(wait_exit(children[i]) == 0);
  printf("%.26s %zu bytes from %d\n", result, size, children[3]);
  CHECK(size == 200 && result[0] == 'g');
  return success();
}
