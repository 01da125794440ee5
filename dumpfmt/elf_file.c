/* SPDX-License-Identifier: MIT
 * elf_file.c: headers, build-id and sections of one ELF file, by libelf.
 */
#include "dumpfmt/elf_file.h"

#include <endian.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "dumpfmt/base/mem.h"

#define PAGE UINT64_C(4096)
#define MAXIMUM_SEGMENTS 4096

static bool fits(const struct df_elf *elf, enum df_machine machine)
{
    if (elf->size < sizeof(Elf64_Ehdr) || memcmp(elf->data, ELFMAG, SELFMAG) ||
        elf->data[EI_CLASS] != ELFCLASS64 || elf->data[EI_DATA] != ELFDATA2LSB)
        return false;
    uint16_t found;
    memcpy(&found, elf->data + offsetof(Elf64_Ehdr, e_machine), sizeof(found));
    return le16toh(found) == (machine == DF_X86_64 ? EM_X86_64 : EM_AARCH64);
}

static void read_segments(struct df_elf *elf)
{
    uint32_t count = elf->header.e_phnum;
    uint64_t offset = elf->header.e_phoff;
    if (elf->header.e_phentsize != sizeof(Elf64_Phdr) || count > MAXIMUM_SEGMENTS ||
        offset > elf->size || (elf->size - offset) / sizeof(Elf64_Phdr) < count || !count)
        return;
    elf->segments = df_xcalloc(count, sizeof(*elf->segments));
    for (uint32_t i = 0; i < count; i++)
        if (gelf_getphdr(elf->elf, (int)i, &elf->segments[elf->segment_count]))
            elf->segment_count++;
}

/* Looks for NT_GNU_BUILD_ID in the notes at [offset, offset + size). */
static bool scan_notes(struct df_elf *elf, uint64_t offset, uint64_t size, uint64_t alignment)
{
    if (offset >= elf->size)
        return false;
    if (size > elf->size - offset)
        size = elf->size - offset;
    Elf_Data *data = elf_getdata_rawchunk(elf->elf, (int64_t)offset, size,
                                          alignment == 8 ? ELF_T_NHDR8 : ELF_T_NHDR);
    if (!data || data->d_size > size)
        return false;
    GElf_Nhdr note;
    size_t name, bytes, next;
    for (size_t at = 0; (next = gelf_getnote(data, at, &note, &name, &bytes)) > at; at = next) {
        const uint8_t *base = elf->data + offset;
        if (note.n_type != NT_GNU_BUILD_ID || note.n_namesz != 4 || name > size ||
            size - name < 4 || memcmp(base + name, "GNU", 4))
            continue;
        if (!note.n_descsz || note.n_descsz > DF_BUILD_ID_MAX || bytes > size ||
            note.n_descsz > size - bytes)
            continue;
        elf->build_id.size = note.n_descsz;
        memcpy(elf->build_id.bytes, base + bytes, note.n_descsz);
        return true;
    }
    return false;
}

/* Debug files have note sections with bytes, but their program headers' offsets mean nothing. */
static void read_build_id(struct df_elf *elf)
{
    Elf_Scn *section = NULL;
    GElf_Shdr header;
    while (elf->file && (section = elf_nextscn(elf->elf, section)))
        if (gelf_getshdr(section, &header) && header.sh_type == SHT_NOTE &&
            scan_notes(elf, header.sh_offset, header.sh_size, header.sh_addralign))
            return;
    for (uint32_t i = 0; i < elf->segment_count; i++)
        if (elf->segments[i].p_type == PT_NOTE &&
            scan_notes(elf, elf->segments[i].p_offset, elf->segments[i].p_filesz,
                       elf->segments[i].p_align))
            return;
}

