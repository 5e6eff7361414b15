// posix_spawn with file actions and attributes.
#include "guest.h"
#include <spawn.h>

extern char** environ;

int main(int argc, char** argv) {
  if (argc > 1) {
    printf("spawned %d group %d\n", getpid(), getpgrp());
    return 8;
  }
  int fds[2];
  SYS(pipe(fds));
  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
  OK(posix_spawn_file_actions_init(&actions));
  OK(posix_spawn_file_actions_adddup2(&actions, fds[1], 1));
  OK(posix_spawn_file_actions_addclose(&actions, fds[0]));
  OK(posix_spawnattr_init(&attributes));
  OK(posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP));
  char* args[] = {argv[0], (char*)"x", NULL};
  pid_t child;
  OK(posix_spawn(&child, "/proc/self/exe", &actions, &attributes, args, environ));
  close(fds[1]);
  char text[200] = "";
  SYS(read(fds[0], text, sizeof text - 1));
  CHECK(wait_exit(child) == 8);
  printf("parent %d spawned %d, which says: %s", getpid(), child, text);
  CHECK(posix_spawn(&child, "/nonexistent", NULL, NULL, args, environ) == ENOENT);
  posix_spawn_file_actions_destroy(&actions);
  posix_spawnattr_destroy(&attributes);
  return success();
}
