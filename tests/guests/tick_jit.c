// Code made at run time counts to 50 million while one thread waits for it and another spins.
#include "guest.h"

// mov %edi, %ecx; xor %eax, %eax; 1: add $3, %rax; dec %ecx; jnz 1b; ret
static const unsigned char kCode[] = {0x89, 0xf9, 0x31, 0xc0, 0x48, 0x83, 0xc0, 3, 0xff, 0xc9, 0x75, 0xf8, 0xc3};
static volatile int done, spinning;
static volatile long spins;

static void* spin(void* argument) {
  spinning = 1;
  while (!done) spins++;
  return argument;
}

static uint64_t run(int protection, unsigned count) {
  unsigned char* code = mmap(NULL, 4096, PROT_READ | PROT_WRITE | (protection & PROT_WRITE ? PROT_EXEC : 0),
                             MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  CHECK(code != MAP_FAILED);
  memcpy(code, kCode, sizeof kCode);
  if (!(protection & PROT_WRITE)) SYS(mprotect(code, 4096, protection));
  uint64_t (*function)(unsigned);
  *(void**)&function = code;
  uint64_t value = function(count);
  SYS(munmap(code, 4096));
  return value;
}

static void* compute(void* argument) {
  (void)argument;
  uint64_t sum = run(PROT_READ | PROT_WRITE | PROT_EXEC, 50000000);
  for (unsigned i = 1; i < 50; i++) sum += run(PROT_READ | PROT_EXEC, i * 1000);
  return (void*)sum;
}

int main(void) {
  pthread_t computing, other;
  OK(pthread_create(&other, NULL, spin, NULL));
  while (!spinning) continue;
  OK(pthread_create(&computing, NULL, compute, NULL));
  void* value;
  OK(pthread_join(computing, &value));
  done = 1;
  OK(pthread_join(other, NULL));
  printf("= %lu\n", (unsigned long)value);
  CHECK((uint64_t)value == 3ul * 50000000 + 3ul * 1000 * 49 * 50 / 2);
  printf("%ld spins\n", spins);
  return success();
}
