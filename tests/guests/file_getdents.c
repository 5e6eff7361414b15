// Directories: many entries, seekdir, rewind, the raw system call.
#include "guest.h"
#include <dirent.h>

int main(void) {
  enter_scratch();
  for (int i = 0; i < 300; i++) {
    char name[60];
    snprintf(name, sizeof name, "entry-%03d-%.*s", i, i % 40, "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx");
    close(make_file(name, ""));
  }
  DIR* directory = opendir(".");
  CHECK(directory != NULL);
  int entries = 0;
  uint64_t hash = 0;
  long place = 0;
  for (struct dirent* e; (e = readdir(directory)); entries++) {
    hash = hash * 31 + e->d_ino + digest(e->d_name, strlen(e->d_name));
    if (entries == 100) place = telldir(directory);
  }
  CHECK(entries == 302);
  seekdir(directory, place);
  int after = 0;
  while (readdir(directory)) after++;
  CHECK(after == 201);
  closedir(directory);
  char buffer[512];
  int fd = (int)SYS(open(".", O_RDONLY | O_DIRECTORY));
  int calls = 0;
  while (SYS(syscall(SYS_getdents64, fd, buffer, sizeof buffer)) > 0) calls++;
  printf("%d entries, inode hash %016lx, %d calls\n", entries, hash, calls);
  return success();
}
