/* SPDX-License-Identifier: MIT
 * core.c: opening a core: is it one, its segments; the notes are core_notes.c's.
 *
 * A core that was cut off is the normal case (full disk, RLIMIT_CORE), so nothing behind the ELF
 * header is required to be there. With PN_XNUM the kernel writes the count at the very end of the
 * file (fs/binfmt_elf.c, elf_core_dump); when that is lost, the headers themselves tell where the
 * first byte behind them is.
 */
#include "dumpfmt/core.h"

#include <gelf.h>
#include <stdlib.h>
#include <string.h>

#include "dumpfmt/base/mem.h"
#include "dumpfmt/core_notes.h"
#include "dumpfmt/sweep.h"

#define MAXIMUM_HEADERS (1u << 24) /* Linux allows some 2^31 mappings, and 65 530 by default */

struct headers { /* the program headers, as many as the file has */
    const Elf64_Phdr *items;
    uint32_t count, lost;
};

static struct df_err *refuse_magic(const struct df_file *file)
{
    if (!file->size)
        return df_err_new(DF_ERR_INPUT, "%s: is empty; give the core file of a process",
                          file->path);
    return df_err_new(DF_ERR_INPUT, "%s: is not an ELF file; give the core file of a process",
                      file->path);
}

static struct df_err *refuse_type(const struct df_file *file, const GElf_Ehdr *header)
{
    const char *what = "is an ELF file of an unknown type";
    if (header->e_type == ET_EXEC)
        what = "is an executable";
    else if (header->e_type == ET_DYN)
        what = "is an executable or a shared library";
    else if (header->e_type == ET_REL)
        what = "is an object file";
    return df_err_new(DF_ERR_INPUT, "%s: %s, not a core; give the core file", file->path, what);
}

static struct df_err *check_identity(const struct df_file *file)
{
    if (file->size < SELFMAG || memcmp(file->data, ELFMAG, SELFMAG))
        return refuse_magic(file);
    if (file->size < sizeof(Elf64_Ehdr))
        return df_err_new(DF_ERR_INPUT, "%s: is cut off within the ELF header; get a whole core",
                          file->path);
    if (file->data[EI_CLASS] != ELFCLASS64)
        return df_err_new(DF_ERR_UNSUPPORTED,
                          "%s: is a 32-bit ELF file; only cores of 64-bit processes can be read",
                          file->path);
    if (file->data[EI_DATA] != ELFDATA2LSB)
        return df_err_new(DF_ERR_UNSUPPORTED,
                          "%s: is a big-endian ELF file; only little-endian cores can be read",
                          file->path);
    return NULL;
}

static struct df_err *check_header(struct df_core *core, const GElf_Ehdr *header)
{
    const struct df_file *file = core->file;
    if (header->e_type != ET_CORE)
        return refuse_type(file, header);
    if (header->e_machine == EM_X86_64)
        core->machine = DF_X86_64;
    else if (header->e_machine == EM_AARCH64)
        core->machine = DF_AARCH64;
    else
        return df_err_new(DF_ERR_UNSUPPORTED,
                          "%s: is a core of another machine (ELF machine %u); only x86-64 and "
                          "aarch64 can be read",
                          file->path, header->e_machine);
    if (header->e_phentsize != sizeof(Elf64_Phdr))
        return df_err_new(DF_ERR_INPUT, "%s: has program headers of %u bytes instead of %zu",
                          file->path, header->e_phentsize, sizeof(Elf64_Phdr));
    return NULL;
}

/* How many whole program headers are between e_phoff and `end`. */
static uint64_t headers_until(const GElf_Ehdr *header, uint64_t end)
{
    return end < header->e_phoff ? 0 : (end - header->e_phoff) / sizeof(Elf64_Phdr);
}

/* The number of program headers, when nothing says it: they end where the first bytes begin that
 * one of them points to. */
static uint64_t counted_headers(Elf *elf, const struct df_file *file, const GElf_Ehdr *header)
{
    uint64_t count = headers_until(header, file->size);
    if (count > MAXIMUM_HEADERS)
        count = MAXIMUM_HEADERS;
    Elf_Data *data =
        elf_getdata_rawchunk(elf, (int64_t)header->e_phoff, count * sizeof(Elf64_Phdr), ELF_T_PHDR);
    if (!data || data->d_size < count * sizeof(Elf64_Phdr))
        return PN_XNUM;
    const Elf64_Phdr *headers = data->d_buf;
    for (uint64_t i = 0; i < count; i++) {
        uint64_t until = headers_until(header, headers[i].p_offset);
        if (headers[i].p_filesz && until > i && until < count)
            count = until;
    }
    return count;
}

