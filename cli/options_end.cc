#include "cli/command.h"

namespace tmrec::cli {
namespace {

// The option that "--name", or a short "-x", means for a command: its own or its parent's.
const CLI::Option* find_option(const CLI::App& command, const std::string& name) {
  if (const CLI::Option* option = command.get_option_no_throw(name)) return option;
  return command.get_parent() != nullptr ? command.get_parent()->get_option_no_throw(name) : nullptr;
}

bool takes_value(const CLI::Option* option) { return option != nullptr && option->get_items_expected_min() > 0; }

// Whether the word after this one is its value: "--name VALUE", "-o VALUE", "-qo VALUE", not "--name=VALUE", "-oVALUE".
bool wants_next(const CLI::App& command, const std::string& word) {
  if (word.starts_with("--")) return word.find('=') == std::string::npos && takes_value(find_option(command, word));
  for (std::size_t i = 1; i < word.size(); ++i) {
    if (takes_value(find_option(command, std::string("-") + word[i]))) return i + 1 == word.size();
  }
  return false;
}

}  // namespace

std::size_t options_end(const CLI::App& command, const std::vector<std::string>& arguments, std::size_t begin) {
  std::size_t i = begin;
  while (i < arguments.size()) {
    const std::string& word = arguments[i];
    if (word == "--" || word.size() < 2 || word[0] != '-') return i;
    i += wants_next(command, word) ? 2 : 1;
  }
  return arguments.size();
}

}  // namespace tmrec::cli
