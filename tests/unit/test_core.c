/* SPDX-License-Identifier: MIT
 * test_core.c: core files as they should be, as they often are, and as an enemy makes them.
 */
#include "tests/support/cmocka_all.h"

#include <signal.h>

#include "dumpfmt/base/mem.h"
#include "dumpfmt/core.h"
#include "tests/support/corebuild.h"

static uint8_t page[3][4096];

static struct df_err *open_image(struct cb_core *build, struct df_core **ret)
{
    char *path = cb_write(build);
    struct df_err *err = df_core_open(path, ret);
    cb_remove(path); /* the mapping stays */
    return err;
}

static struct df_err *open_bytes(const void *bytes, size_t size)
{
    struct df_core *core = NULL;
    char *path = cb_write_bytes(bytes, size);
    struct df_err *err = df_core_open(path, &core);
    cb_remove(path);
    df_core_close(core);
    return err;
}

/* A process of two threads, killed by SIGSEGV, as the kernel writes it. */
static void build_process(struct cb_core *build, uint16_t machine)
{
    uint64_t registers[34];
    for (uint64_t i = 0; i < 34; i++)
        registers[i] = 1000 + i;
    cb_init(build, machine);
    cb_prstatus(build, 71, SIGSEGV, registers);
    cb_psinfo(build, 70, "python3", "python3 -m app  ");
    cb_siginfo(build, SIGSEGV, 1, 0xdead0);
    const uint64_t auxv[][2] = {
        {AT_ENTRY, 0x401000}, {AT_PHDR, 0x400040}, {AT_NULL, 0}, {AT_BASE, 9}};
    cb_auxv(build, auxv, 4);
    const struct cb_mapping rows[] = {{0x401000, 0x402000, 1, "/usr/bin/python3"},
                                      {0x400000, 0x401000, 0, "/usr/bin/python3"}};
    cb_files(build, rows, 2);
    cb_prstatus(build, 72, 0, registers);
    for (int i = 0; i < 3; i++)
        memset(page[i], i + 1, sizeof(page[i]));
    cb_segment(build, 0x400000, page[0], 4096, 4096, PF_R);
    cb_segment(build, 0x600000, page[1], 4096, 0x3000, PF_R | PF_W);
}

static void reads_a_process(void **state)
{
    (void)state;
    struct cb_core build;
    struct df_core *core;
    build_process(&build, EM_X86_64);
    assert_ok(open_image(&build, &core));
    assert_int_equal(core->machine, DF_X86_64);
    assert_int_equal(core->pid, 70);
    assert_string_equal(core->program, "python3");
    assert_string_equal(core->command, "python3 -m app");
    assert_string_equal(core->captured_by, "kernel");
    assert_int_equal(core->signal, SIGSEGV);
    assert_int_equal(core->signal_code, 1);
    assert_int_equal(core->signal_address, 0xdead0);
    assert_int_equal(core->lwp_count, 2);
    assert_int_equal(core->lwps[0].tid, 71);
    assert_int_equal(core->lwps[0].register_count, 27);
    assert_int_equal(core->lwps[0].pc, 1016);
    assert_int_equal(core->lwps[0].sp, 1019);
    assert_int_equal(core->lwps[0].tls, 1021);
    assert_int_equal(core->lwps[1].tid, 72);
    uint64_t value;
    assert_true(df_core_auxv(core, AT_ENTRY, &value));
    assert_int_equal(value, 0x401000);
    assert_false(df_core_auxv(core, AT_BASE, &value)); /* behind AT_NULL */
    assert_int_equal(core->mapping_count, 2);
    assert_int_equal(core->mappings[1].start, 0x401000);
    assert_int_equal(core->mappings[1].file_offset, 4096);
    assert_string_equal(core->mappings[1].path, "/usr/bin/python3");
    assert_int_equal(core->segment_count, 2);
    assert_int_equal(core->segments[1].memory_size, 0x3000);
    assert_int_equal(core->segments[1].file_size, 4096);
    assert_int_equal(core->lost_bytes, 0);
    assert_memory_equal(df_core_bytes(core, 0x600000, 4096), page[1], 4096);
    assert_null(df_core_bytes(core, 0x600001, 4096));
    assert_null(df_core_bytes(core, 0x601000, 1));
    assert_null(df_core_segment(core, 0x603000));
    df_core_close(core);
    df_core_close(NULL);
    cb_deinit(&build);
}

