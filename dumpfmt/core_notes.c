/* SPDX-License-Identifier: MIT
 * core_notes.c: threads, mappings, auxiliary vector and the signal.
 *
 * Fixed layouts of the kernel's ABI: struct elf_prstatus and elf_prpsinfo (include/linux/elfcore.h,
 * the same offsets on x86-64 and aarch64), siginfo_t (asm-generic/siginfo.h), NT_FILE
 * (fs/binfmt_elf.c, fill_files_note). Kernel and gdb write the same structures, but in another
 * order and with another page size in NT_FILE: gdb gives offsets in bytes, with page size 1
 * (gdb/linux-tdep.c, linux_make_mappings_corefile_notes).
 */
#include "dumpfmt/core_notes.h"

#include <endian.h>
#include <gelf.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "dumpfmt/base/mem.h"

#ifndef NT_ARM_TLS
#define NT_ARM_TLS 0x401
#endif
#ifndef NT_SIGINFO
#define NT_SIGINFO 0x53494749
#endif
#ifndef NT_FILE
#define NT_FILE 0x46494c45
#endif

#define PRSTATUS_CURSIG 12
#define PRSTATUS_PID 32
#define PRSTATUS_REGISTERS 112
#define PSINFO_PID 24
#define PSINFO_PROGRAM 40
#define PSINFO_PROGRAM_SIZE 16
#define PSINFO_ARGUMENTS 56
#define PSINFO_ARGUMENTS_SIZE 80
#define SIGINFO_CODE 8
#define SIGINFO_ADDRESS 16
#define FILE_HEADER 16
#define FILE_ROW 24

#define MAXIMUM_LWPS (1u << 22) /* PID_MAX_LIMIT */
#define MAXIMUM_AUXV 256

struct note {
    uint32_t type;
    const uint8_t *bytes;
    uint64_t size;
};

static uint64_t get64(const uint8_t *bytes)
{
    uint64_t value;
    memcpy(&value, bytes, sizeof(value));
    return le64toh(value);
}

static uint32_t get32(const uint8_t *bytes)
{
    uint32_t value;
    memcpy(&value, bytes, sizeof(value));
    return le32toh(value);
}

static void read_prstatus(struct df_core *core, const struct note *note)
{
    bool x86 = core->machine == DF_X86_64;
    uint32_t count = x86 ? 27 : 34;
    if (note->size < PRSTATUS_REGISTERS + count * 8 || core->lwp_count >= MAXIMUM_LWPS)
        return;
    /* A power of two is the moment to grow: 0, 1, 2, 4, ... */
    if (!(core->lwp_count & (core->lwp_count - 1)))
        core->lwps =
            df_xrealloc(core->lwps, core->lwp_count ? core->lwp_count * 2 : 1, sizeof(*core->lwps));
    struct df_lwp *lwp = &core->lwps[core->lwp_count++];
    *lwp = (struct df_lwp){.register_count = count};
    lwp->signal = (int16_t)(get32(note->bytes + PRSTATUS_CURSIG) & 0xffff);
    lwp->tid = (int32_t)get32(note->bytes + PRSTATUS_PID);
    for (uint32_t i = 0; i < count; i++)
        lwp->registers[i] = get64(note->bytes + PRSTATUS_REGISTERS + i * 8);
    lwp->pc = lwp->registers[x86 ? 16 : 32];
    lwp->sp = lwp->registers[x86 ? 19 : 31];
    lwp->tls = x86 ? lwp->registers[21] : 0;
}

static void read_arm_tls(struct df_core *core, const struct note *note)
{
    if (core->machine == DF_AARCH64 && core->lwp_count && note->size >= 8)
        core->lwps[core->lwp_count - 1].tls = get64(note->bytes);
}

/* pr_psargs has a blank for every NUL between the arguments, and behind the last one. */
static char *trimmed(const uint8_t *bytes, size_t size)
{
    size_t length = strnlen((const char *)bytes, size);
    while (length && bytes[length - 1] == ' ')
        length--;
    return df_xstrndup((const char *)bytes, length);
}

static void read_psinfo(struct df_core *core, const struct note *note)
{
    if (core->command || note->size < PSINFO_ARGUMENTS + PSINFO_ARGUMENTS_SIZE)
        return;
    core->pid = (int32_t)get32(note->bytes + PSINFO_PID);
    core->program = trimmed(note->bytes + PSINFO_PROGRAM, PSINFO_PROGRAM_SIZE);
    core->command = trimmed(note->bytes + PSINFO_ARGUMENTS, PSINFO_ARGUMENTS_SIZE);
}

static void read_auxv(struct df_core *core, const struct note *note)
{
    if (core->auxv)
        return;
    uint64_t count = note->size / 16;
    if (count > MAXIMUM_AUXV)
        count = MAXIMUM_AUXV;
    core->auxv = df_xcalloc(count, sizeof(*core->auxv));
    for (uint64_t i = 0; i < count && get64(note->bytes + i * 16) != 0; i++) {
        core->auxv[i][0] = get64(note->bytes + i * 16);
        core->auxv[i][1] = get64(note->bytes + i * 16 + 8);
        core->auxv_count++;
    }
}

