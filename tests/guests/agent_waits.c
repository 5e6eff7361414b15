// Each call that waits, made by the agent, and each way in which its wait ends: another thread does what it waits for,
// a signal comes (with and without SA_RESTART), time is up, the other end is closed.
#include "agent_call.h"

#include <linux/futex.h>
#include <mqueue.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/select.h>
#include <sys/sem.h>
#include <sys/uio.h>
#include <sys/un.h>

enum { FOREVER = -1, SOON = 5, kRounds = 2 };  // ms

static int near_end = -1, far_end = -1, third = -1;  // descriptors of what is waited for
static int queue_id;                                 // System V's
static pid_t child;
static uint32_t word;
static char buffer[1 << 16];

static const struct timespec* time_of(long ms, struct timespec* room) {
  if (ms < 0) return NULL;
  *room = (struct timespec){ms / 1000, ms % 1000 * 1000000};
  return room;
}

static void shut(int* fd) {
  if (*fd >= 0) SYS(close(*fd));
  *fd = -1;
}
static void close_far(void) { shut(&far_end); }
static void write_far(void) { CHECK(write(far_end, "x", 1) == 1); }

// ---- pipes and sockets ----------------------------------------------------------------------------------------------

static void make_pipe(void) {
  int ends[2];
  SYS(pipe(ends));
  near_end = ends[0], far_end = ends[1];
}
static void make_pair(void) {
  int ends[2];
  SYS(socketpair(AF_UNIX, SOCK_STREAM, 0, ends));
  near_end = ends[0], far_end = ends[1];
}
static void fill(void) {
  SYS(fcntl(near_end, F_SETFL, O_NONBLOCK));
  while (write(near_end, buffer, sizeof buffer) > 0) continue;
  while (write(near_end, buffer, 1) > 0) continue;
  SYS(fcntl(near_end, F_SETFL, 0));
}
static void make_full_pipe(void) {
  int ends[2];
  SYS(pipe(ends));
  near_end = ends[1], far_end = ends[0];
  fill();
}
static void make_full_pair(void) {
  make_pair();
  fill();
}
static void drain_far(void) {
  SYS(fcntl(far_end, F_SETFL, O_NONBLOCK));
  while (read(far_end, buffer, sizeof buffer) > 0) continue;
}
static struct iovec one_byte = {buffer, 1};
static struct msghdr one_message = {.msg_iov = &one_byte, .msg_iovlen = 1};
static long call_read(long ms) { return (void)ms, syscall(SYS_read, near_end, buffer, 10); }
static long call_readv(long ms) { return (void)ms, syscall(SYS_readv, near_end, &one_byte, 1); }
static long call_recvfrom(long ms) { return (void)ms, syscall(SYS_recvfrom, near_end, buffer, 10, 0, NULL, NULL); }
static long call_recvmsg(long ms) { return (void)ms, syscall(SYS_recvmsg, near_end, &one_message, 0); }
static long call_write(long ms) { return (void)ms, syscall(SYS_write, near_end, buffer, 1); }
static long call_writev(long ms) { return (void)ms, syscall(SYS_writev, near_end, &one_byte, 1); }
static long call_sendto(long ms) { return (void)ms, syscall(SYS_sendto, near_end, buffer, 1, MSG_NOSIGNAL, NULL, 0); }
static long call_sendmsg(long ms) { return (void)ms, syscall(SYS_sendmsg, near_end, &one_message, MSG_NOSIGNAL); }

static struct sockaddr_in address;
static void make_listener(void) {
  socklen_t size = sizeof address;
  address = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  near_end = SYS(socket(AF_INET, SOCK_STREAM, 0));
  SYS(bind(near_end, (struct sockaddr*)&address, size));
  SYS(listen(near_end, 4));
  SYS(getsockname(near_end, (struct sockaddr*)&address, &size));
}
static void connect_to_it(void) {
  far_end = SYS(socket(AF_INET, SOCK_STREAM, 0));
  SYS(connect(far_end, (struct sockaddr*)&address, sizeof address));
}
static void shut_listener(void) { SYS(shutdown(near_end, SHUT_RDWR)); }
static long accepted(long fd) { return fd < 0 ? fd : (SYS(close((int)fd)), 1); }
static long call_accept(long ms) { return (void)ms, accepted(syscall(SYS_accept, near_end, NULL, NULL)); }
static long call_accept4(long ms) {
  return (void)ms, accepted(syscall(SYS_accept4, near_end, NULL, NULL, SOCK_CLOEXEC));
}

