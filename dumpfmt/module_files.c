/* SPDX-License-Identifier: MIT
 * module_files.c: where files of the dead machine may be, in which order, and which one is it.
 *
 * A file is taken by what it is, not by where it lies: an equal build-id wins wherever it was
 * found, another build-id is never used. Without a build-id to compare, a file is believed when
 * its program headers are those in the core, or, with nothing to compare at all, by its path.
 * The places of debug files are gdb's ("Debugging Information in Separate Files").
 */
#include "dumpfmt/module_files.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "dumpfmt/base/mem.h"
#include "dumpfmt/debuginfod.h"

#define PAGE UINT64_C(4096)
#define MAXIMUM_PROGRAMS 20000 /* in one directory */
#define DELETED " (deleted)"   /* d_path() of an unlinked file */

struct paths {
    char **items;
    size_t count, capacity;
};

static void free_paths(struct paths *paths)
{
    for (size_t i = 0; i < paths->count; i++)
        free(paths->items[i]);
    free(paths->items);
}

static bool is_regular(const char *path)
{
    struct stat status;
    return !stat(path, &status) && S_ISREG(status.st_mode);
}

/* Takes path over. Only regular files are kept: a hostile core may name a device. */
static void add_path(struct paths *paths, char *path)
{
    if (is_regular(path))
        DF_PUSH(paths, path);
    else
        free(path);
}

static const char *root_of(const struct df_search *search)
{
    return search->sysroot && strcmp(search->sysroot, "/") != 0 ? search->sysroot : "";
}

static bool was_deleted(const char *path)
{
    size_t length = strlen(path), tail = strlen(DELETED);
    return length > tail && !strcmp(path + length - tail, DELETED);
}

/* The path without " (deleted)", malloc'ed. */
static char *plain_path(const char *path)
{
    return df_xstrndup(path, strlen(path) - (was_deleted(path) ? strlen(DELETED) : 0));
}

/* ".build-id/xx/yyyy", malloc'ed; NULL for an id that is too short to have a place. */
static char *build_id_path(const struct df_build_id *id)
{
    if (id->size < 2)
        return NULL;
    static const char digits[] = "0123456789abcdef";
    char text[2 * DF_BUILD_ID_MAX + 2];
    size_t length = 0;
    for (uint32_t i = 0; i < id->size; i++) {
        text[length++] = digits[id->bytes[i] >> 4];
        text[length++] = digits[id->bytes[i] & 15];
        if (i == 0)
            text[length++] = '/';
    }
    text[length] = 0;
    return df_xasprintf(".build-id/%s", text);
}

/* Calls add for every directory that is laid out like /usr/lib/debug. */
static void for_each_debug_root(const struct df_search *search,
                                void (*add)(void *context, const char *root), void *context)
{
    for (uint32_t i = 0; i < search->debug_directory_count; i++) {
        add(context, search->debug_directories[i]);
        DF_CLEANUP_FREE char *below =
            df_xasprintf("%s/usr/lib/debug", search->debug_directories[i]);
        add(context, below);
    }
    DF_CLEANUP_FREE char *own = df_xasprintf("%s/usr/lib/debug", root_of(search));
    add(context, own);
}

struct debug_places {
    struct paths *paths;
    const char *id_path;   /* ".build-id/xx/yyyy" or NULL */
    const char *suffix;    /* "" or ".debug" */
    const char *path;      /* in the dead process */
    const char *directory; /* of path */
    const char *link;      /* .gnu_debuglink, or NULL */
};

static void add_debug_places(void *context, const char *root)
{
    const struct debug_places *places = context;
    struct paths *paths = places->paths;
    if (places->id_path)
        add_path(paths, df_xasprintf("%s/%s%s", root, places->id_path, places->suffix));
    if (places->path)
        add_path(paths, df_xasprintf("%s%s%s", root, places->path, places->suffix));
    if (places->link) {
        add_path(paths, df_xasprintf("%s%s/%s", root, places->directory, places->link));
        add_path(paths, df_xasprintf("%s/%s", root, places->link));
    }
}

enum match { SAME, UNKNOWN, OTHER };

