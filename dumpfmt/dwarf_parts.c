/* SPDX-License-Identifier: MIT
 * dwarf_parts.c: see dwarf_parts.h. Where the files may be is what dwz, gdb and the distributions
 * say: beside the debug file, by the name in the link, under the .build-id of the same tree.
 */
#include "dumpfmt/dwarf_parts.h"

#include <fcntl.h>
#include <gelf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "dumpfmt/base/mem.h"
#include "dumpfmt/debuginfod.h"

#define MAX_ID 64
#define MAX_SPLIT 32768 /* .dwo files of one module: places have 16 bits for parts */
#define SYSTEM "/usr/lib/debug"

/* ---- sections ---- */

struct sections {
    int fd;
    Elf *elf;
};

/* Privately mapped: decompression writes to the headers. */
static bool open_sections(const char *path, struct sections *ret)
{
    struct stat status;
    elf_version(EV_CURRENT);
    *ret = (struct sections){.fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)};
    if (ret->fd >= 0 && !fstat(ret->fd, &status) && S_ISREG(status.st_mode))
        ret->elf = elf_begin(ret->fd, ELF_C_READ_MMAP_PRIVATE, NULL);
    if (ret->elf && elf_kind(ret->elf) == ELF_K_ELF)
        return true;
    elf_end(ret->elf);
    if (ret->fd >= 0)
        close(ret->fd);
    return false;
}

static void close_sections(struct sections *sections)
{
    elf_end(sections->elf);
    close(sections->fd);
}

/* The section's bytes, or NULL; they live as long as the sections. */
static const Elf_Data *section_data(const struct sections *sections, const char *name)
{
    size_t names;
    Elf_Scn *section = NULL;
    if (elf_getshdrstrndx(sections->elf, &names))
        return NULL;
    while ((section = elf_nextscn(sections->elf, section))) {
        GElf_Shdr header;
        const char *found = NULL;
        if (gelf_getshdr(section, &header))
            found = elf_strptr(sections->elf, names, header.sh_name);
        if (!found || strcmp(found, name) != 0 || header.sh_type == SHT_NOBITS)
            continue;
        if ((header.sh_flags & SHF_COMPRESSED) && elf_compress(section, 0, 0) < 0)
            return NULL;
        const Elf_Data *data = elf_rawdata(section, NULL);
        if (header.sh_flags & SHF_COMPRESSED)
            data = elf_getdata(section, NULL);
        return data && data->d_buf && data->d_size ? data : NULL;
    }
    return NULL;
}

/* ---- the file that dwz made ---- */

struct alt_link {
    const char *name; /* in the section */
    const uint8_t *id;
    size_t id_size;
};

struct df_alt_strings {
    struct sections sections;
    const char *text;
    size_t size;
};

const char *df_alt_string(const struct df_alt_strings *strings, uint64_t offset)
{
    if (!strings || offset >= strings->size)
        return NULL;
    const char *text = strings->text + offset;
    return memchr(text, 0, strings->size - offset) ? text : NULL;
}

void df_alt_strings_close(struct df_alt_strings *strings)
{
    if (strings)
        close_sections(&strings->sections);
    free(strings);
}

/* A name with its NUL; NULL when there is none. *ret_rest: what is behind it. */
static const char *take_name(const uint8_t *bytes, size_t size, size_t *ret_rest)
{
    const uint8_t *end = memchr(bytes, 0, size);
    if (!end)
        return NULL;
    *ret_rest = (size_t)(end - bytes) + 1;
    return (const char *)bytes;
}

/* .debug_sup (DWARF 5, 7.3.6): version, is_supplementary, name, length of the checksum, checksum.
 */
static bool parse_sup(const Elf_Data *data, bool supplementary, struct alt_link *ret)
{
    const uint8_t *bytes = data->d_buf;
    size_t at = 0;
    if (data->d_size < 5 || (bytes[2] != 0) != supplementary)
        return false;
    ret->name = take_name(bytes + 3, data->d_size - 3, &at);
    at += 3;
    /* A length of more than 127 would have a second byte; there is no such checksum. */
    if (!ret->name || at >= data->d_size || bytes[at] == 0 || bytes[at] > MAX_ID ||
        bytes[at] > data->d_size - at - 1)
        return false;
    ret->id = bytes + at + 1;
    ret->id_size = bytes[at];
    return true;
}

