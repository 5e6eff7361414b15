// POSIX shared memory by name, between processes that map it separately.
#include "guest.h"

int main(void) {
  char name[64];
  snprintf(name, sizeof name, "/guest-shm-%d", getpid());
  int fd = shm_open(name, O_RDWR | O_CREAT | O_EXCL, 0600);
  CHECK(fd >= 0);
  SYS(ftruncate(fd, 4096));
  int* ours = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  CHECK(ours != MAP_FAILED);
  pid_t child = SYS(fork());
  if (child == 0) {
    int theirs_fd = shm_open(name, O_RDWR, 0);
    int* theirs = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, theirs_fd, 0);
    CHECK(theirs != MAP_FAILED);
    theirs[5] = getpid();
    _exit(0);
  }
  CHECK(wait_exit(child) == 0);
  SYS(shm_unlink(name));
  CHECK(ours[5] == child);
  FAILS(shm_open(name, O_RDWR, 0), ENOENT);
  printf("%s held %d\n", name, ours[5]);
  return success();
}
