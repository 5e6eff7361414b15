// process_vm_readv and writev, on itself and on a child.
#include "guest.h"
#include <sys/uio.h>

int main(void) {
  char source[32], target[32] = "";
  snprintf(source, sizeof source, "memory of %d", getpid());
  struct iovec local = {target, sizeof target}, remote = {source, sizeof source};
  ssize_t n = process_vm_readv(getpid(), &local, 1, &remote, 1, 0);
  printf("read from itself: %zd %s\n", n, target);
  CHECK(n == -1 || strcmp(source, target) == 0);
  int* shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  int fds[2];
  SYS(pipe(fds));
  pid_t child = SYS(fork());
  if (child == 0) {
    char c;
    CHECK(read(fds[0], &c, 1) == 1);
    _exit(*shared);
  }
  int value = 66;
  struct iovec from = {&value, sizeof value}, to = {shared, sizeof value};
  n = process_vm_writev(child, &from, 1, &to, 1, 0);
  CHECK(write(fds[1], "x", 1) == 1);
  int status = wait_exit(child);
  printf("wrote into child: %zd, it ended with %d\n", n, status);
  CHECK(status == (n == sizeof value ? 66 : 0));
  FAILS(process_vm_readv(-1, &local, 1, &remote, 1, 0), ESRCH);
  return success();
}
