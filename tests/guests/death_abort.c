// expect: signal=6
// abort() ends the process although the handler returns.
#include "guest.h"

static void handler(int signal) {
  printf("handler for %d\n", signal);
  success();
}

int main(void) {
  signal(SIGABRT, handler);
  abort();
}