static enum match compare_ids(const struct df_build_id *a, const struct df_build_id *b)
{
    if (!a->size || !b->size)
        return UNKNOWN;
    return a->size == b->size && !memcmp(a->bytes, b->bytes, a->size) ? SAME : OTHER;
}

static enum match compare_headers(const struct df_elf *file, const struct df_elf *image)
{
    if (file->header.e_type != image->header.e_type ||
        file->header.e_entry != image->header.e_entry)
        return OTHER;
    if (!image->segment_count || !file->segment_count)
        return UNKNOWN;
    size_t size = file->segment_count * sizeof(*file->segments);
    bool same = file->segment_count == image->segment_count &&
                !memcmp(file->segments, image->segments, size);
    return same ? UNKNOWN : OTHER;
}

/* Whether the few addresses that are known of a file without its headers are this file's. */
static bool fits(const struct df_elf *file, const struct df_wanted *wanted)
{
    if (wanted->entry && (wanted->entry - file->header.e_entry) % PAGE)
        return false;
    for (uint32_t i = 0; wanted->dynamic && i < file->segment_count; i++)
        if (file->segments[i].p_type == PT_DYNAMIC)
            return file->segments[i].p_vaddr == wanted->dynamic;
    return !wanted->dynamic;
}

static enum match judge(const struct df_module *module, const struct df_elf *file,
                        const struct df_wanted *wanted)
{
    enum match match = compare_ids(&module->build_id, &file->build_id);
    if (match != UNKNOWN)
        return match;
    if (wanted->image)
        return compare_headers(file, wanted->image);
    if (!fits(file, wanted))
        return OTHER;
    /* The file at the path of a deleted one is probably its successor. */
    return was_deleted(module->path) && !wanted->is_executable ? OTHER : UNKNOWN;
}

static void use_file(struct df_module *module, struct df_elf *elf, enum df_module_state state)
{
    df_elf_close(module->elf);
    free(module->file);
    module->elf = elf;
    module->file = df_xstrdup(elf->file->path);
    module->state = state;
}

/* Tries the candidates until one is surely the right one; the first possible one is the second
 * choice. */
static void choose_file(struct df_module *module, const struct paths *paths,
                        enum df_machine machine, const struct df_wanted *wanted)
{
    for (size_t i = 0; i < paths->count && module->state != DF_MODULE_MATCHED; i++) {
        struct df_elf *elf;
        struct df_err *err = df_elf_open(paths->items[i], machine, &elf);
        if (err) {
            bool is_data = df_err_code(err) == DF_ERR_INPUT && !wanted->image;
            if (is_data && module->state == DF_MODULE_MISSING && !wanted->looks_native)
                module->state = DF_MODULE_NOT_ELF;
            df_err_free(err);
            continue;
        }
        enum match match = judge(module, elf, wanted);
        if (match == SAME) {
            use_file(module, elf, DF_MODULE_MATCHED);
        } else if (match == UNKNOWN && !module->elf) {
            use_file(module, elf, DF_MODULE_UNVERIFIED);
        } else {
            if (!module->elf)
                module->state = DF_MODULE_MISMATCH;
            df_elf_close(elf);
        }
    }
}

/* AT_PHDR is where the file's own headers say that they are. */
static bool is_program(const struct df_core *core, const struct df_elf *elf)
{
    uint64_t table = 0, entry = 0, count = 0;
    df_core_auxv(core, AT_PHDR, &table);
    df_core_auxv(core, AT_ENTRY, &entry);
    df_core_auxv(core, AT_PHNUM, &count);
    uint64_t bias = entry - elf->header.e_entry;
    if (bias % PAGE || count != elf->segment_count)
        return false;
    for (uint32_t i = 0; i < elf->segment_count; i++)
        if (elf->segments[i].p_type == PT_PHDR)
            return elf->segments[i].p_vaddr + bias == table;
    return true;
}

struct df_elf *df_open_program(const struct df_core *core, const struct df_search *search,
                               const char *path)
{
    struct paths paths = {0};
    struct df_elf *elf = NULL;
    if (search->executable)
        add_path(&paths, df_xstrdup(search->executable));
    if (path[0] == '/')
        add_path(&paths, df_xasprintf("%s%s", root_of(search), path));
    for (size_t i = 0; i < paths.count && !elf; i++) {
        df_err_free(df_elf_open(paths.items[i], core->machine, &elf));
        if (elf && !is_program(core, elf)) {
            df_elf_close(elf);
            elf = NULL;
        }
    }
    free_paths(&paths);
    return elf;
}

