// Copy on write over three generations of processes, with a digest of each one's view.
#include "guest.h"

int main(void) {
  size_t size = 64 * 4096;
  unsigned char* memory = malloc(size);
  size_t pid = (size_t)getpid();
  for (size_t i = 0; i < size; i++) memory[i] = (unsigned char)(i * pid);
  uint64_t before = digest(memory, size);
  pid_t child = SYS(fork());
  if (child == 0) {
    memset(memory, 1, size / 2);
    pid_t grandchild = SYS(fork());
    if (grandchild == 0) {
      memset(memory + size / 4, 2, size / 2);
      printf("grandchild %016lx\n", digest(memory, size));
      exit(0);
    }
    CHECK(wait_exit(grandchild) == 0);
    CHECK(memory[size / 2 - 1] == 1);
    printf("child %016lx\n", digest(memory, size));
    exit(0);
  }
  CHECK(wait_exit(child) == 0);
  CHECK(digest(memory, size) == before);
  printf("parent %016lx\n", before);
  return success();
}