static bool find_link(const struct sections *sections, struct alt_link *ret)
{
    const Elf_Data *data = section_data(sections, ".gnu_debugaltlink");
    if (!data) {
        data = section_data(sections, ".debug_sup");
        return data && parse_sup(data, false, ret);
    }
    size_t at = 0;
    ret->name = take_name(data->d_buf, data->d_size, &at);
    if (!ret->name || at >= data->d_size || data->d_size - at > MAX_ID)
        return false;
    ret->id = (const uint8_t *)data->d_buf + at;
    ret->id_size = data->d_size - at;
    return true;
}

static bool has_build_id(const struct sections *sections, const struct alt_link *link)
{
    Elf_Scn *section = NULL;
    while ((section = elf_nextscn(sections->elf, section))) {
        GElf_Shdr header;
        GElf_Nhdr note;
        size_t name, bytes, next;
        if (!gelf_getshdr(section, &header) || header.sh_type != SHT_NOTE)
            continue;
        Elf_Data *data = elf_getdata(section, NULL);
        for (size_t at = 0; data && (next = gelf_getnote(data, at, &note, &name, &bytes)) > at;
             at = next)
            if (note.n_type == NT_GNU_BUILD_ID && note.n_descsz == link->id_size &&
                bytes <= data->d_size && data->d_size - bytes >= link->id_size &&
                !memcmp((const uint8_t *)data->d_buf + bytes, link->id, link->id_size))
                return true;
    }
    return false;
}

static bool is_linked(const struct sections *sections, const struct alt_link *link)
{
    struct alt_link own;
    const Elf_Data *data = section_data(sections, ".debug_sup");
    if (data && parse_sup(data, true, &own) && own.id_size == link->id_size &&
        !memcmp(own.id, link->id, link->id_size))
        return true;
    return has_build_id(sections, link);
}

/* Takes path over. Makes it the alternate file when it is the one. */
static bool try_alt(struct df_dwarf *dwarf, const struct alt_link *link, char *path)
{
    struct sections sections;
    bool right = path && open_sections(path, &sections);
    if (right && !is_linked(&sections, link)) {
        close_sections(&sections);
        right = false;
    }
    if (right) {
        const Elf_Data *text = section_data(&sections, ".debug_str");
        dwarf->alt_strings = df_xcalloc(1, sizeof(*dwarf->alt_strings));
        *dwarf->alt_strings =
            (struct df_alt_strings){sections, text ? text->d_buf : NULL, text ? text->d_size : 0};
        dwarf->alt = df_dwarf_add_part(dwarf, path);
        struct df_err *err = df_dwarf_open_part(dwarf->alt);
        if (err) /* only strings are in it */
            dwarf->alt = NULL;
        df_err_free(err);
    }
    free(path);
    return right;
}

static char *in_build_ids(const char *root, size_t root_length, const struct alt_link *link)
{
    char digits[2 * MAX_ID + 1];
    for (size_t i = 0; i < link->id_size; i++)
        snprintf(digits + 2 * i, 3, "%02x", link->id[i]);
    return df_xasprintf("%.*s/.build-id/%.2s/%s.debug", (int)root_length, root, digits, digits + 2);
}

static size_t directory_length(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? (size_t)(slash - path) : 0;
}

/* The places that follow from where the file itself is, in a tree like /usr/lib/debug. */
static bool try_beside(struct df_dwarf *dwarf, const struct alt_link *link, const char *file)
{
    const char *ids = strstr(file, "/.build-id/"), *system = strstr(file, SYSTEM "/");
    if (link->name[0] != '/') {
        const char *directory = strchr(file, '/') ? file : "./";
        if (try_alt(
                dwarf, link,
                df_xasprintf("%.*s/%s", (int)directory_length(directory), directory, link->name)))
            return true;
    }
    if (ids && try_alt(dwarf, link, in_build_ids(file, (size_t)(ids - file), link)))
        return true;
    if (!system)
        return false;
    size_t root = (size_t)(system - file);
    return try_alt(dwarf, link, in_build_ids(file, root + strlen(SYSTEM), link)) ||
           (link->name[0] == '/' &&
            try_alt(dwarf, link, df_xasprintf("%.*s%s", (int)root, file, link->name)));
}

