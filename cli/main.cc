// tmrec: options in, one subcommand run, exit status out.

#include <fcntl.h>
#include <unistd.h>

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <exception>
#include <map>
#include <sstream>
#include <system_error>

#include "cli/command.h"
#include "cli/say.h"

namespace tmrec::cli {
namespace {

constexpr const char* kAbout =
    "Records one run of a program, so that the same run can be executed again, instruction for instruction.";

constexpr const char* kExamples = R"(Examples:
  tmrec record -- ./service --port 8080   record a run; its output and exit status are the program's
  tmrec replay                            execute the newest recording again
  tmrec replay redis-server-3             ... or that one
  tmrec replay --verify                   only check that it still replays: status 0, 2 (unreadable) or 3 (desync)
  tmrec dump --from 100 --to 120          what happened in it, event by event
  tmrec ls; tmrec rm ls-1                 list traces, remove one
  tmrec pack                              the newest one as a file, which replay takes on any machine
  tmrec doctor                            what this machine can do, and what to do about the rest

Traces are in $TMREC_TRACE_DIR, else $XDG_DATA_HOME/tmrec or ~/.local/share/tmrec; see tmrec(1).)";

const std::map<std::string, Level> kLevels{
    {"error", Level::Error}, {"warning", Level::Warning}, {"info", Level::Info}, {"debug", Level::Debug}};

struct Parser {
  CLI::App app{kAbout, "tmrec"};
  Words words;
  Level level = Level::Info;
  bool quiet = false;
  std::map<const CLI::App*, Action> actions;

  CLI::App& subcommand(const std::string& name, const std::string& about) {
    CLI::App* command = app.add_subcommand(name, about);
    command->fallthrough();
    return *command;
  }

  Parser() {
    app.require_subcommand(1);
    app.set_version_flag("--version", "tmrec " TMREC_VERSION);
    app.set_help_flag("-h,--help", "Print this help and exit");
    app.add_flag("-q,--quiet", quiet, "Say nothing but errors");
    app.add_option_function<std::string>(
           "--log-level", [this](const std::string& name) { level = kLevels.at(name); },
           "How much tmrec says (default: info)")
        ->type_name("LEVEL")
        ->check([](const std::string& name) {
          return kLevels.contains(name) ? "" : fmt::format("'{}' is not error, warning, info or debug", name);
        });
    app.footer(kExamples);
    CLI::App& record = subcommand("record", "Run a program and record everything it does");
    actions[&record] = add_record(record, words);
    CLI::App& replay = subcommand("replay", "Execute a recording again");
    actions[&replay] = add_replay(replay, words);
    CLI::App& dump = subcommand("dump", "Print the events of a recording");
    actions[&dump] = add_dump(dump);
    CLI::App& info = subcommand("info", "Describe a recording, and whether this machine can replay it");
    actions[&info] = add_info(info);
    CLI::App& ls = subcommand("ls", "List the recordings");
    actions[&ls] = add_ls(ls);
    CLI::App& rm = subcommand("rm", "Remove recordings, and the file contents that no other one uses");
    actions[&rm] = add_rm(rm);
    CLI::App& pack = subcommand("pack", "Put a recording into one file that can be sent somewhere");
    actions[&pack] = add_pack(pack);
    CLI::App& trigger = subcommand("trigger", "Have a program recorded that waits for that (record --on-signal)");
    actions[&trigger] = add_trigger(trigger);
    CLI::App& doctor = subcommand("doctor", "Test what this machine offers for recording and replaying");
    actions[&doctor] = add_doctor(doctor);
  }

  // gdb's words for replay: all that follow "--", and its most used options, which CLI11 would misunderstand.
  std::vector<std::string> split_replay(const std::vector<std::string>& arguments, std::size_t begin) {
    std::vector<std::string> ours(arguments.begin(), arguments.begin() + static_cast<std::ptrdiff_t>(begin));
    for (std::size_t i = begin; i < arguments.size(); ++i) {
      const std::string& word = arguments[i];
      if (word == "--") {
        words.after.insert(words.after.end(), arguments.begin() + static_cast<std::ptrdiff_t>(i) + 1, arguments.end());
        break;
      }
      const bool takes_value = word == "-ex" || word == "-x" || word == "-iex" || word == "-ix";
      auto& side = takes_value || word == "-batch" ? words.after : ours;
      side.push_back(word);
      if (takes_value && i + 1 < arguments.size()) side.push_back(arguments[++i]);
    }
    return ours;
  }

  // Takes what follows a subcommand's own options out of CLI11's sight.
  std::vector<std::string> split(std::vector<std::string> arguments) {
    const std::size_t at = options_end(app, arguments, 0);
    if (at < arguments.size() && arguments[at] == "replay") return split_replay(arguments, at + 1);
    if (at >= arguments.size() || arguments[at] != "record") return arguments;
    const std::size_t end = options_end(*app.get_subcommand("record"), arguments, at + 1);
    const std::size_t program = end < arguments.size() && arguments[end] == "--" ? end + 1 : end;
    words.after.assign(arguments.begin() + static_cast<std::ptrdiff_t>(program), arguments.end());
    arguments.resize(end);
    return arguments;
  }
};

int run(int argc, char** argv) {
  Parser parser;
  std::vector<std::string> arguments = parser.split({argv + 1, argv + argc});
  std::reverse(arguments.begin(), arguments.end());  // as CLI11 wants them
  try {
    parser.app.parse(std::move(arguments));
  } catch (const CLI::ParseError& error) {
    std::ostringstream out, err;
    const bool asked = parser.app.exit(error, out, err) == 0;  // --help, --version
    if (asked) {
      fmt::print("{}", out.str());
      return 0;
    }
    say(Level::Error, error.what());
    say(Level::Error, "--help tells more, also after a subcommand");
    return exit_status(ErrorKind::Usage);
  }
  set_level(parser.quiet ? Level::Error : parser.level);
  const int status = parser.actions.at(parser.app.get_subcommands().front())();
  // An answer that did not reach its reader is no success. Programs that were recorded write by themselves, not here.
  if (std::fflush(stdout) != 0)
    return report(Error{ErrorKind::System, fmt::format("cannot write the answer: {}", std::strerror(errno))});
  return status;
}

// A standard stream that is closed must not be some other file that is opened next: a trace that gets what is meant for
// people, say. This stands for it, can neither be read nor written, and is closed again for the recorded program.
void occupy_standard_streams() {
  int fd = open("/", O_PATH | O_CLOEXEC);
  while (fd >= 0 && fd <= STDERR_FILENO) fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
  if (fd > STDERR_FILENO) close(fd);
}

}  // namespace
}  // namespace tmrec::cli

int main(int argc, char** argv) {
  tmrec::cli::occupy_standard_streams();
  try {
    return tmrec::cli::run(argc, argv);
  } catch (const std::system_error& error) {
    tmrec::cli::say(tmrec::cli::Level::Error, error.what());
    return 1;
  } catch (const std::exception& error) {
    // A broken invariant of our own; the sessions have released their tracees on the way up.
    tmrec::cli::say(tmrec::cli::Level::Error, fmt::format("internal error: {}", error.what()));
    return 1;
  }
}
