// exec of scripts: with and without an interpreter argument, and of a file that is none.
#include "guest.h"

static void script(const char* name, const char* text) {
  int fd = SYS(open(name, O_WRONLY | O_CREAT, 0700));
  CHECK(write(fd, text, strlen(text)) == (ssize_t)strlen(text));
  close(fd);
}

static int run(const char* name) {
  pid_t child = SYS(fork());
  if (child == 0) {
    execl(name, name, "argument", (char*)NULL);
    _exit(errno);
  }
  return wait_exit(child);
}

int main(void) {
  enter_scratch();
  script("plain", "#!/bin/sh\necho \"script $0 $1 $# pid $$\"\nexit 11\n");
  script("option", "#!/bin/sh -e\nfalse\necho unreachable\n");
  script("broken", "#!/no/such/interpreter\n");
  script("text", "just text\n");
  CHECK(run("./plain") == 11);
  CHECK(run("./option") == 1);
  CHECK(run("./broken") == ENOENT);
  CHECK(run("./text") == ENOEXEC);
  return success();
}
