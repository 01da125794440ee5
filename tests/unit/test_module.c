/* SPDX-License-Identifier: MIT
 * test_module.c: modules of synthetic cores with synthetic libraries: which file is taken, which
 * bytes come from it, what its symbols are.
 */
#include "tests/support/cmocka_all.h"

#include <sys/stat.h>

#include "dumpfmt/base/mem.h"
#include "dumpfmt/dump.h"
#include "tests/support/corebuild.h"

#define BASE UINT64_C(0x7f0000000000)

static const uint8_t right_id[20] = {0xab, 0xcd, 3, 4};
static const uint8_t wrong_id[20] = {0x11};
static char root[] = "/tmp/necropy-module-XXXXXX";

/* Creates root/path with its directories. */
static void install(const char *path, struct cb_bytes bytes)
{
    DF_CLEANUP_FREE char *full = df_xasprintf("%s%s", root, path);
    for (char *at = full + strlen(root) + 1; (at = strchr(at, '/')); at++) {
        *at = 0;
        mkdir(full, 0700);
        *at = '/';
    }
    FILE *stream = fopen(full, "w");
    assert_non_null(stream);
    assert_int_equal(fwrite(bytes.data, 1, bytes.size, stream), bytes.size);
    fclose(stream);
    free(bytes.data);
}

static int clear(void **state)
{
    (void)state;
    DF_CLEANUP_FREE char *command = df_xasprintf("rm -rf '%s'/*", root);
    return system(command);
}

static int set_up(void **state)
{
    (void)state;
    return mkdtemp(root) ? 0 : -1;
}

static int tear_down(void **state)
{
    clear(state);
    return rmdir(root);
}

/* A core with the library mapped at BASE; its first page and its data are in the core. */
static void build_core(struct cb_core *build, const struct cb_bytes *library, const char *path,
                       uint64_t base)
{
    const struct cb_mapping rows[] = {{base, base + 0x1000, 0, path},
                                      {base + 0x1000, base + 0x2000, 1, path},
                                      {base + 0x2000, base + 0x3000, 2, path}};
    static uint8_t data[4096];
    memset(data, 0xee, sizeof(data));
    cb_prstatus(build, 1, 6, NULL);
    cb_files(build, rows, 3);
    cb_segment(build, base, library->data, library ? 0x1000 : 0, 0x1000, PF_R);
    cb_segment(build, base + 0x1000, NULL, 0, 0x1000, PF_R | PF_X);
    cb_segment(build, base + 0x2000, data, 0x1000, 0x1000, PF_R | PF_W);
}

static struct df_dump *open_with(struct cb_core *build, const struct df_search *search)
{
    struct df_dump *dump = NULL;
    char *path = cb_write(build);
    assert_ok(df_dump_open(path, search, &dump));
    cb_remove(path);
    return dump;
}

/* The dump of one library at BASE with right_id, looked for under root. */
static struct df_dump *open_library(const char *path)
{
    struct cb_core build;
    struct cb_bytes library = cb_library(EM_X86_64, right_id, 0);
    struct df_search search = {.sysroot = root};
    cb_init(&build, EM_X86_64);
    build_core(&build, &library, path, BASE);
    struct df_dump *dump = open_with(&build, &search);
    cb_deinit(&build);
    free(library.data);
    assert_int_equal(dump->modules->count, 1);
    return dump;
}

static void takes_the_matching_file(void **state)
{
    (void)state;
    install("/lib/libx.so", cb_library(EM_X86_64, right_id, CB_SYMBOLS));
    struct df_dump *dump = open_library("/lib/libx.so");
    const struct df_module *module = &dump->modules->items[0];
    assert_int_equal(module->state, DF_MODULE_MATCHED);
    assert_string_equal(module->path, "/lib/libx.so");
    assert_string_equal(module->name, "libx.so");
    assert_int_equal(module->bias, BASE);
    assert_int_equal(module->build_id.size, 20);
    assert_int_equal(module->load_count, 3);
    assert_int_equal(module->loads[2].flags, PF_R | PF_W);
    const struct df_range *text = df_aspace_range(dump->space, BASE + 0x1000);
    assert_int_equal(text->origin, DF_FROM_FILE);
    assert_int_equal(*(const uint8_t *)df_ptr(dump->space, BASE + 0x1000, 1), 0xcc);
    assert_int_equal(*(const uint8_t *)df_ptr(dump->space, BASE + 0x2000, 1), 0xee);
    assert_int_equal(df_aspace_range(dump->space, BASE + 0x2000)->origin, DF_FROM_CORE);
    df_dump_close(dump);
    df_dump_close(NULL);
}