// A listener whose queue is full.
static const struct sockaddr_un local = {AF_UNIX, "listener"};
static void make_crowd(void) {
  unlink(local.sun_path);
  far_end = SYS(socket(AF_UNIX, SOCK_STREAM, 0));
  SYS(bind(far_end, (const struct sockaddr*)&local, sizeof local));
  SYS(listen(far_end, 0));
  third = SYS(socket(AF_UNIX, SOCK_STREAM, 0));
  SYS(connect(third, (const struct sockaddr*)&local, sizeof local));
  near_end = SYS(socket(AF_UNIX, SOCK_STREAM, 0));
}
static void take_one(void) { SYS(close(SYS(accept(far_end, NULL, NULL)))); }
static long call_connect(long ms) { return (void)ms, syscall(SYS_connect, near_end, &local, sizeof local); }

// ---- what is ready --------------------------------------------------------------------------------------------------

static const uint64_t no_signals;
static void make_epoll(void) {
  make_pipe();
  third = SYS(epoll_create1(0));
  struct epoll_event wanted = {.events = EPOLLIN};
  SYS(epoll_ctl(third, EPOLL_CTL_ADD, near_end, &wanted));
}
static long call_poll(long ms) {
  struct pollfd file = {.fd = near_end, .events = POLLIN};
  const long got = syscall(SYS_poll, &file, 1, ms);
  return got <= 0 ? got : file.revents;
}
static long call_ppoll(long ms) {
  struct pollfd file = {.fd = near_end, .events = POLLIN};
  struct timespec time;
  const long got = syscall(SYS_ppoll, &file, 1, time_of(ms, &time), &no_signals, 8);
  return got <= 0 ? got : file.revents;
}
static long call_epoll_wait(long ms) {
  struct epoll_event event = {0};
  const long got = syscall(SYS_epoll_wait, third, &event, 1, ms);
  return got <= 0 ? got : (long)event.events;
}
static long call_epoll_pwait(long ms) {
  struct epoll_event event = {0};
  const long got = syscall(SYS_epoll_pwait, third, &event, 1, ms, &no_signals, 8);
  return got <= 0 ? got : (long)event.events;
}
static long call_select(long ms) {
  fd_set files;
  FD_ZERO(&files);
  FD_SET(near_end, &files);
  struct timeval time = {0, ms * 1000};
  return syscall(SYS_select, near_end + 1, &files, NULL, NULL, ms < 0 ? NULL : &time);
}
static long call_pselect6(long ms) {
  fd_set files;
  FD_ZERO(&files);
  FD_SET(near_end, &files);
  struct timespec time;
  const uint64_t mask[2] = {(uint64_t)&no_signals, 8};
  return syscall(SYS_pselect6, near_end + 1, &files, NULL, NULL, time_of(ms, &time), mask);
}

static const uint64_t most = UINT64_MAX - 1, one = 1;
static void make_counter(void) { near_end = SYS(eventfd(0, 0)); }
static void make_full_counter(void) {
  make_counter();
  CHECK(write(near_end, &most, 8) == 8);
}
static void count_up(void) { CHECK(write(near_end, &one, 8) == 8); }
static void take_count(void) { CHECK(read(near_end, buffer, 8) == 8); }
static long call_count(long ms) { return (void)ms, syscall(SYS_write, near_end, &one, 8); }

// ---- time and signals -----------------------------------------------------------------------------------------------

