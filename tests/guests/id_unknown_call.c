// System call numbers that do not exist.
#include "guest.h"

int main(void) {
  long numbers[] = {340, 400, 511, 600, 1000, 100000, -5};
  for (int i = 0; i < 7; i++) {
    errno = 0;
    long result = syscall(numbers[i], 1, 2, 3, 4, 5, 6);
    printf("%ld: %ld %s\n", numbers[i], result, strerrorname_np(errno));
    CHECK(result == -1 && errno == ENOSYS);
  }
  return success();
}
