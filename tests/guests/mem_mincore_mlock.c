// mincore, mlock, munlock, mlock2, msync with its errors.
#include "guest.h"

int main(void) {
  char* a = mmap(NULL, 4 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  CHECK(a != MAP_FAILED);
  a[0] = a[8192] = 1;
  unsigned char residency[4] = {9, 9, 9, 9};
  SYS(mincore(a, 4 * 4096, residency));
  CHECK((residency[0] & 1) && (residency[2] & 1));
  int locked = mlock(a, 4096);
  if (locked == 0) SYS(munlock(a, 4096));
  SYS(msync(a, 4096, MS_ASYNC));
  FAILS(msync(a + 1, 4096, MS_SYNC), EINVAL);
  printf("residency %d %d %d %d locked %d\n", residency[0], residency[1], residency[2], residency[3], locked);
  return success();
}
