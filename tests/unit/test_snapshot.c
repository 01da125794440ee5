/* SPDX-License-Identifier: MIT
 * test_snapshot.c: a dump that was saved is the dump that it was, without its files; facts come
 * back as they were; tables that make no sense, and yet have right checksums, do no harm.
 */
#include "tests/support/cmocka_all.h"

#include <sys/stat.h>

#include "dumpfmt/base/mem.h"
#include "dumpfmt/necro_format.h"
#include "dumpfmt/snapshot.h"
#include "tests/support/corebuild.h"

#define BASE UINT64_C(0x7f0000000000)
#define ROUNDS 600

static const uint8_t build_id[20] = {0xab, 0xcd, 3, 4};
static char root[] = "/tmp/necropy-snapshot-XXXXXX";
static char path[64], library_path[64], bent[64];

static void put(const char *name, struct cb_bytes bytes)
{
    FILE *stream = fopen(name, "w");
    assert_non_null(stream);
    assert_int_equal(fwrite(bytes.data, 1, bytes.size, stream), bytes.size);
    fclose(stream);
    free(bytes.data);
}

static int set_up(void **state)
{
    (void)state;
    if (!mkdtemp(root))
        return -1;
    snprintf(path, sizeof(path), "%s/a.necro", root);
    snprintf(bent, sizeof(bent), "%s/b.necro", root);
    snprintf(library_path, sizeof(library_path), "%s/libx.so", root);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    unlink(path);
    unlink(bent);
    return rmdir(root);
}

/* A core with a library, three threads, a signal. */
static struct df_dump *open_core(void)
{
    static uint8_t data[8192];
    static const uint64_t auxv[][2] = {{AT_PHDR, 0x400040}, {AT_ENTRY, 0x401000}, {AT_NULL, 0}};
    const struct cb_mapping rows[] = {{BASE, BASE + 0x1000, 0, library_path},
                                      {BASE + 0x1000, BASE + 0x2000, 1, library_path},
                                      {BASE + 0x2000, BASE + 0x3000, 2, library_path}};
    struct cb_bytes library = cb_library(EM_X86_64, build_id, CB_SYMBOLS);
    struct df_dump *dump;
    struct cb_core build;
    uint64_t registers[27];
    memset(data, 0xee, sizeof(data));
    memset(data + 4096, 0, 4096);
    cb_init(&build, EM_X86_64);
    for (int i = 0; i < 3; i++) {
        for (unsigned r = 0; r < 27; r++)
            registers[r] = 1000u * (unsigned)i + r;
        cb_prstatus(&build, 100 + i, i ? 0 : 11, registers);
    }
    cb_psinfo(&build, 100, "serve", "serve --now 50%\n");
    cb_auxv(&build, auxv, 3);
    cb_siginfo(&build, 11, 1, 0xdead);
    cb_files(&build, rows, 3);
    cb_segment(&build, BASE, library.data, 0x1000, 0x1000, PF_R);
    cb_segment(&build, BASE + 0x1000, NULL, 0, 0x1000, PF_R | PF_X);
    cb_segment(&build, BASE + 0x2000, data, 0x1000, 0x1000, PF_R | PF_W);
    cb_segment(&build, 0x10000, data, 0x2000, 0x3000, PF_R | PF_W);
    char *core = cb_write(&build);
    put(library_path, library);
    assert_ok(df_dump_open(core, NULL, &dump));
    cb_remove(core);
    cb_deinit(&build);
    return dump;
}

static void save(const struct df_dump *dump, const struct df_snapshot_options *options)
{
    struct df_necro_writer *writer;
    assert_ok(df_necro_create(path, 2, &writer));
    assert_ok(df_snapshot_save(dump, options, writer));
    assert_ok(df_necro_commit(writer));
}

