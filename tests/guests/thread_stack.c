// A thread on a stack of the program's own, with a guard size.
#include "guest.h"

static void* body(void* argument) {
  char local[20000];
  memset(local, 3, sizeof local);
  printf("local at %p\n", (void*)local);
  return (void*)((char*)argument < local ? 1L : 0L);
}

int main(void) {
  size_t size = 256 * 1024;
  void* stack = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
  CHECK(stack != MAP_FAILED);
  pthread_attr_t attributes;
  OK(pthread_attr_init(&attributes));
  OK(pthread_attr_setstack(&attributes, stack, size));
  pthread_t thread;
  OK(pthread_create(&thread, &attributes, body, stack));
  void* above;
  OK(pthread_join(thread, &above));
  CHECK(above == (void*)1);
  OK(pthread_attr_init(&attributes));
  OK(pthread_attr_setguardsize(&attributes, 65536));
  OK(pthread_create(&thread, &attributes, body, NULL));
  OK(pthread_join(thread, NULL));
  return success();
}