static void reads_aarch64(void **state)
{
    (void)state;
    struct cb_core build;
    struct df_core *core;
    const uint64_t tls[2] = {0x7f00aa, 0};
    build_process(&build, EM_AARCH64);
    cb_note(&build, "LINUX", 0x401, tls, sizeof(tls));
    assert_ok(open_image(&build, &core));
    assert_int_equal(core->machine, DF_AARCH64);
    assert_int_equal(core->lwps[1].register_count, 34);
    assert_int_equal(core->lwps[1].sp, 1031);
    assert_int_equal(core->lwps[1].pc, 1032);
    assert_int_equal(core->lwps[1].tls, 0x7f00aa);
    assert_int_equal(core->lwps[0].tls, 0);
    df_core_close(core);
    cb_deinit(&build);
}

/* gdb: process first, page size 1, SIGTRAP or SIGSTOP of its own. */
static void knows_gcore(void **state)
{
    (void)state;
    struct cb_core build;
    struct df_core *core;
    const uint64_t files[] = {1, 1, 0x400000, 0x401000, 0x2000, 0x6f6f662f /* "/foo" */};
    cb_init(&build, EM_X86_64);
    cb_psinfo(&build, 5, "a", "a");
    cb_prstatus(&build, 5, SIGTRAP, NULL);
    cb_note(&build, "CORE", NT_FILE, files, sizeof(files));
    cb_segment(&build, 0x1000, page[0], 4096, 4096, PF_R);
    assert_ok(open_image(&build, &core));
    assert_string_equal(core->captured_by, "gcore");
    assert_int_equal(core->signal, 0);
    assert_int_equal(core->mappings[0].file_offset, 0x2000);
    assert_string_equal(core->mappings[0].path, "/foo");
    df_core_close(core);
    cb_deinit(&build);
}

static void sorts_and_cuts_overlaps(void **state)
{
    (void)state;
    struct cb_core build;
    struct df_core *core;
    memset(page[0], 1, 4096);
    memset(page[1], 2, 4096);
    memset(page[2], 3, 4096);
    cb_init(&build, EM_X86_64);
    cb_segment(&build, 0x5000, page[0], 4096, 4096, PF_R);
    cb_segment(&build, 0x4800, page[1], 4096, 4096, PF_R | PF_W);
    cb_segment(&build, 0x1000, page[2], 4096, 4096, PF_R);
    cb_segment(&build, 0x5400, page[2], 16, 16, PF_R);
    cb_segment(&build, 0x9000, page[2], 0, 0, PF_R);
    assert_ok(open_image(&build, &core));
    assert_int_equal(core->segment_count, 3);
    assert_int_equal(core->overlapping, 2);
    assert_int_equal(core->segments[0].address, 0x1000);
    assert_int_equal(core->segments[1].address, 0x4800);
    assert_int_equal(core->segments[1].memory_size, 0x800);
    assert_int_equal(core->segments[2].address, 0x5000);
    assert_int_equal(*df_core_bytes(core, 0x4fff, 1), 2);
    assert_int_equal(*df_core_bytes(core, 0x5400, 1), 1);
    df_core_close(core);
    cb_deinit(&build);
}

/* The second segment, longer and begun earlier, is left with a piece behind the first. */
static void cuts_keep_bytes_in_place(void **state)
{
    (void)state;
    struct cb_core build;
    struct df_core *core;
    for (size_t i = 0; i < 4096; i++)
        page[1][i] = (uint8_t)(i / 16);
    cb_init(&build, EM_X86_64);
    cb_segment(&build, 0x1400, page[0], 0x100, 0x100, PF_R);
    cb_segment(&build, 0x1000, page[1], 0x800, 0x1000, PF_R);
    assert_ok(open_image(&build, &core));
    assert_int_equal(core->segment_count, 3);
    assert_int_equal(*df_core_bytes(core, 0x13f0, 1), 0x3f);
    assert_int_equal(*df_core_bytes(core, 0x1500, 1), 0x50);
    assert_int_equal(core->segments[2].file_size, 0x300);
    assert_int_equal(core->segments[2].memory_size, 0xb00);
    assert_null(df_core_bytes(core, 0x1800, 1));
    df_core_close(core);
    cb_deinit(&build);
}

