// A lost update: two threads change an account by reading it, working out the new amount and writing it back, without a
// lock. Between two syscalls each does so three times in under a thousand steps, so that a fair scheduler practically
// never interrupts one in between. Exit status 1 when an update was lost.
#include <pthread.h>
#include <stdio.h>

enum { kDeposits = 3, kYears = 120 };
static volatile long account;
static volatile long rates[kYears];

static long interest(long amount) {
  long sum = 0;
  for (int year = 0; year < kYears; year++) sum += amount * rates[year] / 1000;
  return sum;
}

static void* deposit(void* argument) {
  for (int i = 0; i < kDeposits; i++) {
    long amount = account;
    account = amount + interest(amount) + 100;
  }
  return argument;
}

int main(void) {
  pthread_t threads[2];
  for (int i = 0; i < 2; i++) {
    if (pthread_create(&threads[i], NULL, deposit, NULL)) return 2;
  }
  for (int i = 0; i < 2; i++) {
    if (pthread_join(threads[i], NULL)) return 2;
  }
  printf("%ld of %d\n", account, 2 * kDeposits * 100);
  return account != 2 * kDeposits * 100;
}
