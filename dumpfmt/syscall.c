/* SPDX-License-Identifier: MIT
 * syscall.c: see syscall.h.
 */
#include "dumpfmt/syscall.h"

#include <string.h>

/* Places in x86-64's user_regs_struct. */
enum { RDX = 12, RSI = 13, RDI = 14, ORIG_RAX = 15 };

#define NONE UINT32_MAX /* not a system call of this machine */

static const struct row {
    uint32_t x86_64, aarch64; /* asm/unistd_64.h, asm-generic/unistd.h */
    const char *name;
    enum df_call_kind kind;
} rows[] = {
    {202, 98, "futex", DF_CALLS_FUTEX},
    {0, 63, "read", DF_CALLS_READ},
    {17, 67, "pread64", DF_CALLS_READ},
    {19, 65, "readv", DF_CALLS_READ},
    {45, 207, "recvfrom", DF_CALLS_READ},
    {47, 212, "recvmsg", DF_CALLS_READ},
    {43, 202, "accept", DF_CALLS_READ},
    {288, 242, "accept4", DF_CALLS_READ},
    {1, 64, "write", DF_CALLS_WRITE},
    {20, 66, "writev", DF_CALLS_WRITE},
    {44, 206, "sendto", DF_CALLS_WRITE},
    {46, 211, "sendmsg", DF_CALLS_WRITE},
    {42, 203, "connect", DF_CALLS_WRITE},
    {73, 32, "flock", DF_CALLS_WRITE},
    {74, 82, "fsync", DF_CALLS_WRITE},
    {7, NONE, "poll", DF_CALLS_POLL},
    {271, 73, "ppoll", DF_CALLS_POLL},
    {23, NONE, "select", DF_CALLS_POLL},
    {270, 72, "pselect6", DF_CALLS_POLL},
    {232, NONE, "epoll_wait", DF_CALLS_POLL},
    {281, 22, "epoll_pwait", DF_CALLS_POLL},
    {441, 441, "epoll_pwait2", DF_CALLS_POLL},
    {35, 101, "nanosleep", DF_CALLS_SLEEP},
    {230, 115, "clock_nanosleep", DF_CALLS_SLEEP},
    {61, 260, "wait4", DF_CALLS_CHILD},
    {247, 95, "waitid", DF_CALLS_CHILD},
    {34, NONE, "pause", DF_CALLS_SIGNAL},
    {128, 137, "rt_sigtimedwait", DF_CALLS_SIGNAL},
    {130, 133, "rt_sigsuspend", DF_CALLS_SIGNAL},
};

static void name_call(enum df_machine machine, struct df_syscall *call)
{
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        uint32_t number = machine == DF_X86_64 ? rows[i].x86_64 : rows[i].aarch64;
        if (number == call->number) {
            call->name = rows[i].name;
            call->kind = rows[i].kind;
            return;
        }
    }
}

static bool read_x86_64(const struct df_aspace *space, const struct df_lwp *lwp,
                        struct df_syscall *ret)
{
    static const uint8_t instruction[] = {0x0f, 0x05}; /* syscall */
    const uint64_t *registers = lwp->registers;
    const void *before = lwp->pc > 2 ? df_ptr(space, lwp->pc - 2, 2) : NULL;
    if (lwp->register_count <= ORIG_RAX || (int64_t)registers[ORIG_RAX] < 0 || !before ||
        memcmp(before, instruction, 2) != 0)
        return false;
    ret->number = registers[ORIG_RAX];
    ret->arguments[0] = registers[RDI];
    ret->arguments[1] = registers[RSI];
    ret->arguments[2] = registers[RDX];
    return true;
}

static bool read_aarch64(const struct df_aspace *space, const struct df_lwp *lwp,
                         struct df_syscall *ret)
{
    uint32_t at = 0, before = 0;
    const uint32_t instruction = 0xd4000001; /* svc #0 */
    if (lwp->register_count < 9)
        return false;
    bool waits = df_u32(space, lwp->pc, &at) && at == instruction;
    bool returned = lwp->pc > 4 && df_u32(space, lwp->pc - 4, &before) && before == instruction;
    if (!waits && !returned)
        return false;
    ret->number = lwp->registers[8];
    for (int i = 0; i < 3; i++)
        ret->arguments[i] = lwp->registers[i];
    return true;
}

bool df_lwp_syscall(const struct df_aspace *space, enum df_machine machine,
                    const struct df_lwp *lwp, struct df_syscall *ret)
{
    *ret = (struct df_syscall){0};
    bool found =
        machine == DF_X86_64 ? read_x86_64(space, lwp, ret) : read_aarch64(space, lwp, ret);
    if (found)
        name_call(machine, ret);
    return found;
}