static void never_takes_another_build(void **state)
{
    (void)state;
    install("/lib/libx.so", cb_library(EM_X86_64, wrong_id, CB_SYMBOLS));
    struct df_dump *dump = open_library("/lib/libx.so");
    assert_int_equal(dump->modules->items[0].state, DF_MODULE_MISMATCH);
    assert_null(dump->modules->items[0].file);
    assert_null(df_ptr(dump->space, BASE + 0x1000, 1));
    assert_int_equal(df_aspace_range(dump->space, BASE + 0x1000)->origin, DF_ABSENT);
    assert_int_equal(dump->modules->items[0].bias, BASE); /* from the core's own header */
    df_dump_close(dump);
    install("/usr/lib/debug/.build-id/ab/cd0304"
            "00000000000000000000000000000000",
            cb_library(EM_X86_64, right_id, CB_SYMBOLS));
    dump = open_library("/lib/libx.so");
    assert_int_equal(dump->modules->items[0].state, DF_MODULE_MATCHED);
    df_dump_close(dump);
}

static void says_what_is_missing(void **state)
{
    (void)state;
    struct df_dump *dump = open_library("/lib/libx.so");
    assert_int_equal(dump->modules->items[0].state, DF_MODULE_MISSING);
    assert_null(df_module_symbol(&dump->modules->items[0], "cb_function"));
    df_dump_close(dump);
    struct cb_bytes text = {0};
    text.data = (uint8_t *)df_xstrdup("no library");
    text.size = 10;
    install("/lib/libx.so", text);
    dump = open_library("/lib/libx.so");
    assert_int_equal(dump->modules->items[0].state, DF_MODULE_MISSING);
    df_dump_close(dump);
    dump = open_library("/lib/libx.so (deleted)");
    assert_string_equal(dump->modules->items[0].name, "libx.so");
    df_dump_close(dump);
}

static void writable_bytes_never_come_from_the_file(void **state)
{
    (void)state;
    struct cb_core build;
    struct cb_bytes library = cb_library(EM_X86_64, right_id, CB_SYMBOLS);
    const struct cb_mapping rows[] = {{BASE, BASE + 0x1000, 0, "/lib/libx.so"},
                                      {BASE + 0x1000, BASE + 0x2000, 1, "/lib/libx.so"},
                                      {BASE + 0x2000, BASE + 0x3000, 2, "/lib/libx.so"}};
    struct df_search search = {.sysroot = root};
    install("/lib/libx.so", cb_library(EM_X86_64, right_id, CB_SYMBOLS));
    cb_init(&build, EM_X86_64);
    cb_files(&build, rows, 3);
    cb_segment(&build, BASE, library.data, 0x1000, 0x1000, PF_R);
    cb_segment(&build, BASE + 0x1000, NULL, 0, 0x1000, PF_R | PF_W); /* patched text */
    cb_segment(&build, BASE + 0x2000, NULL, 0, 0x1000, PF_R);        /* RELRO, lost */
    struct df_dump *dump = open_with(&build, &search);
    assert_int_equal(dump->modules->items[0].state, DF_MODULE_MATCHED);
    assert_null(df_ptr(dump->space, BASE + 0x1000, 1));
    assert_null(df_ptr(dump->space, BASE + 0x2000, 1));
    df_dump_close(dump);
    cb_deinit(&build);
    free(library.data);
}

