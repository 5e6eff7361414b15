// Bad addresses in calls that are made often: EFAULT, never a fault of the program, and what was copied before it is there.
#include "guest.h"

#include <sys/uio.h>

int main(void) {
  char* page = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  CHECK(page != MAP_FAILED && munmap(page + 4096, 4096) == 0);
  char* bad = page + 4096;
  int zero = open("/dev/zero", O_RDONLY), null = open("/dev/null", O_WRONLY);
  CHECK(zero >= 0 && null >= 0);
  long faults = 0, fine = 0;
  for (int round = 0; round < 200; round++) {
    char byte = 1;
    fine += read(zero, &byte, 1) == 1 && byte == 0;
    fine += write(null, &byte, 1) == 1;
    faults += open(bad, O_RDONLY) == -1 && errno == EFAULT;
    faults += access(bad - 1, F_OK) == -1;
    faults += read(zero, bad, 1) == -1 && errno == EFAULT;
    faults += syscall(SYS_clock_gettime, CLOCK_MONOTONIC, bad - 8) == -1 && errno == EFAULT;
    faults += readlink("/proc/self/exe", bad, 100) == -1 && errno == EFAULT;
    memset(page, 'x', 4096);
    struct iovec two[2] = {{page, 4096}, {bad, 100}};
    long got = readv(zero, two, 2);
    CHECK(got == 4096 || (got == -1 && errno == EFAULT));
    CHECK(page[4000] == 0);
    faults += readv(zero, (struct iovec*)bad, 1) == -1 && errno == EFAULT;
    struct stat status;
    fine += fstat(zero, &status) == 0 && S_ISCHR(status.st_mode);
    faults += fstat(zero, (struct stat*)bad) == -1 && errno == EFAULT;
  }
  CHECK(fine == 600 && faults == 1400);
  printf("%ld calls failed, %ld did not\n", faults, fine);
  return success();
}
