// expect: signal=42
// A realtime signal without a handler.
#include "guest.h"

int main(void) {
  printf("pid %d\n", getpid());
  success();
  raise(42);
  return 1;
}