static bool load(struct df_elf *elf, enum df_machine machine)
{
    if (!fits(elf, machine))
        return false;
    elf_version(EV_CURRENT);
    elf->elf = elf_memory((char *)(uintptr_t)elf->data, elf->size);
    if (!elf->elf || elf_kind(elf->elf) != ELF_K_ELF || !gelf_getehdr(elf->elf, &elf->header))
        return false;
    if (elf->header.e_type != ET_EXEC && elf->header.e_type != ET_DYN)
        return false;
    read_segments(elf);
    read_build_id(elf);
    return true;
}

struct df_err *df_elf_open(const char *path, enum df_machine machine, struct df_elf **ret)
{
    struct df_elf *elf = df_xcalloc(1, sizeof(*elf));
    struct df_err *err = df_file_open(path, &elf->file);
    if (!err) {
        elf->data = elf->file->data;
        elf->size = elf->file->size;
        if (!load(elf, machine))
            err = df_err_new(DF_ERR_INPUT, "%s: is not an ELF file of the core's machine", path);
    }
    if (err) {
        df_elf_close(elf);
        return err;
    }
    /* Hundreds of modules and their debug files: mappings are free, descriptors are not. */
    close(elf->file->fd);
    elf->file->fd = -1;
    *ret = elf;
    return NULL;
}

struct df_elf *df_elf_from_memory(const uint8_t *data, uint64_t size, enum df_machine machine)
{
    struct df_elf *elf = df_xcalloc(1, sizeof(*elf));
    elf->data = data;
    elf->size = size;
    if (load(elf, machine))
        return elf;
    df_elf_close(elf);
    return NULL;
}

void df_elf_close(struct df_elf *elf)
{
    if (!elf)
        return;
    elf_end(elf->elf);
    free(elf->segments);
    df_file_close(elf->file);
    free(elf);
}

Elf_Scn *df_elf_section(const struct df_elf *elf, const char *name, GElf_Shdr *ret)
{
    size_t names;
    if (!elf->file || elf_getshdrstrndx(elf->elf, &names))
        return NULL;
    Elf_Scn *section = NULL;
    while ((section = elf_nextscn(elf->elf, section))) {
        GElf_Shdr header;
        if (!gelf_getshdr(section, &header))
            continue;
        const char *found = elf_strptr(elf->elf, names, header.sh_name);
        if (found && !strcmp(found, name)) {
            *ret = header;
            return section;
        }
    }
    return NULL;
}

bool df_elf_has_debug_info(const struct df_elf *elf)
{
    GElf_Shdr header;
    return (df_elf_section(elf, ".debug_info", &header) && header.sh_type != SHT_NOBITS) ||
           df_elf_section(elf, ".zdebug_info", &header);
}

const char *df_elf_debug_link(const struct df_elf *elf, uint32_t *ret_crc)
{
    GElf_Shdr header;
    if (!df_elf_section(elf, ".gnu_debuglink", &header) || header.sh_type == SHT_NOBITS ||
        header.sh_offset > elf->size || header.sh_size > elf->size - header.sh_offset)
        return NULL;
    const char *name = (const char *)elf->data + header.sh_offset;
    uint64_t length = strnlen(name, header.sh_size);
    uint64_t crc_at = (length + 4) / 4 * 4; /* behind the NUL, aligned */
    if (!length || crc_at > header.sh_size || header.sh_size - crc_at < 4 || strchr(name, '/'))
        return NULL;
    uint32_t crc;
    memcpy(&crc, name + crc_at, sizeof(crc));
    *ret_crc = le32toh(crc);
    return name;
}

bool df_elf_bias(const struct df_elf *elf, uint64_t start, uint64_t offset, uint64_t *ret)
{
    for (uint32_t i = 0; i < elf->segment_count; i++) {
        const GElf_Phdr *segment = &elf->segments[i];
        uint64_t first = segment->p_offset & ~(PAGE - 1), end;
        if (segment->p_type != PT_LOAD || offset < first ||
            __builtin_add_overflow(segment->p_offset, segment->p_filesz, &end) || offset >= end)
            continue;
        *ret = start - offset + segment->p_offset - segment->p_vaddr;
        return true;
    }
    return false;
}
