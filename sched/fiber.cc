#include "sched/fiber.h"

#include <boost/context/fixedsize_stack.hpp>

namespace tmrec::sched {

namespace {
// Printing a desync report and decoding snapshots happen on these stacks. Untouched pages cost nothing.
constexpr std::size_t kStackBytes = 256 * 1024;
}  // namespace

Fiber::Fiber(std::function<void()> body)
    : body_(std::move(body)),
      inside_(std::allocator_arg, boost::context::fixedsize_stack(kStackBytes),
              [this](boost::context::fiber&& outside) {
                outside_ = std::move(outside);
                try {
                  body_();
                } catch (const boost::context::detail::forced_unwind&) {
                  throw;  // the fiber is being destroyed; Boost.Context needs to see this
                } catch (...) {
                  thrown_ = std::current_exception();
                }
                done_ = true;
                return std::move(outside_);
              }) {}

void Fiber::resume() {
  inside_ = std::move(inside_).resume();
  if (thrown_) std::rethrow_exception(std::exchange(thrown_, nullptr));
}

void Fiber::suspend() { outside_ = std::move(outside_).resume(); }

}  // namespace tmrec::sched
