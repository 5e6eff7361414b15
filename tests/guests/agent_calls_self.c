// Calls about the process itself, time, signals, timers, limits and System V's and POSIX's queues, made by the agent.
#include "agent_call.h"

#include <linux/capability.h>
#include <linux/futex.h>
#include <mqueue.h>
#include <sched.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/resource.h>
#include <sys/sem.h>
#include <sys/sysinfo.h>
#include <sys/timerfd.h>
#include <sys/utsname.h>

static int handled;
static void handler(int signal) { handled += signal; }

static void ask_who(void) {
  uint32_t ids[3];
  VARIES(getpid, 0);
  VARIES(gettid, 0);
  VARIES(getppid, 0);
  VARIES(getpgrp, 0);
  VARIES(getpgid, 0);
  VARIES(getsid, 0);
  CALL(getpgid, 0x7fffffff);
  show_call("same user", false, syscall(SYS_getuid) == syscall(SYS_geteuid), NULL, 0);
  show_call("same group", false, syscall(SYS_getgid) == syscall(SYS_getegid), NULL, 0);
  show_call("getresuid", false, syscall(SYS_getresuid, ids, ids + 1, ids + 2) | (ids[0] != ids[2]), NULL, 0);
  show_call("getresgid", false, syscall(SYS_getresgid, ids, ids + 1, ids + 2) | (ids[0] != ids[2]), NULL, 0);
  CALL(getresuid, bad_address, ids, ids);
  CALL(getgroups, -1, ids);
  CALL(setpgid, 0x7fffffff, 0);
  struct __user_cap_header_struct head = {_LINUX_CAPABILITY_VERSION_3, 0};
  struct __user_cap_data_struct data[2];
  CALL(capget, &head, data);
  CALL(capget, bad_address, data);
  struct utsname name;
  CALL(uname, &name);
  show_call("uname", false, 0, name.sysname, strlen(name.sysname));
  CALL(uname, bad_address);
  CALL(getpriority, PRIO_PROCESS, 0);
  CALL(getpriority, 9, 0);
  CALL(sched_get_priority_max, SCHED_FIFO);
  CALL(sched_get_priority_min, SCHED_FIFO);
  CALL(sched_get_priority_min, 99);
  CALL(sched_getscheduler, 0);
  struct sched_param parameters;
  WRITES(&parameters, sizeof parameters, sched_getparam, 0, &parameters);
  CALL(sched_getparam, 0, bad_address);
  CALL(sched_yield, 0);
  unsigned cpu, node;
  CALL(getcpu, &cpu, &node, NULL);
  CALL(getcpu, bad_address, &node, NULL);
  CALL(ioprio_get, 1, 0);
  CALL(membarrier, 0x7fffffff, 0, 0);
}

static void ask_how_much(void) {
  struct rlimit limit;
  struct rusage usage;
  struct sysinfo system;
  CALL(getrlimit, RLIMIT_CORE, &limit);
  CALL(getrlimit, 99, &limit);
  CALL(getrlimit, RLIMIT_CORE, bad_address);
  CALL(getrusage, RUSAGE_SELF, &usage);
  CALL(getrusage, 99, &usage);
  CALL(getrusage, RUSAGE_SELF, bad_address);
  CALL(sysinfo, &system);
  CALL(sysinfo, bad_address);
  VARIES(times, NULL);
  CALL(times, bad_address);
  char some[64];
  CALL(getrandom, some, sizeof some, 0);
  CALL(getrandom, some, 0, 0);
  CALL(getrandom, some, 1, 0x7fffffff);
  CALL(getrandom, bad_address, 16, 0);
}

static void ask_time(void) {
  struct timespec time, before = {0};
  struct timeval day;
  for (int i = 0; i < 3; i++) {
    CALL(clock_gettime, CLOCK_MONOTONIC, &time);
    show_call("later", false, time.tv_sec > before.tv_sec || time.tv_nsec >= before.tv_nsec, NULL, 0);
    before = time;
  }
  CALL(clock_gettime, CLOCK_REALTIME, &time);
  CALL(clock_gettime, CLOCK_PROCESS_CPUTIME_ID, &time);
  CALL(clock_gettime, 99, &time);
  CALL(clock_gettime, CLOCK_MONOTONIC, bad_address);
  WRITES(&time, sizeof time, clock_getres, CLOCK_MONOTONIC, &time);
  CALL(clock_getres, CLOCK_MONOTONIC, NULL);
  CALL(clock_getres, 99, &time);
  CALL(gettimeofday, &day, NULL);
  CALL(gettimeofday, bad_address, NULL);
  VARIES(time, NULL);
  CALL(time, bad_address);
  time = (struct timespec){0, -1};
  CALL(nanosleep, &time, NULL);
  CALL(nanosleep, bad_address, NULL);
  time.tv_nsec = 1000;
  CALL(nanosleep, &time, NULL);
  CALL(clock_nanosleep, CLOCK_MONOTONIC, 0, &time, NULL);
  CALL(clock_nanosleep, 99, 0, &time, NULL);
}

