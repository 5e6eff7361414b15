// rep movs, stos, scas and cmps over 200 MB altogether, interrupted by alarms: the only loops are in the instructions.
#include "tick.h"

enum { kSize = 8 << 20 };
static unsigned char *source, *target;

static uint64_t work(void) {
  void *to = target, *from = source;
  size_t count = kSize / 8;
  __asm__ volatile("rep stosq" : "+D"(to), "+c"(count) : "a"(0x0101010101010101ul) : "memory");
  CHECK((unsigned char*)to == target + kSize && count == 0 && target[kSize - 1] == 1);
  to = target, count = kSize / 2;
  __asm__ volatile("rep movsb" : "+S"(from), "+D"(to), "+c"(count)::"memory");
  CHECK((unsigned char*)to == target + kSize / 2 && (unsigned char*)from == source + kSize / 2);
  from = source + kSize - 1, to = target + kSize - 1, count = kSize / 8;
  __asm__ volatile("std\n\trep movsb\n\tcld" : "+S"(from), "+D"(to), "+c"(count)::"memory", "cc");
  CHECK(target[kSize - 1] == source[kSize - 1]);
  to = target, count = kSize;
  __asm__ volatile("repne scasb" : "+D"(to), "+c"(count) : "a"(255) : "cc");
  size_t found = (size_t)((unsigned char*)to - target);
  from = source, to = target, count = kSize;
  __asm__ volatile("repe cmpsb" : "+S"(from), "+D"(to), "+c"(count)::"cc", "memory");
  size_t same = (size_t)((unsigned char*)to - target);
  return digest(&found, sizeof found) ^ digest(&same, sizeof same) ^ digest(target + kSize / 2 - 100, 200);
}

int main(void) {
  source = malloc(kSize), target = malloc(kSize);
  for (size_t i = 0; i < kSize; i++) source[i] = (unsigned char)(i * 31 % 251);
  source[kSize / 2 - 1] = 255;
  tick_find_modules();
  uint64_t expected = work();
  printf("= %016lx\n", expected);
  tick_start_alarms(2000);
  long rounds = 1;
  for (; rounds < 10 || tick_alarms < 5; rounds++) CHECK(work() == expected);
  tick_stop_alarms();
  printf("%ld rounds, %ld alarms\n", rounds, tick_alarms);
  free(source);
  free(target);
  return success();
}
