// readv, writev, preadv, pwritev and their second versions.
#include "guest.h"
#include <sys/uio.h>

int main(void) {
  enter_scratch();
  int fd = make_file("f", "");
  char a[5] = "aaaa", b[9] = "bbbbbbbb", c[3] = "cc";
  struct iovec out[3] = {{a, 4}, {b, 8}, {c, 2}};
  CHECK(writev(fd, out, 3) == 14);
  CHECK(pwritev(fd, out, 2, 100) == 12);
  CHECK(pwritev2(fd, out, 1, -1, RWF_APPEND) == 4);
  char x[6] = "", y[20] = "", z[200] = "";
  struct iovec in[3] = {{x, 5}, {NULL, 0}, {y, 9}};
  CHECK(preadv(fd, in, 3, 0) == 14 && memcmp(x, "aaaab", 5) == 0 && memcmp(y, "bbbbbbbcc", 9) == 0);
  struct iovec rest[2] = {{x, 3}, {z, sizeof z}};
  SYS(lseek(fd, 100, SEEK_SET));
  CHECK(readv(fd, rest, 2) == 16 && memcmp(z + 9, "aaaa", 4) == 0);
  CHECK(preadv2(fd, rest, 2, 0, 0) == 116);
  CHECK(pread(fd, z, 8, 4) == 8 && pwrite(fd, z, 8, 50) == 8);
  volatile int negative = -1;
  FAILS(readv(fd, in, negative), EINVAL);
  printf("digest %016lx of %d\n", digest(z, 116), fd);
  return success();
}
