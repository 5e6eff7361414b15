// sendfile and splice to a socket, received in pieces.
#include "guest.h"
#include <sys/sendfile.h>

int main(void) {
  enter_scratch();
  int fd = make_file("f", ""), pair[2];
  char block[50000];
  size_t pid = (size_t)getpid();
  for (size_t i = 0; i < sizeof block; i++) block[i] = (char)(i * i + pid);
  CHECK(write(fd, block, sizeof block) == sizeof block);
  SYS(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
  pid_t child = SYS(fork());
  if (child == 0) {
    off_t at = 0;
    while (at < (off_t)sizeof block) SYS(sendfile(pair[1], fd, &at, sizeof block - (size_t)at));
    _exit(0);
  }
  close(pair[1]);
  char* back = malloc(sizeof block);
  size_t size = 0;
  int pieces = 0;
  for (ssize_t n; (n = SYS(recv(pair[0], back + size, 7000, 0))) > 0; pieces++) {
    size += (size_t)n;
    if (size > sizeof block - 7000 && size < sizeof block) continue;
    if (size >= sizeof block) break;
  }
  CHECK(size == sizeof block && memcmp(back, block, size) == 0);
  CHECK(wait_exit(child) == 0);
  printf("%zu bytes in %d pieces, digest %016lx\n", size, pieces, digest(back, size));
  free(back);
  return success();
}