static void nothing(void) {}
static long call_nanosleep(long ms) {
  const struct timespec time = {ms < 0 ? 1000 : 0, ms < 0 ? 0 : ms * 1000000};
  return syscall(SYS_nanosleep, &time, NULL);
}
static long call_clock_nanosleep(long ms) {
  const struct timespec time = guest_in_ms(CLOCK_MONOTONIC, ms < 0 ? 1000000 : ms);
  return syscall(SYS_clock_nanosleep, CLOCK_MONOTONIC, TIMER_ABSTIME, &time, NULL);
}
static long call_pause(long ms) { return (void)ms, syscall(SYS_pause); }
static long call_rt_sigtimedwait(long ms) {
  struct timespec time;
  const uint64_t awaited = 1ul << (SIGUSR2 - 1);
  return syscall(SYS_rt_sigtimedwait, &awaited, NULL, time_of(ms, &time), 8);
}
static void send_awaited(void) { SYS(kill(getpid(), SIGUSR2)); }

// ---- words, locks, queues, children ---------------------------------------------------------------------------------

static void clear_word(void) { word = 0; }
static void set_word(void) {
  __atomic_store_n(&word, 1, __ATOMIC_SEQ_CST);
  SYS(syscall(SYS_futex, &word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0));
}
// One that comes too late finds another value.
static long woken(long result) { return result == -1 && errno == EAGAIN ? 0 : result; }
static long call_futex(long ms) {
  struct timespec time;
  return woken(syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, 0, time_of(ms, &time), NULL, 0));
}
static long call_futex_bitset(long ms) {
  const struct timespec time = guest_in_ms(CLOCK_MONOTONIC, ms);
  return woken(syscall(SYS_futex, &word, FUTEX_WAIT_BITSET_PRIVATE, 0, ms < 0 ? NULL : &time, NULL, 1));
}

static void make_lock(void) {
  near_end = SYS(open("lock", O_RDWR | O_CREAT, 0600));
  far_end = SYS(open("lock", O_RDWR));
  SYS(flock(far_end, LOCK_EX));
}
static void give_lock(void) { SYS(flock(far_end, LOCK_UN)); }
static long call_flock(long ms) { return (void)ms, syscall(SYS_flock, near_end, LOCK_EX); }

static void make_semaphore(void) { queue_id = SYS(semget(IPC_PRIVATE, 1, 0600)); }
static void raise_semaphore(void) {
  struct sembuf up = {0, 1, 0};
  SYS(semop(queue_id, &up, 1));
}
static void remove_semaphore(void) { semctl(queue_id, 0, IPC_RMID); }
static struct sembuf down = {0, -1, 0};
static long call_semop(long ms) { return (void)ms, syscall(SYS_semop, queue_id, &down, 1); }
static long call_semtimedop(long ms) {
  struct timespec time;
  return syscall(SYS_semtimedop, queue_id, &down, 1, time_of(ms, &time));
}

static struct {
  long type;
  char text[512];
} letter = {1, "hello"};
static void make_letters(void) { queue_id = SYS(msgget(IPC_PRIVATE, 0600)); }
static void make_full_letters(void) {
  make_letters();
  while (msgsnd(queue_id, &letter, sizeof letter.text, IPC_NOWAIT) == 0) continue;
}
static void post(void) { SYS(msgsnd(queue_id, &letter, 5, 0)); }
static void fetch(void) { CHECK(msgrcv(queue_id, buffer, 512, 0, 0) == 512); }
static void remove_letters(void) { msgctl(queue_id, IPC_RMID, NULL); }
static long call_msgrcv(long ms) { return (void)ms, syscall(SYS_msgrcv, queue_id, buffer, 512, 0, 0); }
static long call_msgsnd(long ms) { return (void)ms, syscall(SYS_msgsnd, queue_id, &letter, sizeof letter.text, 0); }

static void make_mail(void) {
  char name[64];
  struct mq_attr room = {.mq_maxmsg = 1, .mq_msgsize = 8};
  snprintf(name, sizeof name, "/guest-%d", getpid());
  near_end = SYS(mq_open(name, O_RDWR | O_CREAT, 0600, &room));
  SYS(mq_unlink(name));
}
static void send_mail(void) { SYS(mq_send(near_end, "letter", 6, 0)); }
static void make_full_mail(void) {
  make_mail();
  send_mail();
}
static void take_mail(void) { CHECK(mq_receive(near_end, buffer, 8, NULL) == 6); }
static long call_mq_timedreceive(long ms) {
  const struct timespec time = guest_in_ms(CLOCK_REALTIME, ms);
  return syscall(SYS_mq_timedreceive, near_end, buffer, 8, NULL, ms < 0 ? NULL : &time);
}
static long call_mq_timedsend(long ms) {
  const struct timespec time = guest_in_ms(CLOCK_REALTIME, ms);
  return syscall(SYS_mq_timedsend, near_end, "second", 6, 0, ms < 0 ? NULL : &time);
}

