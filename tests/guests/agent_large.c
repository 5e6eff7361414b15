// Calls in a row that write far more than fits between two looks of a recorder, and ever other bytes.
#include "guest.h"

#include <sys/random.h>

int main(void) {
  enum { kLarge = 3 << 20 };
  unsigned char* buffer = malloc(kLarge);
  CHECK(buffer != NULL);
  unsigned long sum = 0;
  for (int round = 0; round < 30; round++) {
    long size = 1L << (round % 10 + 12);
    memset(buffer, 0, kLarge);
    long got = getrandom(buffer, (size_t)size, 0);
    CHECK(got > 0 && got <= size);
    for (long i = 0; i < got; i++) sum = sum * 31 + buffer[i];
    int directory = open("/usr/bin", O_RDONLY | O_DIRECTORY);
    long entries = syscall(SYS_getdents64, directory, buffer, round % 2 ? kLarge : 32768);
    CHECK(directory >= 0 && entries > 0 && close(directory) == 0);
    for (long i = 0; i < entries; i++) sum = sum * 31 + buffer[i];
    for (int i = 0; i < 20; i++) sum += (unsigned long)getppid();
  }
  printf("%lx\n", sum);
  return success();
}
