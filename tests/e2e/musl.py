"""A static program with musl's library: threads, fork, sockets, time."""

import os
import subprocess

from recording import file, need, record_and_replay, scratch

gcc = need("musl-gcc")
file("program.c", r"""
#define _GNU_SOURCE
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
static pthread_mutex_t m = PTHREAD_MUTEX_INITIALIZER; static long sum;
static void* body(void* a) { for (int i = 0; i < 100; i++) { pthread_mutex_lock(&m); sum += (long)a; pthread_mutex_unlock(&m); } return a; }
int main(int argc, char** argv) {
  setvbuf(stdout, 0, _IOLBF, 0);
  if (argc > 1) { printf("executed %s as %d\n", argv[1], getpid()); return 4; }
  pthread_t t[4]; for (long i = 0; i < 4; i++) pthread_create(&t[i], 0, body, (void*)i);
  for (int i = 0; i < 4; i++) pthread_join(t[i], 0);
  struct timespec now; clock_gettime(CLOCK_REALTIME, &now); printf("sum %ld at %ld.%09ld\n", sum, (long)now.tv_sec, now.tv_nsec);
  int s[2]; socketpair(AF_UNIX, SOCK_STREAM, 0, s);
  if (!fork()) { write(s[1], "from the child", 14); execl("/proc/self/exe", "program", "again", (char*)0); _exit(1); }
  char text[20] = ""; read(s[0], text, 14); int status; wait(&status); printf("%s, status %d\n", text, WEXITSTATUS(status));
  FILE* p = popen("echo shell", "r"); fgets(text, 20, p); pclose(p); printf("%smusl-done\n", text); abort();
}
""")
subprocess.run([gcc, "-static", "-O1", "-w", "-pthread", "-o", os.path.join(scratch, "program"), os.path.join(scratch, "program.c")],
               check=True, timeout=60)
record_and_replay(["./program"], ["sum 600", "from the child, status 4", "musl-done"], status=128 + 6)
