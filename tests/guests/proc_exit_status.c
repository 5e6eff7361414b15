// expect: status=77
// The exit status passes through, with atexit handlers in reverse order.
#include "guest.h"

static void first(void) { success(); }
static void second(void) { printf("second handler in %d\n", getpid()); }
static void third(int status, void* argument) { printf("on_exit %d %s\n", status, (char*)argument); }

int main(void) {
  atexit(first);
  atexit(second);
  on_exit(third, (void*)"argument");
  exit(77);
}
