// Local time, mktime and strftime in two zones.
#include "guest.h"

int main(void) {
  char text[100];
  const char* zones[] = {"UTC0", "CET-1CEST,M3.5.0,M10.5.0/3"};
  for (int i = 0; i < 2; i++) {
    setenv("TZ", zones[i], 1);
    tzset();
    time_t now = time(NULL);
    struct tm broken;
    CHECK(localtime_r(&now, &broken) && mktime(&broken) == now);
    CHECK(strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S %Z", &broken) > 0);
    printf("%s\n", text);
  }
  return success();
}