/* The number of program headers that the file says it has. */
static uint64_t promised_headers(Elf *elf, const struct df_file *file, const GElf_Ehdr *header)
{
    if (header->e_phnum != PN_XNUM)
        return header->e_phnum;
    if (header->e_shoff < file->size && file->size - header->e_shoff >= sizeof(Elf64_Shdr)) {
        Elf_Data *data =
            elf_getdata_rawchunk(elf, (int64_t)header->e_shoff, sizeof(Elf64_Shdr), ELF_T_SHDR);
        if (data && data->d_size >= sizeof(Elf64_Shdr))
            return ((const Elf64_Shdr *)data->d_buf)->sh_info;
    }
    return counted_headers(elf, file, header);
}

static struct df_err *read_headers(Elf *elf, const struct df_file *file, const GElf_Ehdr *header,
                                   struct headers *ret)
{
    uint64_t promised = promised_headers(elf, file, header);
    uint64_t present = headers_until(header, file->size);
    uint64_t count = promised < present ? promised : present;
    if (promised > MAXIMUM_HEADERS)
        return df_err_new(DF_ERR_INPUT, "%s: claims %llu segments, more than a process can have",
                          file->path, (unsigned long long)promised);
    if (!count)
        return df_err_new(DF_ERR_INPUT, "%s: has no program headers%s", file->path,
                          promised ? "; it is cut off, get a whole core" : "");
    Elf_Data *data =
        elf_getdata_rawchunk(elf, (int64_t)header->e_phoff, count * sizeof(Elf64_Phdr), ELF_T_PHDR);
    if (!data || data->d_size < count * sizeof(Elf64_Phdr))
        return df_err_new(DF_ERR_INPUT, "%s: program headers cannot be read: %s", file->path,
                          elf_errmsg(-1));
    *ret = (struct headers){data->d_buf, (uint32_t)count, (uint32_t)(promised - count)};
    return NULL;
}

/* The header as a segment, with its bytes cut to what the file has. `budget`: bytes of the file
 * that no segment has claimed yet; no writer shares bytes between segments, and a hostile file
 * must not make a huge process out of a few bytes. */
static struct df_segment to_segment(const struct df_file *file, const Elf64_Phdr *header,
                                    uint64_t *budget)
{
    struct df_segment segment = {
        .address = header->p_vaddr,
        .memory_size = header->p_memsz,
        .file_offset = header->p_offset,
        .flags = header->p_flags & (PF_R | PF_W | PF_X),
    };
    if (segment.memory_size > UINT64_MAX - segment.address)
        segment.memory_size = UINT64_MAX - segment.address;
    uint64_t promised = header->p_filesz;
    if (promised > segment.memory_size)
        promised = segment.memory_size;
    uint64_t present = header->p_offset < file->size ? file->size - header->p_offset : 0;
    if (present > promised)
        present = promised;
    if (present > *budget)
        present = *budget;
    *budget -= present;
    segment.file_size = present;
    segment.lost = promised - present;
    return segment;
}

/* The part [start, end) of a segment. */
static struct df_segment cut_segment(const struct df_segment *whole, uint64_t start, uint64_t end)
{
    struct df_segment part = *whole;
    uint64_t skipped = start - whole->address, size = end - start;
    uint64_t promised = whole->file_size + whole->lost;
    part.address = start;
    part.memory_size = size;
    part.file_size = skipped < whole->file_size ? whole->file_size - skipped : 0;
    part.file_offset = whole->file_offset + (part.file_size ? skipped : 0);
    if (part.file_size > size)
        part.file_size = size;
    promised = skipped < promised ? promised - skipped : 0;
    part.lost = (promised < size ? promised : size) - part.file_size;
    return part;
}

/* Sorts the segments and cuts overlaps away. */
static struct df_err *store_segments(struct df_core *core, const struct df_segment *segments,
                                     uint32_t count)
{
    DF_CLEANUP_FREE struct df_interval *intervals = NULL;
    DF_CLEANUP_FREE struct df_piece *pieces = NULL;
    DF_CLEANUP_FREE uint64_t *kept = NULL;
    size_t piece_count = 0;
    DF_TRY(df_array(count, sizeof(*intervals), &intervals));
    DF_TRY(df_array(count, sizeof(*kept), &kept));
    for (uint32_t i = 0; i < count; i++)
        intervals[i] = (struct df_interval){segments[i].address,
                                            segments[i].address + segments[i].memory_size};
    DF_TRY(df_sweep(intervals, count, &pieces, &piece_count));
    DF_TRY(df_array(piece_count, sizeof(*core->segments), &core->segments));
    for (size_t i = 0; i < piece_count; i++) {
        const struct df_piece *piece = &pieces[i];
        kept[piece->owner] += piece->end - piece->start;
        core->segments[i] = cut_segment(&segments[piece->owner], piece->start, piece->end);
        core->lost_bytes += core->segments[i].lost; /* disjoint: the sum is below 2^64 */
    }
    core->segment_count = (uint32_t)piece_count;
    for (uint32_t i = 0; i < count; i++)
        core->overlapping += kept[i] < segments[i].memory_size;
    return NULL;
}

