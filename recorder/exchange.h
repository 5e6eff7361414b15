// The baton while tasks hand it on among themselves (tracee/agent/hand_over.h), as the supervisor sees it: through the
// ring that those tasks share. At most one ring's baton is its tasks' at a time; a task of another asks for it.
#pragma once

#include <memory>

#include "recorder/call_ring.h"
#include "sched/loop.h"

namespace tmrec::recorder {

class Session;

class Exchange final : public sched::Exchange {
 public:
  explicit Exchange(Session& session) : session_(session) {}

  // A task that has the baton will run, and may hand it on. Precondition: it is the loop's.
  void leave_to(const std::shared_ptr<CallRing>& ring, std::uint32_t slot);
  // What the tasks have recorded goes to the log; it stands before what happens now. Throws sched::EndRecording.
  // `at_rest`: none is about to record more.
  void take_records(bool at_rest, bool for_good = false);

  bool is_theirs() const override { return theirs_; }
  pid_t holder() const override;
  bool take_back(pid_t holder) override;
  pid_t last_holder() const override { return last_holder_; }
  std::vector<pid_t> sleepers() const override;
  void hand_to(pid_t tid) override;
  bool leave_free(pid_t last) override;
  void set_wanted(bool wanted) override;

 private:
  std::uint32_t baton_of(pid_t tid) const;

  Session& session_;
  std::shared_ptr<CallRing> ring_;  // that was used last
  bool theirs_ = false;
  pid_t last_holder_ = 0;  // as far as records have been taken
};

}  // namespace tmrec::recorder
