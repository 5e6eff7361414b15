// Threads and processes that wait for one another in turn, while signals come at all of them: locks, conditions with
// and without a time, pipes, sleeps, epoll and poll. What a wait returns must be what it returns natively.
#include "guest.h"
#include <poll.h>
#include <sys/epoll.h>

enum { kThreads = 4, kRounds = 400 };

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static int turn;
static volatile int handled[kThreads + 1];
static __thread int self;

static void on_signal(int signal) {
  (void)signal;
  handled[self]++;
}

static void* take_turns(void* own) {
  self = (int)(intptr_t)own;
  for (int i = 0; i < kRounds; i++) {
    OK(pthread_mutex_lock(&mutex));
    while (turn % kThreads != self) {
      if (i % 8 == 0) {
        struct timespec until = guest_in_ms(CLOCK_REALTIME, 3);
        const int error = pthread_cond_timedwait(&changed, &mutex, &until);
        CHECK(error == 0 || error == ETIMEDOUT);
      } else {
        OK(pthread_cond_wait(&changed, &mutex));
      }
    }
    turn++;
    OK(pthread_cond_broadcast(&changed));
    OK(pthread_mutex_unlock(&mutex));
  }
  return NULL;
}

static void play_with_child(void) {
  int to[2], from[2];
  SYS(pipe(to));
  SYS(pipe(from));
  pid_t child = SYS(fork());
  char c = 0;
  if (child == 0) {
    close(to[1]);
    close(from[0]);
    while (read(to[0], &c, 1) == 1) {
      c++;
      CHECK(write(from[1], &c, 1) == 1);
    }
    _exit(c);
  }
  close(to[0]);
  close(from[1]);
  for (int i = 0; i < kRounds; i++) {
    CHECK(write(to[1], &c, 1) == 1 && read(from[0], &c, 1) == 1);
    if (i % 100 == 50) {
      SYS(kill(child, SIGSTOP));
      SYS(kill(child, SIGCONT));
    }
  }
  close(to[1]);
  CHECK(wait_exit(child) == (kRounds & 0xff));
}

static struct {
  int pipe[2];
  volatile int begins, ends;
} waiter;

// Every way of waiting for the pipe; most are interrupted.
static void* wait_in_turn(void* none) {
  (void)none;
  self = kThreads;
  const int set = (int)SYS(epoll_create1(0));
  struct epoll_event event = {.events = EPOLLIN, .data.fd = waiter.pipe[0]};
  SYS(epoll_ctl(set, EPOLL_CTL_ADD, waiter.pipe[0], &event));
  for (int i = 0; !waiter.ends; i++) {
    struct pollfd one = {.fd = waiter.pipe[0], .events = POLLIN};
    struct timespec time = {0, 2000000}, left = {7, 7};
    char c;
    long done = 0;
    waiter.begins = i;
    switch (i % 5) {
      case 0:
        done = epoll_wait(set, &event, 1, i % 2 ? 4 : -1);
        break;
      case 1:
        done = poll(&one, 1, i % 2 ? 4 : -1);
        break;
      case 2:
        done = nanosleep(&time, &left);
        CHECK(done == 0 || (left.tv_sec == 0 && left.tv_nsec < 3000000));
        break;
      case 3:
        done = clock_nanosleep(CLOCK_MONOTONIC, 0, &time, NULL);
        CHECK(done == 0 || done == EINTR);
        break;
      case 4:
        CHECK(read(waiter.pipe[0], &c, 1) == 1 && c == 'x');  // made again: SA_RESTART
        break;
    }
    CHECK(done >= 0 || errno == EINTR);
  }
  close(set);
  return NULL;
}

int main(void) {
  struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
  SYS(sigaction(SIGUSR1, &action, NULL));
  SYS(sigaction(SIGALRM, &action, NULL));
  SYS(signal(SIGWINCH, SIG_IGN) == SIG_ERR ? -1 : 0);
  for (int i = 0; i < 300; i++) getppid();
  self = kThreads;
  play_with_child();

  pthread_t threads[kThreads];
  const struct itimerval often = {{0, 1000}, {0, 1000}}, never = {{0, 0}, {0, 0}};
  SYS(setitimer(ITIMER_REAL, &often, NULL));
  for (intptr_t i = 0; i < kThreads; i++) OK(pthread_create(&threads[i], NULL, take_turns, (void*)i));
  for (int i = 0; i < 300; i++) {
    pthread_kill(threads[i % kThreads], i % 3 ? SIGUSR1 : SIGWINCH);
    sleep_ms(1);
  }
  for (int i = 0; i < kThreads; i++) OK(pthread_join(threads[i], NULL));
  SYS(setitimer(ITIMER_REAL, &never, NULL));
  printf("= turns %d\n", turn);

  SYS(pipe(waiter.pipe));
  pthread_t thread;
  OK(pthread_create(&thread, NULL, wait_in_turn, NULL));
  for (int i = 0; i < 600; i++) {
    if (i % 3 == 0) CHECK(write(waiter.pipe[1], "x", 1) == 1);
    sleep_ms(i % 2);
    OK(pthread_kill(thread, i % 4 == 3 ? SIGWINCH : SIGUSR1));
  }
  waiter.ends = 1;
  for (int i = 0; i < 10; i++) CHECK(write(waiter.pipe[1], "x", 1) == 1);
  OK(pthread_join(thread, NULL));
  printf("rounds %d, handled %d %d %d %d %d\n", waiter.begins, handled[0], handled[1], handled[2], handled[3], handled[4]);
  return success();
}
