// /proc/self/mem: reads, and writes that go past page protection.
#include "guest.h"

static volatile int variable = 5;

int main(void) {
  int fd = (int)SYS(open("/proc/self/mem", O_RDWR));
  int seen = 0, next = getpid();
  CHECK(pread(fd, &seen, sizeof seen, (off_t)(uintptr_t)&variable) == sizeof seen && seen == 5);
  CHECK(pwrite(fd, &next, sizeof next, (off_t)(uintptr_t)&variable) == sizeof next);
  CHECK(variable == getpid());
  char* page = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  ssize_t n = pwrite(fd, "forced", 6, (off_t)(uintptr_t)page);
  CHECK(n == 6 ? memcmp(page, "forced", 6) == 0 : page[0] == 0);
  FAILS(pread(fd, &seen, 4, 4096), EIO);
  printf("variable %d, write to read-only page gave %zd\n", variable, n);
  return success();
}
