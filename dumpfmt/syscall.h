/* SPDX-License-Identifier: MIT
 * syscall.h: which system call a thread was in when the process died.
 *
 * The registers say it: x86-64 keeps the call's number in orig_rax while the kernel works on it,
 * and the instruction before the program counter is `syscall`; aarch64 has the number in x8, and
 * the counter stands at `svc`, to which the kernel sets it back before it looks for signals
 * (arch/arm64/kernel/signal.c, do_signal).
 */
#ifndef DF_SYSCALL_H
#define DF_SYSCALL_H

#include "dumpfmt/aspace.h"
#include "dumpfmt/core.h"

enum df_call_kind { /* what such a call waits for */
                    DF_CALLS_OTHER,
                    DF_CALLS_FUTEX, /* a lock: arguments[0] is its address */
                    DF_CALLS_READ,  /* data or a peer: arguments[0] is a file descriptor */
                    DF_CALLS_WRITE, /* room: likewise */
                    DF_CALLS_POLL,  /* one of several descriptors */
                    DF_CALLS_SLEEP,
                    DF_CALLS_CHILD,
                    DF_CALLS_SIGNAL,
};

struct df_syscall {
    uint64_t number;
    const char *name; /* NULL when it is none of the table: most do not wait */
    enum df_call_kind kind;
    uint64_t arguments[3];
};

/* False when the thread was in no system call. */
bool df_lwp_syscall(const struct df_aspace *space, enum df_machine machine,
                    const struct df_lwp *lwp, struct df_syscall *ret);

#endif