static void one_file_mapped_twice(void **state)
{
    (void)state;
    struct cb_core build;
    struct cb_bytes library = cb_library(EM_X86_64, right_id, 0);
    struct df_search search = {.sysroot = root};
    install("/lib/libx.so", cb_library(EM_X86_64, right_id, CB_SYMBOLS));
    struct cb_mapping rows[6];
    for (uint64_t i = 0; i < 6; i++) {
        uint64_t start = BASE + i * 0x1000 + (i >= 3 ? 0x100000 : 0);
        rows[i] = (struct cb_mapping){start, start + 0x1000, i % 3, "/lib/libx.so"};
    }
    cb_init(&build, EM_X86_64);
    cb_files(&build, rows, 6);
    cb_segment(&build, rows[0].start, library.data, 0x1000, 0x1000, PF_R);
    cb_segment(&build, rows[3].start, library.data, 0x1000, 0x1000, PF_R);
    struct df_dump *dump = open_with(&build, &search);
    assert_int_equal(dump->modules->count, 2);
    assert_int_equal(dump->modules->items[0].bias, BASE);
    assert_int_equal(dump->modules->items[1].bias, rows[3].start);
    assert_ptr_equal(df_module_at(dump->modules, rows[4].start), &dump->modules->items[1]);
    assert_non_null(df_ptr(dump->space, rows[1].start, 0x100));
    assert_non_null(df_ptr(dump->space, rows[4].start, 0x100));
    df_dump_close(dump);
    cb_deinit(&build);
    free(library.data);
}

static void symbols_by_name_and_address(void **state)
{
    (void)state;
    install("/lib/libx.so", cb_library(EM_X86_64, right_id, CB_SYMBOLS));
    struct df_dump *dump = open_library("/lib/libx.so");
    struct df_module *module = &dump->modules->items[0], *found = NULL;
    const struct df_symbol *function = df_modules_symbol(dump->modules, "cb_function", &found);
    assert_non_null(function);
    assert_ptr_equal(found, module);
    assert_int_equal(function->address, BASE + 0x1010);
    assert_int_equal(function->type, DF_SYMBOL_FUNCTION);
    assert_true(function->global);
    assert_false(df_module_symbol(module, "cb_local")->global);
    assert_null(df_module_symbol(module, "cb_"));
    assert_null(df_modules_symbol(dump->modules, "", NULL));
    assert_ptr_equal(df_module_symbol_at(module, BASE + 0x101f), function);
    assert_null(df_module_symbol_at(module, BASE + 0x1020));
    assert_null(df_module_symbol_at(module, BASE + 0x100f));
    assert_ptr_equal(df_module_symbol_at(module, BASE + 0x2008),
                     df_module_symbol(module, "cb_object"));
    uint64_t address, size;
    assert_true(df_module_section(module, ".data", &address, &size));
    assert_int_equal(address, BASE + 0x2000);
    assert_int_equal(size, 0x100);
    assert_false(df_module_section(module, ".symtab", &address, &size));
    assert_false(df_module_section(module, ".none", &address, &size));
    df_dump_close(dump);
}

static void symbols_of_a_stripped_file(void **state)
{
    (void)state;
    install("/lib/libx.so", cb_library(EM_X86_64, right_id, 0));
    struct df_dump *dump = open_library("/lib/libx.so");
    assert_null(df_module_symbol(&dump->modules->items[0], "cb_function"));
    assert_null(df_module_symbol_at(&dump->modules->items[0], BASE + 0x1010));
    df_dump_close(dump);
}

static void addresses_to_modules(void **state)
{
    (void)state;
    install("/lib/libx.so", cb_library(EM_X86_64, right_id, CB_SYMBOLS));
    struct df_dump *dump = open_library("/lib/libx.so");
    assert_ptr_equal(df_module_at(dump->modules, BASE), &dump->modules->items[0]);
    assert_ptr_equal(df_module_at(dump->modules, BASE + 0x2fff), &dump->modules->items[0]);
    assert_null(df_module_at(dump->modules, BASE - 1));
    assert_null(df_module_at(dump->modules, BASE + 0x3000));
    assert_null(df_module_at(dump->modules, UINT64_MAX));
    df_dump_close(dump);
}

