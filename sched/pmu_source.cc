#include "sched/pmu_source.h"

#include "sched/counted_task.h"

namespace tmrec::sched {

Result<Ticks> PmuTicks::read() {
  TMREC_TRY(const std::uint64_t counted, counter_.read());
  return Ticks(from_.value + counted);
}

Arrival PmuTicks::arrive(TaskControl& task, const TickTarget& target) {
  return bring_to(task, *this, target, skid_bound_);
}

PmuSource::PmuSource(std::string name, PmuDevice device, PmuEvent event)
    : name_(std::move(name)), device_(std::move(device)), event_(event) {}

Result<std::unique_ptr<TickCounter>> PmuSource::start(tracee::Stopped& task, Ticks from) {
  TMREC_TRY(PmuCounter counter, PmuCounter::open(device_.type, event_.config, task.tid()));
  TMREC_CHECKED(counter.send_interrupts_to(task.tid()));
  TMREC_CHECKED(counter.enable());
  return std::make_unique<PmuTicks>(std::move(counter), from, event_.skid_bound);
}

}  // namespace tmrec::sched
