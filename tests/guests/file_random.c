// getrandom, with flags, in several sizes; arc4random-like use through the library.
#include "guest.h"
#include <sys/random.h>

int main(void) {
  unsigned char bytes[300];
  CHECK(getrandom(bytes, 16, 0) == 16);
  CHECK(getrandom(bytes + 16, 200, GRND_NONBLOCK) == 200);
  CHECK(getentropy(bytes + 216, 64) == 0);
  for (int i = 0; i < 280; i += 7) printf("%02x", bytes[i]);
  printf("\ndigest %016lx\n", digest(bytes, 280));
  FAILS(getrandom(bytes, 16, 0x8000), EINVAL);
  return success();
}
