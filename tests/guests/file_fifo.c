// A named pipe: open blocks until the other side comes.
#include "guest.h"

int main(void) {
  enter_scratch();
  SYS(mkfifo("fifo", 0600));
  FAILS(open("fifo", O_WRONLY | O_NONBLOCK), ENXIO);
  pid_t child = SYS(fork());
  if (child == 0) {
    sleep_ms(10);
    int fd = (int)SYS(open("fifo", O_WRONLY));
    dprintf(fd, "hello from %d", getpid());
    _exit(0);
  }
  int fd = (int)SYS(open("fifo", O_RDONLY));
  char text[64] = "";
  size_t size = 0;
  for (ssize_t n; (n = SYS(read(fd, text + size, sizeof text - size))) > 0;) size += (size_t)n;
  CHECK(wait_exit(child) == 0);
  printf("%s\n", text);
  CHECK(size > 10);
  return success();
}
