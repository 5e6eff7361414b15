// A debugging session: a recording, served to a debugger over a socket.
#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "format/file_io.h"
#include "format/result.h"
#include "replayer/debug_target.h"

namespace tmrec::replayer {

struct DebugOptions {
  std::filesystem::path trace;
  std::filesystem::path blobs;
  DebugTarget::Start start;
};

// Serves one debugger after another that connects to `listening`. `ready` is called once the process is where it is to
// start, before the first is accepted. Returns when a debugger has killed the process, or has gone and
// `keep_listening` is false. Errors before `ready`: as replay(), and Usage for a start that the recording does not
// have.
Result<void> serve_debuggers(const DebugOptions& options, int listening, bool keep_listening,
                             const std::function<void()>& ready);

// A listening socket in a new directory that only this user can enter.
struct PrivateSocket {
  Fd listening;
  std::filesystem::path path;
};
Result<PrivateSocket> private_socket();
void remove(const PrivateSocket& socket);

// "[HOST:]PORT"; without a host, only this machine can connect. `bound` gets the address in the same form.
Result<Fd> listen_on(const std::string& address, std::string& bound);

// Serves in a process of its own, and becomes the debugger: `command` with the socket's address appended where it says
// so. Returns only if that fails.
Result<void> become_debugger(const DebugOptions& options, const std::string& gdb,
                             const std::vector<std::string>& arguments);

}  // namespace tmrec::replayer
