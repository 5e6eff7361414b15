// copy_file_range and sendfile between files, with and without offsets.
#include "guest.h"
#include <sys/sendfile.h>

int main(void) {
  enter_scratch();
  char block[10000];
  size_t pid = (size_t)getpid();
  for (size_t i = 0; i < sizeof block; i++) block[i] = (char)(i * 7 + pid);
  int from = make_file("from", ""), to = make_file("to", "");
  CHECK(write(from, block, sizeof block) == sizeof block);
  off64_t in = 100, out = 5;
  CHECK(copy_file_range(from, &in, to, &out, 5000, 0) == 5000 && in == 5100 && out == 5005);
  off_t offset = 0;
  SYS(lseek(to, 0, SEEK_END));
  CHECK(sendfile(to, from, &offset, 3000) == 3000 && offset == 3000);
  SYS(lseek(from, 9990, SEEK_SET));
  CHECK(sendfile(to, from, NULL, 1000) == 10);
  struct stat s;
  SYS(fstat(to, &s));
  char* back = malloc((size_t)s.st_size);
  CHECK(pread(to, back, (size_t)s.st_size, 0) == s.st_size && s.st_size == 8015);
  CHECK(memcmp(back + 5, block + 100, 5000) == 0 && memcmp(back + 5005, block, 3000) == 0);
  printf("digest %016lx\n", digest(back, (size_t)s.st_size));
  free(back);
  return success();
}
