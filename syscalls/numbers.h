// Numbers of system calls that the headers of Debian 12 (Linux 6.1) lack, from arch/x86/entry/syscalls/syscall_64.tbl
// of the Linux version named. 6.18 has none above 469; 337..423 are not used on x86-64.
#pragma once

#include <cstdint>

namespace tmrec::syscalls::number {

inline constexpr std::uint32_t kUretprobe = 335;       // 6.11
inline constexpr std::uint32_t kUprobe = 336;          // 6.18
inline constexpr std::uint32_t kCachestat = 451;       // 6.5
inline constexpr std::uint32_t kFchmodat2 = 452;       // 6.6
inline constexpr std::uint32_t kMapShadowStack = 453;  // 6.6
inline constexpr std::uint32_t kFutexWake = 454;       // 6.7
inline constexpr std::uint32_t kFutexWait = 455;       // 6.7
inline constexpr std::uint32_t kFutexRequeue = 456;    // 6.7
inline constexpr std::uint32_t kStatmount = 457;       // 6.8
inline constexpr std::uint32_t kListmount = 458;       // 6.8
inline constexpr std::uint32_t kLsmGetSelfAttr = 459;  // 6.8
inline constexpr std::uint32_t kLsmSetSelfAttr = 460;  // 6.8
inline constexpr std::uint32_t kLsmListModules = 461;  // 6.8
inline constexpr std::uint32_t kMseal = 462;           // 6.10
inline constexpr std::uint32_t kSetxattrat = 463;      // 6.13
inline constexpr std::uint32_t kGetxattrat = 464;      // 6.13
inline constexpr std::uint32_t kListxattrat = 465;     // 6.13
inline constexpr std::uint32_t kRemovexattrat = 466;   // 6.13
inline constexpr std::uint32_t kOpenTreeAttr = 467;    // 6.15
inline constexpr std::uint32_t kFileGetattr = 468;     // 6.17
inline constexpr std::uint32_t kFileSetattr = 469;     // 6.17

inline constexpr std::uint32_t kLastOld = 336;   // end of the first run of numbers
inline constexpr std::uint32_t kFirstNew = 424;  // start of the second
inline constexpr std::uint32_t kLast = 469;

}  // namespace tmrec::syscalls::number
