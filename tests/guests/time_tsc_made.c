// Code made at run time executes rdtsc, in threads that waited for it in different calls; before, and in other code, the
// clock is read in all the ways there are.
#include "guest.h"
#include <semaphore.h>
#include <x86intrin.h>

// rdtsc; shl $32, %rdx; or %rdx, %rax; ret
static const unsigned char kRdtsc[] = {0x0f, 0x31, 0x48, 0xc1, 0xe2, 0x20, 0x48, 0x09, 0xd0, 0xc3};
typedef uint64_t Clock(void);

static Clock* volatile made;
static int ends[2];
static sem_t made_it;
static uint64_t sums[4];
static pthread_barrier_t all_wait;

static uint64_t mix(uint64_t sum, uint64_t value) { return (sum ^ value) * 0x9e3779b97f4a7c15u; }

// What the program's own code says.
static uint64_t ask_all(uint64_t sum) {
  struct timespec spec;
  struct timeval val;
  unsigned aux;
  for (int i = 0; i < 50; i++) {
    sum = mix(sum, __rdtsc());
    sum = mix(sum, __rdtscp(&aux));
    SYS(clock_gettime(CLOCK_MONOTONIC, &spec));
    sum = mix(sum, spec.tv_nsec);
    SYS(clock_gettime(CLOCK_REALTIME_COARSE, &spec));
    sum = mix(sum, spec.tv_nsec);
    SYS(gettimeofday(&val, NULL));
    sum = mix(sum, val.tv_usec);
    sum = mix(sum, time(NULL));
  }
  return sum;
}

static uint64_t use_made(uint64_t sum) {
  uint64_t last = 0;
  for (int i = 0; i < 50; i++) {
    const uint64_t now = made();
    CHECK(now > last);
    sum = mix(sum, last = now);
  }
  return ask_all(sum);
}

static void* reader(void* number) {
  char byte;
  pthread_barrier_wait(&all_wait);
  CHECK(read(ends[0], &byte, 1) == 1);
  sums[(long)number] = use_made(1);
  return NULL;
}

static void* waiter(void* number) {
  pthread_barrier_wait(&all_wait);
  while (sem_wait(&made_it) != 0) CHECK(errno == EINTR);
  sums[(long)number] = use_made(2);
  return NULL;
}

static void* sleeper(void* number) {
  pthread_barrier_wait(&all_wait);
  while (made == NULL) usleep(1000);
  sums[(long)number] = use_made(3);
  return NULL;
}

int main(int argc, char** argv) {
  (void)argc;
  if (strcmp(argv[0], "again") == 0) {
    printf("again %lx\n", ask_all(6));
    return 0;
  }
  pthread_t threads[3];
  SYS(pipe(ends));
  OK(sem_init(&made_it, 0, 0));
  OK(pthread_barrier_init(&all_wait, NULL, 4));
  OK(pthread_create(&threads[0], NULL, reader, (void*)0l));
  OK(pthread_create(&threads[1], NULL, waiter, (void*)1l));
  OK(pthread_create(&threads[2], NULL, sleeper, (void*)2l));
  sums[3] = ask_all(4);
  pthread_barrier_wait(&all_wait);
  usleep(20000);
  unsigned char* code = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  CHECK(code != MAP_FAILED);
  memcpy(code, kRdtsc, sizeof kRdtsc);
  SYS(mprotect(code, 4096, PROT_READ | PROT_EXEC));
  *(void**)&made = code;
  OK(sem_post(&made_it));
  CHECK(write(ends[1], "x", 1) == 1);
  sums[3] = use_made(sums[3]);
  for (int i = 0; i < 3; i++) OK(pthread_join(threads[i], NULL));
  // A child has what its parent had; a program that it executes begins anew.
  const pid_t child = fork();
  if (child == 0) {
    printf("child %lx\n", use_made(5));
    fflush(stdout);
    execl("/proc/self/exe", "again", NULL);
  }
  int status;
  SYS(waitpid(child, &status, 0));
  CHECK(status == 0);
  printf("%lx %lx %lx %lx\n", sums[0], sums[1], sums[2], sums[3]);
  return success();
}
