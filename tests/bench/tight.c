// The smallest loops there are, one at a time: tight NAME MILLIONS. Nothing but the loop itself takes time here.
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint64_t count_down(uint64_t n) {
  __asm__ volatile("1: dec %0\n jnz 1b" : "+r"(n));
  return n;
}

static uint64_t count_up(uint64_t n) {
  uint64_t i = 0;
  __asm__ volatile("1: add $1, %0\n cmp %1, %0\n jb 1b" : "+r"(i) : "r"(n));
  return i;
}

static uint64_t sum(uint64_t n) {
  static uint32_t table[1024];
  uint64_t i = n, total = 0;
  __asm__ volatile("1: mov %1, %%rax\n and $1023, %%eax\n add (%2, %%rax, 4), %0\n dec %1\n jnz 1b"
                   : "+r"(total), "+r"(i)
                   : "r"(table)
                   : "rax");
  return total;
}

static uint64_t chase(uint64_t n) {
  static void* ring[256];
  for (int i = 0; i < 256; i++) ring[i] = &ring[(i + 97) % 256];
  void** at = ring;
  __asm__ volatile("1: mov (%0), %0\n dec %1\n jnz 1b" : "+r"(at), "+r"(n) : : "memory");
  return (uint64_t)(at - ring);
}

int main(int argc, char** argv) {
  static const struct {
    const char* name;
    uint64_t (*run)(uint64_t);
  } loops[] = {{"count_down", count_down}, {"count_up", count_up}, {"sum", sum}, {"chase", chase}};
  if (argc != 3) return 2;
  for (size_t i = 0; i < sizeof loops / sizeof loops[0]; i++) {
    if (strcmp(argv[1], loops[i].name) != 0) continue;
    printf("%lu\n", loops[i].run(strtoull(argv[2], NULL, 10) * 1000000));
    return 0;
  }
  return 2;
}
