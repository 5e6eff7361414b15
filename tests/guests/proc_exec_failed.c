// exec that fails: the program goes on.
#include "guest.h"

int main(void) {
  enter_scratch();
  close(make_file("plain", "no program"));
  char* args[] = {(char*)"x", NULL};
  FAILS(execv("missing", args), ENOENT);
  FAILS(execv("plain", args), EACCES);
  FAILS(execv(".", args), EACCES);
  FAILS(execv("plain/below", args), ENOTDIR);
  SYS(chmod("plain", 0700));
  FAILS(execv("plain", args), ENOEXEC);
  char** volatile wild = (char**)8;
  FAILS(execve("/bin/true", wild, NULL), EFAULT);
  printf("still pid %d\n", getpid());
  return success();
}
