// Memory that is written to all the time, of every kind that a fork treats in its own way, while somebody attaches and
// copies it: what was there must be what a replay begins with, and no child may ever be seen. Arguments: seconds (or
// until SIGTERM), and "limited" for a user who may start no process (tests/e2e/attach_memory.py).
#include <sys/resource.h>

#include "guest.h"

enum { kPage = 4096, kPages = 16384, kFewPages = 512 };

static unsigned char *own, *left_out, *wiped, *shared, *of_file;
static volatile int stop;
static volatile sig_atomic_t children_seen;

static void on_child(int signal) {
  (void)signal;
  ++children_seen;
}

static void on_term(int signal) {
  (void)signal;
  stop = 1;
}

static void* map(int pages, int flags, int fd) {
  void* at = mmap(NULL, (size_t)pages * kPage, PROT_READ | PROT_WRITE, flags, fd, 0);
  CHECK(at != MAP_FAILED);
  return at;
}

// Each page holds a number that goes up, at its beginning and at its end; they never differ for who sees a moment.
static void write_page(unsigned char* page, unsigned value) {
  memcpy(page, &value, sizeof value);
  memcpy(page + kPage - sizeof value, &value, sizeof value);
}

static void check_page(const unsigned char* page) {
  unsigned begin, end;
  memcpy(&begin, page, sizeof begin);
  memcpy(&end, page + kPage - sizeof end, sizeof end);
  CHECK(begin == end && begin != 0);
}

static void* write_all_the_time(void* seed) {
  unsigned state = (unsigned)(uintptr_t)seed;
  for (unsigned value = 2; !stop; ++value) {
    for (int i = 0; i < 200; ++i) {
      state = state * 1103515245u + 12345u;
      write_page(own + (size_t)(state >> 8) % (kPages / 2) * 2 * kPage + ((uintptr_t)seed & 1) * kPage, value);
    }
    for (int i = 0; i < 16; ++i) {
      const size_t at = ((size_t)(value * 16 + i) % (kFewPages / 2) * 2 + ((uintptr_t)seed & 1)) * kPage;
      write_page(left_out + at, value);
      write_page(wiped + at, value);
      write_page(shared + at, value);
      write_page(of_file + at, value);
    }
    usleep(1000);
  }
  return NULL;
}

// As V8 takes and gives back its heap: what fork leaves out is never the same for long.
static void* map_all_the_time(void* none) {
  unsigned char* places[32] = {0};
  for (unsigned n = 0; !stop; ++n) {
    unsigned char** const at = &places[n % 32];
    if (*at != NULL) {
      for (int i = 0; i < 8; ++i) check_page(*at + (size_t)i * kPage);
      SYS(munmap(*at, 8 * kPage));
    }
    *at = map(8, MAP_PRIVATE | MAP_ANONYMOUS, -1);
    if (n % 3 != 0) SYS(madvise(*at, 8 * kPage, MADV_DONTFORK));
    for (int i = 0; i < 8; ++i) write_page(*at + (size_t)i * kPage, n + 1);
    usleep(500);
  }
  return none;
}

static void be_limited(void) {
  if (getuid() == 0) SYS(setuid(65534));
  const struct rlimit none = {1, 1};
  SYS(setrlimit(RLIMIT_NPROC, &none));
}

int main(int argc, char** argv) {
  enter_scratch();
  own = map(kPages, MAP_PRIVATE | MAP_ANONYMOUS, -1);
  left_out = map(kFewPages, MAP_PRIVATE | MAP_ANONYMOUS, -1);
  wiped = map(kFewPages, MAP_PRIVATE | MAP_ANONYMOUS, -1);
  shared = map(kFewPages, MAP_SHARED | MAP_ANONYMOUS, -1);
  const int fd = (int)SYS(open("file", O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  SYS(ftruncate(fd, kFewPages * kPage));
  of_file = map(kFewPages, MAP_PRIVATE, fd);
  for (int i = 0; i < kPages; ++i) write_page(own + (size_t)i * kPage, 1);
  unsigned char* const few[] = {left_out, wiped, shared, of_file};
  for (int i = 0; i < kFewPages; ++i) {
    for (int n = 0; n < 4; ++n) write_page(few[n] + (size_t)i * kPage, 1);
  }
  SYS(madvise(left_out, kFewPages * kPage, MADV_DONTFORK));
  SYS(madvise(wiped, kFewPages * kPage, MADV_WIPEONFORK));
  struct sigaction action = {.sa_handler = on_child};
  SYS(sigaction(SIGCHLD, &action, NULL));
  action.sa_handler = on_term;
  SYS(sigaction(SIGTERM, &action, NULL));
  pthread_t writers[2];
  for (uintptr_t i = 0; i < 2; ++i) OK(pthread_create(&writers[i], NULL, write_all_the_time, (void*)(i + 2)));
  pthread_t mapper;
  OK(pthread_create(&mapper, NULL, map_all_the_time, NULL));
  if (argc > 2) be_limited();
  printf("ready\n");
  fflush(stdout);
  const time_t end = time(NULL) + (argc > 1 ? atoi(argv[1]) : 1);
  while (!stop && time(NULL) < end) {
    FAILS(waitpid(-1, NULL, WNOHANG), ECHILD);
    usleep(2000);
  }
  stop = 1;
  for (int i = 0; i < 2; ++i) OK(pthread_join(writers[i], NULL));
  OK(pthread_join(mapper, NULL));
  for (int i = 0; i < kPages; ++i) check_page(own + (size_t)i * kPage);
  for (int i = 0; i < kFewPages; ++i) {
    for (int n = 0; n < 4; ++n) check_page(few[n] + (size_t)i * kPage);
  }
  CHECK(children_seen == 0);
  // What is left of a copy of this memory is taken away as soon as it has been read.
  siginfo_t child;
  while (argc > 1 && waitid(P_ALL, 0, &child, WEXITED | WNOHANG | WNOWAIT | __WALL) == 0) usleep(2000);
  if (argc > 1) FAILS(waitid(P_ALL, 0, &child, WEXITED | WNOHANG | WNOWAIT | __WALL), ECHILD);
  return success();
}
