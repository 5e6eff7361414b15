#include "tracee/plan_cache.h"

#include <fmt/format.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <xxhash.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstdlib>
#include <deque>
#include <exception>
#include <list>
#include <mutex>
#include <optional>
#include <unordered_map>
#include <utility>

#include "format/blob_store.h"

namespace tmrec::tracee {

namespace fs = std::filesystem;

namespace {

using Clock = std::chrono::steady_clock;

constexpr Clock::duration kSlow = std::chrono::seconds(1);
constexpr std::uint64_t kLargestModule = std::uint64_t{4} << 30;
// Whatever limit the user set for stacks: analysis recurses.
constexpr std::size_t kWorkerStack = std::size_t{8} << 20;

// A plan in the making, or an image.
struct Job {
  PlanKey key;
  std::string name;                         // name_of(key)
  fs::path path;                            // read by the worker, unless `file` is set
  std::string module;                       // under which name an image is wanted; empty: none is
  std::shared_ptr<const EncodedPlan> plan;  // set: there is one, and the image is to be made
  std::optional<patch::Bytes> file;
  bool started = false, done = false;
  bool sought = false;   // it is not on disk
  bool lasting = false;  // the outcome is about the module, not about this attempt
  std::optional<PlanOutcome> outcome;
};

// What is known about a module.
struct Known {
  std::weak_ptr<const EncodedPlan> plan;
  std::shared_ptr<const EncodedPlan> kept;  // empty: dropped for want of memory
  std::optional<Error> refusal;
  std::uint64_t used = 0;
};

struct KnownImage {
  bool done = false;  // being looked for, or made
  std::shared_ptr<const ModuleImage> image;
};

struct Worker {
  pthread_t thread{};
  bool ended = false;
};

std::string hash_of(patch::Bytes file) {
  const XXH128_hash_t hash = XXH3_128bits(file.data(), file.size());
  return fmt::format("{:016x}{:016x}", hash.high64, hash.low64);
}

std::string image_name(const EncodedPlan& plan, const std::string& module) { return plan.name + "/" + module; }

// Sets job.outcome and job.lasting.
void make(Job& job, patch::Bytes file) {
  if (hash_of(file) != job.key.content) {
    job.outcome = fail(ErrorKind::System, "the file changed while it was being prepared for recording");
    return;
  }
  auto plan = patch::make_plan(file, job.key.options);
  job.lasting = true;
  if (!plan) {
    job.outcome = std::unexpected(std::move(plan).error());
    return;
  }
  auto encoded = std::make_shared<const std::string>(plan->encode());
  const patch::Bytes bytes(reinterpret_cast<const std::uint8_t*>(encoded->data()), encoded->size());
  job.outcome = std::make_shared<const EncodedPlan>(
      EncodedPlan{std::make_shared<const patch::Plan>(std::move(*plan)), bytes, encoded, job.name, {hash_of(bytes)}});
}

}  // namespace

struct PlanCache::Impl {
  Impl(PlanStore s, const PlanCacheLimits& l) : store(std::move(s)), limits(l) {
    if (::sched_getaffinity(0, sizeof cpus, &cpus) != 0) CPU_ZERO(&cpus);
    most_workers = static_cast<std::size_t>(std::max(1, CPU_COUNT(&cpus)));
  }
  ~Impl();

  std::optional<PlanOutcome> recall(const std::string& name);
  void remember(const std::string& name, const PlanOutcome& outcome);
  void forget_least_used();
  void wait(std::unique_lock<std::mutex>& lock, const Job& job, std::string_view module);
  void finish(Job& job);
  std::shared_ptr<Job> add_job(const PlanKey& key, const std::string& name);
  bool start_worker();
  void join_ended();
  void work(Worker& self);
  bool perform(Job& job);
  bool begin_image(const std::shared_ptr<const EncodedPlan>& plan, const std::string& module);
  void work_on_image(const Job& job, const std::shared_ptr<const EncodedPlan>& plan);
  std::shared_ptr<const ModuleImage> find_or_make_image(const Job& job, const EncodedPlan& plan);

