// Plans modules and checks what must hold of every plan; a line for each file named on the command line, in JSON.
// tests/bench/patch-all runs it, a process for each file, so that none can take others along.
#include <chrono>
#include <iostream>
#include <string>

#include "tests/unit/patch/plan_checks.h"

using namespace tmrec;
using namespace tmrec::patch;

namespace {

std::string quoted(std::string_view text) {
  static constexpr char kHex[] = "0123456789abcdef";
  std::string out = "\"";
  for (char c : text) {
    auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += {'\\', c};
    } else if (byte < 0x20 || byte >= 0x7f) {
      out += std::string("\\u00") + kHex[byte >> 4] + kHex[byte & 15];
    } else {
      out += c;
    }
  }
  return out + "\"";
}

std::string figures(const Module& module, const Faults& faults) {
  BackEdges edges = back_edges(module);
  std::string out = "\"edges\": " + std::to_string(edges.all) + ", \"methods\": {";
  for (std::size_t i = 0; i < kMethods; ++i) {
    out += (i ? ", " : "") + quoted(name_of(static_cast<Method>(i))) + ": " + std::to_string(edges.by_method[i]);
  }
  out += "}, \"text\": " + std::to_string(module.plan.text_size) +
         ", \"code\": " + std::to_string(module.plan.code_bytes) +
         ", \"block\": " + std::to_string(module.plan.block.size()) + ", \"faults\": {";
  const std::pair<const char*, std::size_t> kinds[] = {
      {"boundaries", faults.boundaries}, {"windows", faults.windows},  {"copies", faults.copies},
      {"ways out", faults.ways_out},     {"sites", faults.sites},      {"map", faults.map},
      {"cycles", faults.cycles},         {"encoding", faults.encoding}};
  bool first = true;
  for (auto [kind, count] : kinds) {
    if (count == 0) continue;
    out += (first ? "" : ", ") + quoted(kind) + ": " + std::to_string(count);
    first = false;
  }
  out += "}, \"notes\": [";
  for (std::size_t i = 0; i < faults.notes.size(); ++i) out += (i ? ", " : "") + quoted(faults.notes[i]);
  return out + "]";
}

std::string line(const std::string& path) {
  auto start = std::chrono::steady_clock::now();
  auto module = Module::load(path, {});
  // As the recorder does where the nearest place is too small.
  if (!module) module = Module::load(path, {.reach = Reach::FarBelow});
  std::chrono::duration<double> planned = std::chrono::steady_clock::now() - start;
  std::string out = "{\"path\": " + quoted(path) + ", \"seconds\": " + std::to_string(planned.count()) + ", ";
  out += module ? figures(*module, faults_of(*module)) : "\"refused\": " + quoted(module.error().text);
  return out + "}";
}

}  // namespace

int main(int argc, char** argv) {
  for (int i = 1; i < argc; ++i) std::cout << line(argv[i]) << std::endl;
  return argc > 1 ? 0 : 2;
}