static void same_core(const struct df_core *a, const struct df_core *b)
{
    assert_int_equal(a->machine, b->machine);
    assert_int_equal(a->file->size, b->file->size);
    assert_int_equal(a->segment_count, b->segment_count);
    for (uint32_t i = 0; i < a->segment_count; i++) {
        const struct df_segment *x = &a->segments[i], *y = &b->segments[i];
        assert_true(x->address == y->address && x->memory_size == y->memory_size &&
                    x->file_size == y->file_size && x->file_offset == y->file_offset &&
                    x->lost == y->lost && x->flags == y->flags);
    }
    assert_int_equal(a->mapping_count, b->mapping_count);
    for (uint32_t i = 0; i < a->mapping_count; i++) {
        assert_int_equal(a->mappings[i].start, b->mappings[i].start);
        assert_int_equal(a->mappings[i].end, b->mappings[i].end);
        assert_int_equal(a->mappings[i].file_offset, b->mappings[i].file_offset);
        assert_string_equal(a->mappings[i].path, b->mappings[i].path);
    }
    assert_int_equal(a->lwp_count, b->lwp_count);
    for (uint32_t i = 0; i < a->lwp_count; i++) {
        const struct df_lwp *x = &a->lwps[i], *y = &b->lwps[i];
        assert_true(x->tid == y->tid && x->signal == y->signal && x->pc == y->pc &&
                    x->sp == y->sp && x->tls == y->tls && x->register_count == y->register_count);
        assert_memory_equal(x->registers, y->registers, sizeof(x->registers));
    }
    assert_int_equal(a->auxv_count, b->auxv_count);
    assert_memory_equal(a->auxv, b->auxv, a->auxv_count * sizeof(*a->auxv));
    assert_int_equal(a->pid, b->pid);
    assert_string_equal(a->command, b->command);
    assert_string_equal(a->program, b->program);
    assert_string_equal(a->captured_by, b->captured_by);
    assert_int_equal(a->signal, b->signal);
    assert_int_equal(a->signal_code, b->signal_code);
    assert_int_equal(a->signal_address, b->signal_address);
    assert_int_equal(df_core_is_cut(a), df_core_is_cut(b));
}

static void same_modules(struct df_modules *a, struct df_modules *b)
{
    assert_int_equal(a->count, b->count);
    for (uint32_t i = 0; i < a->count; i++) {
        struct df_module *x = &a->items[i], *y = &b->items[i];
        assert_string_equal(x->path, y->path);
        assert_string_equal(x->name, y->name);
        assert_true(x->start == y->start && x->end == y->end && x->bias == y->bias &&
                    x->state == y->state && x->load_count == y->load_count);
        assert_memory_equal(&x->build_id, &y->build_id, sizeof(x->build_id));
        assert_memory_equal(x->loads, y->loads, x->load_count * sizeof(*x->loads));
        const struct df_symbol *s = df_module_symbol(x, "cb_function");
        const struct df_symbol *t = df_module_symbol(y, "cb_function");
        assert_non_null(s);
        assert_non_null(t);
        assert_true(s->address == t->address && s->size == t->size && s->type == t->type &&
                    s->global == t->global);
        assert_int_equal(x->symbol_count, y->symbol_count);
        assert_ptr_equal(df_module_symbol_at(y, t->address + 1), t);
        assert_null(df_module_symbol(y, "none"));
    }
    for (uint64_t at = BASE - 0x1000; at < BASE + 0x4000; at += 0x800)
        assert_int_equal(df_module_at(a, at) != NULL, df_module_at(b, at) != NULL);
}

static void same_memory(const struct df_aspace *a, const struct df_aspace *b)
{
    uint8_t x[4096], y[4096];
    assert_int_equal(a->count, b->count);
    for (size_t i = 0; i < a->count; i++) {
        assert_int_equal(a->ranges[i].start, b->ranges[i].start);
        assert_int_equal(a->ranges[i].end, b->ranges[i].end);
        assert_int_equal(a->ranges[i].origin, b->ranges[i].origin);
        assert_int_equal(a->ranges[i].flags, b->ranges[i].flags);
        for (uint64_t at = a->ranges[i].start; at < a->ranges[i].end; at += 4096) {
            assert_int_equal(df_read(a, at, x, 4096), df_read(b, at, y, 4096));
            if (a->ranges[i].host)
                assert_memory_equal(x, y, 4096);
        }
    }
}

