#include "recorder/exchange.h"

#include <fmt/format.h>

#include "recorder/session.h"
#include "recorder/task_life.h"

namespace tmrec::recorder {

void Exchange::leave_to(const std::shared_ptr<CallRing>& ring, std::uint32_t slot) {
  ring_ = ring;
  last_holder_ = ring->in_slot(slot);
  ring->leave_baton(agent::kFirstHolder + slot, slot);
  theirs_ = true;
}

void Exchange::take_records(bool at_rest, bool for_good) {
  if (!ring_) return;
  const auto taken = ring_->take(at_rest, for_good);
  if (!taken) throw sched::EndRecording{taken.error().text};
  for (const CallRing::Calls& calls : *taken) {
    if (calls.kind == agent::RecordKind::Switch) {
      session_.note_hand_over(last_holder_, calls.tid);
      last_holder_ = calls.tid;
    } else if (TaskLife* const life = session_.life_of(calls.tid)) {
      life->note_agent_calls(calls, ring_->knows_fs_base());
    } else {
      throw sched::EndRecording{fmt::format("the agent's records are damaged: there is no task {}", calls.tid)};
    }
  }
}

pid_t Exchange::holder() const {
  const std::uint32_t baton = ring_->baton();
  if (baton == agent::kFree) return 0;
  const pid_t tid = baton >= agent::kFirstHolder ? ring_->in_slot(baton - agent::kFirstHolder) : 0;
  if (tid == 0) throw sched::EndRecording{"the agent's records are damaged: nobody knows whose turn it is"};
  return tid;
}

std::uint32_t Exchange::baton_of(pid_t tid) const {
  if (tid == 0) return agent::kFree;
  std::uint32_t slot = 0;
  while (slot < agent::kMaxSlots && ring_->in_slot(slot) != tid) ++slot;
  return agent::kFirstHolder + slot;
}

bool Exchange::take_back(pid_t holder) {
  if (!ring_->take_baton(baton_of(holder))) return false;
  theirs_ = false;
  take_records(holder == 0);
  return true;
}

std::vector<pid_t> Exchange::sleepers() const { return ring_ ? ring_->sleepers() : std::vector<pid_t>(); }

void Exchange::hand_to(pid_t tid) {
  const std::uint32_t slot = baton_of(tid) - agent::kFirstHolder;
  ring_->leave_baton(agent::kFirstHolder + slot, slot);
  last_holder_ = tid;
  theirs_ = true;
  ring_->wake(slot);
}

bool Exchange::leave_free(pid_t last) {
  if (!ring_ || !ring_->has_tasks()) return false;
  ring_->leave_baton(agent::kFree, agent::kMaxSlots);
  last_holder_ = last;
  theirs_ = true;
  return true;
}

void Exchange::set_wanted(bool wanted) {
  ring_->set_wanted(wanted);
  const std::uint32_t baton = ring_->baton();
  // Its giver may have been stopped before it could wake the one it chose.
  if (wanted && baton >= agent::kFirstHolder) ring_->wake(baton - agent::kFirstHolder);
}

}  // namespace tmrec::recorder