static void make_child(void) {
  int ends[2];
  SYS(pipe2(ends, O_CLOEXEC));
  child = SYS(fork());
  if (child == 0) {
    SYS(close(ends[1]));
    _exit(read(ends[0], buffer, 1) == 1 ? 7 : 8);
  }
  near_end = ends[0], far_end = ends[1];
}
static long call_wait4(long ms) {
  int status = 0;
  const long got = syscall(SYS_wait4, child, &status, 0, NULL);
  (void)ms;
  return got == child ? WEXITSTATUS(status) : got;
}
static long call_waitid(long ms) {
  siginfo_t info = {0};
  const long got = syscall(SYS_waitid, P_PID, child, &info, WEXITED, NULL);
  (void)ms;
  return got == 0 ? info.si_status : got;
}
static void reap(void) {
  close_far();
  waitpid(child, NULL, 0);
}

// ---- all of them ----------------------------------------------------------------------------------------------------

static const struct waiting {
  const char* name;
  void (*set_up)(void);
  long (*call)(long ms);
  void (*wake)(void);  // what it waits for; NULL: nothing wakes it
  void (*shut)(void);  // or this ends it
  void (*tear_down)(void);
  bool restarts;  // behind a handler with SA_RESTART (signal(7))
  bool times_out;
} kinds[] = {
    {"read of a pipe", make_pipe, call_read, write_far, close_far, NULL, true, false},
    {"readv of a pipe", make_pipe, call_readv, write_far, close_far, NULL, true, false},
    {"read of a socket", make_pair, call_read, write_far, close_far, NULL, true, false},
    {"recvfrom", make_pair, call_recvfrom, write_far, close_far, NULL, true, false},
    {"recvmsg", make_pair, call_recvmsg, write_far, close_far, NULL, true, false},
    {"write to a pipe", make_full_pipe, call_write, drain_far, close_far, NULL, true, false},
    {"writev to a pipe", make_full_pipe, call_writev, drain_far, close_far, NULL, true, false},
    {"sendto", make_full_pair, call_sendto, drain_far, close_far, NULL, true, false},
    {"sendmsg", make_full_pair, call_sendmsg, drain_far, close_far, NULL, true, false},
    {"read of an eventfd", make_counter, call_read, count_up, NULL, NULL, true, false},
    {"write to an eventfd", make_full_counter, call_count, take_count, NULL, NULL, true, false},
    {"accept", make_listener, call_accept, connect_to_it, shut_listener, NULL, true, false},
    {"accept4", make_listener, call_accept4, connect_to_it, shut_listener, NULL, true, false},
    {"connect", make_crowd, call_connect, take_one, close_far, NULL, true, false},
    {"poll", make_pipe, call_poll, write_far, close_far, NULL, false, true},
    {"ppoll", make_pipe, call_ppoll, write_far, close_far, NULL, false, true},
    {"epoll_wait", make_epoll, call_epoll_wait, write_far, close_far, NULL, false, true},
    {"epoll_pwait", make_epoll, call_epoll_pwait, write_far, close_far, NULL, false, true},
    {"select", make_pipe, call_select, write_far, close_far, NULL, false, true},
    {"pselect6", make_pipe, call_pselect6, write_far, close_far, NULL, false, true},
    {"nanosleep", nothing, call_nanosleep, NULL, NULL, NULL, false, true},
    {"clock_nanosleep", nothing, call_clock_nanosleep, NULL, NULL, NULL, false, true},
    {"pause", nothing, call_pause, NULL, NULL, NULL, false, false},
    {"rt_sigtimedwait", nothing, call_rt_sigtimedwait, send_awaited, NULL, NULL, false, true},
    {"futex", clear_word, call_futex, set_word, NULL, NULL, true, true},
    {"futex with bits", clear_word, call_futex_bitset, set_word, NULL, NULL, true, true},
    {"flock", make_lock, call_flock, give_lock, close_far, NULL, true, false},
    {"semop", make_semaphore, call_semop, raise_semaphore, remove_semaphore, remove_semaphore, false, false},
    {"semtimedop", make_semaphore, call_semtimedop, raise_semaphore, remove_semaphore, remove_semaphore, false, true},
    {"msgrcv", make_letters, call_msgrcv, post, remove_letters, remove_letters, false, false},
    {"msgsnd", make_full_letters, call_msgsnd, fetch, remove_letters, remove_letters, false, false},
    {"mq_timedreceive", make_mail, call_mq_timedreceive, send_mail, NULL, NULL, true, true},
    {"mq_timedsend", make_full_mail, call_mq_timedsend, take_mail, NULL, NULL, true, true},
    {"wait4", make_child, call_wait4, write_far, close_far, reap, true, false},
    {"waitid", make_child, call_waitid, write_far, close_far, reap, true, false},
};