static void the_executable_may_be_elsewhere(void **state)
{
    (void)state;
    struct cb_core build;
    struct cb_bytes library = cb_library(EM_AARCH64, right_id, 0);
    install("/elsewhere", cb_library(EM_AARCH64, right_id, CB_SYMBOLS));
    install("/usr/bin/program",
            cb_library(EM_X86_64, right_id, CB_SYMBOLS)); /* another machine's */
    DF_CLEANUP_FREE char *executable = df_xasprintf("%s/elsewhere", root);
    struct df_search search = {.sysroot = root, .executable = executable};
    const uint64_t auxv[][2] = {{AT_ENTRY, BASE + 0x1010}};
    cb_init(&build, EM_AARCH64);
    cb_auxv(&build, auxv, 1);
    build_core(&build, &library, "/usr/bin/program", BASE);
    struct df_dump *dump = open_with(&build, &search);
    assert_ptr_equal(dump->modules->executable, &dump->modules->items[0]);
    assert_int_equal(dump->modules->items[0].state, DF_MODULE_MATCHED);
    assert_string_equal(dump->modules->items[0].file, executable);
    df_dump_close(dump);
    cb_deinit(&build);
    free(library.data);
}

/* Data files, devices and shared memory are not libraries that somebody must look for. */
static void data_is_not_missed(void **state)
{
    (void)state;
    struct cb_core build;
    struct df_search search = {.sysroot = root};
    static const uint8_t data[4096] = "data";
    const struct cb_mapping rows[] = {{0x10000, 0x11000, 0, "/usr/lib/locale/archive"},
                                      {0x20000, 0x21000, 0, "/dev/zero (deleted)"},
                                      {0x30000, 0x31000, 0, "/memfd:x (deleted)"},
                                      {0x40000, 0x41000, 0, ""}};
    cb_init(&build, EM_X86_64);
    cb_files(&build, rows, 4);
    cb_segment(&build, 0x10000, data, 4096, 4096, PF_R);
    cb_segment(&build, 0x20000, NULL, 0, 4096, PF_R | PF_W);
    struct df_dump *dump = open_with(&build, &search);
    assert_int_equal(dump->modules->count, 4);
    for (uint32_t i = 0; i < 4; i++)
        assert_int_equal(dump->modules->items[i].state, DF_MODULE_NOT_ELF);
    df_dump_close(dump);
    cb_deinit(&build);
}

/* The debug file that is found for /lib/libx.so when `parts` of it are at `path`; malloc'ed. */
static char *find_debug_file(const char *path, int library_parts, const uint8_t *id)
{
    install("/lib/libx.so", cb_library(EM_X86_64, right_id, library_parts));
    install(path, cb_library(EM_X86_64, id, CB_SYMBOLS | CB_DEBUG_INFO));
    struct cb_core build;
    struct cb_bytes library = cb_library(EM_X86_64, right_id, 0);
    DF_CLEANUP_FREE char *extra = df_xasprintf("%s/extra", root);
    const char *directories[] = {extra};
    struct df_search search = {
        .sysroot = root, .debug_directories = directories, .debug_directory_count = 1};
    cb_init(&build, EM_X86_64);
    build_core(&build, &library, "/lib/libx.so", BASE);
    struct df_dump *dump = open_with(&build, &search);
    struct df_module *module = &dump->modules->items[0];
    char *found = module->debug_file ? df_xstrdup(module->debug_file + strlen(root)) : NULL;
    assert_int_equal(module->state, DF_MODULE_MATCHED);
    if (found) /* the stripped file's symbols come from there */
        assert_int_equal(df_module_symbol(module, "cb_function")->address, BASE + 0x1010);
    df_dump_close(dump);
    cb_deinit(&build);
    free(library.data);
    return found;
}

