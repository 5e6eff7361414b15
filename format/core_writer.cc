// Lays a core file out and writes it.
//
// Problem: gdb wants one PT_LOAD per piece of memory, the pages that differ from their files are scattered, and a
// service has gigabytes of them. Solution: every mapping becomes alternating PT_LOADs: with content for runs of stored
// pages, without (p_filesz 0) for the rest, which gdb takes from the files named in NT_FILE or shows as zero.
// Everything but the pages is built in memory, pages go straight from the snapshot to the file. Rejected: one PT_LOAD
// per mapping with holes in a sparse file (a copy of the trace would fill them, and unmodified pages of mapped files
// could not be told from zeros).
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/procfs.h>
#include <sys/user.h>
#include <unistd.h>

#include <cstring>

#include "format/codec.h"
#include "format/core_file.h"
#include "format/core_layout.h"
#include "format/file_io.h"
#include "format/xxh3.h"

namespace tmrec {

namespace fs = std::filesystem;

namespace {

using core::kOwner;
using Span = std::span<const std::uint8_t>;

// Stored pages without a gap, possibly from several extents.
struct Run {
  RemoteAddr start, end;
  std::vector<Span> parts;
};

template <class T>
void append(Bytes& out, const T& value) {
  const auto* p = reinterpret_cast<const std::uint8_t*>(&value);
  out.insert(out.end(), p, p + sizeof value);
}

void append(Bytes& out, Span bytes) { out.insert(out.end(), bytes.begin(), bytes.end()); }

bool all_zero(Span page) { return page[0] == 0 && std::memcmp(page.data(), page.data() + 1, page.size() - 1) == 0; }

// The runs of the snapshot's pages, or what is wrong with them.
Result<std::vector<Run>> runs_of(const Snapshot& s) {
  std::vector<Run> runs;
  RemoteAddr last;
  for (const Extent& extent : s.pages) {
    const RemoteAddr end = extent.addr + extent.bytes.size();
    const Mapping* m = core::mapping_of(s.mappings, extent.addr, end);
    if (!core::page_aligned(extent.addr.value) || !core::page_aligned(extent.bytes.size()) || m == nullptr ||
        extent.addr < last)
      return fail(ErrorKind::System, fmt::format("pages at {:#x} belong to no mapping", extent.addr.value));
    last = end;
    const bool zeros_implied = m->source.kind != MapSource::Kind::File;
    for (std::size_t at = 0; at < extent.bytes.size(); at += kPageSize) {
      const Span page = Span(extent.bytes).subspan(at, kPageSize);
      if (zeros_implied && all_zero(page)) continue;
      const RemoteAddr addr = extent.addr + at;
      const bool joins = !runs.empty() && runs.back().end == addr && addr != m->start;
      if (!joins) runs.push_back({addr, addr, {}});
      Run& run = runs.back();
      if (joins && run.parts.back().data() + run.parts.back().size() == page.data()) {
        run.parts.back() = {run.parts.back().data(), run.parts.back().size() + kPageSize};
      } else {
        run.parts.push_back(page);
      }
      run.end = addr + kPageSize;
    }
  }
  return runs;
}

Elf64_Phdr load_segment(const Mapping& m, RemoteAddr start, RemoteAddr end, bool stored) {
  Elf64_Phdr p{};
  p.p_type = PT_LOAD;
  p.p_flags = (m.prot & PROT_READ ? PF_R : 0u) | (m.prot & PROT_WRITE ? PF_W : 0u) | (m.prot & PROT_EXEC ? PF_X : 0u);
  p.p_vaddr = start.value;
  p.p_memsz = end - start;
  p.p_filesz = stored ? p.p_memsz : 0;
  p.p_align = kPageSize;
  return p;
}

// In address order; offsets relative to the first stored page.
std::vector<Elf64_Phdr> load_segments(const Snapshot& s, const std::vector<Run>& runs) {
  std::vector<Elf64_Phdr> out;
  std::uint64_t offset = 0;
  auto run = runs.begin();
  for (const Mapping& m : s.mappings) {
    RemoteAddr at = m.start;
    for (; run != runs.end() && run->start < m.end; ++run) {
      if (at < run->start) out.push_back(load_segment(m, at, run->start, false));
      out.push_back(load_segment(m, run->start, run->end, true));
      out.back().p_offset = offset;
      offset += out.back().p_filesz;
      at = run->end;
    }
    if (at < m.end) out.push_back(load_segment(m, at, m.end, false));
  }
  return out;
}

void append_note(Bytes& out, const char* owner, std::uint32_t type, Span descriptor) {
  const std::size_t name = std::strlen(owner) + 1;
  append(out, Elf64_Nhdr{static_cast<Elf64_Word>(name), static_cast<Elf64_Word>(descriptor.size()), type});
  append(out, Span(reinterpret_cast<const std::uint8_t*>(owner), name));
  out.resize(core::align4(out.size()));
  append(out, descriptor);
  out.resize(core::align4(out.size()));
}

template <class T>
Span bytes_of(const T& value) {
  return {reinterpret_cast<const std::uint8_t*>(&value), sizeof value};
}

void copy_text(char* to, std::size_t size, const std::string& text) {
  std::memcpy(to, text.data(), std::min(size - 1, text.size()));
}

Bytes file_note(const Snapshot& s) {
  Bytes head, names;
  std::uint64_t count = 0;
  for (const Mapping& m : s.mappings) {
    if (m.source.kind != MapSource::Kind::File) continue;
    ++count;
    for (const std::uint64_t v : {m.start.value, m.end.value, m.source.offset / kPageSize}) append(head, v);
    const std::string path = m.source.path.substr(0, m.source.path.find('\0'));
    append(names, Span(reinterpret_cast<const std::uint8_t*>(path.c_str()), path.size() + 1));
  }
  Bytes note;
  append(note, count);
  append(note, kPageSize);
  append(note, Span(head));
  append(note, Span(names));
  return note;
}

// All notes. `hash_at`: where in them NoteHead::hash lies.
Bytes notes_of(const Snapshot& s, std::size_t& hash_at) {
  Bytes out;
  prstatus_t status{};
  static_assert(sizeof status.pr_reg == sizeof(Regs));
  status.pr_pid = s.task.value;
  status.pr_fpvalid = s.xstate.size() >= sizeof(user_fpregs_struct);
  std::memcpy(&status.pr_reg, &s.regs, sizeof s.regs);
  append_note(out, "CORE", NT_PRSTATUS, bytes_of(status));

  prpsinfo_t info{};
  info.pr_sname = 'R';
  info.pr_pid = s.process.value;
  copy_text(info.pr_fname, sizeof info.pr_fname, fs::path(s.executable).filename().string());
  std::string line;
  for (const std::string& a : s.arguments) line += (line.empty() ? "" : " ") + a;
  copy_text(info.pr_psargs, sizeof info.pr_psargs, line);
  append_note(out, "CORE", NT_PRPSINFO, bytes_of(info));

  // The XSAVE area begins with the FXSAVE image (Intel SDM volume 1, 13.4.1), which is what NT_FPREGSET holds.
  if (status.pr_fpvalid != 0) append_note(out, "CORE", NT_FPREGSET, Span(s.xstate).first(sizeof(user_fpregs_struct)));
  append_note(out, "CORE", NT_AUXV, s.auxv);
  append_note(out, "CORE", NT_FILE, file_note(s));
  if (!s.xstate.empty()) append_note(out, "LINUX", NT_X86_XSTATE, s.xstate);

  Bytes own;
  append(own, core::NoteHead{});
  append(own, Span(encode_snapshot_note(s)));
  hash_at = out.size() + core::align4(sizeof(Elf64_Nhdr) + sizeof kOwner) + offsetof(core::NoteHead, hash);
  append_note(out, kOwner, core::kSnapshotNote, own);
  return out;
}

// Everything before the first stored page, its hash field zero.
Bytes head_of(const Snapshot& s, const std::vector<Run>& runs, std::size_t& hash_at) {
  std::vector<Elf64_Phdr> loads = load_segments(s, runs);
  const Bytes notes = notes_of(s, hash_at);
  // With 65535 segments or more their number is in the section header 0 (elf(5), PN_XNUM).
  const std::uint64_t segments = loads.size() + 1;
  const bool many = segments >= PN_XNUM;
  const std::uint64_t section_at = sizeof(Elf64_Ehdr) + segments * sizeof(Elf64_Phdr);
  const std::uint64_t notes_at = section_at + (many ? sizeof(Elf64_Shdr) : 0);
  const std::uint64_t pages_at = page_up(notes_at + notes.size());

  Elf64_Ehdr header{};
  std::memcpy(header.e_ident, ELFMAG, SELFMAG);
  header.e_ident[EI_CLASS] = ELFCLASS64;
  header.e_ident[EI_DATA] = ELFDATA2LSB;
  header.e_ident[EI_VERSION] = EV_CURRENT;
  header.e_type = ET_CORE;
  header.e_machine = EM_X86_64;
  header.e_version = EV_CURRENT;
  header.e_phoff = sizeof header;
  header.e_ehsize = sizeof header;
  header.e_phentsize = sizeof(Elf64_Phdr);
  header.e_phnum = static_cast<Elf64_Half>(many ? PN_XNUM : segments);
  header.e_shentsize = sizeof(Elf64_Shdr);
  if (many) {
    header.e_shoff = section_at;
    header.e_shnum = 1;
  }
  Elf64_Phdr note{};
  note.p_type = PT_NOTE;
  note.p_offset = notes_at;
  note.p_filesz = notes.size();
  note.p_align = 4;

  Bytes out;
  out.reserve(pages_at);
  append(out, header);
  append(out, note);
  for (Elf64_Phdr& load : loads) {
    load.p_offset += pages_at;
    append(out, load);
  }
  if (many) {
    Elf64_Shdr section{};
    section.sh_info = static_cast<Elf64_Word>(segments);
    append(out, section);
  }
  append(out, Span(notes));
  out.resize(pages_at);
  hash_at += notes_at;
  return out;
}

// Hundreds of megabytes at once would have the kernel hold up whoever writes next, the log for one, so they go to the
// disk as they come.
class SteadyWriter {
 public:
  explicit SteadyWriter(int fd) : fd_(fd) {}

