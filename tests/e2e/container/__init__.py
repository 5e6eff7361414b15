"""Programs under the system call filter that Docker gives a container by default, put in place outside of tmrec.

The filter permits what is known and harmless and answers everything else with EPERM, numbers that no kernel has included
(profiles/seccomp/default.json in the sources of moby). What it leaves out for a container without capabilities is listed here.

As a program: container/__init__.py PROG ARGS executes PROG under the filter.
"""

import ctypes
import os
import sys

_DENIED = """
_sysctl acct add_key afs_syscall bpf clock_settime create_module delete_module fanotify_init finit_module fsconfig fsmount
fsopen fspick get_kernel_syms get_mempolicy getpmsg init_module io_uring_enter io_uring_register io_uring_setup ioperm iopl
kcmp kexec_file_load kexec_load keyctl lookup_dcookie mbind migrate_pages mount mount_setattr move_mount move_pages nfsservctl
open_by_handle_at open_tree perf_event_open pidfd_getfd pivot_root process_madvise putpmsg query_module quotactl quotactl_fd
reboot request_key security set_mempolicy set_mempolicy_home_node setdomainname sethostname setns settimeofday swapoff
swapon sysfs syslog tuxcall umount2 unshare uselib userfaultfd ustat vhangup vserver
""".split()
_X86_64, _X86, _X32 = 0xC000003E, 0x40000003, 0x4000003E  # AUDIT_ARCH_*, include/uapi/linux/audit.h; x32 is libseccomp's
_ALLOW, _ERRNO = 0x7FFF0000, 0x00050000  # SECCOMP_RET_*, include/uapi/linux/seccomp.h
_NOT_EQUAL, _EQUAL, _MASKED_EQUAL = 1, 4, 7  # enum scmp_compare, seccomp_rule_add(3)
_NEW_NAMESPACES = 0x7E020000  # CLONE_NEW* of clone(2)
_PERSONALITIES = (0, 0x8, 0x20000, 0x20008, 0xFFFFFFFF)
_NO_VSOCK = 40
_ENOSYS, _EPERM = 38, 1


class _Compare(ctypes.Structure):
    _fields_ = [("argument", ctypes.c_uint), ("operation", ctypes.c_int), ("first", ctypes.c_uint64), ("second", ctypes.c_uint64)]


def apply_filter():
    """For this process and all that it executes, for good."""
    library = ctypes.CDLL("libseccomp.so.2")
    library.seccomp_init.restype = ctypes.c_void_p
    library.seccomp_syscall_resolve_num_arch.restype = ctypes.c_char_p
    context = ctypes.c_void_p(library.seccomp_init(ctypes.c_uint32(_ERRNO | _EPERM)))

    def rule(action, name, *comparisons):
        number = library.seccomp_syscall_resolve_name(name.encode())
        array = (_Compare * len(comparisons))(*comparisons)
        # EFAULT, EDOM: this architecture has no such call.
        library.seccomp_rule_add_array(context, ctypes.c_uint32(action), number, len(comparisons), array)

    for architecture in (_X86, _X32):
        library.seccomp_arch_add(context, ctypes.c_uint32(architecture))
    special = {"clone", "clone3", "personality", "socket", *_DENIED}
    for number in range(600):
        name = library.seccomp_syscall_resolve_num_arch(ctypes.c_uint32(_X86_64), number)
        if name and name.decode() not in special:
            rule(_ALLOW, name.decode())
    for value in _PERSONALITIES:
        rule(_ALLOW, "personality", _Compare(0, _EQUAL, value, 0))
    rule(_ALLOW, "socket", _Compare(0, _NOT_EQUAL, _NO_VSOCK, 0))
    rule(_ALLOW, "clone", _Compare(0, _MASKED_EQUAL, _NEW_NAMESPACES, 0))
    rule(_ERRNO | _ENOSYS, "clone3")
    if library.seccomp_load(context):
        sys.exit("cannot load the filter")


# The capabilities that Docker takes away, among those that could matter here.
CAPABILITIES = ["setpriv", "--bounding-set=-sys_admin,-sys_ptrace,-perfmon,-sys_resource,-sys_nice,-syslog,-bpf"]


def inside(*command, user=None):
    """The command as it would run in a container: of root's there, or of this user."""
    identity = [f"--reuid={user}", f"--regid={user}", "--clear-groups", "--inh-caps=-all"] if user else []
    drop = CAPABILITIES + identity if os.getuid() == 0 else []
    return [*drop, sys.executable, "-B", os.path.abspath(__file__), *command]


if __name__ == "__main__":
    apply_filter()
    os.execvp(sys.argv[1], sys.argv[1:])