static void counts_what_truncation_lost(void **state)
{
    (void)state;
    struct cb_core build;
    struct df_core *core;
    build_process(&build, EM_X86_64);
    cb_layout(&build);
    size_t whole = build.image.size;
    build.image.size = whole - 1000;
    assert_ok(open_image(&build, &core));
    assert_int_equal(core->lost_bytes, 1000);
    assert_int_equal(core->segments[1].lost, 1000);
    assert_int_equal(core->segments[1].file_size, 3096);
    assert_int_equal(core->lwp_count, 2);
    df_core_close(core);
    build.image.size = 64 + 2 * 56; /* the third program header is gone, and all notes */
    assert_ok(open_image(&build, &core));
    assert_int_equal(core->lost_headers, 1);
    assert_int_equal(core->lost_bytes, 4096);
    assert_int_equal(core->lwp_count, 0);
    assert_string_equal(core->command, "");
    assert_string_equal(core->captured_by, "unknown");
    df_core_close(core);
    cb_deinit(&build);
}

static void survives_every_length(void **state)
{
    (void)state;
    struct cb_core build;
    struct df_core *core;
    build_process(&build, EM_X86_64);
    cb_layout(&build);
    size_t whole = build.image.size;
    for (size_t size = 0; size < whole; size += size < 4000 ? 7 : 501) {
        build.image.size = size ? size : 1;
        struct df_err *err = open_image(&build, &core);
        if (!err)
            df_core_close(core);
        df_err_free(err);
    }
    cb_deinit(&build);
}

static void many_segments(void **state)
{
    (void)state;
    enum { COUNT = 70000 };
    struct cb_core build;
    struct df_core *core;
    cb_init(&build, EM_X86_64);
    cb_prstatus(&build, 1, 6, NULL);
    for (uint64_t i = 0; i < COUNT; i++)
        cb_segment(&build, 0x10000 + i * 0x2000, NULL, 0, 0x1000, PF_R);
    assert_ok(open_image(&build, &core));
    assert_int_equal(build.header.e_phnum, PN_XNUM);
    assert_int_equal(core->segment_count, COUNT);
    assert_int_equal(core->lwp_count, 1);
    df_core_close(core);
    build.image.size = build.header.e_shoff; /* section header 0 was at the end */
    assert_ok(open_image(&build, &core));
    assert_int_equal(core->segment_count, COUNT);
    df_core_close(core);
    cb_deinit(&build);
}

static void small_xnum(void **state)
{
    (void)state;
    struct cb_core build;
    struct df_core *core;
    build_process(&build, EM_X86_64);
    build.force_xnum = 1;
    assert_ok(open_image(&build, &core));
    assert_int_equal(core->segment_count, 2);
    assert_int_equal(core->lost_headers, 0);
    df_core_close(core);
    cb_deinit(&build);
}

