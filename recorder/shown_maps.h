// /proc/PID/maps and smaps as they would be if images of modules were not mapped in place of the modules' text
// (tracee/module_image.h): programs look there for what they are, and map it once more.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "tracee/patched_space.h"

namespace tmrec::recorder {

// A line of these files, without its end, as it should be; as long as it is. Empty: it is as it should be. The
// trampolines of an image are shown as memory without a file.
std::string shown_line(std::string_view line, const tracee::PatchedSpace& patches);

// All lines as they would be, without trampolines.
std::vector<tracee::MapsLine> as_mapped_by_program(const std::vector<tracee::MapsLine>& maps,
                                                   const tracee::PatchedSpace& patches);

}  // namespace tmrec::recorder
