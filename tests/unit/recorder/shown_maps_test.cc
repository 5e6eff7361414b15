// Lines of /proc/PID/maps that show images.
#include "recorder/shown_maps.h"

#include <doctest/doctest.h>
#include <sys/sysmacros.h>

using namespace tmrec;
using namespace tmrec::recorder;

namespace {

tracee::PatchedSpace with_image(const std::string& name) {
  auto plan = std::make_shared<patch::Plan>();
  plan->text_size = 0x5000;
  plan->block.resize(0x3000);
  tracee::PatchedModule module{RemoteAddr(0x7f0000002000), RemoteAddr(0x7e0000000000), plan, name};
  module.covered = {
      {RemoteAddr(0x7f0000002000), RemoteAddr(0x7f0000007000), 5, false, 0x2000, makedev(0xfe, 1), 4711, name}};
  module.image_inode = 99;
  tracee::PatchedSpace space;
  auto memory = tracee::RemoteMemory::open(getpid());
  REQUIRE(memory);
  space.begin_image(*memory, module);  // the agent's region is not there: nothing is written
  return space;
}

}  // namespace

TEST_CASE("an image is shown as the module, its trampolines as memory, at the same length") {
  const auto space = with_image("/usr/lib/libx.so");
  const std::string image = "/home/me/.cache/tmrec/0123456789-v11.image/libx.so";
  const std::string text = "7f0000002000-7f0000007000 r-xp 00002000 fd:00 99                         " + image;
  const std::string shown = shown_line(text, space);
  CHECK(shown.size() == text.size());
  CHECK(shown.starts_with("7f0000002000-7f0000007000 r-xp 00002000 fe:01 4711 "));
  CHECK(shown.ends_with(" /usr/lib/libx.so"));
  // A part of it, whose access has changed, deleted meanwhile.
  const std::string part =
      "7f0000003000-7f0000004000 rwxp 00003000 fd:00 99                         " + image + " (deleted)";
  CHECK(shown_line(part, space).starts_with("7f0000003000-7f0000004000 rwxp 00003000 fe:01 4711 "));
  const std::string block = "7e0000000000-7e0000003000 r-xp 00009000 fd:00 99                         " + image;
  const std::string bare = "7e0000000000-7e0000003000 r-xp 00000000 00:00 0 ";
  CHECK(shown_line(block, space) == bare + std::string(block.size() - bare.size(), ' '));
}

TEST_CASE("other lines are left alone") {
  const auto space = with_image("/usr/lib/libx.so");
  for (const char* line : {
           "7f0000002000-7f0000007000 r-xp 00002000 fd:00 98                         /another/file/in/its/place",
           "7f0000009000-7f000000a000 r-xp 00002000 fd:00 99                         /elsewhere/with/the/same/number",
           "7f0000002000-7f0000007000 r-xp 00000000 00:00 0 ",
           "Size:                 20 kB",
           "VmFlags: rd ex mr mw me",
           "",
           "7f0000002000-",
       }) {
    CHECK(shown_line(line, space).empty());
  }
  // There is no room for it.
  const auto longer = with_image("/" + std::string(200, 'x'));
  CHECK(
      shown_line("7f0000002000-7f0000007000 r-xp 00002000 fd:00 99                         /c/x.image/libx.so", longer)
          .empty());
}
