// exec with other arguments and environment: the pid stays, the addresses are new.
#include "guest.h"

int main(int argc, char** argv) {
  int here;
  printf("pid %d argc %d stack %p mark %s\n", getpid(), argc, (void*)&here, getenv("MARK") ? getenv("MARK") : "none");
  if (argc < 4) {
    char* args[] = {argv[0], (char*)"1", (char*)"2", (char*)"3", NULL};
    char* env[] = {(char*)"MARK=set", NULL};
    execve("/proc/self/exe", args, env);
    CHECK(!"exec returned");
  }
  CHECK(strcmp(getenv("MARK"), "set") == 0 && getenv("PATH") == NULL);
  return success();
}
