/* SPDX-License-Identifier: MIT
 * link_map.c: AT_PHDR -> PT_DYNAMIC -> DT_DEBUG -> struct r_debug -> struct link_map (the public
 * part of both: <link.h>, the same in glibc and musl). Without an auxiliary vector every segment
 * that begins with an ELF header is asked for its DT_DEBUG. Where the core does not have what
 * AT_PHDR points to, the program's file does: AT_EXECFN names it, AT_ENTRY and AT_PHDR prove it.
 */
#include "dumpfmt/link_map.h"

#include <elf.h>
#include <string.h>

#include "dumpfmt/base/mem.h"
#include "dumpfmt/module_files.h"

#define MAXIMUM_HEADERS 256
#define MAXIMUM_DYNAMIC 1024
#define MAXIMUM_LOADED 4096
#define MAXIMUM_PATH 4096
#define R_DEBUG_MAP 8
#define PAGE UINT64_C(4096)
#define LINK_MAP_SIZE 40 /* l_addr, l_name, l_ld, l_next, l_prev */

struct program {
    uint64_t base, dynamic; /* 0 when unknown */
};

static bool get_phdr(const struct df_core *core, uint64_t address, Elf64_Phdr *ret)
{
    const uint8_t *bytes = df_core_bytes(core, address, sizeof(*ret));
    if (bytes)
        memcpy(ret, bytes, sizeof(*ret));
    return bytes != NULL;
}

static uint64_t get64(const uint8_t *bytes)
{
    uint64_t value;
    memcpy(&value, bytes, sizeof(value));
    return value;
}

/* A string in the core's memory, where its NUL is too; NULL when there is none. */
static const char *get_path(const struct df_core *core, uint64_t address)
{
    const struct df_segment *segment = df_core_segment(core, address);
    const uint8_t *bytes = df_core_bytes(core, address, 1);
    if (!segment || !bytes)
        return NULL;
    uint64_t left = segment->file_size - (address - segment->address);
    if (left > MAXIMUM_PATH)
        left = MAXIMUM_PATH;
    return memchr(bytes, 0, left) ? (const char *)bytes : NULL;
}

static bool read_table(const struct df_core *core, uint64_t table, uint64_t count, uint64_t bias,
                       struct program *ret)
{
    bool found = false;
    Elf64_Phdr header;
    for (uint64_t i = 0; i < count && get_phdr(core, table + i * sizeof(header), &header); i++) {
        if (header.p_type == PT_DYNAMIC)
            ret->dynamic = header.p_vaddr + bias;
        if (header.p_type == PT_LOAD && !found) {
            ret->base = header.p_vaddr - header.p_offset + bias;
            found = true;
        }
    }
    return found;
}

/* The address of struct r_debug, or 0. */
static uint64_t find_debug(const struct df_core *core, uint64_t dynamic)
{
    for (uint32_t i = 0; i < MAXIMUM_DYNAMIC; i++) {
        const uint8_t *entry = df_core_bytes(core, dynamic + i * 16, 16);
        if (!entry || get64(entry) == DT_NULL)
            return 0;
        if (get64(entry) == DT_DEBUG)
            return get64(entry + 8);
    }
    return 0;
}

static bool program_from_auxv(const struct df_core *core, struct program *ret)
{
    uint64_t table, count, bias = 0;
    if (!df_core_auxv(core, AT_PHDR, &table) || !df_core_auxv(core, AT_PHNUM, &count) ||
        count > MAXIMUM_HEADERS)
        return false;
    Elf64_Phdr header;
    for (uint64_t i = 0; i < count && get_phdr(core, table + i * sizeof(header), &header); i++)
        if (header.p_type == PT_PHDR)
            bias = table - header.p_vaddr;
    return read_table(core, table, count, bias, ret);
}