/* The directory of a path, malloc'ed: "" for one in the root. */
static char *directory_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    return df_xstrndup(path, slash ? (size_t)(slash - path) : 0);
}

/* A library of which only the soname is known: where the dynamic linkers of Debian, Fedora and
 * Alpine look, and in the lib directory beside the executable's. */
static void add_libraries(struct paths *paths, const struct df_search *search, const char *name)
{
    static const char *const places[] = {
        "/lib",
        "/usr/lib",
        "/lib64",
        "/usr/lib64",
        "/usr/local/lib",
        "/lib/x86_64-linux-gnu",
        "/usr/lib/x86_64-linux-gnu",
        "/lib/aarch64-linux-gnu",
        "/usr/lib/aarch64-linux-gnu",
    };
    for (size_t i = 0; i < sizeof(places) / sizeof(*places); i++)
        add_path(paths, df_xasprintf("%s%s/%s", root_of(search), places[i], name));
    for (uint32_t i = 0; i < search->debug_directory_count; i++)
        add_path(paths, df_xasprintf("%s/%s", search->debug_directories[i], name));
    if (!search->executable)
        return;
    DF_CLEANUP_FREE char *beside = directory_of(search->executable);
    add_path(paths, df_xasprintf("%s/%s", beside, name));
    add_path(paths, df_xasprintf("%s/../lib/%s", beside, name));
}

/* A program of which only the build-id is known: goes through the directories of programs. */
static void search_programs(struct df_module *module, const struct df_search *search,
                            enum df_machine machine, const struct df_wanted *wanted)
{
    static const char *const places[] = {"/usr/bin", "/usr/local/bin", "/bin"};
    for (size_t i = 0; i < sizeof(places) / sizeof(*places) && !module->elf; i++) {
        DF_CLEANUP_FREE char *place = df_xasprintf("%s%s", root_of(search), places[i]);
        DIR *directory = opendir(place);
        struct dirent *entry;
        for (int seen = 0;
             directory && seen < MAXIMUM_PROGRAMS && (entry = readdir(directory)) && !module->elf;
             seen++) {
            struct paths paths = {0};
            add_path(&paths, df_xasprintf("%s/%s", place, entry->d_name));
            choose_file(module, &paths, machine, wanted);
            free_paths(&paths);
        }
        if (directory)
            closedir(directory);
    }
    if (!module->elf)
        module->state = DF_MODULE_MISSING; /* others are other programs, and no mismatch */
}

/* Tries what the debuginfod servers have for the build-id. */
static void fetch_file(struct df_module *module, enum df_machine machine,
                       const struct df_wanted *wanted)
{
    struct paths paths = {0};
    char *path =
        df_debuginfod_find(module->build_id.bytes, module->build_id.size, DF_DEBUGINFOD_EXECUTABLE);
    if (path)
        add_path(&paths, path);
    choose_file(module, &paths, machine, wanted);
    free_paths(&paths);
}

void df_find_file(struct df_module *module, const struct df_search *search, enum df_machine machine,
                  const struct df_wanted *wanted)
{
    struct paths paths = {0};
    DF_CLEANUP_FREE char *path = plain_path(module->path);
    DF_CLEANUP_FREE char *id_path = build_id_path(&module->build_id);
    if (wanted->is_executable && search->executable)
        add_path(&paths, df_xstrdup(search->executable));
    if (wanted->has_place && path[0] == '/')
        add_path(&paths, df_xasprintf("%s%s", root_of(search), path));
    if (path[0] && !strchr(path, '/'))
        add_libraries(&paths, search, path);
    struct debug_places places = {.paths = &paths, .id_path = id_path, .suffix = ""};
    for_each_debug_root(search, add_debug_places, &places);
    bool is_native = wanted->image || wanted->is_executable || wanted->looks_native;
    module->state = DF_MODULE_MISSING;
    choose_file(module, &paths, machine, wanted);
    if (!module->elf && module->build_id.size && wanted->is_executable && !path[0] &&
        module->state == DF_MODULE_MISSING)
        search_programs(module, search, machine, wanted);
    if (!module->elf && module->build_id.size && is_native)
        fetch_file(module, machine, wanted);
    if (module->state == DF_MODULE_MISSING && !is_native)
        module->state = DF_MODULE_NOT_ELF;
    if (module->elf && !module->build_id.size)
        module->build_id = module->elf->build_id;
    free_paths(&paths);
}

