// membarrier: what is supported, and an expedited barrier between threads.
#include "guest.h"

#ifndef SYS_membarrier
#define SYS_membarrier 324
#endif

static void* body(void* unused) {
  long result = syscall(SYS_membarrier, 8 /* PRIVATE_EXPEDITED */, 0, 0);
  printf("barrier gave %ld\n", result);
  return unused;
}

int main(void) {
  long commands = syscall(SYS_membarrier, 0, 0, 0);
  printf("commands %#lx\n", commands);
  if (commands > 0 && (commands & 16)) SYS(syscall(SYS_membarrier, 16 /* REGISTER_PRIVATE_EXPEDITED */, 0, 0));
  pthread_t thread;
  OK(pthread_create(&thread, NULL, body, NULL));
  OK(pthread_join(thread, NULL));
  return success();
}
