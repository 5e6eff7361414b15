// C++ threads, futures, and an exception that crosses from one thread to another.
#include <future>
#include <stdexcept>
#include <thread>
#include <vector>

#include "guest.h"

int main() {
  std::promise<int> promise;
  std::future<int> future = promise.get_future();
  std::thread thrower([&] {
    try {
      throw std::runtime_error("from thread");
    } catch (...) {
      promise.set_exception(std::current_exception());
    }
  });
  bool caught = false;
  try {
    future.get();
  } catch (const std::runtime_error& error) {
    caught = true;
    printf("caught %s in %d\n", error.what(), getpid());
  }
  thrower.join();
  CHECK(caught);
  std::vector<std::future<long>> futures;
  for (long i = 0; i < 8; i++) futures.push_back(std::async(std::launch::async, [i] { return i * i; }));
  long sum = 0;
  for (auto& each : futures) sum += each.get();
  CHECK(sum == 140);
  return success();
}