/* The CRC of .gnu_debuglink: polynomial 0xedb88320, bit by bit via a table of nibbles. */
static uint32_t debug_link_crc(const struct df_elf *elf)
{
    static const uint32_t table[16] = {
        0x00000000, 0x1db71064, 0x3b6e20c8, 0x26d930ac, 0x76dc4190, 0x6b6b51f4,
        0x4db26158, 0x5005713c, 0xedb88320, 0xf00f9344, 0xd6d6a3e8, 0xcb61b38c,
        0x9b64c2b0, 0x86d3d2d4, 0xa00ae278, 0xbdbdf21c,
    };
    uint32_t crc = UINT32_MAX;
    for (uint64_t i = 0; i < elf->size; i++) {
        crc ^= elf->data[i];
        crc = (crc >> 4) ^ table[crc & 15];
        crc = (crc >> 4) ^ table[crc & 15];
    }
    return ~crc;
}

/* Whether the file is the debug file of the module: the same build-id; where the module has none,
 * the checksum in its .gnu_debuglink. */
static bool is_debug_file(const struct df_module *module, const struct df_elf *elf,
                          const char *link, uint32_t crc)
{
    if (!df_elf_has_debug_info(elf))
        return false;
    if (module->build_id.size)
        return compare_ids(&module->build_id, &elf->build_id) == SAME;
    return link && debug_link_crc(elf) == crc;
}

static void choose_debug_file(struct df_module *module, const struct paths *paths,
                              enum df_machine machine, const char *link, uint32_t crc)
{
    for (size_t i = 0; i < paths->count && !module->debug_file; i++) {
        struct df_elf *elf;
        struct df_err *err = df_elf_open(paths->items[i], machine, &elf);
        if (err) {
            df_err_free(err);
        } else if (is_debug_file(module, elf, link, crc)) {
            module->debug_elf = elf;
            module->debug_file = df_xstrdup(paths->items[i]);
        } else {
            df_elf_close(elf);
        }
    }
}

void df_find_debug_file(struct df_module *module, const struct df_search *search,
                        enum df_machine machine)
{
    if (module->elf && df_elf_has_debug_info(module->elf)) {
        module->debug_file = df_xstrdup(module->file);
        return;
    }
    struct paths paths = {0};
    uint32_t crc = 0;
    const char *link = module->elf ? df_elf_debug_link(module->elf, &crc) : NULL;
    DF_CLEANUP_FREE char *path = plain_path(module->path);
    DF_CLEANUP_FREE char *directory = directory_of(path);
    DF_CLEANUP_FREE char *id_path = build_id_path(&module->build_id);
    struct debug_places places = {
        .paths = &paths,
        .id_path = id_path,
        .suffix = ".debug",
        .path = path[0] == '/' ? path : NULL,
        .directory = directory,
        .link = link,
    };
    if (id_path || link)
        for_each_debug_root(search, add_debug_places, &places);
    if (link) {
        DF_CLEANUP_FREE char *beside = directory_of(module->file);
        add_path(&paths, df_xasprintf("%s/%s", beside, link));
        add_path(&paths, df_xasprintf("%s/.debug/%s", beside, link));
    }
    choose_debug_file(module, &paths, machine, link, crc);
    free_paths(&paths);
    if (module->debug_file || !module->build_id.size)
        return;
    char *fetched =
        df_debuginfod_find(module->build_id.bytes, module->build_id.size, DF_DEBUGINFOD_DEBUG);
    paths = (struct paths){0};
    if (fetched)
        add_path(&paths, fetched);
    choose_debug_file(module, &paths, machine, NULL, 0);
    free_paths(&paths);
}