static void debug_files_by_build_id_and_link(void **state)
{
    static const char id_path[] = ".build-id/ab/cd030400000000000000000000000000000000.debug";
    static const struct {
        const char *format;
        int parts;
    } places[] = {
        {"/extra/%s", 0},
        {"/extra/usr/lib/debug/%s", 0},
        {"/usr/lib/debug/%s", 0},
        {"/extra/lib/libx.so.debug", 0},
        {"/usr/lib/debug/lib/libx.so.debug", 0},
        {"/usr/lib/debug/lib/libx.debug", CB_DEBUG_LINK},
        {"/extra/libx.debug", CB_DEBUG_LINK},
        {"/lib/libx.debug", CB_DEBUG_LINK},
        {"/lib/.debug/libx.debug", CB_DEBUG_LINK},
        {"/unrelated", CB_DEBUG_INFO | CB_SYMBOLS},
    };
    for (size_t i = 0; i < sizeof(places) / sizeof(*places); i++) {
        const char *tail = strstr(places[i].format, "%s") ? id_path : "";
        size_t length = strcspn(places[i].format, "%");
        DF_CLEANUP_FREE char *path = df_xasprintf("%.*s%s", (int)length, places[i].format, tail);
        clear(state);
        DF_CLEANUP_FREE char *found = find_debug_file(path, places[i].parts, right_id);
        bool own = places[i].parts & CB_DEBUG_INFO;
        assert_non_null(found);
        assert_string_equal(found, own ? "/lib/libx.so" : path);
        if (own)
            continue;
        clear(state);
        DF_CLEANUP_FREE char *wrong = find_debug_file(path, places[i].parts, wrong_id);
        assert_null(wrong);
    }
}

/* A program image with PT_DYNAMIC, whose DT_DEBUG leads to a list of itself and libx; all in one
 * page at PROGRAM, as data of a core without NT_FILE. */
#define PROGRAM UINT64_C(0x560000000000)

static void put64(uint8_t *page, size_t offset, uint64_t value)
{
    memcpy(page + offset, &value, sizeof(value));
}

static void build_program(uint8_t page[4096])
{
    memset(page, 0, 4096);
    Elf64_Ehdr header = {.e_type = ET_DYN, .e_machine = EM_X86_64, .e_version = EV_CURRENT};
    memcpy(header.e_ident, "\177ELF\2\1\1", 7);
    header.e_phoff = sizeof(header);
    header.e_phentsize = sizeof(Elf64_Phdr);
    header.e_ehsize = sizeof(header);
    header.e_phnum = 3;
    const Elf64_Phdr segments[3] = {
        {PT_PHDR, PF_R, 64, 64, 64, 168, 168, 8},
        {PT_LOAD, PF_R | PF_W, 0, 0, 0, 4096, 4096, 4096},
        {PT_DYNAMIC, PF_R | PF_W, 0x200, 0x200, 0x200, 32, 32, 8},
    };
    memcpy(page, &header, sizeof(header));
    memcpy(page + 64, segments, sizeof(segments));
    put64(page, 0x200, DT_DEBUG);
    put64(page, 0x208, PROGRAM + 0x300);
    put64(page, 0x308, PROGRAM + 0x400); /* r_map */
    const uint64_t program[5] = {PROGRAM, PROGRAM + 0x600, 0, PROGRAM + 0x440, 0};
    const uint64_t library[5] = {BASE, PROGRAM + 0x610, 0, 0, PROGRAM + 0x400};
    memcpy(page + 0x400, program, sizeof(program));
    memcpy(page + 0x440, library, sizeof(library));
    strcpy((char *)page + 0x610, "/lib/libx.so");
    strcpy((char *)page + 0x620, "/bin/program");
}

static struct df_dump *open_without_notes(const uint8_t page[4096], bool with_auxv)
{
    struct cb_core build;
    struct cb_bytes library = cb_library(EM_X86_64, right_id, 0);
    struct df_search search = {.sysroot = root};
    const uint64_t auxv[][2] = {
        {AT_PHDR, PROGRAM + 64}, {AT_PHNUM, 3}, {AT_EXECFN, PROGRAM + 0x620}};
    cb_init(&build, EM_X86_64);
    if (with_auxv)
        cb_auxv(&build, auxv, 3);
    cb_segment(&build, PROGRAM, page, 4096, 4096, PF_R | PF_W);
    cb_segment(&build, BASE, library.data, 0x1000, 0x1000, PF_R);
    cb_segment(&build, BASE + 0x1000, NULL, 0, 0x1000, PF_R | PF_X);
    struct df_dump *dump = open_with(&build, &search);
    cb_deinit(&build);
    free(library.data);
    return dump;
}

