// madvise: DONTNEED zeroes, FREE may, others are accepted; file pages come back.
#include "guest.h"

int main(void) {
  enter_scratch();
  char* a = mmap(NULL, 8 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  memset(a, 'm', 8 * 4096);
  SYS(madvise(a + 4096, 4096, MADV_DONTNEED));
  CHECK(a[0] == 'm' && a[4096] == 0 && a[2 * 4096] == 'm');
  if (madvise(a + 2 * 4096, 4096, MADV_FREE) == 0) {
    char after = a[2 * 4096];
    CHECK(after == 'm' || after == 0);
    a[2 * 4096] = 'n';
    CHECK(a[2 * 4096] == 'n' && (a[2 * 4096 + 1] == 'm' || a[2 * 4096 + 1] == 0));
    printf("after MADV_FREE: %d %d\n", after, a[2 * 4096 + 1]);
  }
  int fd = make_file("f", "file content");
  char* p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
  memcpy(p, "gone", 4);
  SYS(madvise(p, 4096, MADV_DONTNEED));
  CHECK(memcmp(p, "file", 4) == 0);
  madvise(a, 8 * 4096, MADV_WILLNEED);
  madvise(a, 8 * 4096, MADV_NOHUGEPAGE);
  FAILS(madvise(a, 4096, 9999), EINVAL);
  SYS(madvise(a + 5 * 4096, 4096, MADV_WIPEONFORK));
  SYS(madvise(a + 6 * 4096, 4096, MADV_DONTFORK));
  pid_t child = SYS(fork());
  if (child == 0) {
    unsigned char residency;
    CHECK(a[5 * 4096] == 0);
    FAILS(mincore(a + 6 * 4096, 4096, &residency), ENOMEM);
    _exit(0);
  }
  CHECK(wait_exit(child) == 0 && a[5 * 4096] == 'm');
  return success();
}