static void a_dump_comes_back(void **state)
{
    (void)state;
    struct df_dump *core = open_core(), *snapshot, *again;
    struct df_snapshot_options options = {.objects = 7};
    struct df_identity identity;
    assert_false(df_snapshot_identity(core, &identity));
    df_modules_load_symbols(core->modules);
    save(core, &options);
    unlink(library_path); /* no file of the machine is needed */
    assert_ok(df_dump_open(path, NULL, &snapshot));
    assert_non_null(snapshot->necro);
    assert_string_equal(snapshot->core->file->path, path);
    same_core(core->core, snapshot->core);
    same_modules(core->modules, snapshot->modules);
    same_memory(core->space, snapshot->space);
    assert_true(df_snapshot_identity(snapshot, &identity));
    assert_int_equal(identity.pid, 100);
    assert_int_equal(identity.objects, 7);
    assert_int_equal(identity.core_size, core->core->file->size);
    assert_false(identity.redacted);
    assert_string_equal(identity.writer, NECROPY_VERSION);
    save(snapshot, &options); /* over itself: it is renamed when complete */
    assert_ok(df_dump_open(path, NULL, &again));
    same_core(core->core, again->core);
    same_modules(core->modules, again->modules);
    same_memory(core->space, again->space);
    df_dump_close(again);
    df_dump_close(snapshot);
    df_dump_close(core);
}

static void redacted_ones_have_no_command_line(void **state)
{
    (void)state;
    struct df_dump *core = open_core(), *snapshot;
    struct df_identity identity;
    save(core, &(struct df_snapshot_options){.redacted = true});
    unlink(library_path);
    assert_ok(df_dump_open(path, NULL, &snapshot));
    assert_string_equal(core->core->command, "serve --now 50%\n");
    assert_string_equal(snapshot->core->command, "");
    assert_true(df_snapshot_identity(snapshot, &identity));
    assert_true(identity.redacted);
    df_dump_close(snapshot);
    df_dump_close(core);
}

static void facts_come_back(void **state)
{
    (void)state;
    struct df_facts_writer facts = {0};
    struct df_necro_writer *writer;
    struct df_facts *read;
    struct df_file *file;
    struct df_necro *necro;
    uint64_t numbers[3];
    df_facts_put(&facts, "text", "50 %, two\nlines, \x01\x7f \xc3\xa9");
    df_facts_put(&facts, "empty", "");
    df_facts_put(&facts, "none", NULL);
    df_facts_put_number(&facts, "number", UINT64_MAX);
    df_facts_format(&facts, "three", "%d 0x%x %s", 1, 255, "path with blanks");
    assert_ok(df_necro_create(path, 1, &writer));
    assert_ok(df_facts_save(&facts, writer, "facts"));
    assert_ok(df_necro_add(writer, "bad", 0, "a\n\n b\nc %4\nd %GG%41\ne", 1, 20));
    assert_ok(df_necro_commit(writer));
    assert_ok(df_file_open(path, &file));
    assert_ok(df_necro_open(file, &necro));
    assert_ok(df_facts_open(necro, "facts", &read));
    assert_int_equal(read->count, 4);
    assert_string_equal(df_facts_text(read, "text"), "50 %, two\nlines, \x01\x7f \xc3\xa9");
    assert_string_equal(df_facts_text(read, "empty"), "");
    assert_null(df_facts_text(read, "none"));
    assert_true(df_facts_number(read, "number") == UINT64_MAX);
    assert_int_equal(df_facts_number(read, "none"), 0);
    assert_int_equal(df_facts_number(read, "text"), 50);
    assert_int_equal(df_fact_numbers(df_facts_text(read, "three"), numbers, 3), 2);
    assert_int_equal(numbers[1], 255);
    df_facts_close(read);
    assert_ok(df_facts_open(necro, "bad", &read));
    assert_string_equal(df_facts_text(read, "c"), "%4");
    assert_string_equal(df_facts_text(read, "d"), "%GGA");
    df_facts_close(read);
    df_necro_close(necro);
    df_file_close(file);
}

/* ---- what has right checksums and makes no sense ---- */

static const char *const tags[] = {
    "identity",      "core.facts",   "core.segments",  "core.mappings",   "core.lwps",
    "core.auxv",     "core.texts",   "core.frames",    "core.frame-ends", "module.list",
    "module.loads",  "module.texts", "module.symbols", "module.slots",    "module.names",
    "module.places", "mem.ranges",   "mem.chunks",     "mem.bytes",
};
enum { TAGS = sizeof(tags) / sizeof(*tags) };

static uint32_t seed = 11;

static uint32_t chance(uint32_t below)
{
    seed = seed * 1664525 + 1013904223;
    return (seed >> 8) % below;
}