static void without_mappings_the_linker_tells(void **state)
{
    (void)state;
    uint8_t page[4096];
    build_program(page);
    install("/lib/libx.so", cb_library(EM_X86_64, right_id, CB_SYMBOLS));
    for (int with_auxv = 0; with_auxv < 2; with_auxv++) {
        struct df_dump *dump = open_without_notes(page, with_auxv);
        struct df_modules *modules = dump->modules;
        assert_int_equal(modules->count, 2);
        assert_ptr_equal(modules->executable, &modules->items[0]);
        assert_string_equal(modules->items[0].path, with_auxv ? "/bin/program" : "");
        assert_string_equal(modules->items[1].path, "/lib/libx.so");
        assert_int_equal(modules->items[1].state, DF_MODULE_MATCHED);
        assert_int_equal(modules->items[1].bias, BASE);
        assert_int_equal(*(const uint8_t *)df_ptr(dump->space, BASE + 0x1000, 1), 0xcc);
        assert_null(df_ptr(dump->space, BASE + 0x2000, 1)); /* lost data is not made up */
        assert_ptr_equal(df_module_at(modules, BASE + 0x1234), &modules->items[1]);
        df_dump_close(dump);
    }
    put64(page, 0x440 + 24, PROGRAM + 0x400); /* in a circle */
    df_dump_close(open_without_notes(page, true));
    srand(4);
    for (int i = 0; i < 300; i++) {
        build_program(page);
        for (int j = 0; j < 3; j++)
            page[rand() % 0x640] = (uint8_t)rand();
        df_dump_close(open_without_notes(page, i % 2));
    }
}

/* As qemu-user writes it: no NT_FILE, and not one page that is mapped unchanged from a file. */
static struct df_dump *open_without_headers(const uint8_t page[4096], uint64_t entry)
{
    struct cb_core build;
    struct df_search search = {.sysroot = root};
    const uint64_t auxv[][2] = {{AT_PHDR, PROGRAM + 64},
                                {AT_PHNUM, 3},
                                {AT_ENTRY, PROGRAM + entry},
                                {AT_EXECFN, PROGRAM + 0x620}};
    cb_init(&build, EM_X86_64);
    cb_auxv(&build, auxv, 4);
    cb_segment(&build, PROGRAM, NULL, 0, 0x200, PF_R);
    cb_segment(&build, PROGRAM + 0x200, page + 0x200, 0xe00, 0xe00, PF_R | PF_W);
    cb_segment(&build, BASE, NULL, 0, 0x2000, PF_R | PF_X);
    struct df_dump *dump = open_with(&build, &search);
    cb_deinit(&build);
    return dump;
}

static void without_headers_the_program_tells(void **state)
{
    (void)state;
    uint8_t page[4096];
    build_program(page);
    install("/lib/libx.so", cb_library(EM_X86_64, right_id, CB_SYMBOLS));
    struct cb_bytes file = {df_xcalloc(1, sizeof(page)), sizeof(page), 0};
    memcpy(file.data, page, sizeof(page));
    install("/bin/program", file);
    struct df_dump *dump = open_without_headers(page, 0);
    assert_int_equal(dump->modules->count, 2);
    assert_int_equal(dump->modules->executable->state, DF_MODULE_UNVERIFIED);
    assert_int_equal(dump->modules->executable->bias, PROGRAM);
    assert_int_equal(dump->modules->items[1].bias, BASE);
    assert_int_equal(*(const uint8_t *)df_ptr(dump->space, BASE + 0x1000, 1), 0xcc);
    df_dump_close(dump);

    dump = open_without_headers(page, 0x10); /* the program on the host begins elsewhere */
    assert_int_equal(dump->modules->count, 1);
    assert_string_equal(dump->modules->executable->path, "/bin/program");
    assert_int_equal(dump->modules->executable->state, DF_MODULE_MISMATCH);
    df_dump_close(dump);

    put64(page, 0x440 + 16, BASE + 0x1230); /* l_ld: libx has no PT_DYNAMIC there */
    dump = open_without_headers(page, 0);
    assert_int_equal(dump->modules->items[1].state, DF_MODULE_MISMATCH);
    df_dump_close(dump);
}