static void says_what_the_file_is(void **state)
{
    (void)state;
    struct cb_core build;
    struct df_core *core;
    assert_fails(open_bytes("", 0), DF_ERR_INPUT, "is empty");
    assert_fails(open_bytes("hello, world", 12), DF_ERR_INPUT, "is not an ELF file");
    assert_fails(open_bytes("\x28\xb5\x2f\xfdxxxx", 8), DF_ERR_INPUT, "decompressed");
    assert_fails(open_bytes("\177ELF", 4), DF_ERR_INPUT, "cut off within the ELF header");
    assert_fails(df_core_open("/", &core), DF_ERR_INPUT, "is a directory");
    assert_fails(df_core_open("/proc/self/exe", &core), DF_ERR_INPUT, "give the core file");

    static const struct {
        uint8_t class, data;
        uint16_t type, machine;
        enum df_code code;
        const char *text;
    } cases[] = {
        {ELFCLASS32, ELFDATA2LSB, ET_CORE, EM_386, DF_ERR_UNSUPPORTED, "32-bit"},
        {ELFCLASS64, ELFDATA2MSB, ET_CORE, EM_S390, DF_ERR_UNSUPPORTED, "big-endian"},
        {ELFCLASS64, ELFDATA2LSB, ET_EXEC, EM_X86_64, DF_ERR_INPUT, "is an executable, not a core"},
        {ELFCLASS64, ELFDATA2LSB, ET_DYN, EM_X86_64, DF_ERR_INPUT, "or a shared library, not"},
        {ELFCLASS64, ELFDATA2LSB, ET_REL, EM_X86_64, DF_ERR_INPUT, "object file, not a core"},
        {ELFCLASS64, ELFDATA2LSB, 77, EM_X86_64, DF_ERR_INPUT, "unknown type"},
        {ELFCLASS64, ELFDATA2LSB, ET_CORE, EM_RISCV, DF_ERR_UNSUPPORTED, "another machine"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        build_process(&build, cases[i].machine);
        build.header.e_ident[EI_CLASS] = cases[i].class;
        build.header.e_ident[EI_DATA] = cases[i].data;
        build.header.e_type = cases[i].type;
        assert_fails(open_image(&build, &core), cases[i].code, cases[i].text);
        cb_deinit(&build);
    }
}

static void needs_memory(void **state)
{
    (void)state;
    struct cb_core build;
    struct df_core *core;
    cb_init(&build, EM_X86_64);
    assert_fails(open_image(&build, &core), DF_ERR_INPUT, "no program headers");
    cb_deinit(&build);
    cb_init(&build, EM_X86_64);
    cb_prstatus(&build, 1, 6, NULL);
    assert_fails(open_image(&build, &core), DF_ERR_INPUT, "without any memory segment");
    cb_deinit(&build);
}

/* Headers that lie: offsets and sizes at the edge of 64 bits, the same bytes many times. */
static void hostile_segments(void **state)
{
    (void)state;
    struct cb_core build;
    struct df_core *core;
    cb_init(&build, EM_X86_64);
    for (uint64_t i = 0; i < 8; i++)
        cb_segment(&build, i << 20, page[0], 4096, 4096, PF_R);
    cb_layout(&build);
    Elf64_Phdr *headers = (Elf64_Phdr *)(build.image.data + build.header.e_phoff);
    headers[0].p_offset = UINT64_MAX;
    headers[1].p_filesz = UINT64_MAX;
    headers[1].p_memsz = UINT64_MAX;
    headers[2].p_vaddr = UINT64_MAX - 10;
    headers[2].p_memsz = 1 << 20;
    headers[3].p_filesz = 1 << 30; /* more than in memory */
    headers[4].p_offset = 0;
    headers[5].p_offset = build.image.size;
    assert_ok(open_image(&build, &core));
    for (uint32_t i = 0; i < core->segment_count; i++) {
        const struct df_segment *segment = &core->segments[i];
        assert_true(segment->file_size <= segment->memory_size);
        assert_true(!segment->file_size ||
                    segment->file_offset + segment->file_size <= core->file->size);
        assert_true(!i || segment[-1].address + segment[-1].memory_size <= segment->address);
    }
    df_core_close(core);
    cb_deinit(&build);
}

static void shared_bytes_make_no_huge_process(void **state)
{
    (void)state;
    enum { COUNT = 1000 };
    struct cb_core build;
    struct df_core *core;
    cb_init(&build, EM_X86_64);
    for (uint64_t i = 0; i < COUNT; i++)
        cb_segment(&build, i << 24, NULL, 0, 1 << 24, PF_R);
    cb_layout(&build);
    Elf64_Phdr *headers = (Elf64_Phdr *)(build.image.data + build.header.e_phoff);
    for (size_t i = 0; i < COUNT; i++) {
        headers[i].p_offset = 0;
        headers[i].p_filesz = build.image.size;
    }
    assert_ok(open_image(&build, &core));
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < core->segment_count; i++)
        bytes += core->segments[i].file_size;
    assert_true(bytes <= core->file->size);
    df_core_close(core);
    cb_deinit(&build);
}

static void hostile_notes(void **state)
{
    (void)state;
    struct cb_core build;
    struct df_core *core;
    const uint64_t lying[] = {UINT64_MAX, 4096, 1, 2, 3, 0};
    const uint64_t unended[] = {1, 4096, 0x1000, 0x2000, 0, 0x6161616161616161};
    const uint64_t wild[] = {1, UINT64_MAX, 0x1000, 0x2000, 3, 0x61};
    cb_init(&build, EM_X86_64);
    cb_note(&build, "CORE", NT_FILE, lying, sizeof(lying));
    cb_note(&build, "CORE", NT_FILE, unended, sizeof(unended));
    cb_note(&build, "CORE", NT_PRSTATUS, lying, sizeof(lying));
    cb_note(&build, "CORE", NT_PRPSINFO, lying, 8);
    cb_note(&build, "CORE", NT_SIGINFO, lying, 8);
    cb_note(&build, "CORE", NT_AUXV, lying, 8);
    cb_note(&build, "EVIL", NT_PRSTATUS, page, sizeof(page));
    cb_note(&build, "LINUX", 0x401, lying, 16);
    cb_segment(&build, 0x1000, page[0], 4096, 4096, PF_R);
    assert_ok(open_image(&build, &core));
    assert_int_equal(core->lwp_count, 0);
    assert_int_equal(core->mapping_count, 0);
    assert_int_equal(core->auxv_count, 0);
    df_core_close(core);
    cb_deinit(&build);
    cb_init(&build, EM_X86_64);
    cb_note(&build, "CORE", NT_FILE, wild, sizeof(wild));
    cb_segment(&build, 0x1000, page[0], 4096, 4096, PF_R);
    assert_ok(open_image(&build, &core));
    assert_int_equal(core->mapping_count, 0);
    df_core_close(core);
    cb_deinit(&build);
}