static void bend(uint8_t *bytes, uint64_t size)
{
    static const uint64_t values[] = {0,
                                      1,
                                      2,
                                      0xff,
                                      UINT32_MAX,
                                      UINT64_MAX,
                                      UINT64_MAX - 1,
                                      UINT64_C(1) << 47,
                                      UINT64_C(1) << 63,
                                      0x10000};
    for (uint32_t i = chance(3) + 1; size && i; i--) {
        uint64_t at = chance((uint32_t)size);
        if (chance(2) && size >= 8) {
            at &= ~UINT64_C(7);
            at = at > size - 8 ? size - 8 : at;
            memcpy(bytes + at, &values[chance(10)], 8);
        } else {
            bytes[at] = (uint8_t)chance(256);
        }
    }
}

/* A copy of the snapshot, one section of it bent, or shorter, or not there. */
static void write_bent(const struct df_necro *from)
{
    struct df_necro_writer *writer;
    uint32_t which = chance(TAGS), how = chance(8);
    assert_ok(df_necro_create(bent, 1, &writer));
    for (uint32_t i = 0; i < TAGS; i++) {
        static const size_t elements[] = {1,  1, 48, 32, 312, 16, 1,  32, 8, 192,
                                          24, 1, 24, 16, 1,   24, 32, 24, 1};
        const uint8_t *bytes;
        uint64_t count;
        if (!df_necro_has(from, tags[i]) || (i == which && !how))
            continue;
        assert_ok(df_necro_section((struct df_necro *)(uintptr_t)from, tags[i], elements[i], &bytes,
                                   &count));
        uint8_t *copy = df_xmalloc(count * elements[i] + 1);
        memcpy(copy, bytes, count * elements[i]);
        if (i == which && how == 1 && count)
            count = chance((uint32_t)count);
        else if (i == which)
            bend(copy, count * elements[i]);
        assert_ok(df_necro_add(writer, tags[i], !strcmp(tags[i], "mem.bytes") ? DF_NECRO_PARTS : 0,
                               copy, elements[i], count));
        free(copy);
    }
    assert_ok(df_necro_commit(writer));
}

static void on_slot(void *context, uint64_t slot, const char *name, bool jump_slot)
{
    *(uint64_t *)context += slot + strlen(name) + jump_slot;
}

/* Everything that layers above ask of a dump. */
static void use(struct df_dump *dump)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < dump->core->mapping_count; i++)
        sum += strlen(dump->core->mappings[i].path);
    for (uint32_t i = 0; i < dump->modules->count; i++) {
        struct df_module *module = &dump->modules->items[i];
        const struct df_symbol *symbol = df_module_symbol_at(module, module->start + 0x1018);
        sum += strlen(module->path) + strlen(module->name) + (symbol ? strlen(symbol->name) : 0);
        df_module_symbol(module, "cb_function");
        df_module_relocations(module, on_slot, &sum);
        sum += df_module_tls_block(dump->space, dump->modules, module, BASE, &sum);
    }
    for (size_t i = 0; i < dump->space->count; i++)
        for (uint64_t at = dump->space->ranges[i].start, step = 0;
             at < dump->space->ranges[i].end && step < 64; at += 1021, step++) {
            df_module_at(dump->modules, at);
            df_core_segment(dump->core, at);
            const uint8_t *byte = df_ptr(dump->space, at, 1);
            sum += byte ? *byte : 0;
        }
    char *text = df_xasprintf("%llu", (unsigned long long)sum);
    assert_non_null(text);
    free(text);
}

static void hostile_sections_do_no_harm(void **state)
{
    (void)state;
    struct df_dump *core = open_core(), *good, *dump;
    uint32_t opened = 0, refused = 0;
    save(core, &(struct df_snapshot_options){0});
    unlink(library_path);
    assert_ok(df_dump_open(path, NULL, &good));
    for (int round = 0; round < ROUNDS; round++) {
        write_bent(good->necro);
        struct df_err *err = df_dump_open(bent, NULL, &dump);
        if (err) {
            assert_int_not_equal(df_err_code(err), 0);
            df_err_free(err);
            refused++;
            continue;
        }
        use(dump);
        opened++;
        df_dump_close(dump);
    }
    assert_true(opened > ROUNDS / 20);
    assert_true(refused > ROUNDS / 20);
    df_dump_close(good);
    df_dump_close(core);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_dump_comes_back),
        cmocka_unit_test(redacted_ones_have_no_command_line),
        cmocka_unit_test(facts_come_back),
        cmocka_unit_test(hostile_sections_do_no_harm),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
