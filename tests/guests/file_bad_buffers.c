// Buffers that can't be read or written: EFAULT, and partial transfers up to the bad page.
#include "guest.h"

int main(void) {
  enter_scratch();
  int fd = make_file("f", "");
  char* pages = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  CHECK(pages != MAP_FAILED);
  SYS(mprotect(pages + 4096, 4096, PROT_NONE));
  memset(pages, 'p', 4096);
  FAILS(write(fd, pages + 4096, 10), EFAULT);
  CHECK(write(fd, pages, 4096) == 4096);
  SYS(lseek(fd, 0, SEEK_SET));
  FAILS(read(fd, pages + 4096, 10), EFAULT);
  ssize_t n = pread(fd, pages + 4000, 200, 0);
  printf("a read across the edge gave %zd\n", n);
  struct stat* volatile wild = (struct stat*)16;
  FAILS(syscall(SYS_fstat, fd, wild), EFAULT);
  FAILS(syscall(SYS_open, wild, O_RDONLY), EFAULT);
  FAILS(syscall(SYS_pipe, wild), EFAULT);
  FAILS(syscall(SYS_clock_gettime, CLOCK_REALTIME, wild), EFAULT);
  int ends[2];
  SYS(pipe(ends));
  CHECK(write(ends[1], "abc", 3) == 3);
  FAILS(read(ends[0], pages + 4096, 3), EFAULT);
  CHECK(read(ends[0], pages, 3) == 3 && pages[2] == 'c');
  return success();
}
