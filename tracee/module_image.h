// Modules as they are once patched, ready to be mapped in place of their text: files beside the plans,
// `<content>-<options>-v<version>.image/<name of the module>`.
//
// Problem: edits written into a process's text make nearly all of its pages that process's own. For python3 that is a
// thousand pages to copy at every start, and processes of one program share no text.
// Solution: a copy of the module's file with the text patched, the trampolines behind its end. Tasks map both from
// there, and share them through the page cache. It is all of the file, under the module's own name: who looks at a
// recorded process from outside finds symbols and unwind tables where /proc/PID/maps says that they are. (The program
// itself is shown the module there: recorder/shown_maps.cc.)
// Rejected: the patched text within the plan (without symbols, and every trace would hold its modules twice); copying
// pages when they are first executed (who would, once the supervisor is killed?).
#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "tracee/plan_store.h"

namespace tmrec::tracee {

struct ModuleImage {
  std::shared_ptr<const Fd> file;  // verified
  std::filesystem::path path;      // where tasks find the same
  std::uint64_t block_at;          // where in the file the trampolines begin; page-aligned
};

// Where the plan's text, in whole pages, lies in the file: [begin, end), page-aligned.
struct TextPages {
  std::uint64_t begin, end;
};
TextPages text_pages(const patch::Plan& plan);

// `module`: a file name, without directories. Null: missing, damaged, or of another plan. Marks it as used just now.
std::shared_ptr<const ModuleImage> find_image(int directory, const std::filesystem::path& path, const EncodedPlan& plan,
                                              const std::string& module);
// `file`: the module, whose content the plan was made for. False: there is none.
bool put_image(int directory, const EncodedPlan& plan, patch::Bytes file, const std::string& module);

// Ends the names of the directories.
inline constexpr std::string_view kImageSuffix = ".image";

}  // namespace tmrec::tracee
