#include "recorder/ring.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <charconv>
#include <csignal>
#include <memory>
#include <optional>

#include <fmt/format.h>

namespace tmrec::recorder {

namespace fs = std::filesystem;

namespace {

// N of snapshot-N-PID.core.
std::optional<EventNo> event_of_snapshot(const std::string& name) {
  constexpr std::string_view kPrefix = "snapshot-";
  if (!name.starts_with(kPrefix)) return std::nullopt;
  std::uint64_t number = 0;
  const auto [rest, error] = std::from_chars(name.data() + kPrefix.size(), name.data() + name.size(), number);
  if (error != std::errc() || *rest != '-') return std::nullopt;
  return EventNo(number);
}

template <class Each>
void for_each_snapshot(const fs::path& trace, Each&& each) {
  std::error_code error;
  for (fs::directory_iterator entry(trace, error), end; !error && entry != end; entry.increment(error)) {
    if (const auto event = event_of_snapshot(entry->path().filename())) each(entry->path(), *event);
  }
}

// Where the file system knows no links it is copied.
Result<void> link_or_copy(const fs::path& from, const fs::path& to) {
  if (::link(from.c_str(), to.c_str()) == 0) return {};
  std::error_code error;
  if (!fs::copy_file(from, to, error)) return fail_errno(to.string(), error.value());
  return {};
}

}  // namespace

Ring::Ring(RingOptions options, const TraceDir& trace, LogWriter& log)
    : options_(std::move(options)), trace_(trace), log_(log), window_(options_.window) {}

Ring::~Ring() {
  if (saving_.valid()) saving_.wait();
}

bool Ring::due(Window::Time now) {
  const std::lock_guard lock(mutex_);
  return window_.due(now, log_.written(), EventNo(log_.last().value + 1));
}

void Ring::begin(Window::Time now, bool bridges) {
  const EventNo first(log_.last().value + 1);
  const std::lock_guard lock(mutex_);
  window_.begin(first, now, log_.written(), bridges);
  log_.begin_segment([this, first](const LogPlace& place) {
    const std::lock_guard there(mutex_);
    window_.in_segment(first, place.segment);
  });
}

void Ring::written(EventNo first, std::uint64_t bytes) {
  const std::lock_guard lock(mutex_);
  window_.written(first, bytes);
}

void Ring::drop(Window::Time now) {
  // What is being saved must stay where it is.
  if (saving_.valid() && saving_.wait_for(std::chrono::seconds(0)) != std::future_status::ready) return;
  std::optional<Window::Part> oldest;
  {
    const std::lock_guard lock(mutex_);
    oldest = window_.drop(now, log_.written());
  }
  if (!oldest) return;
  log_.forget_before(oldest->segment);
  std::error_code gone;
  for (std::uint64_t segment = oldest->segment - 1; segment > 0; --segment) {
    if (!fs::remove(log_segment_path(trace_.path(), segment), gone)) break;
  }
  for_each_snapshot(trace_.path(), [&](const fs::path& path, EventNo event) {
    if (event < oldest->first) fs::remove(path, gone);
  });
}

Window::Time Ring::covered(Window::Time now) {
  const std::lock_guard lock(mutex_);
  return now - window_.oldest().began;
}

EventNo Ring::first_event() {
  const std::lock_guard lock(mutex_);
  return window_.oldest().first;
}

std::uint64_t Ring::held() {
  const std::lock_guard lock(mutex_);
  return window_.held(log_.written());
}

// Not those of starting points that a replay passes by, unless somebody has asked for starting points.
bool Ring::is_needed(EventNo snapshot) {
  const std::lock_guard lock(mutex_);
  if (snapshot < window_.oldest().first) return false;
  return options_.window.events != 0 || !window_.is_passed_by(snapshot);
}

std::string Ring::finish() {
  const std::string failed = await();
  for_each_snapshot(trace_.path(), [this](const fs::path& path, EventNo event) {
    std::error_code gone;
    if (!is_needed(event)) fs::remove(path, gone);
  });
  return failed;
}

Result<void> Ring::fill(const fs::path& target, const Window::Part& from, const LogPlace& end,
                        const std::string& reason, std::uint64_t time_ns, Manifest manifest) {
  TMREC_TRY(const TraceDir saved, TraceDir::create(target));
  if (::mkdir(saved.log().c_str(), 0700) != 0) return fail_errno(saved.log().string());
  for (std::uint64_t segment = from.segment; segment < end.segment; ++segment) {
    TMREC_CHECKED(link_or_copy(log_segment_path(trace_.path(), segment), log_segment_path(target, segment)));
  }
  Event last;
  last.tid = manifest.pid;
  last.time_ns = time_ns;
  last.body = EndEvent{reason};
  TMREC_CHECKED(write_log_end(target, end, std::move(last)));
  Result<void> linked;
  for_each_snapshot(trace_.path(), [&](const fs::path& path, EventNo event) {
    if (!linked || event >= end.event || !is_needed(event)) return;
    linked = link_or_copy(path, target / path.filename());
  });
  if (!linked) return linked;
  manifest.complete = true;
  manifest.end_reason = reason;
  manifest.events = end.event.value;
  manifest.first_event = from.first.value;
  return manifest.save(target);
}

bool Ring::save(const std::string& reason, Window::Time now, Manifest manifest) {
  if (saving_.valid() && saving_.wait_for(std::chrono::seconds(0)) != std::future_status::ready) return false;
  if (const std::string failed = await(); !failed.empty()) failure_ = failed;
  Window::Part from;
  {
    const std::lock_guard lock(mutex_);
    from = window_.oldest();
  }
  manifest.duration_ns = static_cast<std::uint64_t>((now - from.began).count());
  const double seconds = std::chrono::duration<double>(now - from.began).count();
  const std::string why = fmt::format("saved: {}; the last {:.1f} s", reason, seconds);
  auto reached = std::make_shared<std::promise<LogPlace>>();
  log_.begin_segment([reached](const LogPlace& place) { reached->set_value(place); });
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  saving_ = std::async(
      std::launch::async,
      [this, from, why, now, manifest = std::move(manifest), place = reached->get_future()]() mutable -> Result<void> {
        try {
          const LogPlace end = place.get();
          return options_.save([&](const fs::path& target) {
            return fill(target, from, end, why, static_cast<std::uint64_t>(now.count()), manifest);
          });
        } catch (const std::exception& broken) {
          return fail(ErrorKind::System, fmt::format("what was recorded could not be saved: {}", broken.what()));
        }
      });
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  return true;
}

std::string Ring::await() {
  if (saving_.valid()) {
    if (const auto saved = saving_.get(); !saved) failure_ = saved.error().text;
  }
  return std::exchange(failure_, {});
}

}  // namespace tmrec::recorder
