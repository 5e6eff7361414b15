// exec of a setuid program: it runs, whether or not the privilege is granted.
#include "guest.h"
#include <sys/sendfile.h>

int main(int argc, char** argv) {
  if (argc > 1) {
    printf("uid %d euid %d\n", getuid(), geteuid());
    return 0;
  }
  enter_scratch();
  int self = SYS(open("/proc/self/exe", O_RDONLY | O_CLOEXEC));
  int copy = SYS(open("program", O_WRONLY | O_CREAT | O_CLOEXEC, 0700));
  struct stat s;
  SYS(fstat(self, &s));
  for (off_t done = 0; done < s.st_size;) done += SYS(sendfile(copy, self, NULL, (size_t)(s.st_size - done)));
  if (getuid() == 0) SYS(fchown(copy, 65534, 65534));
  SYS(fchmod(copy, 06755));
  close(copy);
  pid_t child = SYS(fork());
  if (child == 0) {
    execl("./program", argv[0], "x", (char*)NULL);
    _exit(1);
  }
  CHECK(wait_exit(child) == 0);
  child = SYS(fork());
  if (child == 0) {
    execl("/bin/su", "su", "--version", (char*)NULL);
    _exit(errno == ENOENT ? 0 : 1);
  }
  CHECK(wait_exit(child) == 0);
  return success();
}
