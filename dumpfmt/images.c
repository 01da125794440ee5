/* SPDX-License-Identifier: MIT
 * images.c: see images.h.
 */
#include "dumpfmt/images.h"

#include <elf.h>
#include <string.h>

#include "dumpfmt/base/mem.h"

#define MAXIMUM_HEADERS 256
#define MAXIMUM_DYNAMIC 1024
#define MAXIMUM_IMAGES 4096
#define MAXIMUM_SONAME 256

struct image {
    uint64_t bias, dynamic;
    bool interpreted, has_id; /* PT_INTERP; PT_NOTE */
};

static bool read_image(const struct df_core *core, uint64_t address, struct image *ret)
{
    Elf64_Ehdr header;
    Elf64_Phdr segment;
    bool placed = false;
    const uint8_t *bytes = df_core_bytes(core, address, sizeof(header));
    if (!bytes || memcmp(bytes, ELFMAG, SELFMAG) != 0)
        return false;
    memcpy(&header, bytes, sizeof(header));
    if ((header.e_type != ET_DYN && header.e_type != ET_EXEC) ||
        header.e_phentsize != sizeof(segment) || header.e_phnum > MAXIMUM_HEADERS)
        return false;
    *ret = (struct image){0};
    for (uint64_t i = 0; i < header.e_phnum; i++) {
        bytes =
            df_core_bytes(core, address + header.e_phoff + i * sizeof(segment), sizeof(segment));
        if (!bytes)
            return false;
        memcpy(&segment, bytes, sizeof(segment));
        if (segment.p_type == PT_LOAD && !placed) {
            ret->bias = address - (segment.p_vaddr - segment.p_offset);
            placed = true;
        }
        ret->interpreted |= segment.p_type == PT_INTERP;
        ret->has_id |= segment.p_type == PT_NOTE;
        if (segment.p_type == PT_DYNAMIC)
            ret->dynamic = segment.p_vaddr;
    }
    ret->dynamic += ret->dynamic ? ret->bias : 0;
    return placed;
}

/* A name at address, or NULL. */
static const char *name_at(const struct df_core *core, uint64_t address)
{
    const struct df_segment *segment = df_core_segment(core, address);
    const uint8_t *bytes = df_core_bytes(core, address, 1);
    if (!bytes)
        return NULL;
    uint64_t left = segment->file_size - (address - segment->address);
    const char *name = (const char *)bytes;
    const char *end = memchr(name, 0, left < MAXIMUM_SONAME ? left : MAXIMUM_SONAME);
    return end && end > name && !strchr(name, '/') ? name : NULL;
}

/* DT_SONAME; NULL when there is none, or it cannot be read. */
static const char *soname_of(const struct df_core *core, const struct image *image)
{
    uint64_t strings = 0, name = 0;
    for (uint64_t i = 0; image->dynamic && i < MAXIMUM_DYNAMIC; i++) {
        Elf64_Dyn entry;
        const uint8_t *bytes =
            df_core_bytes(core, image->dynamic + i * sizeof(entry), sizeof(entry));
        if (!bytes)
            break;
        memcpy(&entry, bytes, sizeof(entry));
        if (entry.d_tag == DT_NULL)
            break;
        if (entry.d_tag == DT_STRTAB)
            strings = entry.d_un.d_ptr;
        if (entry.d_tag == DT_SONAME)
            name = entry.d_un.d_val;
    }
    if (!strings || !name)
        return NULL;
    /* glibc adds the bias to the entry in memory, musl does not. */
    if (strings < image->bias)
        strings += image->bias;
    return name_at(core, strings + name);
}

static bool is_listed(const struct df_loaded_list *list, uint64_t base)
{
    for (size_t i = 0; i < list->count; i++)
        if (list->items[i].base == base)
            return true;
    return false;
}

void df_find_images(const struct df_core *core, struct df_loaded_list *list)
{
    uint32_t found = 0;
    for (uint32_t i = 0; i < core->segment_count && found < MAXIMUM_IMAGES; i++) {
        struct image image;
        uint64_t base = core->segments[i].address;
        if (!read_image(core, base, &image) || !image.has_id || is_listed(list, base))
            continue;
        const char *soname = soname_of(core, &image);
        if (soname && !strncmp(soname, "linux-vdso", strlen("linux-vdso")))
            continue; /* the kernel's; no file */
        DF_PUSH(list, (struct df_loaded){.base = base,
                                         .path = soname ? soname : "",
                                         /* glibc's libc can be run, too, but has a soname */
                                         .program = image.interpreted && !soname});
        found++;
    }
}