/* The main program is the one file whose DT_DEBUG the dynamic linker fills in. */
static bool program_at(const struct df_core *core, uint64_t address, struct program *ret)
{
    const uint8_t *bytes = df_core_bytes(core, address, sizeof(Elf64_Ehdr));
    Elf64_Ehdr header;
    Elf64_Phdr first;
    if (!bytes || memcmp(bytes, ELFMAG, SELFMAG) != 0)
        return false;
    memcpy(&header, bytes, sizeof(header));
    if (header.e_phnum > MAXIMUM_HEADERS || header.e_phentsize != sizeof(first))
        return false;
    uint64_t table = address + header.e_phoff;
    for (uint64_t i = 0; i < header.e_phnum; i++) {
        if (!get_phdr(core, table + i * sizeof(first), &first))
            return false;
        if (first.p_type == PT_LOAD)
            break;
    }
    *ret = (struct program){0};
    return read_table(core, table, header.e_phnum, address - (first.p_vaddr - first.p_offset),
                      ret) &&
           ret->dynamic && find_debug(core, ret->dynamic);
}

/* The path that was given to execve(); it may be relative. */
static const char *program_path(const struct df_core *core)
{
    uint64_t name;
    const char *path = df_core_auxv(core, AT_EXECFN, &name) ? get_path(core, name) : NULL;
    return path ? path : core->program;
}

/* As program_from_auxv, with the headers of the file. */
static bool program_from_file(const struct df_core *core, const struct df_search *search,
                              struct program *ret)
{
    uint64_t table, entry;
    bool placed = false;
    if (!df_core_auxv(core, AT_PHDR, &table) || !df_core_auxv(core, AT_ENTRY, &entry))
        return false;
    /* The table is behind the ELF header; should the file be gone, that is all that is known. */
    ret->base = table & ~(PAGE - 1);
    struct df_elf *elf = df_open_program(core, search, program_path(core));
    uint64_t bias = elf ? entry - elf->header.e_entry : 0;
    for (uint32_t i = 0; elf && i < elf->segment_count; i++) {
        const GElf_Phdr *header = &elf->segments[i];
        if (header->p_type == PT_DYNAMIC)
            ret->dynamic = header->p_vaddr + bias;
        if (header->p_type == PT_LOAD && !placed) {
            ret->base = header->p_vaddr - header->p_offset + bias;
            placed = true;
        }
    }
    df_elf_close(elf);
    return true;
}

static bool read_program(const struct df_core *core, const struct df_search *search,
                         struct program *ret)
{
    if (program_from_auxv(core, ret) || program_from_file(core, search, ret))
        return true;
    for (uint32_t i = 0; i < core->segment_count; i++)
        if (program_at(core, core->segments[i].address, ret))
            return true;
    return false;
}

static bool is_known(const struct df_loaded_list *list, const char *path)
{
    for (size_t i = 0; i < list->count; i++)
        if (!strcmp(list->items[i].path, path))
            return true;
    return false;
}

void df_link_map(const struct df_core *core, const struct df_search *search,
                 struct df_loaded_list *list)
{
    struct program program = {0};
    if (!read_program(core, search, &program))
        return;
    DF_PUSH(list, (struct df_loaded){program.base, program_path(core), true, 0});
    uint64_t debug = program.dynamic ? find_debug(core, program.dynamic) : 0;
    const uint8_t *map = debug ? df_core_bytes(core, debug + R_DEBUG_MAP, 8) : NULL;
    uint64_t node = map ? get64(map) : 0, previous = 0;
    for (uint32_t i = 0; node && i < MAXIMUM_LOADED; i++) {
        const uint8_t *bytes = df_core_bytes(core, node, LINK_MAP_SIZE);
        if (!bytes || get64(bytes + 32) != previous)
            return; /* l_prev: a list that runs in a circle is not followed */
        const char *path = get_path(core, get64(bytes + 8));
        uint64_t dynamic = get64(bytes + 16);
        /* The main program's name is empty, the vdso's has no directory. */
        if (path && path[0] == '/' && !is_known(list, path))
            DF_PUSH(list, (struct df_loaded){get64(bytes), path, false,
                                             dynamic ? dynamic - get64(bytes) : 0});
        previous = node;
        node = get64(bytes + 24);
    }
}
