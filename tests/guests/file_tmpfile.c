// O_TMPFILE and linking it into place; tmpfile(); unlinked files stay usable.
#include "guest.h"

int main(void) {
  enter_scratch();
  int fd = open(".", O_TMPFILE | O_RDWR, 0600);
  if (fd >= 0) {
    CHECK(write(fd, "nameless", 8) == 8);
    char path[64];
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    SYS(linkat(AT_FDCWD, path, AT_FDCWD, "named", AT_SYMLINK_FOLLOW));
    struct stat s;
    SYS(stat("named", &s));
    CHECK(s.st_size == 8);
  }
  FILE* f = tmpfile();
  CHECK(f && fprintf(f, "%d", getpid()) > 0);
  rewind(f);
  int value;
  CHECK(fscanf(f, "%d", &value) == 1 && value == getpid());
  fclose(f);
  int gone = make_file("gone", "still here");
  SYS(unlink("gone"));
  char text[11] = "";
  CHECK(read(gone, text, 10) == 10);
  printf("%s in %d\n", text, value);
  return success();
}
