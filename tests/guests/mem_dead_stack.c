// What earlier calls left below the stack pointer, the register save area of lazy binding among it.
#include "guest.h"

static unsigned long __attribute__((noinline)) left_over(void) {
  unsigned char* top = __builtin_frame_address(0);
  unsigned long sum = 14695981039346656037ul;
  for (unsigned char* at = top - 6000; at < top - 256; at++) sum = (sum ^ *(volatile unsigned char*)at) * 1099511628211ul;
  return sum;
}

int main(void) {
  for (int i = 0; i < 20; i++) {
    usleep(1000);
    unsigned long first = strtoul(i % 2 ? "17" : "18", NULL, 10);
    char text[64];
    snprintf(text, sizeof text, "%lu %g", first, first / 3.0);
    printf("%s %lx\n", text, left_over());
  }
  return success();
}