/* The library's headers and tables damaged at random, in the core and on the host. */
/* A cut core without notes and linker's data: libraries by the headers in memory and the soname. */
static void without_anything_headers_tell(void **state)
{
    (void)state;
    static const char name[] = "libx.so";
    uint8_t page[4096] = {0};
    struct cb_bytes library = cb_library(EM_X86_64, right_id, 0);
    memcpy(page, library.data, library.size < 0x800 ? library.size : 0x800);
    free(library.data);
    /* The last program header becomes .dynamic, at 0x900 of the same page. */
    Elf64_Ehdr header;
    Elf64_Phdr segment = {.p_type = PT_DYNAMIC, .p_vaddr = 0x900, .p_offset = 0x900};
    memcpy(&header, page, sizeof(header));
    memcpy(page + header.e_phoff + header.e_phnum * sizeof(segment), &segment, sizeof(segment));
    bool room = header.e_phoff + (header.e_phnum + 1u) * sizeof(segment) <= 0x240;
    if (room)
        page[offsetof(Elf64_Ehdr, e_phnum)]++;
    const Elf64_Dyn dynamic[] = {{DT_STRTAB, {BASE + 0xa00}}, {DT_SONAME, {4}}, {DT_NULL, {0}}};
    memcpy(page + 0x900, dynamic, sizeof(dynamic));
    memcpy(page + 0xa04, name, sizeof(name));
    install("/usr/lib/libx.so", cb_library(EM_X86_64, wrong_id, CB_SYMBOLS));
    install("/usr/lib64/libx.so", cb_library(EM_X86_64, right_id, CB_SYMBOLS));
    struct cb_core build;
    cb_init(&build, EM_X86_64);
    cb_segment(&build, BASE, page, sizeof(page), sizeof(page), PF_R);
    cb_segment(&build, BASE + 0x1000, NULL, 0, 0x1000, PF_R | PF_X);
    struct df_search search = {.sysroot = root};
    struct df_dump *dump = open_with(&build, &search);
    cb_deinit(&build);
    assert_int_equal(dump->modules->count, 1);
    const struct df_module *module = &dump->modules->items[0];
    assert_int_equal(module->build_id.size, 20);
    if (room) {
        assert_string_equal(module->name, name);
        assert_int_equal(module->state, DF_MODULE_MATCHED);
        assert_int_equal(*(const uint8_t *)df_ptr(dump->space, BASE + 0x1000, 1), 0xcc);
    }
    df_dump_close(dump);
    srand(5);
    for (int i = 0; i < 200; i++) {
        cb_init(&build, EM_X86_64);
        page[rand() % 0x240] = (uint8_t)rand();
        page[0x900 + rand() % 0x30] = (uint8_t)rand();
        cb_segment(&build, BASE, page, sizeof(page), sizeof(page), PF_R);
        df_dump_close(open_with(&build, &search));
        cb_deinit(&build);
    }
}

