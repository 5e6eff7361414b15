// A file mapped privately: what the program writes stays its own.
#include "guest.h"

int main(void) {
  enter_scratch();
  int fd = make_file("f", "the text of the file");
  char* map = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
  CHECK(map != MAP_FAILED && memcmp(map, "the text", 8) == 0);
  memcpy(map, "own", 3);
  char text[21] = "";
  CHECK(pread(fd, text, 20, 0) == 20 && memcmp(text, "the", 3) == 0);
  pid_t child = SYS(fork());
  if (child == 0) {
    map[0] = 'c';
    _exit(map[0] == 'c' ? 0 : 1);
  }
  CHECK(wait_exit(child) == 0 && map[0] == 'o');
  printf("%.20s / %s at %p\n", map, text, (void*)map);
  SYS(munmap(map, 4096));
  return success();
}
