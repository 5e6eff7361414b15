// vfork followed by exec: the parent goes on at the exec, not at the child's end.
#include "guest.h"

int main(int argc, char** argv) {
  if (argc > 1) {
    sleep_ms(30);
    printf("executed: %s pid %d\n", argv[1], getpid());
    return 7;
  }
  char* args[] = {argv[0], (char*)"again", NULL};
  pid_t child = vfork();
  CHECK(child >= 0);
  if (child == 0) {
    execv("/proc/self/exe", args);
    _exit(1);
  }
  int status;
  pid_t early = waitpid(child, &status, WNOHANG);
  printf("returned from vfork; child %s\n", early == child ? "already gone" : "still runs");
  CHECK(early == child ? WEXITSTATUS(status) == 7 : wait_exit(child) == 7);
  return success();
}