/* Single bytes of headers and notes changed at random. */
static void survives_noise(void **state)
{
    (void)state;
    struct cb_core build;
    struct df_core *core;
    build_process(&build, EM_X86_64);
    cb_layout(&build);
    DF_CLEANUP_FREE uint8_t *clean = df_xmalloc(build.image.size);
    memcpy(clean, build.image.data, build.image.size);
    srand(2);
    for (int i = 0; i < 3000; i++) {
        memcpy(build.image.data, clean, build.image.size);
        for (int j = rand() % 4; j >= 0; j--)
            build.image.data[rand() % 2400] = (uint8_t)(rand() % 3 ? rand() : 0xff);
        struct df_err *err = open_image(&build, &core);
        if (!err)
            df_core_close(core);
        df_err_free(err);
    }
    cb_deinit(&build);
}

/* By each value, and by the core's order among equals. */
static void orders_threads(void **state)
{
    struct df_lwp lwps[] = {{.tid = 30, .sp = 0x5000, .tls = 7},
                            {.tid = 10, .sp = 0x9000, .tls = UINT64_MAX},
                            {.tid = 30, .sp = 0x1000, .tls = 9},
                            {.tid = -1, .sp = 0x5000, .tls = 7}};
    const struct df_core core = {.lwps = lwps, .lwp_count = 4}, none = {0};
    struct df_lwp_order order;
    (void)state;
    df_lwp_order_make(&order, &core, DF_LWP_TID);
    assert_int_equal(df_lwp_order_find(&order, 0), 0);
    assert_int_equal(order.rows[0].index, 1);
    uint32_t at = df_lwp_order_find(&order, 30);
    assert_int_equal(order.rows[at].index, 0);
    assert_int_equal(order.rows[at + 1].index, 2);
    assert_int_equal(df_lwp_order_find(&order, 31), 3); /* -1 is the highest */
    df_lwp_order_free(&order);
    df_lwp_order_make(&order, &core, DF_LWP_SP);
    assert_int_equal(order.rows[df_lwp_order_find(&order, 0x1001)].index, 0);
    assert_int_equal(df_lwp_order_find(&order, 0x9001), 4);
    df_lwp_order_free(&order);
    df_lwp_order_make(&order, &core, DF_LWP_TLS);
    assert_int_equal(order.rows[df_lwp_order_find(&order, 8)].index, 2);
    assert_int_equal(order.rows[df_lwp_order_find(&order, UINT64_MAX)].index, 1);
    df_lwp_order_free(&order);
    df_lwp_order_make(&order, &none, DF_LWP_SP);
    assert_int_equal(df_lwp_order_find(&order, 1), 0);
    df_lwp_order_free(&order);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_a_process),
        cmocka_unit_test(reads_aarch64),
        cmocka_unit_test(knows_gcore),
        cmocka_unit_test(sorts_and_cuts_overlaps),
        cmocka_unit_test(cuts_keep_bytes_in_place),
        cmocka_unit_test(counts_what_truncation_lost),
        cmocka_unit_test(survives_every_length),
        cmocka_unit_test(many_segments),
        cmocka_unit_test(small_xnum),
        cmocka_unit_test(says_what_the_file_is),
        cmocka_unit_test(needs_memory),
        cmocka_unit_test(hostile_segments),
        cmocka_unit_test(shared_bytes_make_no_huge_process),
        cmocka_unit_test(hostile_notes),
        cmocka_unit_test(orders_threads),
        cmocka_unit_test(survives_noise),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
