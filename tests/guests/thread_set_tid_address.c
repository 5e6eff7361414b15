// set_tid_address moves the word; robust-list registration is readable.
#include "guest.h"
#include <linux/futex.h>

static int other_word = 1;
static pthread_t thread;

static void* body(void* unused) {
  long tid = syscall(SYS_set_tid_address, &other_word);
  CHECK(tid == syscall(SYS_gettid));
  struct robust_list_head* head;
  size_t size;
  SYS(syscall(SYS_get_robust_list, 0, &head, &size));
  printf("tid %ld robust list %p size %zu\n", tid, (void*)head, size);
  return unused;
}

int main(void) {
  OK(pthread_create(&thread, NULL, body, NULL));
  while (__atomic_load_n(&other_word, __ATOMIC_SEQ_CST) != 0)
    syscall(SYS_futex, &other_word, FUTEX_WAIT, 1, NULL, NULL, 0);
  puts("the other word was cleared");
  success();
  fflush(stdout);
  _exit(0);  // the library would wait for its own word forever
}