static struct df_err *load_segments(struct df_core *core, const struct headers *headers)
{
    DF_CLEANUP_FREE struct df_segment *segments = NULL;
    DF_TRY(df_array(headers->count, sizeof(*segments), &segments));
    uint32_t count = 0;
    uint64_t budget = core->file->size;
    for (uint32_t i = 0; i < headers->count; i++)
        if (headers->items[i].p_type == PT_LOAD && headers->items[i].p_memsz)
            segments[count++] = to_segment(core->file, &headers->items[i], &budget);
    if (!count)
        return df_err_new(DF_ERR_INPUT, "%s: is a core without any memory segment",
                          core->file->path);
    return store_segments(core, segments, count);
}

static void load_notes(struct df_core *core, Elf *elf, const Elf64_Phdr *header)
{
    uint64_t size = core->file->size;
    uint64_t present = header->p_offset < size ? size - header->p_offset : 0;
    uint64_t lost = header->p_filesz > present ? header->p_filesz - present : 0;
    if (__builtin_add_overflow(core->lost_notes, lost, &core->lost_notes))
        core->lost_notes = UINT64_MAX;
    df_core_read_notes(core, elf, header->p_offset, header->p_filesz);
}

static struct df_err *load(struct df_core *core, Elf *elf)
{
    GElf_Ehdr header;
    struct headers headers = {0};
    if (!gelf_getehdr(elf, &header))
        return df_err_new(DF_ERR_INPUT, "%s: ELF header cannot be read: %s", core->file->path,
                          elf_errmsg(-1));
    DF_TRY(check_header(core, &header));
    DF_TRY(read_headers(elf, core->file, &header, &headers));
    core->lost_headers = headers.lost;
    DF_TRY(load_segments(core, &headers));
    for (uint32_t i = 0; i < headers.count; i++)
        if (headers.items[i].p_type == PT_NOTE)
            load_notes(core, elf, &headers.items[i]);
    df_core_finish_notes(core);
    return NULL;
}

struct df_err *df_core_open(const char *path, struct df_core **ret)
{
    return df_core_open_with(path, NULL, ret);
}

struct df_err *df_core_open_with(const char *path, const struct df_container_options *options,
                                 struct df_core **ret)
{
    struct df_file *file;
    struct df_container how;
    DF_TRY(df_container_open(path, options, &file, &how));
    return df_core_from_file(file, &how, ret);
}

struct df_err *df_core_from_file(struct df_file *file, const struct df_container *how,
                                 struct df_core **ret)
{
    struct df_core *core = df_xcalloc(1, sizeof(*core));
    core->file = file;
    core->container = *how;
    struct df_err *err = check_identity(file);
    if (!err) {
        elf_version(EV_CURRENT);
        /* libelf only reads here: no command that writes is ever given. */
        Elf *elf = elf_memory((char *)(uintptr_t)file->data, file->size);
        err =
            elf ? load(core, elf)
                : df_err_new(DF_ERR_INPUT, "%s: damaged ELF file: %s", file->path, elf_errmsg(-1));
        elf_end(elf);
    }
    if (err)
        df_core_close(core);
    else
        *ret = core;
    return err;
}

void df_core_close(struct df_core *core)
{
    if (!core)
        return;
    free(core->segments);
    free(core->mappings);
    free(core->lwps);
    free(core->auxv);
    free(core->command);
    free(core->program);
    df_container_deinit(&core->container);
    df_file_close(core->file);
    free(core);
}

bool df_core_is_cut(const struct df_core *core)
{
    return core->lost_bytes || core->lost_headers || core->lost_notes || core->container.cut;
}

const struct df_segment *df_core_segment(const struct df_core *core, uint64_t address)
{
    size_t low = 0, high = core->segment_count;
    while (low < high) { /* the first segment that ends behind address */
        size_t middle = low + (high - low) / 2;
        const struct df_segment *segment = &core->segments[middle];
        if (segment->address + segment->memory_size <= address)
            low = middle + 1;
        else
            high = middle;
    }
    bool found = low < core->segment_count && core->segments[low].address <= address;
    return found ? &core->segments[low] : NULL;
}

const uint8_t *df_core_bytes(const struct df_core *core, uint64_t address, uint64_t size)
{
    const struct df_segment *segment = df_core_segment(core, address);
    if (!segment || !core->file->data)
        return NULL;
    uint64_t offset = address - segment->address;
    if (offset >= segment->file_size || segment->file_size - offset < size)
        return NULL;
    return core->file->data + segment->file_offset + offset;
}

bool df_core_auxv(const struct df_core *core, uint64_t type, uint64_t *ret)
{
    for (uint32_t i = 0; i < core->auxv_count; i++) {
        if (core->auxv[i][0] != type)
            continue;
        *ret = core->auxv[i][1];
        return true;
    }
    return false;
}
