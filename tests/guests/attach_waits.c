// Threads in every kind of waiting call, in a signal handler, reading clocks and computing, each checking what it got:
// a call that a stop has interrupted must go on as if nothing had been, time-outs included. With an argument: for so
// many seconds, to be attached to meanwhile (tests/e2e/attach_waits.py).
#include <poll.h>
#include <semaphore.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/select.h>
#include <sys/sem.h>

#include "guest.h"

// With a second argument: the calls that SIGSTOP and SIGCONT would interrupt (signal(7)) may be interrupted.
static int may_be_interrupted;
static volatile int stop;
static int pair[2];
static sem_t ping, pong;
static volatile unsigned long handled;

static double now(void) {
  struct timespec t;
  SYS(clock_gettime(CLOCK_MONOTONIC, &t));
  return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static int was_interrupted(void) { return errno == EINTR && may_be_interrupted; }

static void do_nanosleep(void) {
  const double begun = now();
  struct timespec d = {0, 70000000};
  SYS(nanosleep(&d, NULL));
  CHECK(now() - begun > 0.0699);
}

static void do_sleep_until(void) {
  struct timespec t = guest_in_ms(CLOCK_MONOTONIC, 60);
  OK(clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL));
}

static void do_poll(void) {
  static int fd;
  if (fd == 0) fd = (int)SYS(eventfd(0, 0));
  const double begun = now();
  struct pollfd p = {fd, POLLIN, 0};
  CHECK(poll(&p, 1, 50) == 0);
  CHECK(now() - begun > 0.0499);
}

static void do_ppoll(void) {
  struct timespec t = {0, 45000000};
  sigset_t mask;
  sigfillset(&mask);
  CHECK(ppoll(NULL, 0, &t, &mask) == 0);
}

static void do_select(void) {
  struct timeval t = {0, 55000};
  CHECK(select(0, NULL, NULL, NULL, &t) == 0);
}

static void do_epoll(void) {
  static int fd;
  if (fd == 0) fd = (int)SYS(epoll_create1(0));
  struct epoll_event event;
  const int ready = epoll_wait(fd, &event, 1, 80);
  CHECK(ready == 0 || was_interrupted());
}

static void do_read(void) {
  char c;
  CHECK(SYS(read(pair[0], &c, 1)) == 1);
}

static void do_write(void) {
  usleep(15000);
  CHECK(SYS(write(pair[1], "x", 1)) == 1);
}

static void do_cond(void) {
  static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
  static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
  struct timespec t = guest_in_ms(CLOCK_REALTIME, 40);
  pthread_mutex_lock(&mutex);
  CHECK(pthread_cond_timedwait(&cond, &mutex, &t) == ETIMEDOUT);
  pthread_mutex_unlock(&mutex);
}

static void do_ping(void) {
  SYS(sem_post(&ping));
  SYS(sem_wait(&pong));
}

static void do_pong(void) {
  SYS(sem_wait(&ping));
  usleep(3000);
  SYS(sem_post(&pong));
}

static void do_child(void) {
  const pid_t child = fork();
  if (child == 0) {
    usleep(30000);
    _exit(7);
  }
  int status = 0;
  CHECK(SYS(waitpid(child, &status, 0)) == child && WEXITSTATUS(status) == 7);
}

static void do_semtimedop(void) {
  static int id = -1;
  if (id < 0) id = (int)SYS(semget(IPC_PRIVATE, 1, 0600));
  struct sembuf down = {0, -1, 0};
  struct timespec t = {0, 45000000};
  CHECK(semtimedop(id, &down, 1, &t) == -1 && (errno == EAGAIN || was_interrupted()));
  if (stop) SYS(semctl(id, 0, IPC_RMID));
}

static void do_sigtimedwait(void) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGUSR2);
  struct timespec t = {0, 50000000};
  CHECK(sigtimedwait(&set, NULL, &t) == -1 && (errno == EAGAIN || was_interrupted()));
}

static void handler(int signal) {
  (void)signal;
  for (volatile int i = 0; i < 100000; i++) {
  }
  handled++;
}

static void do_handler(void) {
  sigset_t set, before;
  sigemptyset(&set);
  sigaddset(&set, SIGUSR1);
  const unsigned long was = handled;
  OK(pthread_kill(pthread_self(), SIGUSR1));
  OK(pthread_sigmask(SIG_UNBLOCK, &set, &before));
  CHECK(handled == was + 1);
  OK(pthread_sigmask(SIG_SETMASK, &before, NULL));
  usleep(2000);
}

static void do_receive(void) {
  static int fds[2];
  if (fds[0] == 0) {
    SYS(socketpair(AF_UNIX, SOCK_STREAM, 0, fds));
    struct timeval t = {0, 60000};
    SYS(setsockopt(fds[0], SOL_SOCKET, SO_RCVTIMEO, &t, sizeof t));
  }
  char bytes[4];
  CHECK(recv(fds[0], bytes, sizeof bytes, 0) == -1 && (errno == EAGAIN || was_interrupted()));
}

static void do_clock(void) {
  double last = now();
  for (int i = 0; i < 200; i++) {
    const double next = now();
    CHECK(next >= last);
    last = next;
  }
  usleep(1000);
}

static void do_compute(void) {
  static unsigned long hash = 1;
  for (int i = 0; i < 300000; i++) hash = hash * 6364136223846793005ul + 7;
  CHECK(hash != 0);
}

static void (*const kinds[])(void) = {do_nanosleep,  do_sleep_until,  do_poll,    do_ppoll,   do_select, do_epoll,
                                      do_read,       do_write,        do_cond,    do_ping,    do_pong,   do_child,
                                      do_semtimedop, do_sigtimedwait, do_handler, do_receive, do_clock,  do_compute};
enum { KINDS = sizeof kinds / sizeof kinds[0] };
static unsigned long rounds[KINDS];

static void* repeat(void* kind) {
  const long i = (long)kind;
  do {
    kinds[i]();
    rounds[i]++;
  } while (!stop);
  return NULL;
}

int main(int argc, char** argv) {
  const double seconds = argc > 1 ? atof(argv[1]) : 0.2;
  may_be_interrupted = argc > 2;
  SYS(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
  SYS(sem_init(&ping, 0, 0));
  SYS(sem_init(&pong, 0, 0));
  struct sigaction action = {.sa_handler = handler};
  SYS(sigaction(SIGUSR1, &action, NULL));
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGUSR1);
  sigaddset(&set, SIGUSR2);
  OK(pthread_sigmask(SIG_BLOCK, &set, NULL));
  pthread_t threads[KINDS];
  for (long i = 0; i < KINDS; i++) OK(pthread_create(&threads[i], NULL, repeat, (void*)i));
  printf("ready\n");
  fflush(stdout);
  for (const double end = now() + seconds; now() < end;) usleep(50000);
  stop = 1;
  // Those that wait for each other.
  SYS(sem_post(&ping));
  SYS(sem_post(&pong));
  SYS(write(pair[1], "x", 1));
  for (int i = 0; i < KINDS; i++) OK(pthread_join(threads[i], NULL));
  for (int i = 0; i < KINDS; i++) CHECK(rounds[i] > 0);
  return success();
}
