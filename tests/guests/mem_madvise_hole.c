// MADV_REMOVE punches a hole into shared memory for everybody.
#include "guest.h"

int main(void) {
  char* shared = mmap(NULL, 4 * 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  CHECK(shared != MAP_FAILED);
  memset(shared, 's', 4 * 4096);
  pid_t child = SYS(fork());
  if (child == 0) {
    SYS(madvise(shared + 4096, 4096, MADV_REMOVE));
    SYS(madvise(shared, 4096, MADV_DONTNEED));
    _exit(shared[0] == 's' && shared[4096] == 0 ? 0 : 1);
  }
  CHECK(wait_exit(child) == 0);
  CHECK(shared[0] == 's' && shared[4096] == 0 && shared[8192] == 's');
  printf("hole at %p by %d\n", (void*)(shared + 4096), child);
  return success();
}
