"""Forwards and backwards over the same span, several times, is the same every time: registers of all threads and all writable memory, by hash,
over system calls, signals, thread switches, and patched loops."""

import hashlib
import re
import subprocess
import sys

from debugging import Client, compiled, recorded

PROGRAM = r"""
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>
static volatile int alarms, shared;
static char text[3000];
__attribute__((noinline)) void mark(int n) { shared += n; }
static void on_alarm(int s) { alarms++; mark(s); }
static void* work(void* arg) {
  for (int i = 0; i < 6; i++) {
    for (int k = 0; k < 3000; k++) shared ^= k;
    mark(i);
    if (i % 2) usleep(500);
  }
  return arg;
}
int main(void) {
  pthread_t t[2];
  pthread_attr_t small;
  struct itimerval every = {{0, 4000}, {0, 4000}};
  signal(SIGALRM, on_alarm);
  setitimer(ITIMER_REAL, &every, 0);
  pthread_attr_init(&small);
  pthread_attr_setstacksize(&small, 65536);
  for (int i = 0; i < 2; i++) pthread_create(&t[i], &small, work, 0);
  for (int i = 0; i < 8; i++) {
    char* p = malloc(1000 + i);
    memset(text, i, sizeof text);
    snprintf(p, 1000, "%ld", (long)time(0));
    mark(i);
    if (i % 3 == 0) free(p);
    write(1, text, 10);
  }
  for (int i = 0; i < 2; i++) pthread_join(t[i], 0);
  return alarms < 0;
}
"""


class Whole(Client):
    """Sees all of the process."""

    def writable(self):
        handle = self.ask("vFile:open:" + b"/proc/1/maps".hex() + ",0,0")[1:]
        text = ""
        while True:
            reply = self.ask(f"vFile:pread:{handle},4000,{len(text):x}")
            piece = reply.partition(";")[2]
            if not piece:
                break
            text += piece
        self.ask("vFile:close:" + handle)
        return [(int(start, 16), int(end, 16)) for start, end in re.findall(r"^(\w+)-(\w+) rw", text, re.MULTILINE)]

    def everything(self):
        digest = hashlib.sha256(self.state().encode())
        for start, end in self.writable():
            for at in range(start, end, 0x8000):
                digest.update(self.memory(at, min(0x8000, end - at)))
        return digest.hexdigest()


program = compiled(PROGRAM, "-O1")
listing = subprocess.run(["nm", program], capture_output=True, text=True).stdout
at = 0x555555554000 + int(re.search(r"^(\w+) T mark$", listing, re.MULTILINE)[1], 16)


def over(client, direction):
    """Places and hashes at all hits on the way."""
    seen = []
    while True:
        stop = client.ask(direction)
        if "replaylog" in stop:
            return seen
        if "swbreak" not in stop:
            continue  # a signal
        seen.append((client.where(), client.everything()))
        if len(seen) > 200:
            sys.exit("more hits than the program makes")
        if direction == "vCont;c":  # over the breakpoint, as gdb does
            client.ask(f"z0,{at:x},1")
            client.ask("vCont;s:" + client.stopped_thread())
            client.ask(f"Z0,{at:x},1")


for options in ((), ("--agent-after=48",), ("--slice=1000",)):
    client = Whole(recorded(program, options=options))
    client.ask(f"Z0,{at:x},1")
    first = over(client, "vCont;c")
    if len(first) < 20 or len({state for _, state in first}) != len(first):
        sys.exit(f"{options}: {len(first)} hits, in {len({state for _, state in first})} states")
    end = client.everything()
    for turn in range(2):
        back = over(client, "bc")
        if back != first[::-1]:
            different = next((a, b) for a, b in zip(first[::-1] + [None], back + [None]) if a != b)
            sys.exit(f"{options}, turn {turn}: backwards, {different[1]} instead of {different[0]}")
        if over(client, "vCont;c") != first or client.everything() != end:
            sys.exit(f"{options}, turn {turn}: forwards again is another way")
    client.close()
