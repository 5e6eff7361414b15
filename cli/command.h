// What a subcommand is to main: it adds its options to the parser, and says what to run when it was the one chosen.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <string>
#include <vector>

namespace tmrec::cli {

// Returns the exit status.
using Action = std::function<int()>;

// What a subcommand needs besides its options.
struct Words {
  std::vector<std::string> after;  // what options do not belong to: record's PROG ARGS, replay's arguments of gdb
};

// Each returns the action; CLI::App owns the options, which the action reads when it is called.
Action add_record(CLI::App& app, const Words& words);
Action add_replay(CLI::App& app, const Words& words);
Action add_dump(CLI::App& app);
Action add_info(CLI::App& app);
Action add_ls(CLI::App& app);
Action add_rm(CLI::App& app);
Action add_pack(CLI::App& app);
Action add_doctor(CLI::App& app);
Action add_trigger(CLI::App& app);

// The index in `arguments`, from `begin` on, of the first word that is neither an option of `command` (or of its
// parent) nor an option's value; a "--" before it is not skipped. CLI11 would go on looking for options behind it.
std::size_t options_end(const CLI::App& command, const std::vector<std::string>& arguments, std::size_t begin);

}  // namespace tmrec::cli
