// What the agent has recorded, as events of the task that did it.
#include <fmt/format.h>

#include <cstring>

#include "format/calls.h"
#include "recorder/task_life.h"
#include "tracee/agent/agent.h"
#include "tracee/instruction.h"

namespace tmrec::recorder {

// Everything that agents have recorded since the task was resumed stands before what happens now.
void TaskLife::take_records() {
  bool at_rest = false;
  if (task_.is_stopped()) {
    const Regs now = stopped().regs();
    at_rest = !agent::is_code(now.rip) || agent::question_of(now) != agent::Question::None;
  }
  session_.exchange().take_records(at_rest);
  recorded_at_.reset();
}

void TaskLife::note_agent_calls(const CallRing::Calls& calls, bool knows_fs_base) {
  CallBatch batch;
  batch.tid = Tid(tid());
  batch.counted_from = counted_from_;
  batch.has_fs_base = knows_fs_base;
  batch.frame = last_seen_;
  batch.before = calls.before;
  batch.count = calls.count;
  batch.records = calls.records;
  recorded_at_ = Ticks(counted_from_ - calls.ticks_left);
  if (calls.kind != agent::RecordKind::Special) session_.note("system calls performed by the agent", calls.count);
  if (calls.kind == agent::RecordKind::Complete) return session_.append(batch);
  auto event = CallBatchReader(batch).next();
  if (!event) throw sched::EndRecording{fmt::format("task {}: {}", tid(), event.error().text)};
  if (calls.kind == agent::RecordKind::Special) return note_special(*event);
  auto& body = std::get<SyscallEvent>(event->body);
  in_flux_.clear();
  begun_.reset();
  body.phase = SyscallEvent::Phase::Exit;
  if (calls.kind == agent::RecordKind::Enter) {
    body.phase = SyscallEvent::Phase::Enter;
    begun_.emplace();
    begun_->call = syscalls::call_of(body.regs);
    begun_->notes = syscalls::note_entry(begun_->call, memory());
    begun_->decision = syscalls::decide(begun_->call);
    begun_->event.regs = body.regs;
    begun_->enter_logged = true;
    note_in_flux(*begun_);
  }
  session_.append(tid(), std::move(event->body), event->ticks);
}

// `event`: the record as if it were a call.
void TaskLife::note_special(Event& event) {
  const auto& record = std::get<SyscallEvent>(event.body);
  agent::SpecialWords words{};
  if (record.extents.size() != 1 || record.extents[0].bytes.size() != sizeof words)
    throw sched::EndRecording{fmt::format("task {}: a record of an instruction makes no sense", tid())};
  std::memcpy(&words, record.extents[0].bytes.data(), sizeof words);
  const tracee::PatchedModule* const module = space_->patches.with_block(words.block);
  if (module == nullptr || words.stop >= module->plan->stops.size())
    throw sched::EndRecording{fmt::format("task {} came from a trampoline that is not there", tid())};
  const patch::Stop& stop = module->plan->stops[words.stop];
  InstructionEvent done;
  done.kind = tracee::kind_of(stop.kind);
  done.before = record.regs;
  done.before.rax = record.regs.orig_rax;
  done.before.orig_rax = ~std::uint64_t{0};
  done.before.rcx = words.rcx;
  done.before.r11 = words.r11;
  done.before.rip = module->text.value + stop.program;
  done.after = done.before;
  done.after.rax = words.after_rax;
  done.after.rbx = words.after_rbx;
  done.after.rcx = words.after_rcx;
  done.after.rdx = words.after_rdx;
  done.after.rip = module->block.value + stop.resume;
  if (done.after.rip != words.after_rip)
    throw sched::EndRecording{fmt::format("task {} performed another instruction than its plan says", tid())};
  session_.note(tracee::name_of(done.kind));
  session_.append(tid(), std::move(done), event.ticks);
}

}  // namespace tmrec::recorder