/* A server on this machine that has the library and its debug file. */
static void files_from_debuginfod(void **state)
{
    (void)state;
    static const char server[] =
        "import functools, http.server, sys\n"
        "class Quiet(http.server.SimpleHTTPRequestHandler):\n"
        "    def log_message(self, *ignored): pass\n"
        "server = http.server.HTTPServer(('127.0.0.1', 0), functools.partial(Quiet, "
        "directory=sys.argv[1]))\n"
        "print(server.server_port, flush=True)\n"
        "server.timeout = 2\n"
        "for _ in range(4): server.handle_request()\n";
    install("/buildid/abcd030400000000000000000000000000000000/executable",
            cb_library(EM_X86_64, right_id, CB_SYMBOLS));
    install("/buildid/abcd030400000000000000000000000000000000/debuginfo",
            cb_library(EM_X86_64, right_id, CB_SYMBOLS | CB_DEBUG_INFO));
    DF_CLEANUP_FREE char *command = df_xasprintf(
        "command -v python3 >/dev/null && { timeout 30 python3 -c \"%s\" %s & }", server, root);
    FILE *pipe = popen(command, "r");
    assert_non_null(pipe);
    int port = 0;
    if (fscanf(pipe, "%d", &port) != 1) {
        pclose(pipe);
        skip();
    }
    DF_CLEANUP_FREE char *url = df_xasprintf("http://127.0.0.1:%d/", port);
    DF_CLEANUP_FREE char *cache = df_xasprintf("%s/cache", root);
    setenv("DEBUGINFOD_CACHE_PATH", cache, 1);
    setenv("DEBUGINFOD_TIMEOUT", "10", 1);
    unsetenv("DEBUGINFOD_URLS");
    struct df_dump *dump = open_library("/lib/libx.so");
    assert_int_equal(dump->modules->items[0].state, DF_MODULE_MISSING); /* nobody is asked */
    df_dump_close(dump);
    setenv("DEBUGINFOD_URLS", url, 1);
    dump = open_library("/lib/libx.so");
    bool built_with = dump->modules->items[0].file;
    if (built_with) {
        assert_int_equal(dump->modules->items[0].state, DF_MODULE_MATCHED);
        assert_non_null(dump->modules->items[0].debug_file);
        assert_non_null(strstr(dump->modules->items[0].debug_file, cache));
    }
    df_dump_close(dump);
    unsetenv("DEBUGINFOD_URLS");
    unsetenv("DEBUGINFOD_CACHE_PATH");
    pclose(pipe);
    if (!built_with)
        skip();
}

static void survives_noise(void **state)
{
    (void)state;
    srand(3);
    for (int i = 0; i < 400; i++) {
        struct cb_core build;
        struct cb_bytes mapped = cb_library(EM_X86_64, right_id, CB_SYMBOLS);
        struct cb_bytes file = cb_library(EM_X86_64, right_id, CB_SYMBOLS);
        struct df_search search = {.sysroot = root};
        for (int j = 0; j < 6; j++) {
            struct cb_bytes *victim = i % 3 ? &file : &mapped;
            size_t at = (size_t)rand() % 0x240;
            if (i % 2)
                at = 0x3000 + (size_t)rand() % 0x380;
            victim->data[at] = (uint8_t)(rand() % 2 ? rand() : 0xff);
        }
        if (i % 5 == 0)
            file.size = (size_t)rand() % file.size;
        install("/lib/libx.so", file);
        cb_init(&build, EM_X86_64);
        build_core(&build, &mapped, "/lib/libx.so", BASE);
        struct df_dump *dump = open_with(&build, &search);
        df_modules_load_symbols(dump->modules);
        df_modules_symbol(dump->modules, "cb_object", NULL);
        for (uint64_t at = BASE; at < BASE + 0x4000; at += 0x123)
            if (df_module_at(dump->modules, at))
                df_module_symbol_at(df_module_at(dump->modules, at), at);
        df_dump_close(dump);
        cb_deinit(&build);
        free(mapped.data);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(takes_the_matching_file, clear),
        cmocka_unit_test_setup(never_takes_another_build, clear),
        cmocka_unit_test_setup(says_what_is_missing, clear),
        cmocka_unit_test_setup(writable_bytes_never_come_from_the_file, clear),
        cmocka_unit_test_setup(one_file_mapped_twice, clear),
        cmocka_unit_test_setup(symbols_by_name_and_address, clear),
        cmocka_unit_test_setup(symbols_of_a_stripped_file, clear),
        cmocka_unit_test_setup(addresses_to_modules, clear),
        cmocka_unit_test_setup(the_executable_may_be_elsewhere, clear),
        cmocka_unit_test_setup(data_is_not_missed, clear),
        cmocka_unit_test_setup(debug_files_by_build_id_and_link, clear),
        cmocka_unit_test_setup(without_mappings_the_linker_tells, clear),
        cmocka_unit_test_setup(without_headers_the_program_tells, clear),
        cmocka_unit_test_setup(without_anything_headers_tell, clear),
        cmocka_unit_test_setup(files_from_debuginfod, clear),
        cmocka_unit_test_setup(survives_noise, clear),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
