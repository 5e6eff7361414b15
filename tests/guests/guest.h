// What every guest shares: checks that end the program with one line, a scratch directory, the success token.
//
// A guest is a small program with one behaviour. It prints values that a wrong replay would print differently, and
// as its last line EXIT-SUCCESS, so that an early silent exit fails. Comment lines that the runner reads:
//   // expect: status=3      the exit status (default 0)
//   // expect: signal=11     death by that signal, after the token was printed
//   // args: one two         command line
//   // stdin: text           standard input, one line (default: empty)
//   // limit: reason         why it can't be recorded exactly yet: natively it must pass, otherwise it may fail
// Output lines that begin with "= " must be the same natively and recorded.
#pragma once

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

// Ends the program when the condition does not hold.
#define CHECK(condition) ((condition) ? (void)0 : guest_fail(__FILE__, __LINE__, #condition))
// A call that returns -1 on error: gives its value.
#define SYS(call)                                              \
  ({                                                           \
    long value_of_call = (long)(call);                         \
    if (value_of_call == -1) guest_fail(__FILE__, __LINE__, #call); \
    value_of_call;                                             \
  })
// A call that returns the error, as the pthread functions do.
#define OK(call)                                               \
  ({                                                           \
    int error_of_call = (call);                                \
    if (error_of_call) {                                       \
      errno = error_of_call;                                   \
      guest_fail(__FILE__, __LINE__, #call);                   \
    }                                                          \
  })
// A call that must fail with the given error.
#define FAILS(call, error) CHECK((long)(call) == -1 && errno == (error))

static inline void guest_fail(const char* file, int line, const char* what) {
  int error = errno;
  char text[512];
  int length = snprintf(text, sizeof text, "%s:%d: failed: %s (errno %d)\n", file, line, what, error);
  if (write(2, text, (size_t)length) < 0) _exit(98);
  _exit(99);
}

// So many milliseconds from now, for calls that wait until a time.
static inline struct timespec guest_in_ms(clockid_t clock, long ms) {
  struct timespec t;
  SYS(clock_gettime(clock, &t));
  t.tv_nsec += ms * 1000000;
  t.tv_sec += t.tv_nsec / 1000000000;
  t.tv_nsec %= 1000000000;
  return t;
}

// Lines reach standard output one by one, so that a fork or a fatal signal neither repeats nor loses any.
__attribute__((constructor)) static void guest_line_buffered(void) { setvbuf(stdout, NULL, _IOLBF, 0); }

__attribute__((unused)) static int success(void) {
  puts("EXIT-SUCCESS");
  return fflush(stdout) ? 1 : 0;
}

__attribute__((unused)) static void sleep_ms(long milliseconds) {
  struct timespec left = {milliseconds / 1000, milliseconds % 1000 * 1000000};
  while (nanosleep(&left, &left) != 0 && errno == EINTR) continue;
}

// Waits for the child; gives its exit status, or 128 + the signal it died of.
__attribute__((unused)) static int wait_exit(pid_t child) {
  int status;
  while (waitpid(child, &status, 0) != child) CHECK(errno == EINTR);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static char guest_scratch[4096];
static pid_t guest_scratch_owner;

__attribute__((unused)) static int guest_remove_entry(const char* path, const struct stat* s, int kind, struct FTW* f) {
  (void)s, (void)kind, (void)f;
  return remove(path);
}

__attribute__((unused)) static void guest_remove_scratch(void) {
  if (getpid() == guest_scratch_owner) nftw(guest_scratch, guest_remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

// Makes a directory of the guest's own the current one; it is removed at exit().
__attribute__((unused)) static const char* enter_scratch(void) {
  const char* parent = getenv("TMPDIR");
  snprintf(guest_scratch, sizeof guest_scratch, "%s/guest-XXXXXX", parent ? parent : "/tmp");
  CHECK(mkdtemp(guest_scratch) != NULL);
  guest_scratch_owner = getpid();
  CHECK(atexit(guest_remove_scratch) == 0);
  SYS(chdir(guest_scratch));
  return guest_scratch;
}

// Creates a file in the current directory and gives a descriptor open for reading and writing at its start.
__attribute__((unused)) static int make_file(const char* name, const char* text) {
  int fd = SYS(open(name, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  CHECK(write(fd, text, strlen(text)) == (ssize_t)strlen(text));
  SYS(lseek(fd, 0, SEEK_SET));
  return fd;
}

// FNV-1a, to print the contents of a buffer as one number.
__attribute__((unused)) static uint64_t digest(const void* data, size_t size) {
  uint64_t hash = 0xcbf29ce484222325u;
  for (size_t i = 0; i < size; i++) hash = (hash ^ ((const unsigned char*)data)[i]) * 0x100000001b3u;
  return hash;
}