struct kernel_action {
  void (*handler)(int);
  unsigned long flags;
  void (*restorer)(void);
  uint64_t mask;
};

static void use_signals(void) {
  uint64_t set = 1ul << (SIGUSR1 - 1), old;
  struct kernel_action action;
  WRITES(&old, 8, rt_sigprocmask, SIG_BLOCK, &set, &old, 8);
  CALL(rt_sigprocmask, SIG_BLOCK, bad_address, NULL, 8);
  CALL(rt_sigprocmask, SIG_BLOCK, NULL, bad_address, 8);
  CALL(rt_sigprocmask, 99, &set, NULL, 8);
  CALL(rt_sigprocmask, SIG_BLOCK, &set, NULL, 4);
  CALL(kill, syscall(SYS_getpid), SIGUSR1);
  WRITES(&old, 8, rt_sigpending, &old, 8);
  CALL(rt_sigpending, bad_address, 8);
  show_call("handled", false, handled, NULL, 0);
  WRITES(&old, 8, rt_sigprocmask, SIG_UNBLOCK, &set, &old, 8);
  show_call("handled", false, handled, NULL, 0);
  CALL(tgkill, syscall(SYS_getpid), syscall(SYS_gettid), SIGUSR1);
  CALL(tkill, syscall(SYS_gettid), SIGUSR1);
  show_call("handled", false, handled, NULL, 0);
  CALL(kill, syscall(SYS_getpid), 0);
  CALL(kill, syscall(SYS_getpid), 999);
  CALL(kill, 0x7fffffff, 0);
  CALL(tgkill, -1, 1, 0);
  CALL(rt_sigaction, SIGUSR2, NULL, &action, 8);
  show_call("flags", false, (long)action.flags, NULL, 0);
  CALL(rt_sigaction, SIGUSR2, &action, NULL, 8);
  CALL(rt_sigaction, SIGKILL, &action, NULL, 8);
  CALL(rt_sigaction, 999, NULL, &action, 8);
  CALL(rt_sigaction, SIGUSR2, bad_address, NULL, 8);
  siginfo_t info = {.si_signo = SIGUSR1, .si_code = SI_QUEUE};
  info.si_pid = getpid();
  CALL(rt_sigqueueinfo, getpid(), SIGUSR1, &info);
  CALL(rt_sigqueueinfo, getpid(), SIGUSR1, bad_address);
  CALL(rt_tgsigqueueinfo, getpid(), syscall(SYS_gettid), SIGUSR1, &info);
  show_call("handled", false, handled, NULL, 0);
}

static void use_timers(void) {
  const struct itimerval later = {.it_value = {1000, 0}}, never = {0};
  struct itimerval left;
  WRITES(&left, sizeof left, getitimer, ITIMER_REAL, &left);
  CALL(setitimer, ITIMER_REAL, &later, NULL);
  CALL(setitimer, ITIMER_REAL, &never, &left);
  show_call("left", false, left.it_value.tv_sec >= 900, NULL, 0);
  CALL(getitimer, 99, &left);
  CALL(getitimer, ITIMER_REAL, bad_address);
  CALL(setitimer, ITIMER_REAL, bad_address, NULL);
  CALL(alarm, 1000);
  VARIES(alarm, 0);
  struct sigevent none = {.sigev_notify = SIGEV_NONE};
  struct itimerspec when = {.it_value = {1000, 0}}, rest;
  int timer;
  CALL(timer_create, CLOCK_MONOTONIC, &none, bad_address);
  CALL(timer_create, 99, &none, &timer);
  CALL(timer_create, CLOCK_MONOTONIC, &none, &timer);
  CALL(timer_settime, timer, 0, &when, NULL);
  CALL(timer_gettime, timer, &rest);
  show_call("rest", false, rest.it_value.tv_sec >= 900, NULL, 0);
  CALL(timer_gettime, timer, bad_address);
  CALL(timer_settime, timer, 0, bad_address, NULL);
  CALL(timer_getoverrun, timer);
  CALL(timer_delete, timer);
  CALL(timer_delete, timer);
}

