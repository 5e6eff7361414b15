// clone(CLONE_VM) without CLONE_THREAD: another process in the same memory, on its own stack.
#include "guest.h"
#include <sched.h>

static volatile int shared;

static int body(void* argument) {
  shared = *(int*)argument + 1;
  return 6;
}

int main(void) {
  size_t size = 64 * 1024;
  char* stack = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  CHECK(stack != MAP_FAILED);
  int argument = 100;
  pid_t child = SYS(clone(body, stack + size, CLONE_VM | SIGCHLD, &argument));
  CHECK(wait_exit(child) == 6);
  CHECK(shared == 101);
  printf("process %d wrote %d into our memory, stack at %p\n", child, shared, (void*)stack);
  return success();
}
