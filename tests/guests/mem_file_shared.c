// A file mapped shared: memory and file are the same thing.
#include "guest.h"

int main(void) {
  enter_scratch();
  int fd = make_file("f", "");
  SYS(ftruncate(fd, 8192));
  char* map = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  char* again = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 4096);
  CHECK(map != MAP_FAILED && again != MAP_FAILED);
  snprintf(map + 4096, 64, "written by %d through memory", getpid());
  CHECK(strcmp(again, map + 4096) == 0);
  char text[64] = "";
  CHECK(pread(fd, text, 40, 4096) == 40 && strcmp(text, again) == 0);
  CHECK(pwrite(fd, "by call", 7, 100) == 7);
  CHECK(memcmp(map + 100, "by call", 7) == 0);
  SYS(msync(map, 8192, MS_SYNC));
  printf("%s; %.7s\n", again, map + 100);
  return success();
}
