// A fiber: code of one task that reads top-down and gives control away where it waits. Switching costs nanoseconds and
// no system call, so a supervisor can have one for each of a thousand threads; threads of its own were rejected because
// ptrace answers only the thread that attached.
#pragma once

#include <exception>
#include <functional>

#include <boost/context/fiber.hpp>

namespace tmrec::sched {

class Fiber {
 public:
  // `body` starts at the first resume(). It may throw; the exception comes out of resume().
  explicit Fiber(std::function<void()> body);
  Fiber(const Fiber&) = delete;
  Fiber& operator=(const Fiber&) = delete;

  // From outside: runs the body until it suspends or ends.
  void resume();
  // From inside the body: back to whoever called resume().
  void suspend();
  bool done() const { return done_; }

 private:
  std::function<void()> body_;
  bool done_ = false;
  std::exception_ptr thrown_;
  boost::context::fiber inside_;
  boost::context::fiber outside_;
};

}  // namespace tmrec::sched