static void use_queues(void) {
  struct {
    long type;
    char text[16];
  } letter = {3, "letter"}, got;
  const int letters = SYS(syscall(SYS_msgget, IPC_PRIVATE, 0600));
  CALL(msgsnd, letters, &letter, 7, 0);
  CALL(msgsnd, letters, bad_address, 7, 0);
  WRITES(&got, sizeof got, msgrcv, letters, &got, 16, 0, IPC_NOWAIT);
  CALL(msgrcv, letters, &got, 16, 0, IPC_NOWAIT);
  CALL(msgsnd, letters, &letter, 7, IPC_NOWAIT);
  CALL(msgrcv, letters, &got, 2, 0, IPC_NOWAIT);
  CALL(msgrcv, letters, bad_address, 16, 0, IPC_NOWAIT);
  SYS(msgctl(letters, IPC_RMID, NULL));
  CALL(msgrcv, letters, &got, 16, 0, 0);
  const int semaphore = SYS(syscall(SYS_semget, IPC_PRIVATE, 1, 0600));
  struct sembuf up = {0, 2, 0}, down = {0, -1, IPC_NOWAIT};
  CALL(semop, semaphore, &up, 1);
  CALL(semop, semaphore, &down, 1);
  CALL(semtimedop, semaphore, &down, 1, NULL);
  CALL(semop, semaphore, &down, 1);
  CALL(semop, semaphore, bad_address, 1);
  CALL(semop, semaphore, &down, 0);
  SYS(semctl(semaphore, 0, IPC_RMID));
  CALL(semop, semaphore, &down, 1);
  CALL(semget, 1, 0, 0);
  char name[64], text[8];
  struct mq_attr room = {.mq_maxmsg = 2, .mq_msgsize = 8}, now;
  snprintf(name, sizeof name, "guest-calls-%d", getpid());
  int mail;
  OPENS(mail, mq_open, name, O_RDWR | O_CREAT | O_NONBLOCK, 0600, &room);
  CALL(mq_timedsend, mail, "post", 4, 1, NULL);
  WRITES(&now, sizeof now, mq_getsetattr, mail, NULL, &now);
  WRITES(text, sizeof text, mq_timedreceive, mail, text, sizeof text, NULL, NULL);
  CALL(mq_timedreceive, mail, text, sizeof text, NULL, NULL);
  CALL(mq_timedreceive, mail, text, 2, NULL, NULL);
  CALL(mq_timedsend, mail, bad_address, 4, 1, NULL);
  CALL(mq_getsetattr, mail, bad_address, NULL);
  CALL(mq_unlink, name);
  CALL(mq_unlink, name);
  CALL(close, mail);
}

static void use_words(void) {
  uint32_t word = 5;
  const struct timespec soon = {0, 100000};
  CALL(futex, &word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
  CALL(futex, &word, FUTEX_WAIT_PRIVATE, 4, NULL, NULL, 0);
  CALL(futex, &word, FUTEX_WAIT_PRIVATE, 5, &soon, NULL, 0);
  CALL(futex, bad_address, FUTEX_WAIT_PRIVATE, 5, &soon, NULL, 0);
  CALL(futex, &word, FUTEX_WAIT_PRIVATE, 5, bad_address, NULL, 0);
  CALL(futex, (char*)&word + 1, FUTEX_WAKE, 1, NULL, NULL, 0);
  CALL(futex, &word, 99, 1, NULL, NULL, 0);
  void* list;
  size_t size;
  show_call("get_robust_list", false, syscall(SYS_get_robust_list, 0, &list, &size), &size, sizeof size);
  CALL(get_robust_list, 0, bad_address, &size);
  char* page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  CALL(msync, page, 4096, MS_ASYNC);
  CALL(msync, page + 1, 4096, MS_ASYNC);
  CALL(msync, bad_address, 4096, MS_ASYNC);
  SYS(munmap(page, 4096));
  int id;
  OPENS(id, pidfd_open, getpid(), 0);
  CALL(pidfd_send_signal, id, 0, NULL, 0);
  CALL(pidfd_send_signal, id, 0, bad_address, 0);
  CALL(close, id);
  CALL(pidfd_open, -1, 0);
  CALL(kcmp, getpid(), getpid(), 99, 0, 0);
  CALL(wait4, -1, NULL, WNOHANG, NULL);
  siginfo_t info;
  CALL(waitid, P_ALL, 0, &info, WEXITED | WNOHANG, NULL);
  CALL(waitid, P_ALL, 0, &info, 0, NULL);
}

int main(void) {
  const struct sigaction action = {.sa_handler = handler, .sa_flags = SA_RESTART};
  SYS(sigaction(SIGUSR1, &action, NULL));
  go_over_to_agent();
  for (int round = 0; round < AGENT_ROUNDS; round++) {
    ask_who();
    ask_how_much();
    ask_time();
    use_signals();
    use_timers();
    use_queues();
    use_words();
  }
  return success();
}
