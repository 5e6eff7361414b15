// 40 children at once, collected in whatever order they end.
#include "guest.h"

int main(void) {
  pid_t children[40];
  for (int i = 0; i < 40; i++) {
    children[i] = SYS(fork());
    if (children[i] == 0) {
      usleep((unsigned)(i * 37 % 11) * 500);
      _exit(i);
    }
  }
  int sum = 0;
  for (int i = 0; i < 40; i++) {
    int status;
    pid_t ended = SYS(wait(&status));
    CHECK(children[WEXITSTATUS(status)] == ended);
    sum += WEXITSTATUS(status);
    printf("%d:%d ", ended, WEXITSTATUS(status));
  }
  printf("\nsum %d\n", sum);
  CHECK(sum == 780);
  return success();
}
