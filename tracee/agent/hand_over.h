// The baton, as the agent hands it on while it makes a call that waits. Freestanding; included by calls.cc alone.
//
// Problem: one task of a recording runs at a time, and it changes at every lock that is contended and every message
// that is awaited; with stops a change takes a hundred microseconds. Solution: a task whose call has to wait writes down
// that it has begun it, gives the baton to the task that has been ready for longest, or to nobody, and makes the call
// for real; when that returns it takes the baton if nobody has it, else sleeps until it is given to it, and writes down
// what came of the call. Whoever gets the baton writes down that he has it, before anything else. What only the
// supervisor can do (tasks of other rings, an order that a seed decides) it is asked for as ever; while tasks wait that
// it has stopped, it is asked to give the baton away, with one stop, so that they come to wait in the agent as well.
// When it stops the task that holds the baton, or finds that nobody does, the baton is its own. Rejected: a lock in
// place of the word, which a task killed with it would keep; giving the baton to a task before it can run, which a
// time-out, a signal or a task outside the recording may never let it.
#pragma once

#include "tracee/agent/layout.h"

extern "C" {
std::int64_t tmrec_agent_syscall(std::uint64_t number, const std::uint64_t* args);
std::int64_t tmrec_agent_wait(std::uint64_t number, const std::uint64_t* args, tmrec::agent::SlotState* state,
                              std::uint64_t* result);
std::uint64_t tmrec_agent_commit(const std::uint32_t* ask, std::uint64_t* used, std::uint64_t value);
void tmrec_agent_ask();
}

namespace {

using tmrec::agent::RingHeader;
using tmrec::agent::Slot;
using tmrec::agent::SlotState;

template <class T>
T load(const T& from) {
  T value;
  __atomic_load(&from, &value, __ATOMIC_SEQ_CST);
  return value;
}
template <class T>
void store(T& to, T value) {
  __atomic_store(&to, &value, __ATOMIC_SEQ_CST);
}

class Baton {
 public:
  // Precondition: the area has a slot.
  explicit Baton(const tmrec::agent::Area& area)
      : header_(*reinterpret_cast<RingHeader*>(tmrec::agent::kRing)),
        index_(area.conduct.slot - 1u),
        mine_(tmrec::agent::kFirstHolder + index_),
        own_(header_.slots[index_]) {}

  bool is_mine() const { return load(header_.baton) == mine_; }
  bool may_be_given_away() const { return is_mine() && load(header_.wanted) == 0; }

  // Whoever has it from now on, the task must not do anything but wait.
  void give_away() {
    Slot* next = longest_ready();
    give(next, mine_);
    store(own_.state, SlotState::Waits);
    if (next == nullptr && (next = longest_ready()) != nullptr) give(next, tmrec::agent::kFree);
    if (next != nullptr) wake(*next);
  }

  // The same by the supervisor, to a task that it has stopped.
  void have_given_away() {
    tmrec_agent_ask();
    store(own_.state, SlotState::Waits);
  }

  // To the one that has slept longest. False: none does.
  bool offer() {
    Slot* const next = longest_ready();
    if (next == nullptr) return false;
    store(own_.state, SlotState::Returned);
    give(next, mine_);
    wake(*next);
    return true;
  }

  // Behind a call that waited. False: nobody records any more.
  bool take() {
    namespace agent = tmrec::agent;
    bool has_turn = false;
    for (;;) {
      std::uint32_t who = load(header_.baton);
      if (who == mine_) break;
      if (who == agent::kLetGo) return false;
      if (who == agent::kFree) {
        if (change(who, mine_)) break;
      } else if (who == agent::kSupervisors) {
        store(own_.state, SlotState::Returned);
        tmrec_agent_ask();
      } else {
        if (!has_turn) own_.turn = __atomic_add_fetch(&header_.turns, 1, __ATOMIC_SEQ_CST);
        has_turn = true;
        store(own_.state, SlotState::Ready);
        if (load(header_.baton) == who) sleep();
      }
    }
    store(own_.state, SlotState::Ends);
    return true;
  }

  bool is_new_holder() const { return header_.last_holder != index_; }
  void note_new_holder() {
    header_.last_holder = index_;
    ++header_.changes;
  }
  std::uint64_t changes() const { return header_.changes; }
  std::uint32_t index() const { return index_; }
  SlotState& state() const { return own_.state; }

 private:
  bool change(std::uint32_t from, std::uint32_t to) {
    return __atomic_compare_exchange_n(&header_.baton, &from, to, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
  }

  Slot* longest_ready() const {
    Slot* found = nullptr;
    for (std::uint32_t i = 0; i < header_.slots_used && i < tmrec::agent::kMaxSlots; ++i) {
      Slot& slot = header_.slots[i];
      if (load(slot.state) == SlotState::Ready && (found == nullptr || slot.turn < found->turn)) found = &slot;
    }
    return found;
  }

  void give(Slot* next, std::uint32_t from) {
    if (next != nullptr) store(next->state, SlotState::Chosen);
    const auto to = static_cast<std::uint32_t>(next - header_.slots) + tmrec::agent::kFirstHolder;
    change(from, next != nullptr ? to : tmrec::agent::kFree);
  }

  static constexpr std::uint64_t kFutex = 202, kFutexWait = 0, kFutexWake = 1;

  static void wake(Slot& slot) {
    const std::uint64_t args[6] = {reinterpret_cast<std::uint64_t>(&slot.state), kFutexWake, 1, 0, 0, 0};
    tmrec_agent_syscall(kFutex, args);
  }

  // Looks again from time to time: the one that was to wake it may have been killed.
  void sleep() {
    const std::uint64_t patience[2] = {0, 100'000'000};  // struct timespec
    const std::uint64_t args[6] = {reinterpret_cast<std::uint64_t>(&own_.state),
                                   kFutexWait,
                                   static_cast<std::uint64_t>(SlotState::Ready),
                                   reinterpret_cast<std::uint64_t>(patience),
                                   0,
                                   0};
    tmrec_agent_syscall(kFutex, args);
  }

  RingHeader& header_;
  const std::uint32_t index_, mine_;
  Slot& own_;
};

}  // namespace
