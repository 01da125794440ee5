/* SPDX-License-Identifier: MIT
 * test_container.c: cores that are compressed, wrapped, piped or cut off within all that.
 *
 * The formats are written by libarchive, or by the formats' own tools where they are installed.
 */
#include "tests/support/cmocka_all.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "dumpfmt/base/mem.h"
#include "dumpfmt/core.h"
#include "dumpfmt/dump.h"
#include "tests/support/corebuild.h"

#define MEMORY UINT64_C(0x7f0000000000)
#define MEMORY_SIZE (9u << 20) /* lz4 has blocks of 4 MiB */
#define HOLE (16u << 20)       /* zeros behind it */

static char directory[] = "/tmp/test_container.XXXXXX";
static uint8_t *image; /* of the core */
static size_t image_size;

static char *at(const char *name)
{
    return df_xasprintf("%s/%s", directory, name);
}

static void run(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void run(const char *format, ...)
{
    char command[4096];
    va_list list;
    va_start(list, format);
    vsnprintf(command, sizeof(command), format, list);
    va_end(list);
    if (system(command) != 0)
        fail_msg("failed: %s", command);
}

static bool have(const char *tool)
{
    DF_CLEANUP_FREE char *command = df_xasprintf("command -v %s >/dev/null 2>&1", tool);
    return system(command) == 0;
}

static void write_file(const char *path, const void *bytes, size_t size)
{
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
}

/* Memory that compresses to about a half, so that a cut file ends somewhere within it. */
static void fill_memory(uint8_t *memory)
{
    uint32_t state = 1;
    for (size_t i = 0; i < MEMORY_SIZE; i++) {
        state = state * 1103515245 + 12345;
        memory[i] = i % 2 ? (uint8_t)(i >> 8) : (uint8_t)(state >> 16);
    }
}

static int setup(void **state)
{
    (void)state;
    if (!mkdtemp(directory))
        return -1;
    uint8_t *memory = malloc(MEMORY_SIZE);
    fill_memory(memory);
    struct cb_core core;
    cb_init(&core, EM_X86_64);
    cb_psinfo(&core, 4242, "dead", "dead --now");
    cb_prstatus(&core, 4242, 11, NULL);
    cb_segment(&core, MEMORY, memory, MEMORY_SIZE, MEMORY_SIZE, PF_R | PF_W);
    cb_segment(&core, MEMORY + (UINT64_C(1) << 32), NULL, HOLE, HOLE, PF_R | PF_W);
    cb_layout(&core);
    image_size = core.image.size;
    image = malloc(image_size);
    memcpy(image, core.image.data, image_size);
    cb_deinit(&core);
    free(memory);
    DF_CLEANUP_FREE char *path = at("core");
    write_file(path, image, image_size);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    free(image);
    DF_CLEANUP_FREE char *command = df_xasprintf("rm -rf %s", directory);
    return system(command);
}

static struct df_core *open_core(const char *path)
{
    struct df_core *core = NULL;
    struct df_err *err = df_core_open(path, &core);
    if (err)
        fail_msg("%s", df_err_text(err));
    return core;
}

static void expect_whole(const struct df_core *core)
{
    assert_int_equal(core->file->size, image_size);
    assert_memory_equal(core->file->data, image, image_size);
    assert_int_equal(core->pid, 4242);
    assert_false(df_core_is_cut(core));
}

static void expect_error(const char *path, const struct df_container_options *options,
                         enum df_code code, const char *words)
{
    struct df_core *core;
    struct df_err *err = df_core_open_with(path, options, &core);
    assert_non_null(err);
    if (df_err_code(err) != code || !strstr(df_err_text(err), words))
        fail_msg("%d: %s", df_err_code(err), df_err_text(err));
    df_err_free(err);
}

static const struct {
    const char *tool, *format;
} tools[] = {
    {"gzip -c", "gzip"},    {"xz -0 --block-size=4MiB -c", "xz"},
    {"zstd -q -c", "zstd"}, {"bzip2 -c", "bzip2"},
    {"lz4 -q -c", "lz4"},   {"lz4 -q -l -c", "lz4"},
};
#define TOOLS (sizeof(tools) / sizeof(*tools))

/* The compressed core as `name`; false without the tool. */
static bool compress_with(size_t tool, const char *name)
{
    static bool done[TOOLS];
    char program[16];
    snprintf(program, sizeof(program), "%.*s", (int)strcspn(tools[tool].tool, " "),
             tools[tool].tool);
    if (!have(program))
        return false;
    if (!done[tool])
        run("cd %s && %s core > packed%zu", directory, tools[tool].tool, tool);
    done[tool] = true;
    run("cd %s && cp packed%zu %s", directory, tool, name);
    return true;
}

/* Told by content: every file has the suffix of another format. */
static void test_formats(void **state)
{
    (void)state;
    static const char *const lies[] = {"a.xz", "a.gz", "a.txt", "a.zst", "a.bz2", "a"};
    for (size_t i = 0; i < TOOLS; i++) {
        if (!compress_with(i, lies[i]))
            continue;
        DF_CLEANUP_FREE char *path = at(lies[i]);
        struct df_core *core = open_core(path);
        expect_whole(core);
        assert_string_equal(core->container.format, tools[i].format);
        assert_string_equal(core->file->path, path);
        struct stat status;
        assert_int_equal(fstat(core->file->fd, &status), 0);
        assert_int_equal(status.st_nlink, 0);
        assert_true((uint64_t)status.st_blocks * 512 <
                    MEMORY_SIZE + HOLE / 4); /* the zeros are not there */
        df_core_close(core);
    }
}

static void test_twice(void **state)
{
    (void)state;
    if (!have("zstd") || !have("gzip"))
        skip();
    run("cd %s && gzip -c core | zstd -q -c > twice && cat twice > twice.core", directory);
    DF_CLEANUP_FREE char *path = at("twice.core");
    struct df_core *core = open_core(path);
    expect_whole(core);
    df_core_close(core);
}

/* Several members, as a writer that is interrupted and goes on makes them. */
static void test_members(void **state)
{
    (void)state;
    if (!have("zstd") || !have("gzip"))
        skip();
    for (size_t i = 0; i < 2; i++) {
        const char *tool = i ? "zstd -q -c" : "gzip -c";
        run("cd %s && (head -c 700000 core | %s; tail -c +700001 core | %s) > members", directory,
            tool, tool);
        DF_CLEANUP_FREE char *path = at("members");
        struct df_core *core = open_core(path);
        expect_whole(core);
        df_core_close(core);
    }
}

static void test_cut(void **state)
{
    (void)state;
    for (size_t i = 0; i + 1 < TOOLS; i++) { /* the last one has blocks of 8 MiB: too large here */
        if (!compress_with(i, "whole"))
            continue;
        run("cd %s && head -c $(($(stat -c %%s whole) * 2 / 3)) whole > cut", directory);
        DF_CLEANUP_FREE char *path = at("cut");
        struct df_core *core = NULL;
        struct df_err *err = df_core_open(path, &core);
        if (err)
            fail_msg("%s: %s", tools[i].tool, df_err_text(err));
        assert_true(core->container.cut);
        assert_true(df_core_is_cut(core));
        assert_true(core->lost_bytes > 0);
        assert_true(core->file->size > 400000 && core->file->size < image_size);
        assert_memory_equal(core->file->data, image, core->file->size);
        df_core_close(core);
    }
    /* Nothing in it. */
    DF_CLEANUP_FREE char *path = at("start");
    write_file(path, "\x1f\x8b\x08\0\0\0\0\0\0\x03\xed\xbd", 12);
    expect_error(path, NULL, DF_ERR_INPUT, "nothing in it can be decompressed");
    write_file(path, "\x28\xb5\x2f\xfd", 4);
    expect_error(path, NULL, DF_ERR_INPUT, "nothing in it can be decompressed");
}

/* A damaged byte: what came before it serves, and nothing crashes. */
static void test_damage(void **state)
{
    (void)state;
    srand(3);
    for (size_t i = 0; i < TOOLS; i++) {
        if (!compress_with(i, "whole"))
            continue;
        for (int round = 0; round < 3; round++) {
            run("cd %s && cp whole bad && printf '\\377\\001\\200' | dd of=bad bs=1 conv=notrunc "
                "seek=%d 2>/dev/null",
                directory, 4 + rand() % (round % 2 ? 400 : 400000));
            DF_CLEANUP_FREE char *path = at("bad");
            struct df_core *core = NULL;
            df_err_free(df_core_open(path, &core));
            df_core_close(core);
        }
    }
}

static void test_limit(void **state)
{
    (void)state;
    if (!compress_with(0, "limited"))
        skip();
    DF_CLEANUP_FREE char *path = at("limited");
    expect_error(path, &(struct df_container_options){.size_limit = 1 << 20}, DF_ERR_IO,
                 "larger, unpacked, than the limit of 1048576 bytes");
    expect_error(path, &(struct df_container_options){.temporary_directory = "/no/such/place"},
                 DF_ERR_IO, "set TMPDIR");
    struct df_core *core = NULL;
    assert_null(
        df_core_open_with(path, &(struct df_container_options){.size_limit = image_size}, &core));
    expect_whole(core);
    df_core_close(core);
}

static void count_reports(void *context, const char *phase, uint64_t done, uint64_t total)
{
    assert_string_equal(phase, "decompressing the core");
    assert_true(done <= total);
    ++*(int *)context;
}

static void test_progress(void **state)
{
    (void)state;
    if (!compress_with(0, "slow"))
        skip();
    DF_CLEANUP_FREE char *path = at("slow");
    int reports = 0;
    struct df_progress progress = {count_reports, &reports};
    struct df_container_options options = {.progress = &progress};
    struct df_search search = {.container = &options};
    struct df_dump *dump = NULL;
    assert_null(df_dump_open(path, &search, &dump));
    assert_true(reports > 3);
    expect_whole(dump->core);
    struct stat status;
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(dump->core->container.input_size, status.st_size);
    df_dump_close(dump);
}

/* Standard input is what the file is; then it is as it was. */
static struct df_core *open_stdin(const char *path, struct df_err **ret)
{
    int saved = dup(STDIN_FILENO), fd = open(path, O_RDONLY);
    assert_true(fd >= 0);
    assert_int_equal(dup2(fd, STDIN_FILENO), STDIN_FILENO);
    struct df_core *core = NULL;
    *ret = df_core_open("-", &core);
    if (saved >= 0)
        dup2(saved, STDIN_FILENO);
    close(saved);
    close(fd);
    return core;
}

static void test_standard_input(void **state)
{
    (void)state;
    DF_CLEANUP_FREE char *plain = at("core");
    struct df_err *err;
    struct df_core *core = open_stdin(plain, &err);
    assert_null(err);
    expect_whole(core);
    assert_null(core->container.format); /* mapped, not copied */
    assert_string_equal(core->file->path, "standard input");
    df_core_close(core);
    if (compress_with(0, "input")) {
        DF_CLEANUP_FREE char *packed = at("input");
        core = open_stdin(packed, &err);
        assert_null(err);
        expect_whole(core);
        df_core_close(core);
    }
    assert_null(open_stdin("/dev/null", &err));
    assert_non_null(strstr(df_err_text(err), "standard input: is a device"));
    df_err_free(err);
}

static void through_pipe(const char *writer, const char *format)
{
    DF_CLEANUP_FREE char *command = df_xasprintf("cd %s && %s core", directory, writer);
    FILE *pipe = popen(command, "r");
    assert_non_null(pipe);
    char path[64];
    snprintf(path, sizeof(path), "/dev/fd/%d", fileno(pipe));
    struct df_core *core = open_core(path);
    expect_whole(core);
    assert_string_equal(core->container.format, format);
    df_core_close(core);
    assert_int_equal(pclose(pipe), 0);
}

static void test_pipe(void **state)
{
    (void)state;
    through_pipe("cat", "pipe");
    if (have("zstd"))
        through_pipe("zstd -q -c", "zstd");
    DF_CLEANUP_FREE char *fifo = at("fifo");
    assert_int_equal(mkfifo(fifo, 0600), 0);
    expect_error(fifo, NULL, DF_ERR_INPUT, "is empty"); /* nobody writes: nothing is waited for */
}

/* As problem_report.py writes it: each line is base64 on its own, and together they are a gzip. */
static void write_report(const char *name, const char *tail)
{
    run("cd %s && { printf 'ProblemType: Crash\\nArchitecture: amd64\\nCoreDumpNot: base64\\n x\\n"
        "ProcMaps:\\n 00 CoreDump: base64\\n \\nCoreDump: base64\\n'; head -c 10 z | base64 -w 0 | "
        "sed 's/^/ /'; echo; tail -c +11 z | split -b 100001 --filter 'base64 -w 0 | sed \"s/^/ "
        "/\"; "
        "echo'; %s; } > %s",
        directory, tail, name);
}

static void test_apport(void **state)
{
    (void)state;
    if (!have("gzip") || !have("base64") || !have("split"))
        skip();
    run("cd %s && gzip -c core > z", directory);
    DF_CLEANUP_FREE char *path = at("_usr_bin_dead.0.crash");
    write_report("_usr_bin_dead.0.crash", "printf 'Disassembly: none\\n at all\\n'");
    struct df_core *core = open_core(path);
    expect_whole(core);
    assert_string_equal(core->container.format, "apport report");
    df_core_close(core);
    write_report("_usr_bin_dead.0.crash", "true"); /* the last field, as it usually is */
    core = open_core(path);
    expect_whole(core);
    df_core_close(core);
    run("cd %s && head -c 400000 _usr_bin_dead.0.crash > part.crash", directory);
    DF_CLEANUP_FREE char *part = at("part.crash");
    core = open_core(part);
    assert_true(core->container.cut && core->file->size > 100000);
    df_core_close(core);
    write_file(part, "ProblemType: Crash\nCoreDump:\n nothing\n", 37);
    expect_error(part, NULL, DF_ERR_INPUT, "without a core in it");
}

static void test_not_a_core(void **state)
{
    (void)state;
    run("cd %s && echo hello > text && : > empty", directory);
    DF_CLEANUP_FREE char *text = at("text");
    DF_CLEANUP_FREE char *empty = at("empty");
    expect_error(text, NULL, DF_ERR_INPUT, "is not an ELF file");
    expect_error(empty, NULL, DF_ERR_INPUT, "is empty");
    if (!have("gzip"))
        return;
    run("cd %s && gzip -c text > text.gz && gzip -c empty > empty.gz", directory);
    DF_CLEANUP_FREE char *packed = at("text.gz");
    DF_CLEANUP_FREE char *nothing = at("empty.gz");
    expect_error(packed, NULL, DF_ERR_INPUT, "is not an ELF file");
    expect_error(nothing, NULL, DF_ERR_INPUT, "is empty");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_formats),    cmocka_unit_test(test_twice),
        cmocka_unit_test(test_members),    cmocka_unit_test(test_cut),
        cmocka_unit_test(test_damage),     cmocka_unit_test(test_limit),
        cmocka_unit_test(test_progress),   cmocka_unit_test(test_standard_input),
        cmocka_unit_test(test_pipe),       cmocka_unit_test(test_apport),
        cmocka_unit_test(test_not_a_core),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
