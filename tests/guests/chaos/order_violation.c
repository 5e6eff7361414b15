// An order violation: the creator of a thread fills in what the thread uses only after pthread_create. It goes well as
// long as the creator gets through the few steps behind the call before the thread has come to its function. Exit
// status 1 when the thread finds nothing.
#include <pthread.h>
#include <stdio.h>

struct job {
  const int* volatile items;
  volatile int count;
};
static struct job job;

static void* work(void* argument) {
  struct job* own = argument;
  const int* items = own->items;
  if (items == NULL) return (void*)-1;
  long sum = 0;
  for (int i = 0; i < own->count; i++) sum += items[i];
  return (void*)sum;
}

int main(void) {
  static const int items[] = {3, 4, 5};
  pthread_t thread;
  if (pthread_create(&thread, NULL, work, &job)) return 2;
  job.count = 3;
  job.items = items;
  void* sum;
  if (pthread_join(thread, &sum)) return 2;
  printf("sum %ld\n", (long)sum);
  return (long)sum != 12;
}
