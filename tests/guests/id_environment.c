// Environment and arguments, changed and handed to a child.
// args: alpha "beta gamma" ""
#include "guest.h"

extern char** environ;

int main(int argc, char** argv) {
  CHECK(argc == 4 && strcmp(argv[2], "beta gamma") == 0 && argv[3][0] == 0 && argv[4] == NULL);
  int count = 0;
  bool preload = false;
  for (char** e = environ; *e; e++, count++)
    if (strncmp(*e, "LD_PRELOAD=", 11) == 0) preload = true;
  CHECK(!preload);
  printf("= %d variables, home is set: %d\n", count, getenv("HOME") != NULL);
  SYS(setenv("GUEST_VARIABLE", "its value", 1));
  SYS(unsetenv("LANG"));
  CHECK(system("test \"$GUEST_VARIABLE\" = 'its value' && test -z \"$LANG\"") == 0);
  printf("argv at %p, environ at %p\n", (void*)argv, (void*)environ);
  return success();
}
