// tmrec trigger: tells a service that runs under `tmrec record --on-signal` to be recorded now.

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <charconv>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <memory>

#include "cli/command.h"
#include "cli/say.h"
#include "cli/signal_word.h"

namespace tmrec::cli {
namespace fs = std::filesystem;
namespace {

struct Waiting {
  pid_t pid = 0;
  int signal = 0;
  std::string command;
};

std::vector<std::string> words_of(const std::string& process) {
  std::ifstream file("/proc/" + process + "/cmdline", std::ios::binary);
  std::vector<std::string> words;
  for (std::string word; std::getline(file, word, '\0');) words.push_back(word);
  return words;
}

// Whose own process waits for a signal; its recorder, while there is one, is its child and has the same command line.
std::vector<Waiting> waiting() {
  std::vector<Waiting> found;
  std::error_code none;
  for (const auto& entry : fs::directory_iterator("/proc", none)) {
    const std::string name = entry.path().filename();
    pid_t pid = 0;
    const auto [rest, error] = std::from_chars(name.data(), name.data() + name.size(), pid);
    if (error != std::errc() || rest != name.data() + name.size()) continue;
    const auto words = words_of(name);
    if (words.size() < 3 || fs::path(words[0]).filename() != "tmrec" || std::ranges::count(words, "record") == 0)
      continue;
    for (std::size_t i = 1; i < words.size() && words[i] != "--"; ++i) {
      constexpr std::string_view kOption = "--on-signal";
      std::string value;
      if (words[i] == kOption && i + 1 < words.size()) value = words[i + 1];
      if (words[i].starts_with(std::string(kOption) + "=")) value = words[i].substr(kOption.size() + 1);
      const auto signal = parse_signal(value);
      if (!signal) continue;
      found.push_back({pid, *signal, fmt::format("{}", fmt::join(words, " "))});
    }
  }
  return found;
}

pid_t parent_of(pid_t pid) {
  std::ifstream file(fmt::format("/proc/{}/stat", pid));
  std::string text;
  std::getline(file, text);
  const std::size_t end = text.rfind(')');
  int parent = 0;
  if (end != std::string::npos) std::sscanf(text.c_str() + end + 1, " %*c %d", &parent);
  return parent;
}

Result<int> trigger(pid_t wanted) {
  std::vector<Waiting> all = waiting();
  const auto known = [&](pid_t pid) { return std::ranges::find(all, pid, &Waiting::pid) != all.end(); };
  std::vector<Waiting> fronts;
  for (const Waiting& one : all) {
    if (!known(parent_of(one.pid))) fronts.push_back(one);
  }
  if (wanted != 0) {
    // Its own process, or the service's.
    std::erase_if(fronts, [&](const Waiting& one) { return one.pid != wanted && parent_of(wanted) != one.pid; });
  }
  if (fronts.empty()) {
    return fail(ErrorKind::Usage,
                wanted == 0 ? "no `tmrec record --on-signal` runs here"
                            : fmt::format("process {} does not run under `tmrec record --on-signal`", wanted));
  }
  if (fronts.size() > 1) {
    std::string list;
    for (const Waiting& one : fronts) list += fmt::format("\n  {}  {}", one.pid, one.command);
    return fail(ErrorKind::Usage, "trigger which? tmrec trigger PID" + list);
  }
  if (kill(fronts.front().pid, fronts.front().signal) < 0) {
    return fail(ErrorKind::Machine,
                fmt::format("cannot signal process {}: {}", fronts.front().pid, std::strerror(errno)));
  }
  say(Level::Info, fmt::format("told process {} to record", fronts.front().pid));
  return 0;
}

}  // namespace

Result<int> parse_signal(const std::string& text) {
  std::string name;
  for (const char c : text) name += static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  if (name.starts_with("SIG")) name.erase(0, 3);
  int number = 0;
  const bool realtime = name.starts_with("RTMIN+");
  const char* const digits = name.data() + (realtime ? 6 : 0);
  const char* const end = name.data() + name.size();
  const auto [rest, error] = std::from_chars(digits, end, number);
  if (error == std::errc() && rest == end) {
    number += realtime ? SIGRTMIN : 0;
  } else {
    for (number = 1; number < NSIG; ++number) {
      const char* const known = sigabbrev_np(number);
      if (known != nullptr && name == known) break;
    }
  }
  const bool unusable = number == SIGKILL || number == SIGSTOP || number == SIGCHLD;
  if (number < 1 || number >= NSIG || unusable)
    return fail(ErrorKind::Usage, fmt::format("--on-signal: {} is not a signal that can be waited for", text));
  return number;
}

Action add_trigger(CLI::App& app) {
  auto pid = std::make_shared<pid_t>(0);
  app.add_option("PID", *pid, "Of the tmrec, or of its service; needed when there are several")
      ->check(CLI::PositiveNumber);
  app.footer("Example:\n  tmrec record --on-signal USR2 --for 30s -- ./service &\n  tmrec trigger");
  return [pid] {
    const Result<int> status = trigger(*pid);
    return status ? *status : report(status.error());
  };
}

}  // namespace tmrec::cli