static void find_alt(struct df_dwarf *dwarf)
{
    const char *file = dwarf->main->path;
    struct sections sections;
    struct alt_link link;
    if (!open_sections(file, &sections))
        return;
    if (find_link(&sections, &link)) {
        DF_CLEANUP_FREE char *real = realpath(file, NULL);
        dwarf->has_alt = true;
        bool found =
            try_beside(dwarf, &link, file) || (real && try_beside(dwarf, &link, real)) ||
            (link.name[0] == '/' && try_alt(dwarf, &link, df_xstrdup(link.name))) ||
            try_alt(dwarf, &link, in_build_ids(SYSTEM, strlen(SYSTEM), &link)) ||
            try_alt(dwarf, &link, df_debuginfod_find(link.id, link.id_size, DF_DEBUGINFOD_DEBUG));
        dwarf->incomplete |= !found;
    }
    close_sections(&sections);
}

/* ---- split units ---- */

bool df_dwarf_is_skeleton(const struct df_dwarf_unit *unit)
{
    return unit->type == DW_UT_skeleton;
}

/* Takes path over. */
static struct df_dwarf_part *try_part(struct df_dwarf *dwarf, char *path)
{
    struct stat status;
    struct df_dwarf_part *part = NULL;
    if (!stat(path, &status) && S_ISREG(status.st_mode) && dwarf->parts.count < MAX_SPLIT) {
        part = df_dwarf_add_part(dwarf, path);
        struct df_err *err = df_dwarf_open_part(part);
        if (err)
            part = NULL;
        df_err_free(err);
    }
    free(path);
    return part;
}

static void find_package(struct df_dwarf *dwarf)
{
    const char *file = dwarf->main->path;
    DF_CLEANUP_FREE char *real = realpath(file, NULL);
    size_t length = strlen(file), suffix = strlen(".debug");
    dwarf->package = try_part(dwarf, df_xasprintf("%s.dwp", file));
    if (!dwarf->package && real && strcmp(real, file) != 0)
        dwarf->package = try_part(dwarf, df_xasprintf("%s.dwp", real));
    if (!dwarf->package && length > suffix && !strcmp(file + length - suffix, ".debug"))
        dwarf->package = try_part(dwarf, df_xasprintf("%.*s.dwp", (int)(length - suffix), file));
}

void df_dwarf_find_parts(struct df_dwarf *dwarf)
{
    find_alt(dwarf);
    for (size_t i = 0; i < dwarf->main->units.count; i++) {
        if (!df_dwarf_is_skeleton(&dwarf->main->units.items[i]))
            continue;
        find_package(dwarf);
        return;
    }
}

/* The unit in the .dwo at path, which is taken over. */
static bool try_split(struct df_dwarf *dwarf, uint64_t id, char *path, Dwarf_Off *ret)
{
    struct df_dwarf_part *part = try_part(dwarf, path);
    const struct df_dwarf_unit *unit = part ? df_dwarf_signed_unit(part, id) : NULL;
    if (unit)
        *ret = unit->place;
    return unit;
}

static bool find_split(struct df_dwarf *dwarf, uint64_t id, struct df_die skeleton, Dwarf_Off *ret)
{
    const char *name = df_die_text(skeleton, DW_AT_dwo_name);
    const char *directory = df_die_text(skeleton, DW_AT_comp_dir), *file = dwarf->main->path;
    if (!name)
        name = df_die_text(skeleton, DW_AT_GNU_dwo_name);
    if (!name)
        return false;
    const char *base = strrchr(name, '/'), *beside = strchr(file, '/') ? file : "./";
    int length = (int)directory_length(beside);
    base = base ? base + 1 : name;
    if (name[0] == '/'
            ? try_split(dwarf, id, df_xstrdup(name), ret)
            : directory && try_split(dwarf, id, df_xasprintf("%s/%s", directory, name), ret))
        return true;
    return (name[0] != '/' &&
            try_split(dwarf, id, df_xasprintf("%.*s/%s", length, beside, name), ret)) ||
           try_split(dwarf, id, df_xasprintf("%.*s/%s", length, beside, base), ret);
}

bool df_dwarf_split_of(struct df_dwarf *dwarf, struct df_dwarf_unit *skeleton, Dwarf_Off *ret)
{
    if (!skeleton->split_known) {
        const struct df_dwarf_unit *unit =
            dwarf->package ? df_dwarf_signed_unit(dwarf->package, skeleton->signature) : NULL;
        struct df_die die;
        skeleton->split_known = true;
        if (unit) {
            skeleton->split = unit->place;
        } else if (df_die_at(dwarf, skeleton->place, &die)) {
            find_split(dwarf, skeleton->signature, die, &skeleton->split);
            df_die_free(die);
        }
        dwarf->incomplete |= !skeleton->split;
    }
    if (skeleton->split)
        *ret = skeleton->split;
    return skeleton->split;
}
