// Thread names, and the list of tasks in /proc.
#include "guest.h"
#include <dirent.h>
#include <sys/prctl.h>

static pthread_barrier_t barrier;

static void* body(void* argument) {
  char name[16], read_back[16];
  snprintf(name, sizeof name, "worker-%ld", (long)argument);
  OK(pthread_setname_np(pthread_self(), name));
  SYS(prctl(PR_GET_NAME, read_back));
  CHECK(strcmp(name, read_back) == 0);
  pthread_barrier_wait(&barrier);
  pthread_barrier_wait(&barrier);
  return NULL;
}

int main(void) {
  pthread_t threads[3];
  OK(pthread_barrier_init(&barrier, NULL, 4));
  for (long i = 0; i < 3; i++) OK(pthread_create(&threads[i], NULL, body, (void*)i));
  pthread_barrier_wait(&barrier);
  DIR* directory = opendir("/proc/self/task");
  CHECK(directory != NULL);
  int tasks = 0;
  for (struct dirent* entry; (entry = readdir(directory));) {
    if (entry->d_name[0] == '.') continue;
    char path[300], name[32] = "";
    snprintf(path, sizeof path, "/proc/self/task/%s/comm", entry->d_name);
    int fd = SYS(open(path, O_RDONLY));
    SYS(read(fd, name, sizeof name - 1));
    close(fd);
    printf("%s %s", entry->d_name, name);
    tasks++;
  }
  closedir(directory);
  char name[16];
  OK(pthread_getname_np(threads[1], name, sizeof name));
  CHECK(tasks == 4 && strcmp(name, "worker-1") == 0);
  pthread_barrier_wait(&barrier);
  for (int i = 0; i < 3; i++) OK(pthread_join(threads[i], NULL));
  return success();
}