  int write(Span bytes) {
    while (!bytes.empty()) {
      const Span piece = bytes.first(std::min<std::size_t>(bytes.size(), kPiece - in_piece_));
      if (const int err = write_all(fd_, piece)) return err;
      in_piece_ += piece.size();
      bytes = bytes.subspan(piece.size());
      if (in_piece_ == kPiece) end_piece();
    }
    return 0;
  }

 private:
  static constexpr std::size_t kPiece = 8 << 20;

  // Some file systems can't; they then write when they like.
  void end_piece() {
    sync_file_range(fd_, at_, kPiece, SYNC_FILE_RANGE_WRITE);
    constexpr unsigned kAndWait = SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER;
    if (at_ != 0) sync_file_range(fd_, at_ - static_cast<off64_t>(kPiece), kPiece, kAndWait);
    at_ += static_cast<off64_t>(kPiece);
    in_piece_ = 0;
  }

  int fd_;
  off64_t at_ = 0;  // the piece
  std::size_t in_piece_ = 0;
};

int write_parts(int fd, const Bytes& head, const std::vector<Run>& runs) {
  SteadyWriter writer(fd);
  if (const int err = writer.write(head)) return err;
  for (const Run& run : runs) {
    for (const Span part : run.parts) {
      if (const int err = writer.write(part)) return err;
    }
  }
  return 0;
}

}  // namespace

Result<void> write_core(const Snapshot& snapshot, const fs::path& path) {
  if (const char* fault = core::fault_of(snapshot.mappings))
    return fail(ErrorKind::System, fmt::format("{}: {}", path.string(), fault));
  TMREC_TRY(const std::vector<Run> runs, runs_of(snapshot));
  std::size_t hash_at = 0;
  Bytes head = head_of(snapshot, runs, hash_at);

  XXH3_state_t state;
  XXH3_64bits_reset(&state);
  XXH3_64bits_update(&state, head.data(), head.size());
  for (const Run& run : runs) {
    for (const Span part : run.parts) XXH3_64bits_update(&state, part.data(), part.size());
  }
  const std::uint64_t hash = XXH3_64bits_digest(&state);
  std::memcpy(head.data() + hash_at, &hash, sizeof hash);

  TMREC_TRY(Fd file, open_file(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW));
  if (const int err = write_parts(file.get(), head, runs)) {
    ::unlink(path.c_str());
    return fail_errno(path.string(), err);
  }
  return {};
}

}  // namespace tmrec
