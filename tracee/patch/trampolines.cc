#include "tracee/patch/trampolines.h"

#include <algorithm>
#include <cstring>

#include "format/types.h"

namespace tmrec::patch {

namespace {
constexpr std::uint32_t kLongestLoop = 192;  // bytes
constexpr std::uint32_t kLoopAlign = 32;

// Rounds of a copied loop to one tick: at most 192 bytes of them, which take longer than a count.
constexpr unsigned rounds_of(std::uint32_t bytes) { return bytes <= 24 ? 8 : bytes <= 48 ? 4 : bytes <= 96 ? 2 : 1; }
// Its rounds take long on purpose (F3 90), and somebody waits for their end.
bool is_pause(const CodeMap& code, const Insn& insn) {
  const Bytes bytes = code.bytes(insn);
  return insn.length == 2 && bytes[0] == 0xf3 && bytes[1] == 0x90;
}
constexpr std::uint64_t round_key(unsigned round, std::uint32_t at) { return std::uint64_t{round} << 32 | at; }
}  // namespace

Trampolines::Trampolines(const CodeMap& code, const Bits& hidden_entries, const Sites& sites, Effects& effects,
                         Plan& plan)
    : code_(code), entries_(hidden_entries), sites_(sites), effects_(effects), plan_(plan) {}

Result<void> Trampolines::reserve(Reach reach) {
  TMREC_TRY(auto space, BlockSpace::make(code_.base(), code_.base() + code_.text().size(), reach));
  space_ = std::move(space);
  if (space_->take(kCommonEnd, 1) != space_->begin()) return fail(ErrorKind::System, "no room for trampolines");
  return {};
}

std::uint32_t Trampolines::add_stop(std::uint32_t program, SiteKind kind, bool live, std::uint16_t length) {
  plan_.stops.push_back({program, 0, kind, live, length});
  return static_cast<std::uint32_t>(plan_.stops.size() - 1);
}

// The tick of the loop that this branch closes, if it is copied.
std::optional<std::size_t> Trampolines::copied_loop(std::size_t index) {
  const Insn& insn = code_.insns()[index];
  if (!plan_.options.copy_loops || insn.kind == Kind::Call) return std::nullopt;
  if (auto known = loop_ticks_.find(insn.at); known != loop_ticks_.end()) return known->second;
  auto copied = loop_tick(index, static_cast<std::uint32_t>(code_.target(insn)));
  if (copied) loop_ticks_[insn.at] = *copied;
  return copied;
}

std::size_t Trampolines::tick_of(std::size_t index) {
  const Insn& insn = code_.insns()[index];
  auto target = static_cast<std::uint32_t>(code_.target(insn));
  SiteKind kind = insn.kind == Kind::Call ? SiteKind::Call : SiteKind::BackwardBranch;
  if (auto copied = copied_loop(index)) return *copied;
  std::uint64_t key = std::uint64_t{target} << 1 | (kind == SiteKind::Call);
  auto known = plain_ticks_.find(key);
  return known != plain_ticks_.end() ? known->second : plain_ticks_[key] = plain_tick(target, kind);
}

std::size_t Trampolines::plain_tick(std::uint32_t target, SiteKind kind) {
  bool live = kind == SiteKind::Call ? !effects_.flags_dead_at_call(target) : !effects_.flags_dead(target);
  std::uint32_t stop = add_stop(target, kind, live, 0);
  Piece piece;
  auto tick = piece.code.count(target, live);
  piece.resumes.emplace_back(stop, piece.code.size());
  piece.code.jmp(Link::To::Program, target);
  piece.code.slow(tick, target, stop);
  pieces_.push_back(std::move(piece));
  ticks_.push_back({pieces_.size() - 1, 0, stop});
  return ticks_.size() - 1;
}

// Innermost, short, all of it movable, without anything that must be patched but its own back edge.
bool Trampolines::loop_copies_well(std::size_t head, std::size_t branch) {
  const auto& insns = code_.insns();
  for (std::size_t i = head; i < branch; ++i) {
    const Insn& insn = insns[i];
    if (insn.end() != insns[i + 1].at || sites_.kind_of(i) || !effects_.movable(insn)) return false;
    if (insn.kind == Kind::JmpIndirect || insn.kind == Kind::Loop) return false;
  }
  return true;
}

std::optional<std::size_t> Trampolines::loop_tick(std::size_t index, std::uint32_t target) {
  const Insn branch = code_.insns()[index];
  if (branch.kind == Kind::Loop || branch.odd || !code_.starts().test(target) || branch.end() - target > kLongestLoop) {
    return std::nullopt;
  }
  std::size_t head = code_.index_of(target);
  if (!effects_.flags_dead(target) || !loop_copies_well(head, index)) return std::nullopt;
  std::uint32_t stop = add_stop(target, SiteKind::BackwardBranch, false, 0);
  Piece piece;
  piece.align = kLoopAlign;
  // A jump to itself: nothing but the tick remains.
  const bool empty = head == index && (branch.kind == Kind::JmpShort || branch.kind == Kind::JmpNear);
  const bool waits = std::any_of(code_.insns().begin() + static_cast<std::ptrdiff_t>(head),
                                 code_.insns().begin() + static_cast<std::ptrdiff_t>(index),
                                 [this](const Insn& insn) { return is_pause(code_, insn); });
  const unsigned rounds = empty ? 0 : waits ? 1 : rounds_of(branch.end() - target);
  for (unsigned round = 0; round < rounds; ++round) copy_round(piece, head, index, round);
  std::uint32_t entry = piece.code.size();
  piece.resumes.emplace_back(stop, piece.code.count_and_loop(target, empty ? entry : 0, stop));
  pieces_.push_back(std::move(piece));
  ticks_.push_back({pieces_.size() - 1, entry, stop});
  return ticks_.size() - 1;
}

// Goes on behind what it appends when the loop does.
void Trampolines::copy_round(Piece& piece, std::size_t head, std::size_t index, unsigned round) {
  const Insn& branch = code_.insns()[index];
  for (std::size_t i = head; i < index; ++i) {
    const Insn& insn = code_.insns()[i];
    piece.copies[round_key(round, insn.at)] = piece.code.size();
    piece.code.place(insn.at, Phase::Exact);
    if (!is_direct_branch(insn.kind)) {
      piece.code.copy(code_, insn);
      continue;
    }
    const std::int64_t t = code_.target(insn);
    const bool inside = t > insn.at && t <= std::int64_t{branch.at} && code_.starts().test(static_cast<std::size_t>(t));
    if (inside) {
      const auto key = round_key(round, static_cast<std::uint32_t>(t));
      copy_branch(piece.code, insn, Link::To::HereProgram, static_cast<std::int64_t>(key));
    } else {
      copy_branch(piece.code, insn, Link::To::Program, t);
    }
  }
  piece.copies[round_key(round, branch.at)] = piece.code.size();
  if (branch.kind == Kind::JccShort || branch.kind == Kind::JccNear) {
    piece.code.place(branch.at, Phase::Exact);
    piece.code.jcc(condition_of(code_, branch) ^ 1, Link::To::Program, branch.end());
  }
}

void Trampolines::copy_branch(Code& code, const Insn& insn, Link::To to, std::int64_t value) {
  switch (insn.kind) {
    case Kind::JccShort:
    case Kind::JccNear:
      code.jcc(condition_of(code_, insn), to, value);
      break;
    case Kind::Loop:
      code.raw({code_.bytes(insn)[insn.opcode], 2});  // to the long jump
      code.place(insn.end(), Phase::Going);
      code.raw({0xeb, 5});  // over it
      code.place(static_cast<std::uint32_t>(code_.target(insn)), Phase::Going);
      code.jmp(to, value);
      break;
    default:
      code.jmp(to, value);
  }
}

bool Trampolines::flags_live_at_entries(std::uint32_t at) {
  const auto& functions = code_.functions();
  auto f = std::upper_bound(functions.begin(), functions.end(), at, [](auto a, auto& r) { return a < r.begin; });
  if (f == functions.begin() || std::prev(f)->end <= at) return true;
  --f;
  auto [known, fresh] = live_functions_.try_emplace(f->begin, false);
  if (!fresh) return known->second;
  // The function's own start is entered by calls.
  for (std::uint32_t i = f->begin + 1; i < f->end; ++i) {
    if (entries_.test(i) && code_.starts().test(i) && !effects_.flags_dead(i)) return known->second = true;
  }
  return false;
}

void Trampolines::move_indirect_jump(Piece& piece, const Insn& insn, std::uint32_t stop) {
  bool live = plan_.stops[stop].flags_live;
  auto tick = piece.code.count(insn.at, live);
  piece.resumes.emplace_back(stop, piece.code.size());
  piece.code.place(insn.at, Phase::Counted);
  piece.code.copy(code_, insn);
  piece.code.slow(tick, insn.at, stop);
}

// Appends a branch that counts by itself when it is taken, and then jumps; its stop. A jump to counting code that
// others share is one jump more.
std::uint32_t Trampolines::count_on_the_way(Piece& piece, const Insn& insn, SiteKind kind) {
  const auto target = static_cast<std::uint32_t>(code_.target(insn));
  const bool conditional = insn.kind == Kind::JccShort || insn.kind == Kind::JccNear;
  const bool live = !effects_.flags_dead(target);
  const std::uint32_t stop = add_stop(target, kind, live, 0);
  const std::uint32_t over = conditional ? piece.code.hop(0x70 | (condition_of(code_, insn) ^ 1)) : 0;
  const auto tick = piece.code.count(target, live);
  piece.resumes.emplace_back(stop, piece.code.size());
  piece.code.jmp(Link::To::Program, target);
  piece.code.slow(tick, target, stop);
  if (conditional) piece.code.land(over);
  return stop;
}

// Appends what replaces this instruction of a window, and notes its site.
void Trampolines::move(Piece& piece, std::size_t index, Method method) {
  const Insn& insn = code_.insns()[index];
  auto kind = sites_.kind_of(index);
  std::uint32_t stop = kNone;
  piece.code.place(insn.at, Phase::Exact);
  if (!kind) {
    if (is_direct_branch(insn.kind))
      copy_branch(piece.code, insn, Link::To::Program, code_.target(insn));
    else
      piece.code.copy(code_, insn);
    return;
  }
  if (is_direct_branch(insn.kind)) {
    const std::optional<std::size_t> loop = copied_loop(index);
    const bool jumps = insn.kind != Kind::Call && insn.kind != Kind::Loop;
    // What leads forward is a way past a switch, which is seldom taken.
    if (jumps && !loop && code_.target(insn) <= insn.at) {
      stop = count_on_the_way(piece, insn, *kind);
    } else {
      const std::size_t tick = loop ? *loop : tick_of(index);
      stop = ticks_[tick].stop;
      copy_branch(piece.code, insn, Link::To::Tick, static_cast<std::int64_t>(tick));
    }
  } else if (insn.kind == Kind::JmpIndirect) {
    stop = add_stop(insn.at, *kind, flags_live_at_entries(insn.at), insn.length);
    move_indirect_jump(piece, insn, stop);
  } else {
    stop = add_stop(insn.at, *kind, true, insn.length);
    piece.code.leave(stop, kSpecialCommon);
    piece.code.place(insn.at, Phase::Going);
    piece.code.copy(code_, insn);
    piece.resumes.emplace_back(stop, piece.code.size());
    if (*kind == SiteKind::Syscall) {
      piece.code.place(insn.end(), Phase::Going);
      piece.code.show_return(static_cast<std::int64_t>(code_.va(insn.end())));
    }
  }
  plan_.sites.push_back({insn.at, stop, *kind, method, insn.length});
}

std::optional<std::int64_t> Trampolines::copy_window(const Window& window, const RelMask& mask, Method method,
                                                     std::optional<std::uint32_t> jump) {
  return place_window(Piece{}, window, mask, method, jump.value_or(begin_of(window)));
}

std::optional<std::int64_t> Trampolines::copy_switch(const Window& window) {
  const std::size_t sites = plan_.sites.size();
  auto va = copy_window(window, RelMask{false, false, false, false}, Method::Window);
  plan_.sites.resize(sites);  // the originals'
  return va;
}

std::optional<Trampolines::Ticked> Trampolines::copy_header(const Window& window, const RelMask& mask) {
  std::uint32_t head = code_.insns()[window.first].at;
  bool live = !effects_.flags_dead(head);
  std::uint32_t stop = add_stop(head, SiteKind::BackwardBranch, live, 0);
  // The slow part first: what follows the tick is the window.
  Piece piece;
  auto tick = piece.code.count(head, live);
  std::uint32_t over = piece.code.hop(0xeb);
  piece.code.slow(tick, head, stop);
  piece.code.land(over);
  piece.resumes.emplace_back(stop, piece.code.size());
  auto va = place_window(std::move(piece), window, mask, Method::Window, head);
  return va ? std::optional(Ticked{*va, stop}) : std::nullopt;
}

std::optional<Trampolines::Ticked> Trampolines::copy_before_call(const Window& window, std::size_t index,
                                                                 const RelMask& mask) {
  const Insn& call = code_.insns()[index];
  std::uint32_t stop = add_stop(call.at, SiteKind::Call, !effects_.flags_dead(call.at), 0);
  auto va = place_window(Piece{}, window, mask, Method::Window, begin_of(window), stop);
  return va ? std::optional(Ticked{*va, stop}) : std::nullopt;
}

// Appends the window's instructions to the piece, and a tick behind them if there is a stop for it, and finds room.
std::optional<std::int64_t> Trampolines::place_window(Piece piece, const Window& window, const RelMask& mask,
                                                      Method method, std::uint32_t jump,
                                                      std::optional<std::uint32_t> stop_behind) {
  // Sites are only kept if there is room.
  std::size_t sites = plan_.sites.size();
  for (std::size_t i = window.first; i <= window.last; ++i) move(piece, i, method);
  const Insn& last = code_.insns()[window.last];
  if (stop_behind) {
    auto tick = piece.code.count(last.end(), plan_.stops[*stop_behind].flags_live);
    piece.resumes.emplace_back(*stop_behind, piece.code.size());
    piece.code.jmp(Link::To::Program, last.end());
    piece.code.slow(tick, last.end(), *stop_behind);
  } else if (!ends_flow(last.kind)) {
    piece.code.place(last.end(), Phase::Going);
    piece.code.jmp(Link::To::Program, last.end());
  }
  std::int64_t from = static_cast<std::int64_t>(code_.va(jump)) + kJumpLength;
  auto va = space_->take_for(piece.code.size(), from, mask);
  if (!va) {
    plan_.sites.resize(sites);
    return std::nullopt;
  }
  piece.va = *va;
  piece.placed = true;
  for (const Place& p : piece.code.places()) {
    if (p.phase == Phase::Exact) moved_[p.program] = *va + p.block;
  }
  if (method == Method::Window) moved_[code_.insns()[window.first].at] = *va;  // a header's tick included
  pieces_.push_back(std::move(piece));
  return va;
}

std::int64_t Trampolines::address_of_tick(std::size_t tick) const {
  return pieces_[ticks_[tick].piece].va + ticks_[tick].at;
}

std::int64_t Trampolines::address_of_program(std::int64_t offset) const {
  auto moved = moved_.find(static_cast<std::uint32_t>(offset));
  return moved != moved_.end() ? moved->second : static_cast<std::int64_t>(code_.base()) + offset;
}

Result<void> Trampolines::resolve(Piece& piece) {
  for (const Link& link : piece.code.links()) {
    std::int64_t to = 0;
    switch (link.to) {
      case Link::To::Program:
        to = address_of_program(link.value);
        break;
      case Link::To::Address:
        to = link.value;
        break;
      case Link::To::Tick:
        to = address_of_tick(static_cast<std::size_t>(link.value));
        break;
      case Link::To::Common:
        to = space_->begin() + link.value;
        break;
      case Link::To::Here:
        to = piece.va + link.value;
        break;
      case Link::To::HereProgram: {
        auto copy = piece.copies.find(static_cast<std::uint64_t>(link.value));
        if (copy == piece.copies.end()) return fail(ErrorKind::System, "a copied loop branches into an instruction");
        to = piece.va + copy->second;
      }
    }
    std::int64_t distance = to - (piece.va + link.at + 4 + link.tail);
    if (distance != static_cast<std::int32_t>(distance)) return fail(ErrorKind::System, "an operand is out of reach");
    auto value = static_cast<std::int32_t>(distance);
    std::memcpy(piece.code.bytes().data() + link.at, &value, 4);
  }
  return {};
}

Result<void> Trampolines::finish() {
  for (Piece& piece : pieces_) {
    if (piece.placed) continue;
    auto va = space_->take(piece.code.size(), piece.align);
    if (!va) return fail(ErrorKind::System, "no room for trampolines");
    piece.va = *va;
  }
  for (Piece& piece : pieces_) TMREC_CHECKED(resolve(piece));
  plan_.block_va = space_->begin();
  plan_.block.assign(page_up(static_cast<std::uint64_t>(space_->used_end() - space_->begin())), 0xcc);
  plan_.places.push_back({0, 0, Phase::Stub});

  std::vector<const Piece*> order;
  for (const Piece& piece : pieces_) order.push_back(&piece);
  std::ranges::sort(order, {}, &Piece::va);
  std::uint32_t end = kCommonEnd;
  for (const Piece* piece : order) {
    auto at = static_cast<std::uint32_t>(piece->va - space_->begin());
    if (at > end) plan_.places.push_back({end, 0, Phase::Stub});
    std::ranges::copy(piece->code.bytes(), plan_.block.begin() + at);
    for (const Place& p : piece->code.places()) plan_.places.push_back({at + p.block, p.program, p.phase});
    for (auto [stop, offset] : piece->resumes) plan_.stops[stop].resume = at + offset;
    end = at + piece->code.size();
  }
  append_tables();
  plan_.places.push_back({end, 0, Phase::Stub});
  return {};
}

// What code finds in the block: where to go on after each stop, and how to undo the edits.
void Trampolines::append_tables() {
  auto& block = plan_.block;
  auto add = [&](const void* from, std::size_t size) {
    const auto* bytes = static_cast<const std::uint8_t*>(from);
    block.insert(block.end(), bytes, bytes + size);
  };
  const auto resumes = static_cast<std::uint32_t>(block.size());
  for (const Stop& stop : plan_.stops) {
    const std::uint32_t at = stop.kind > SiteKind::Call ? stop.resume - stop.length : stop.resume;
    add(&at, sizeof at);
  }
  Undo undo{};
  undo.text = static_cast<std::int64_t>(code_.base()) - plan_.block_va;
  undo.entries = static_cast<std::uint32_t>(block.size());
  undo.count = static_cast<std::uint32_t>(plan_.edits.size());
  for (const Edit& edit : plan_.edits) {
    const UndoEntry entry{edit.program, edit.length};
    add(&entry, sizeof entry);
  }
  for (const Edit& edit : plan_.edits) add(code_.text().data() + edit.program, edit.length);
  undo.bytes_end = block.size();
  block.resize(page_up(block.size()), 0xcc);
  std::ranges::copy(common_code(resumes), block.begin());
  std::memcpy(block.data() + kUndoAt, &undo, sizeof undo);
}

}  // namespace tmrec::patch
