// A program executed from a memfd that no path names.
#include "guest.h"
#include <sys/sendfile.h>

extern char** environ;

int main(int argc, char** argv) {
  if (argc > 1) {
    printf("running from memory as %d\n", getpid());
    return 12;
  }
  int self = SYS(open("/proc/self/exe", O_RDONLY));
  int copy = SYS(memfd_create("program", MFD_CLOEXEC));
  struct stat s;
  SYS(fstat(self, &s));
  for (off_t done = 0; done < s.st_size;) done += SYS(sendfile(copy, self, NULL, (size_t)(s.st_size - done)));
  pid_t child = SYS(fork());
  if (child == 0) {
    char* args[] = {argv[0], (char*)"x", NULL};
    syscall(SYS_execveat, copy, "", args, environ, AT_EMPTY_PATH);
    _exit(1);
  }
  CHECK(wait_exit(child) == 12);
  return success();
}
