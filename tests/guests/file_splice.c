// splice, tee and vmsplice between pipes, files and memory.
#include "guest.h"
#include <sys/uio.h>

int main(void) {
  enter_scratch();
  int file = make_file("f", "the content of the file"), a[2], b[2];
  SYS(pipe(a));
  SYS(pipe(b));
  loff_t offset = 4;
  CHECK(splice(file, &offset, a[1], NULL, 7, 0) == 7 && offset == 11);
  CHECK(tee(a[0], b[1], 100, 0) == 7);
  char text[64] = "";
  CHECK(read(b[0], text, 7) == 7 && strcmp(text, "content") == 0);
  char first[] = "from ", second[32];
  snprintf(second, sizeof second, "memory of %d", getpid());
  struct iovec vector[2] = {{first, 5}, {second, strlen(second)}};
  ssize_t sent = SYS(vmsplice(a[1], vector, 2, 0));
  CHECK(sent == (ssize_t)(5 + strlen(second)));
  int out = make_file("out", "");
  CHECK(splice(a[0], NULL, out, NULL, 1000, SPLICE_F_MOVE) == 7 + sent);
  memset(text, 0, sizeof text);
  CHECK(pread(out, text, sizeof text, 0) == 7 + sent);
  FAILS(splice(a[0], NULL, out, NULL, 10, SPLICE_F_NONBLOCK), EAGAIN);
  CHECK(write(a[1], "vm", 2) == 2);
  struct iovec in = {text + 40, 2};
  CHECK(vmsplice(a[0], &in, 1, 0) == 2 && text[40] == 'v');
  printf("%s\n", text);
  return success();
}
