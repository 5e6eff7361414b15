// prctl: name, dumpable, no_new_privs, timer slack, keepcaps.
#include "guest.h"
#include <sys/prctl.h>

int main(void) {
  char name[17] = "";
  SYS(prctl(PR_SET_NAME, "new-name"));
  SYS(prctl(PR_GET_NAME, name));
  CHECK(strcmp(name, "new-name") == 0);
  FILE* comm = fopen("/proc/self/comm", "r");
  CHECK(comm && fscanf(comm, "%16s", name) == 1 && strcmp(name, "new-name") == 0);
  fclose(comm);
  printf("= dumpable %d slack %d\n", prctl(PR_GET_DUMPABLE), prctl(PR_GET_TIMERSLACK));
  SYS(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
  CHECK(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1);
  SYS(prctl(PR_SET_DUMPABLE, 0));
  CHECK(prctl(PR_GET_DUMPABLE) == 0);
  SYS(prctl(PR_SET_DUMPABLE, 1));
  FAILS(prctl(9999), EINVAL);
  printf("pid %d is %s\n", getpid(), name);
  return success();
}
