// stdin: forty-two bytes of input, in one line
// Standard input is read to its end, by stdio and by read.
#include "guest.h"

int main(void) {
  char first[7] = "", rest[100];
  CHECK(read(0, first, 6) == 6);
  printf("first '%s'\n", first);
  size_t n = fread(rest, 1, sizeof rest, stdin);
  rest[n] = 0;
  printf("rest '%s' %zu bytes\n", rest, n);
  CHECK(strcmp(first, "forty-") == 0 && feof(stdin) && n > 30);
  return success();
}
