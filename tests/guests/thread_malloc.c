// Allocation across threads: blocks made by one thread, freed by another.
#include "guest.h"

static void* slots[64];
static uint64_t addresses;

static void* body(void* argument) {
  unsigned seed = (unsigned)(long)argument;
  for (int i = 0; i < 800; i++) {
    seed = seed * 1103515245 + 12345;
    size_t size = (seed >> 8) % (i % 50 == 0 ? 300000 : 2000) + 8;
    char* block = malloc(size);
    CHECK(block != NULL);
    block[0] = block[size - 1] = 1;
    __atomic_fetch_xor(&addresses, (uint64_t)block, __ATOMIC_RELAXED);
    free(__atomic_exchange_n(&slots[(seed >> 20) % 64], block, __ATOMIC_ACQ_REL));
  }
  return NULL;
}

int main(void) {
  pthread_t threads[4];
  for (long i = 0; i < 4; i++) OK(pthread_create(&threads[i], NULL, body, (void*)(i + 1)));
  for (int i = 0; i < 4; i++) OK(pthread_join(threads[i], NULL));
  for (int i = 0; i < 64; i++) free(slots[i]);
  printf("addresses %lx\n", addresses);
  return success();
}
