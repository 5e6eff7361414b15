// Buffered I/O: fopen, fprintf, fgets, fseek, ungetc, and stderr.
#include "guest.h"

int main(void) {
  enter_scratch();
  FILE* f = fopen("text", "w+");
  CHECK(f != NULL);
  for (int i = 0; i < 500; i++) fprintf(f, "line %d of %d\n", i, getpid());
  CHECK(fseek(f, 0, SEEK_SET) == 0);
  char line[64];
  int lines = 0;
  while (fgets(line, sizeof line, f)) lines++;
  CHECK(lines == 500);
  long size = ftell(f);
  rewind(f);
  int c = fgetc(f);
  CHECK(ungetc(c, f) == 'l' && fgetc(f) == 'l');
  fclose(f);
  fprintf(stderr, "to standard error from %d\n", getpid());
  printf("%d lines, %ld bytes, last %s", lines, size, line);
  return success();
}