  const PlanStore store;
  const PlanCacheLimits limits;
  cpu_set_t cpus{};
  std::size_t most_workers;

  std::mutex mutex;  // guards all below
  std::condition_variable finished;
  std::unordered_map<std::string, Known> known;
  std::unordered_map<std::string, std::shared_ptr<Job>> jobs;  // not done
  std::deque<std::shared_ptr<Job>> queue;                      // not started
  std::unordered_map<std::string, KnownImage> images;          // by image_name()
  std::list<Worker> workers;
  std::size_t running = 0;
  std::uint64_t kept_bytes = 0, uses = 0;
  std::function<void(const std::string&)> on_wait;
  Clock::duration waited{};
  bool told = false;
};

PlanCache::Impl::~Impl() {
  std::unique_lock lock(mutex);
  queue.clear();
  lock.unlock();
  for (const Worker& worker : workers) ::pthread_join(worker.thread, nullptr);
}

// What is remembered in memory. The lock is held.
std::optional<PlanOutcome> PlanCache::Impl::recall(const std::string& name) {
  const auto it = known.find(name);
  if (it == known.end()) return std::nullopt;
  if (it->second.refusal) return std::unexpected(*it->second.refusal);
  auto plan = it->second.plan.lock();
  if (!plan) {
    known.erase(it);
    return std::nullopt;
  }
  remember(name, plan);
  return plan;
}

// The lock is held.
void PlanCache::Impl::remember(const std::string& name, const PlanOutcome& outcome) {
  Known& entry = known[name];
  entry.used = ++uses;
  if (!outcome) {
    entry.refusal = outcome.error();
    return;
  }
  entry.plan = *outcome;
  if (entry.kept) return;
  entry.kept = *outcome;
  kept_bytes += entry.kept->encoded.size();
  while (kept_bytes > limits.memory) forget_least_used();
}

void PlanCache::Impl::forget_least_used() {
  Known* least = nullptr;
  for (auto& [name, entry] : known) {
    if (entry.kept && (!least || entry.used < least->used)) least = &entry;
  }
  if (!least) return;
  kept_bytes -= least->kept->encoded.size();
  least->kept.reset();
}

void PlanCache::Impl::wait(std::unique_lock<std::mutex>& lock, const Job& job, std::string_view module) {
  const Clock::time_point begin = Clock::now();
  const auto done = [&] { return job.done; };
  if (!told && !finished.wait_until(lock, begin + (kSlow - waited), done) && !told) {
    told = true;
    if (const auto tell = on_wait) {
      lock.unlock();
      tell(std::string(module));
      lock.lock();
    }
  }
  finished.wait(lock, done);
  waited += Clock::now() - begin;
}

// The lock is held; job.outcome is set.
void PlanCache::Impl::finish(Job& job) {
  job.done = true;
  if (job.lasting) remember(job.name, *job.outcome);
  jobs.erase(job.name);
  finished.notify_all();
}

std::shared_ptr<Job> PlanCache::Impl::add_job(const PlanKey& key, const std::string& name) {
  auto job = std::make_shared<Job>();
  job->key = key;
  job->name = name;
  jobs[name] = job;
  return job;
}

void PlanCache::Impl::join_ended() {
  std::erase_if(workers, [](const Worker& worker) {
    if (worker.ended) ::pthread_join(worker.thread, nullptr);
    return worker.ended;
  });
}

// False: the system gives no thread. The lock is held.
bool PlanCache::Impl::start_worker() {
  struct Start {
    Impl* impl;
    Worker* worker;
  };
  join_ended();
  auto start = std::make_unique<Start>(this, &workers.emplace_back());
  // The thread inherits the mask, so that no signal meant for the recorder ever arrives there, SIGXFSZ included.
  sigset_t all, before;
  sigfillset(&all);
  pthread_attr_t attributes;
  ::pthread_attr_init(&attributes);
  ::pthread_attr_setstacksize(&attributes, kWorkerStack);
  ::pthread_sigmask(SIG_SETMASK, &all, &before);
  const auto body = [](void* argument) -> void* {
    const std::unique_ptr<Start> mine(static_cast<Start*>(argument));
    mine->impl->work(*mine->worker);
    return nullptr;
  };
  const int err = ::pthread_create(&workers.back().thread, &attributes, body, start.get());
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  ::pthread_attr_destroy(&attributes);
  if (err != 0) {
    workers.pop_back();
    return false;
  }
  start.release();
  ++running;
  return true;
}

void PlanCache::Impl::work(Worker& self) {
  ::pthread_setname_np(::pthread_self(), "tmrec-plan");
  ::sched_setaffinity(0, sizeof cpus, &cpus);  // refused: slower, not wrong
  std::unique_lock lock(mutex);
  while (!queue.empty()) {
    const std::shared_ptr<Job> job = std::move(queue.front());
    queue.pop_front();
    job->started = true;
    lock.unlock();
    if (job->plan) {
      work_on_image(*job, job->plan);
      lock.lock();
      continue;
    }
    const bool is_new = perform(*job);
    lock.lock();
    const bool pictured = *job->outcome && !job->module.empty() && begin_image(**job->outcome, job->module);
    finish(*job);
    if (!is_new && !pictured) continue;
    lock.unlock();
    if (is_new) store.put(job->key, *job->outcome);  // nobody waits for this
    if (pictured) work_on_image(*job, **job->outcome);
    lock.lock();
  }
  --running;
  self.ended = true;
}

// Sets the outcome. True: it belongs on disk.
bool PlanCache::Impl::perform(Job& job) {
  try {
    if (!job.sought && (job.outcome = store.find(job.key))) {
      job.lasting = true;
      return false;
    }
    if (job.file) {
      make(job, *job.file);
      return job.lasting;
    }
    auto file = read_whole(job.path, kLargestModule, ErrorKind::System);
    if (file) {
      make(job, *file);
    } else {
      job.outcome = std::unexpected(std::move(file).error());
    }
  } catch (const std::exception& e) {  // memory
    job.lasting = false;
    job.outcome = fail(ErrorKind::System, std::string("preparing a module for recording: ") + e.what());
  }
  return job.lasting;
}

// False: somebody else is at it, or was. The lock is held.
bool PlanCache::Impl::begin_image(const std::shared_ptr<const EncodedPlan>& plan, const std::string& module) {
  return images.try_emplace(image_name(*plan, module)).second;
}

void PlanCache::Impl::work_on_image(const Job& job, const std::shared_ptr<const EncodedPlan>& plan) {
  auto image = find_or_make_image(job, *plan);
  const std::lock_guard lock(mutex);
  images[image_name(*plan, job.module)] = {true, std::move(image)};
  finished.notify_all();
}

std::shared_ptr<const ModuleImage> PlanCache::Impl::find_or_make_image(const Job& job, const EncodedPlan& plan) try {
  if (auto found = store.find_image(plan, job.module)) return found;
  if (!store.usable()) return nullptr;
  const auto file = MappedFile::open(job.path);
  const auto& content = plan.plan->content;
  if (!file || hash_of(file->bytes()) != fmt::format("{:016x}{:016x}", content[1], content[0])) return nullptr;
  return store.put_image(plan, file->bytes(), job.module) ? store.find_image(plan, job.module) : nullptr;
} catch (const std::exception&) {  // memory
  return nullptr;
}

PlanCache::PlanCache(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
PlanCache::PlanCache(PlanCache&&) noexcept = default;
PlanCache& PlanCache::operator=(PlanCache&&) noexcept = default;
PlanCache::~PlanCache() = default;

PlanCache PlanCache::open(const fs::path& directory, const PlanCacheLimits& limits) {
  return PlanCache(std::make_unique<Impl>(PlanStore::open(directory, limits.disk), limits));
}

fs::path PlanCache::default_directory() {
  const auto value = [](const char* name) {
    const char* found = std::getenv(name);
    return fs::path(found ? found : "");
  };
  if (fs::path own = value("TMREC_CACHE_DIR"); !own.empty()) return own;
  if (fs::path xdg = value("XDG_CACHE_HOME"); xdg.is_absolute()) return xdg / "tmrec";
  if (fs::path home = value("HOME"); home.is_absolute()) return home / ".cache" / "tmrec";
  return {};
}

void PlanCache::set_on_wait(std::function<void(const std::string& module)> on_wait) {
  const std::lock_guard lock(impl_->mutex);
  impl_->on_wait = std::move(on_wait);
}

PlanOutcome PlanCache::find_or_make(const PlanKey& key, patch::Bytes file, std::string_view module) {
  if (!BlobStore::valid({key.content})) return fail(ErrorKind::System, "a module's content is not named by its hash");
  const std::string name = name_of(key);
  std::unique_lock lock(impl_->mutex);
  while (true) {
    if (auto outcome = impl_->recall(name)) return std::move(*outcome);
    std::shared_ptr<Job> job;
    if (const auto it = impl_->jobs.find(name); it != impl_->jobs.end()) {
      job = it->second;
    } else {
      job = impl_->add_job(key, name);
      job->started = true;  // by this thread, as far as looking on disk goes
      lock.unlock();
      auto outcome = impl_->store.find(key);
      lock.lock();
      job->started = outcome.has_value();
      job->sought = true;
      if (outcome) {
        job->outcome = outcome;
        job->lasting = true;
        impl_->finish(*job);
        return std::move(*outcome);
      }
    }
    if (!job->started && !job->file) {
      // Next in line, with a thread of its own.
      job->file = file;
      std::erase(impl_->queue, job);
      impl_->queue.push_front(job);
      if (!impl_->start_worker() && impl_->running == 0) {
        impl_->queue.pop_front();
        job->outcome = fail(ErrorKind::System, "preparing a module for recording: no thread for it");
        impl_->finish(*job);
        return std::move(*job->outcome);
      }
    }
    impl_->wait(lock, *job, module);
    if (job->lasting || job->file) return *job->outcome;
  }
}

void PlanCache::prepare(const std::vector<Module>& modules) {
  const std::lock_guard lock(impl_->mutex);
  for (const Module& module : modules) {
    const std::string name = name_of(module.key);
    if (!BlobStore::valid({module.key.content}) || impl_->jobs.contains(name) || impl_->recall(name)) continue;
    auto job = impl_->add_job(module.key, name);
    job->path = module.path;
    job->module = module.name;
    impl_->queue.push_back(std::move(job));
    if (impl_->running < impl_->most_workers) impl_->start_worker();
  }
  // Without any thread nobody would ever come for them.
  if (impl_->running > 0) return;
  for (const auto& job : impl_->queue) impl_->jobs.erase(job->name);
  impl_->queue.clear();
}

std::shared_ptr<const ModuleImage> PlanCache::image(const std::shared_ptr<const EncodedPlan>& plan,
                                                    const fs::path& path, const std::string& name) {
  if (name.empty()) return nullptr;
  std::unique_lock lock(impl_->mutex);
  if (impl_->begin_image(plan, name)) {
    auto job = std::make_shared<Job>();
    job->plan = plan;
    job->path = path;
    job->module = name;
    impl_->queue.push_front(job);
    if (!impl_->start_worker() && impl_->running == 0) {
      impl_->queue.pop_front();
      impl_->images[image_name(*plan, name)].done = true;
    }
  }
  const KnownImage& known = impl_->images[image_name(*plan, name)];
  impl_->finished.wait(lock, [&] { return known.done; });
  return known.image;
}

}  // namespace tmrec::tracee