static void read_siginfo(struct df_core *core, const struct note *note)
{
    if (core->has_siginfo || note->size < SIGINFO_ADDRESS + 8)
        return;
    core->has_siginfo = true;
    core->signal = (int32_t)get32(note->bytes);
    core->signal_code = (int32_t)get32(note->bytes + SIGINFO_CODE);
    bool faulted = core->signal == SIGSEGV || core->signal == SIGBUS || core->signal == SIGILL ||
                   core->signal == SIGFPE || core->signal == SIGTRAP;
    /* Codes of 0 and below are from kill() and the like: there the field is the sender. */
    if (faulted && core->signal_code > 0)
        core->signal_address = get64(note->bytes + SIGINFO_ADDRESS);
}

static int compare_mappings(const void *a, const void *b)
{
    const struct df_mapping *first = a, *second = b;
    if (first->start != second->start)
        return first->start < second->start ? -1 : 1;
    return first->end < second->end ? -1 : first->end > second->end;
}

/* count, page size, count rows of (start, end, page offset), count paths. */
static void read_files(struct df_core *core, const struct note *note)
{
    if (core->has_mappings || note->size < FILE_HEADER)
        return;
    uint64_t count = get64(note->bytes), page_size = get64(note->bytes + 8);
    if (count > (note->size - FILE_HEADER) / (FILE_ROW + 1))
        return;
    core->has_mappings = true;
    core->captured_by = page_size == 1 ? "gcore" : "kernel";
    core->mappings = df_xcalloc(count, sizeof(*core->mappings));
    const char *path = (const char *)note->bytes + FILE_HEADER + count * FILE_ROW;
    const char *end = (const char *)note->bytes + note->size;
    for (uint64_t i = 0; i < count; i++) {
        const uint8_t *row = note->bytes + FILE_HEADER + i * FILE_ROW;
        const char *path_end = memchr(path, 0, (size_t)(end - path));
        if (!path_end)
            break;
        struct df_mapping mapping = {.start = get64(row), .end = get64(row + 8), .path = path};
        path = path_end + 1;
        if (mapping.start < mapping.end &&
            !__builtin_mul_overflow(get64(row + 16), page_size, &mapping.file_offset))
            core->mappings[core->mapping_count++] = mapping;
    }
    qsort(core->mappings, core->mapping_count, sizeof(*core->mappings), compare_mappings);
}

static void read_note(struct df_core *core, const struct note *note)
{
    switch (note->type) {
    case NT_PRSTATUS:
        read_prstatus(core, note);
        break;
    case NT_PRPSINFO:
        /* gdb writes the process before its threads, the kernel the first thread before it. */
        if (!core->captured_by)
            core->captured_by = core->lwp_count ? "kernel" : "gcore";
        read_psinfo(core, note);
        break;
    case NT_AUXV:
        read_auxv(core, note);
        break;
    case NT_SIGINFO:
        read_siginfo(core, note);
        break;
    case NT_FILE:
        read_files(core, note);
        break;
    case NT_ARM_TLS:
        read_arm_tls(core, note);
        break;
    default:
        break;
    }
}

static bool is_ours(const char *name, size_t size)
{
    return (size == 5 && !memcmp(name, "CORE", 5)) || (size == 6 && !memcmp(name, "LINUX", 6));
}

void df_core_read_notes(struct df_core *core, Elf *elf, uint64_t offset, uint64_t size)
{
    const struct df_file *file = core->file;
    if (offset >= file->size)
        return;
    if (size > file->size - offset)
        size = file->size - offset;
    Elf_Data *data = elf_getdata_rawchunk(elf, (int64_t)offset, size, ELF_T_NHDR);
    if (!data || data->d_size > size)
        return;
    GElf_Nhdr header;
    size_t name_at, bytes_at, next;
    for (size_t at = 0; (next = gelf_getnote(data, at, &header, &name_at, &bytes_at)) > at;
         at = next) {
        if (bytes_at > size || header.n_descsz > size - bytes_at || name_at > size ||
            header.n_namesz > size - name_at)
            return;
        struct note note = {header.n_type, file->data + offset + bytes_at, header.n_descsz};
        if (is_ours((const char *)file->data + offset + name_at, header.n_namesz))
            read_note(core, &note);
    }
}

/* gdb stops the process by a signal of its own before it writes; that one killed nobody. */
static bool is_debuggers_signal(const struct df_core *core)
{
    return !strcmp(core->captured_by, "gcore") &&
           (core->signal == SIGSTOP || core->signal == SIGTRAP || core->signal == SIGINT);
}

void df_core_finish_notes(struct df_core *core)
{
    if (!core->captured_by)
        core->captured_by = "unknown";
    if (!core->command) {
        core->command = df_xstrdup("");
        core->program = df_xstrdup("");
    }
    if (core->lwp_count && core->lwps[0].signal)
        core->signal = core->lwps[0].signal;
    if (is_debuggers_signal(core))
        core->signal = 0;
}
