// Recursion and tail calls across two modules, by name, without any loop; and recursion through a pointer where nothing
// in front of the call can be moved. Only an alarm or another thread ends each.
#include "elsewhere/elsewhere.h"
#include "guest.h"

__attribute__((optimize("optimize-sibling-calls"))) void tail_here(volatile int* done) {
  if (!*done) tail_there(done);
}

uint64_t tree_here(unsigned n, volatile int* done) {
  return n < 2 || *done ? n : tree_there(n - 1, done) + tree_there(n - 2, done);
}

uint64_t direct_here(unsigned n, volatile int* done) {
  return n < 2 || *done ? n : direct_there(n - 1, done) + direct_there(n - 2, done);
}

// Calls itself through %r12; each call can also be come to by a jump.
uint64_t pointed(unsigned n, volatile int* done, void* self);
__asm__(
    ".text\n.globl pointed\n.type pointed, @function\npointed:\n.cfi_startproc\n"
    "mov %edi, %eax\ncmp $2, %edi\njb 9f\ncmpl $0, (%rsi)\njne 9f\n"
    "push %rbx\n.cfi_adjust_cfa_offset 8\npush %r12\n.cfi_adjust_cfa_offset 8\npush %r13\n.cfi_adjust_cfa_offset 8\n"
    "mov %edi, %ebx\nmov %rdx, %r12\nmov %rsi, %r13\n"
    "lea -1(%rbx), %edi\ntest $1, %bl\njne 1f\nnop\n1: call *%r12\n"
    "xchg %rax, %rbx\nlea -2(%rax), %edi\nmov %r13, %rsi\nmov %r12, %rdx\ntest $1, %bl\njne 1f\nnop\n1: call *%r12\n"
    "add %rbx, %rax\n"
    "pop %r13\n.cfi_adjust_cfa_offset -8\npop %r12\n.cfi_adjust_cfa_offset -8\npop %rbx\n.cfi_adjust_cfa_offset -8\n"
    "9: ret\n.cfi_endproc\n.size pointed, .-pointed\n");

static volatile int done;

static void on_alarm(int signal) {
  (void)signal;
  done = 1;
}

static void* other(void* argument) {
  for (unsigned long i = 0; i < 1000000; i++) __asm__ volatile("" ::"r"(i));
  done = 1;
  return argument;
}

static uint64_t tail(unsigned n, volatile int* until) {
  tail_here(until);
  return n;
}
static uint64_t by_pointer(unsigned n, volatile int* until) { return pointed(n, until, (void*)pointed); }

static void run(const char* name, uint64_t (*work)(unsigned, volatile int*)) {
  volatile int never = 0;
  // What it gives when nobody interrupts it.
  if (work != tail) printf("= %s: %lu\n", name, work(20, &never));
  done = 0;
  struct itimerval soon = {{0, 0}, {0, 20000}};
  SYS(setitimer(ITIMER_REAL, &soon, NULL));
  work(200, &done);
  pthread_t thread;
  done = 0;
  OK(pthread_create(&thread, NULL, other, NULL));
  work(200, &done);
  OK(pthread_join(thread, NULL));
  printf("= %s was ended twice\n", name);
}

int main(void) {
  CHECK(signal(SIGALRM, on_alarm) != SIG_ERR);
  run("tail", tail);
  run("tree", tree_here);
  run("direct", direct_here);
  run("pointer", by_pointer);
  return success();
}
