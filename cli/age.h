// Encryption of packs, by the age tool (age(1)): tmrec holds no cryptography of its own.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "format/file_io.h"
#include "format/result.h"

namespace tmrec::cli {

// A running age. Whoever writes to it must ignore SIGPIPE.
class Age {
 public:
  // What is written to pipe() reaches `to` encrypted. A recipient is a public key of age's or SSH's, or a file of them.
  // Machine: age is not installed.
  static Result<Age> encrypt(const std::vector<std::string>& recipients, int to);
  // pipe() gives what `from` holds; `identity` is a file with a secret key.
  static Result<Age> decrypt(const std::string& identity, int from);
  Age(Age&& other) noexcept;
  Age(const Age&) = delete;
  Age& operator=(const Age&) = delete;
  Age& operator=(Age&&) = delete;
  ~Age();

  // The caller's to keep. Closing it is what ends age.
  Fd take_pipe() { return std::move(pipe_); }
  // Waits for the end; what age said, on one line, if it failed. Usage.
  Result<void> finish();

 private:
  Age(Fd pipe, Fd words, pid_t process);
  static Result<Age> start(const std::vector<std::string>& words, int own, bool own_is_input);

  Fd pipe_, words_;
  pid_t process_;
};

// Whether a file that begins with these bytes is something age has encrypted.
bool begins_like_age(std::span<const std::uint8_t> head);

}  // namespace tmrec::cli
