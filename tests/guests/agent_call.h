// Calls as the agent makes them, one line of output for each: result, errno, and what it wrote. The runner compares the
// lines with those of the unrecorded program.
//
// The first calls of a program are made with a stop each, and the first of a descriptor teaches what that is, so what
// is tested is done several times over.
#pragma once

#include "guest.h"

enum { AGENT_ROUNDS = 4 };

static char* bad_address;  // no memory from there on, and one byte less before it

// Prints how a call ended. `memory`: what it wrote, whose content is the same in each run; or NULL.
static void show_call(const char* name, bool result_varies, long result, const void* memory, size_t size) {
  const int error = result == -1 ? errno : 0;
  const long shown = result_varies && result > 0 ? 1 : result;
  printf("= %s = %ld, errno %d, wrote %016lx\n", name, shown, error, memory ? (unsigned long)digest(memory, size) : 0);
}

#define CALL(name, ...) show_call(#name, false, syscall(SYS_##name, __VA_ARGS__), NULL, 0)
#define VARIES(name, ...) show_call(#name, true, syscall(SYS_##name, __VA_ARGS__), NULL, 0)
#define WRITES(memory, size, name, ...)                  \
  do {                                                   \
    memset(memory, 0x5a, size);                          \
    const long ended = syscall(SYS_##name, __VA_ARGS__); \
    show_call(#name, false, ended, memory, size);        \
  } while (0)
// A call that gives a new descriptor, which is then known by its number here.
#define OPENS(fd, name, ...)                    \
  do {                                          \
    fd = (int)syscall(SYS_##name, __VA_ARGS__); \
    show_call(#name, false, fd, NULL, 0);       \
  } while (0)

// After this the calls are the agent's.
static void go_over_to_agent(void) {
  char* page = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  CHECK(page != MAP_FAILED && munmap(page + 4096, 4096) == 0);
  bad_address = page + 4096;
  for (int i = 0; i < 200; i++) CHECK(syscall(SYS_getppid) > 0);
}
