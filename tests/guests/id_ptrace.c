// ptrace by the program: works without a tracer; under one it is refused.
#include "guest.h"
#include <sys/ptrace.h>

int main(void) {
  pid_t child = SYS(fork());
  if (child == 0) {
    long result = ptrace(PTRACE_TRACEME, 0, NULL, NULL);
    _exit(result == 0 ? 0 : errno);
  }
  int status = wait_exit(child);
  CHECK(status == 0 || status == EPERM);
  printf("PTRACE_TRACEME gave %d in %d\n", status, child);
  return success();
}
