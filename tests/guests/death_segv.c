// expect: signal=11
// A wild pointer.
#include "guest.h"

int main(void) {
  printf("pid %d stack %p\n", getpid(), (void*)&(int){0});
  success();
  *(volatile int*)16 = 1;
  return 1;
}
