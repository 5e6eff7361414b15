// tmrec pack: a trace with everything it refers to, in one file.

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <csignal>
#include <memory>
#include <optional>

#include "cli/age.h"
#include "cli/command.h"
#include "cli/open_trace.h"
#include "cli/quantity.h"
#include "cli/say.h"
#include "cli/trace_contents.h"
#include "cli/trace_facts.h"
#include "cli/trace_place.h"
#include "format/manifest.h"

namespace tmrec::cli {
namespace fs = std::filesystem;
namespace {

struct PackOptions {
  TraceChoice trace;
  std::string output;
  std::vector<std::string> recipients;
  bool no_debug = false;
};

constexpr const char* kExamples = R"(Examples:
  tmrec pack                                  the newest trace, as NAME.tmrec in this directory
  tmrec pack redis-3 -o /mnt/share/bug.tmrec
  tmrec pack --encrypt-to age1... -o bug.age  for the owner of that key only (see age-keygen(1))
  tmrec pack -o - | ssh desk 'cat >bug.tmrec; tmrec replay bug.tmrec')";

// A file that has its name only once it is whole; or standard output.
class Output {
 public:
  static Result<Output> create(const std::string& path) {
    Output output;
    if (path == "-") {
      if (::isatty(STDOUT_FILENO) == 1) {
        return fail(ErrorKind::Usage, "a pack is nothing for a terminal: redirect the output, or give -o FILE");
      }
      output.fd_.reset(::fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3));
      if (!output.fd_) return fail_errno("standard output");
      return output;
    }
    if (std::error_code error; fs::exists(fs::symlink_status(path, error))) {
      return fail(ErrorKind::Usage, path + ": exists already; choose another name for the pack");
    }
    output.path_ = path;
    output.temporary_ =
        output.path_.parent_path() / fmt::format(".{}.{}.tmp", output.path_.filename().string(), ::getpid());
    TMREC_TRY(output.fd_, open_file(output.temporary_, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW));
    return output;
  }
  Output(Output&&) = default;
  ~Output() {
    if (fd_ && !temporary_.empty()) ::unlink(temporary_.c_str());
  }

  int fd() const { return fd_.get(); }
  Result<void> keep() {
    if (temporary_.empty()) return {};
    if (::fsync(fd_.get()) != 0) return fail_errno(temporary_.string());
    if (::renameat2(AT_FDCWD, temporary_.c_str(), AT_FDCWD, path_.c_str(), RENAME_NOREPLACE) != 0) {
      return fail_errno(path_.string());
    }
    fd_.reset();
    return {};
  }

 private:
  Output() = default;
  fs::path path_, temporary_;
  Fd fd_;
};

Result<std::vector<PackedFile>> files_of(const OpenTrace& open, const PackOptions& options, bool& with_debug) {
  TMREC_TRY(Manifest manifest, Manifest::load(open.trace));
  if (state_of(manifest, open.trace) == "recording") {
    return fail(ErrorKind::Usage, open.name + " is still being recorded; pack it when it has ended");
  }
  TMREC_TRY(TraceContents contents, contents_of(open.trace, open.blobs, !options.no_debug));
  if (!contents.missing.empty()) {
    return fail(ErrorKind::BadTrace,
                fmt::format("{} refers to {}, which is missing", open.name, contents.missing.front()));
  }
  with_debug = !contents.debug.empty();
  manifest.blob_root = "blobs";
  const std::string json = manifest.json();
  std::vector<PackedFile> files{{"manifest.json", json.size(), {}, Bytes(json.begin(), json.end())}};
  for (auto* part : {&contents.log, &contents.snapshots, &contents.blobs, &contents.debug}) {
    files.insert(files.end(), std::make_move_iterator(part->begin()), std::make_move_iterator(part->end()));
  }
  return files;
}

Result<void> write(const Output& output, const std::string& folder, const std::vector<PackedFile>& files,
                   const std::vector<std::string>& recipients) {
  Progress progress("packing MiB");
  const PackProgress show = [&](std::uint64_t done, std::uint64_t total) { progress.update(done >> 20, total >> 20); };
  if (recipients.empty()) return write_pack(output.fd(), folder, files, show);
  TMREC_TRY(Age age, Age::encrypt(recipients, output.fd()));
  Result<void> written;
  {
    const Fd pipe = age.take_pipe();
    written = write_pack(pipe.get(), folder, files, show);
  }
  const Result<void> encrypted = age.finish();
  if (!encrypted) return fail(encrypted.error().kind, "cannot encrypt: " + encrypted.error().text);
  return written;
}

Result<void> pack(const PackOptions& options) {
  std::signal(SIGPIPE, SIG_IGN);  // whoever reads the pack may go; that is an error like others
  TMREC_TRY(const OpenTrace open, open_trace(options.trace));
  const std::string stem = trace_stem(open.trace.filename().string());
  const std::string path =
      options.output.empty() ? stem + (options.recipients.empty() ? ".tmrec" : ".tmrec.age") : options.output;
  bool with_debug = false;
  TMREC_TRY(const std::vector<PackedFile> files, files_of(open, options, with_debug));
  TMREC_TRY(Output output, Output::create(path));
  TMREC_CHECKED(write(output, stem, files, options.recipients));
  TMREC_CHECKED(output.keep());
  if (path == "-") return {};
  std::error_code error;
  say(Level::Info,
      fmt::format("packed {} files{}, {}, as {} ({})", files.size(), with_debug ? " with debug information" : "",
                  show_size(amount_of(files).bytes), path, show_size(fs::file_size(path, error))));
  if (options.recipients.empty()) {
    say(Level::Info, "it holds the program's memory, input and output in the clear; --encrypt-to KEY encrypts it");
  }
  return {};
}

}  // namespace

Action add_pack(CLI::App& app) {
  auto options = std::make_shared<PackOptions>();
  add_trace_choice(app, options->trace);
  app.add_option("-o,--output", options->output, "Where to write it; must not exist; - is standard output")
      ->type_name("FILE");
  app.add_option("--encrypt-to", options->recipients,
                 "Encrypt it to a public key of age's or SSH's, or to those in a file; may be repeated")
      ->type_name("KEY")
      ->allow_extra_args(false);
  app.add_flag("--no-debug", options->no_debug, "Leave out debug information that is installed here in separate files");
  app.footer(kExamples);
  return [options] {
    const Result<void> done = pack(*options);
    return done ? 0 : report(done.error());
  };
}

}  // namespace tmrec::cli
