// Runs a command and writes its CPU time in user mode to a file: user_time FILE COMMAND ARGS...
//
// A recorded program's own time cannot be told from outside: the supervisor's is added where tmrec is waited for. This
// program is recorded together with the command, and getrusage(2) tells it what its children used; the kernel accounts
// the supervisor's work elsewhere. The figure is written to the file by the recorded run alone, since replay performs
// no writes to files. Exact accounting of user time needs CONFIG_VIRT_CPU_ACCOUNTING_GEN or long enough runs: without
// it the kernel scales the sum, which is exact, by samples of one tick.
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

int main(int argc, char** argv) {
  if (argc < 3) return 2;
  pid_t child = fork();
  if (child == 0) {
    execvp(argv[2], argv + 2);
    fprintf(stderr, "user_time: %s: %s\n", argv[2], strerror(errno));
    _exit(127);
  }
  int status;
  if (child < 0 || waitpid(child, &status, 0) != child) return 1;
  struct rusage usage;
  getrusage(RUSAGE_CHILDREN, &usage);
  FILE* out = fopen(argv[1], "w");
  if (out == NULL) return 1;
  fprintf(out, "%ld.%06ld %ld.%06ld\n", (long)usage.ru_utime.tv_sec, (long)usage.ru_utime.tv_usec,
          (long)usage.ru_stime.tv_sec, (long)usage.ru_stime.tv_usec);
  if (fclose(out) != 0) return 1;
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
