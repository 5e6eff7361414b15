// read(2) and recv into memory that another process shares.
#include "guest.h"

int main(void) {
  char* shared = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  CHECK(shared != MAP_FAILED);
  int fds[2], pair[2];
  SYS(pipe(fds));
  SYS(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
  pid_t child = SYS(fork());
  if (child == 0) {
    int random = (int)SYS(open("/dev/urandom", O_RDONLY));
    CHECK(read(random, shared, 64) == 64);
    CHECK(recv(pair[1], shared + 4096, 100, 0) == 12);
    CHECK(write(fds[1], "x", 1) == 1);
    _exit(0);
  }
  CHECK(send(pair[0], "through here", 12, 0) == 12);
  char c;
  CHECK(read(fds[0], &c, 1) == 1);
  CHECK(memcmp(shared + 4096, "through here", 12) == 0);
  CHECK(wait_exit(child) == 0);
  printf("random %016lx\n", digest(shared, 64));
  return success();
}