enum ending { BY_TASK, BY_SIGNAL, BY_RESTART, BY_TIME, BY_CLOSE, kEndings };
static const char* const ending_names[] = {"woken", "interrupted", "restarted", "timed out", "closed"};

static pthread_t waiter;
static const struct waiting* now;
static enum ending how;
static bool over;

static void handler(int signal) { (void)signal; }

static void* end_wait(void* unused) {
  const bool signals_end_it = how == BY_SIGNAL || !now->restarts;
  sleep_ms(SOON);
  if (how == BY_SIGNAL || how == BY_RESTART) {
    // One may come before the wait has begun.
    for (int i = 0; signals_end_it ? !__atomic_load_n(&over, __ATOMIC_SEQ_CST) : i < 2; i++) {
      OK(pthread_kill(waiter, SIGUSR1));
      sleep_ms(2);
    }
  }
  if (how == BY_TASK || (how == BY_RESTART && !signals_end_it)) now->wake();
  if (how == BY_CLOSE) now->shut();
  return unused;
}

static bool applies(const struct waiting* kind, enum ending ending) {
  switch (ending) {
    case BY_TASK:
      return kind->wake != NULL;
    case BY_TIME:
      return kind->times_out;
    case BY_CLOSE:
      return kind->shut != NULL;
    default:
      return true;
  }
}

static void wait_once(const struct waiting* kind, enum ending ending) {
  now = kind, how = ending, over = false;
  kind->set_up();
  const struct sigaction action = {.sa_handler = handler, .sa_flags = ending == BY_RESTART ? SA_RESTART : 0};
  SYS(sigaction(SIGUSR1, &action, NULL));
  pthread_t other;
  // The other thread is not to be sent what this one waits for.
  if (ending != BY_TIME) OK(pthread_create(&other, NULL, end_wait, NULL));
  const long result = kind->call(ending == BY_TIME ? SOON : FOREVER);
  const int error = errno;
  __atomic_store_n(&over, true, __ATOMIC_SEQ_CST);
  if (ending != BY_TIME) OK(pthread_join(other, NULL));
  char line[64];
  snprintf(line, sizeof line, "%s %s", kind->name, ending_names[ending]);
  errno = error;
  show_call(line, false, result, NULL, 0);
  if (kind->tear_down) kind->tear_down();
  shut(&near_end), shut(&far_end), shut(&third);
}

int main(void) {
  enter_scratch();
  waiter = pthread_self();
  signal(SIGPIPE, SIG_IGN);
  sigset_t awaited;
  sigemptyset(&awaited), sigaddset(&awaited, SIGUSR2);
  OK(pthread_sigmask(SIG_BLOCK, &awaited, NULL));
  go_over_to_agent();
  for (int round = 0; round < kRounds; round++) {
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
      for (enum ending ending = 0; ending < kEndings; ending++) {
        if (applies(&kinds[i], ending)) wait_once(&kinds[i], ending);
      }
    }
  }
  return success();
}
