// Mapping a TCP socket, for zero-copy receiving: refused, and programs then read.
#include <netinet/in.h>

#include "guest.h"

int main(void) {
  int fd = (int)SYS(socket(AF_INET, SOCK_STREAM, 0));
  struct sockaddr_in any = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  SYS(bind(fd, (struct sockaddr*)&any, sizeof any));
  SYS(listen(fd, 1));
  void* pages = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);
  if (pages == MAP_FAILED) CHECK(errno == ENODEV);
  printf("%s\n", pages == MAP_FAILED ? "refused" : "mapped");
  return success();
}
