/* SPDX-License-Identifier: MIT
 * test_emulator.c: good, broken and hostile functions in one address space made by hand.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <elf.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "dumpfmt/emulator.h"
#include "tests/unit/emulator_code.h"

#define TEXT UINT64_C(0x555555554000)
#define DATA UINT64_C(0x7ffff7a00000)
#define DATA_SIZE 0x2000u
#define ABSENT (DATA + DATA_SIZE) /* a page that is known but not there */
#define ODD UINT64_C(0x7ffff7c00000)
#define ODD_SIZE 0x1010u /* second page is cut */
#define ZERO_TAIL UINT64_C(0x7ffff7d00000)
#define TLS (DATA + 0x1000)
#define CODE_SLOT 64
#define TEXTS (DATA + 0x800)
#define LATE_SLOT 30 /* of the text page: functions that are an AVX instruction */
#define ALIGNED UINT64_C(0x7f0000000000) /* from a file, at a page's start in it */
#define PACKED UINT64_C(0x7f0000100000)  /* from a file, not at a page's start */
#define JIT UINT64_C(0x7f0000200000)     /* writable and executable */

/* What libc has them called; the emulator learns them when they fail. */
enum {
    STRLEN,
    STRNLEN,
    STRCMP,
    STRNCMP,
    STRCASECMP,
    STRCHR,
    STRCHRNUL,
    STRRCHR,
    RAWMEMCHR,
    MEMCHR,
    MEMRCHR,
    MEMCMP,
    MEMCPY,
    MEMMOVE,
    MEMPCPY,
    MEMSET,
    STRCPY,
    STPCPY,
    STRCAT,
    NATIVE_COUNT
};

static const char *const native_names[NATIVE_COUNT] = {
    "__strlen_avx2",
    "__strnlen_evex",
    "__strcmp_evex",
    "__strncmp_avx2",
    "__strcasecmp_l_avx",
    "__strchr_avx2_rtm",
    "__strchrnul_evex",
    "__strrchr_evex512",
    "__rawmemchr_avx2",
    "__memchr_evex",
    "__memrchr_avx2",
    "__memcmp_avx2_movbe",
    "__memcpy_avx512_no_vzeroupper",
    "__memmove_evex_unaligned_erms",
    "__mempcpy_chk_avx_unaligned",
    "__memset_avx2_unaligned_erms",
    "__strcpy_evex",
    "__stpcpy_avx2",
    "__strcat_avx2",
};

struct fixture {
    struct df_core core;
    struct df_lwp lwp;
    struct df_dump dump;
    struct df_modules modules;
    struct df_module module;
    struct df_symbol symbols[NATIVE_COUNT];
    struct df_emulator *emulator;
    struct df_targets targets;
    uint8_t text[4096], data[DATA_SIZE], odd[ODD_SIZE], tail[0x10], jit[4096];
};

static void put_codes(struct fixture *f, const struct code *codes, size_t count)
{
    for (size_t i = 0; i < count; i++)
        memcpy(f->text + i * CODE_SLOT, codes[i].bytes, codes[i].size);
}

static uint64_t function(int index)
{
    return TEXT + (uint64_t)index * CODE_SLOT;
}

/* A libc whose functions cannot be emulated. */
static void put_module(struct fixture *f)
{
    for (int i = 0; i < NATIVE_COUNT; i++) {
        f->symbols[i] = (struct df_symbol){.name = native_names[i],
                                           .address = function(LATE_SLOT + i),
                                           .size = CODE_SLOT,
                                           .type = DF_SYMBOL_FUNCTION};
        memcpy(f->text + (LATE_SLOT + i) * CODE_SLOT, x86_codes[X86_AVX].bytes,
               x86_codes[X86_AVX].size);
    }
    f->module = (struct df_module){.path = "/lib/libc.so.6",
                                   .name = "libc.so.6",
                                   .start = function(LATE_SLOT),
                                   .end = TEXT + sizeof(f->text),
                                   .symbols = f->symbols,
                                   .symbol_count = NATIVE_COUNT,
                                   .symbols_loaded = true};
    f->modules = (struct df_modules){.items = &f->module, .count = 1};
    f->dump.modules = &f->modules;
}

/* A core file of 8 pages, of which word i is i. */
static struct df_file *put_file(struct fixture *f)
{
    char path[] = "/tmp/test_emulator.XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    for (uint64_t i = 0; i < 8 * 512; i++)
        assert_int_equal(write(fd, &i, sizeof(i)), sizeof(i));
    close(fd);
    assert_null(df_file_open(path, &f->core.file));
    unlink(path);
    return f->core.file;
}

static int setup(void **state, enum df_machine machine)
{
    struct fixture *f = calloc(1, sizeof(*f));
    *state = f;
    if (machine == DF_AARCH64)
        put_codes(f, arm_codes, sizeof(arm_codes) / sizeof(arm_codes[0]));
    else
        put_codes(f, x86_codes, sizeof(x86_codes) / sizeof(x86_codes[0]));
    for (size_t i = 0; i < DATA_SIZE / 8; i++)
        ((uint64_t *)(void *)f->data)[i] = i + 1;
    strcpy((char *)f->data + 0x800, "Hello, World");
    strcpy((char *)f->data + 0x820, "hello, world");
    strcpy((char *)f->data + 0x840, "abcabc");
    if (machine == DF_X86_64)
        put_module(f);
    const struct df_file *file = put_file(f);
    memset(f->odd, 0x11, sizeof(f->odd));
    memset(f->tail, 0x22, sizeof(f->tail));
    f->lwp.tls = TLS;
    f->core.machine = machine;
    f->core.lwps = &f->lwp;
    f->core.lwp_count = 1;
    f->dump.core = &f->core;
    f->dump.space = df_aspace_create();
    df_aspace_add(f->dump.space, TEXT, sizeof(f->text), f->text, DF_FROM_CORE, PF_R | PF_X);
    df_aspace_add(f->dump.space, DATA, DATA_SIZE, f->data, DF_FROM_CORE, PF_R | PF_W);
    df_aspace_add(f->dump.space, ABSENT, 0x1000, NULL, DF_ABSENT, PF_R | PF_W);
    df_aspace_add(f->dump.space, ODD, ODD_SIZE, f->odd, DF_FROM_CORE, PF_R | PF_W);
    df_aspace_add(f->dump.space, ZERO_TAIL, sizeof(f->tail), f->tail, DF_FROM_FILE, PF_R);
    df_aspace_add(f->dump.space, ALIGNED, 0x3000, file->data + 0x1000, DF_FROM_CORE, PF_R | PF_W);
    df_aspace_add(f->dump.space, PACKED, 0x3000, file->data + 0x4010, DF_FROM_CORE, PF_R | PF_W);
    memcpy(f->jit, x86_codes[X86_SELF_MODIFY].bytes, x86_codes[X86_SELF_MODIFY].size);
    df_aspace_add(f->dump.space, JIT, sizeof(f->jit), f->jit, DF_FROM_CORE, PF_R | PF_W | PF_X);
    assert_null(df_aspace_seal(f->dump.space));
    struct df_err *err = df_emulator_create(&f->dump, 0, &f->emulator);
    if (err) {
        int code = df_err_code(err);
        df_err_free(err);
        assert_int_equal(code, DF_ERR_UNSUPPORTED);
    }
    return 0;
}

static int setup_x86(void **state)
{
    return setup(state, DF_X86_64);
}

static int setup_arm(void **state)
{
    return setup(state, DF_AARCH64);
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    df_emulator_destroy(f->emulator);
    df_aspace_destroy(f->dump.space);
    df_file_close(f->core.file);
    free(f->targets.items);
    free(f);
    return 0;
}

/* The fixture; skips the test where there is no emulator. */
static struct fixture *get(void **state)
{
    struct fixture *f = *state;
    if (!f->emulator)
        skip();
    return f;
}

static void visit(struct fixture *f, struct df_visits *calls, size_t count)
{
    f->targets.count = 0;
    assert_null(df_emulator_visit(f->emulator, calls, count, &f->targets));
}

static enum df_call_status call1(struct fixture *f, int code, uint64_t argument, uint64_t *ret)
{
    return df_emulator_call(f->emulator, function(code), &argument, 1, ret);
}

static void expect_three(const struct fixture *f, const struct df_visits *call)
{
    assert_int_equal(call->status, DF_CALL_OK);
    assert_int_equal(call->count, 3);
    for (uint32_t i = 0; i < 3; i++)
        assert_int_equal(f->targets.items[call->first + i], (call->object - DATA) / 8 + 1 + i);
}

static void test_visits(void **state)
{
    struct fixture *f = get(state);
    struct df_visits calls[2] = {{function(X86_VISIT3), DATA, 9, 9, 9, 9},
                                 {function(X86_VISIT3), DATA + 64, 9, 9, 9, 9}};
    visit(f, calls, 2);
    assert_int_equal(f->targets.count, 6);
    expect_three(f, &calls[0]);
    expect_three(f, &calls[1]);
    visit(f, calls, 0);
    assert_int_equal(f->targets.count, 0);
}

static void test_each_call_fails_alone(void **state)
{
    struct fixture *f = get(state);
    static const struct {
        int code;
        uint8_t status;
    } bad[] = {
        {X86_LOOP, DF_CALL_BUDGET},
        {X86_PARTIAL_FAULT, DF_CALL_FAULT},
        {X86_SYSCAL, DF_CALL_SYSCALL},
        {X86_INT80, DF_CALL_SYSCALL},
        {X86_UNDEFINED, DF_CALL_INSTRUCTION},
        {X86_VISIT_FOREVER, DF_CALL_VISITS},
        {X86_WRITE_TEXT, DF_CALL_FAULT},
        {X86_VANDAL, DF_CALL_FAULT},
        {X86_HALT, DF_CALL_INSTRUCTION},
        {X86_CLOBBER_RETURN, DF_CALL_FAULT},
        {X86_DIVIDE, DF_CALL_INSTRUCTION},
        {X86_AVX, DF_CALL_INSTRUCTION},
        {X86_EXEC_DATA, DF_CALL_FAULT},
        {X86_FAR_JUMP, DF_CALL_INSTRUCTION},
        {X86_LOCK_COMPARE, DF_CALL_INSTRUCTION},
        {X86_RECURSE, DF_CALL_BUDGET},
        {X86_SELF_MODIFY, DF_CALL_FAULT}, /* its page cannot be written */
        {X86_SYSENTER, DF_CALL_INSTRUCTION},
        {X86_CR0, DF_CALL_STATUS_COUNT /* whatever, but the next must work */},
    };
    enum { BAD = sizeof(bad) / sizeof(bad[0]), COUNT = 3 * BAD };
    struct df_visits calls[COUNT] = {0};
    for (size_t i = 0; i < BAD; i++) { /* good, bad, good, ... */
        calls[3 * i] = (struct df_visits){.function = function(X86_VISIT3), .object = DATA + 8 * i};
        calls[3 * i + 1] = (struct df_visits){.function = function(bad[i].code), .object = DATA};
        calls[3 * i + 2] = calls[3 * i];
    }
    df_emulator_limit(f->emulator, 10000, 1000);
    visit(f, calls, COUNT);
    for (size_t i = 0; i < BAD; i++) {
        expect_three(f, &calls[3 * i]);
        if (bad[i].status != DF_CALL_STATUS_COUNT)
            assert_int_equal(calls[3 * i + 1].status, bad[i].status);
        expect_three(f, &calls[3 * i + 2]);
    }
    assert_int_equal(f->targets.count, BAD * 6); /* none of a call that failed */
}

static void test_nonzero(void **state)
{
    struct fixture *f = get(state);
    struct df_visits call = {.function = function(X86_NONZERO), .object = DATA};
    visit(f, &call, 1);
    assert_int_equal(call.status, DF_CALL_NONZERO);
    assert_int_equal(call.result, -7);
    assert_int_equal(call.count, 1);
    assert_int_equal(f->targets.items[0], DATA);
}

static void test_missing_function(void **state)
{
    struct fixture *f = get(state);
    struct df_visits calls[4] = {{.function = 0, .object = DATA},
                                 {.function = ABSENT},
                                 {.function = UINT64_MAX - 15},
                                 {.function = function(X86_VISIT3), .object = DATA}};
    visit(f, calls, 4);
    for (int i = 0; i < 3; i++)
        assert_int_equal(calls[i].status, DF_CALL_FAULT);
    expect_three(f, &calls[3]);
}

static void test_runaway_is_given_up(void **state)
{
    struct fixture *f = get(state);
    enum { COUNT = 20000 }; /* each to its end would be 15 minutes */
    struct df_visits *calls = calloc(COUNT, sizeof(*calls));
    for (size_t i = 0; i < COUNT; i++)
        calls[i] = (struct df_visits){.function = function(X86_LOOP), .object = DATA};
    visit(f, calls, COUNT);
    for (size_t i = 0; i < COUNT; i++)
        assert_int_equal(calls[i].status, DF_CALL_BUDGET);
    free(calls);
}

static void test_calls(void **state)
{
    struct fixture *f = get(state);
    uint64_t arguments[6] = {1, 20, 300, 4000, 50000, 600000}, result = 0;
    assert_int_equal(df_emulator_call(f->emulator, function(X86_SUM6), arguments, 6, &result),
                     DF_CALL_OK);
    assert_int_equal(result, 654321);
    assert_int_equal(call1(f, X86_CANARY, 0, &result), DF_CALL_OK);
    assert_int_equal(result, (TLS + 0x28 - DATA) / 8 + 1);
    assert_int_equal(call1(f, X86_SIMD, DATA, &result), DF_CALL_OK);
    assert_int_equal(result, 16);
    assert_int_equal(call1(f, X86_STACK, 0, &result), DF_CALL_OK);
    assert_true(result > ZERO_TAIL); /* above what any thread's code may take for its limit */
    result = 5;
    assert_int_equal(call1(f, X86_LOOP, 0, &result), DF_CALL_BUDGET);
    assert_int_equal(call1(f, X86_HALT, 0, &result), DF_CALL_INSTRUCTION);
    assert_int_equal(call1(f, X86_SYSCAL, 0, &result), DF_CALL_SYSCALL);
    assert_int_equal(result, 5);
}

static void test_deep_recursion(void **state)
{
    struct fixture *f = get(state);
    uint64_t result = 0;
    for (int round = 0; round < 3; round++) { /* to the guard below its stack, and no further */
        assert_int_equal(call1(f, X86_RECURSE, 0, &result), DF_CALL_FAULT);
        assert_int_equal(call1(f, X86_INCREMENT, DATA, &result), DF_CALL_OK);
    }
}

/* Code in a page that may be written (a JIT's) changes its own next instruction: in the private
 * copy, whether or not the engine notices within one block; never in the dump. */
static void test_self_modifying_code(void **state)
{
    struct fixture *f = get(state);
    for (int round = 0; round < 3; round++) {
        uint64_t result = 0;
        enum df_call_status status = df_emulator_call(f->emulator, JIT, NULL, 0, &result);
        assert_true(status != DF_CALL_OK || result == 7 || result == 1);
        assert_memory_equal(f->jit, x86_codes[X86_SELF_MODIFY].bytes, 16);
        assert_int_equal(call1(f, X86_INCREMENT, DATA, &result), DF_CALL_OK);
        assert_int_equal(result, 1);
        df_emulator_reset(f->emulator);
        uint8_t bytes[16];
        assert_true(df_emulator_read(f->emulator, JIT, bytes, sizeof(bytes)));
        assert_memory_equal(bytes, f->jit, 16);
    }
}

static void test_runaway_calls_are_given_up(void **state)
{
    struct fixture *f = get(state);
    for (int i = 0; i < 5000; i++) { /* each to its end would be 4 minutes */
        uint64_t result;
        assert_int_equal(call1(f, X86_LOOP, 0, &result), DF_CALL_BUDGET);
    }
}

static void test_trace(void **state)
{
    struct fixture *f = get(state);
    const struct df_read *reads;
    size_t count;
    for (int round = 0; round < 2; round++) {
        struct df_visits call = {.function = function(X86_VISIT3), .object = DATA + 64};
        visit(f, &call, 1);
        assert_false(df_emulator_reads(f->emulator, &reads, &count));
        df_emulator_trace(f->emulator, true);
        visit(f, &call, 1);
        expect_three(f, &call);
        assert_true(df_emulator_reads(f->emulator, &reads, &count));
        assert_int_equal(count, 3); /* what it pushes and pops is not told */
        for (uint64_t i = 0; i < 3; i++) {
            assert_int_equal(reads[i].address, DATA + 64 + 8 * i);
            assert_int_equal(reads[i].size, 8);
        }
        df_emulator_trace(f->emulator, false);
    }
}

static void test_writes_are_private(void **state)
{
    struct fixture *f = get(state);
    uint64_t result = 0, value = 0;
    for (int round = 0; round < 3; round++) {
        for (uint64_t i = 1; i < 5; i++) {
            assert_int_equal(call1(f, X86_INCREMENT, DATA, &result), DF_CALL_OK);
            assert_int_equal(result, i);
        }
        assert_true(df_emulator_read(f->emulator, DATA, &value, 8));
        assert_int_equal(value, 5);
        assert_int_equal(*(uint64_t *)(void *)f->data, 1);
        df_emulator_reset(f->emulator);
        assert_true(df_emulator_read(f->emulator, DATA, &value, 8));
        assert_int_equal(value, 1);
    }
}

static void test_kinds_of_stores(void **state)
{
    struct fixture *f = get(state);
    uint64_t result = 0, pair[2];
    for (int round = 0; round < 2; round++) {
        assert_int_equal(call1(f, X86_LOCKED, DATA + 0x108, &result), DF_CALL_OK);
        assert_int_equal(result, 0x22);
        assert_true(df_emulator_read(f->emulator, DATA + 0x148, pair, 16));
        assert_int_equal(pair[0], 0x24);
        assert_int_equal(call1(f, X86_CROSS_WRITE, DATA, &result), DF_CALL_OK);
        assert_int_equal(result, UINT64_MAX);
        assert_true(df_emulator_read(f->emulator, DATA + 0xff8, pair, 16));
        assert_int_equal(pair[0], UINT64_C(0xffffffff00000200));
        assert_int_equal(pair[1], UINT64_C(0xffffffff));
        df_emulator_reset(f->emulator);
        assert_int_equal(call1(f, X86_CROSS, DATA, &result), DF_CALL_OK);
        assert_int_equal(result, UINT64_C(0x20100000000));
    }
}

static uint64_t native(struct fixture *f, int index, uint64_t a, uint64_t b, uint64_t c)
{
    uint64_t arguments[3] = {a, b, c}, result = 0;
    assert_int_equal(
        df_emulator_call(f->emulator, function(LATE_SLOT + index), arguments, 3, &result),
        DF_CALL_OK);
    return result;
}

static int native_sign(struct fixture *f, int index, uint64_t a, uint64_t b, uint64_t c)
{
    int32_t result = (int32_t)native(f, index, a, b, c);
    return (result > 0) - (result < 0);
}

static void expect_text(struct fixture *f, uint64_t address, const char *text)
{
    char bytes[64];
    size_t size = strlen(text) + 1;
    assert_true(df_emulator_read(f->emulator, address, bytes, size));
    assert_memory_equal(bytes, text, size);
}

static void test_natives_that_read(void **state)
{
    struct fixture *f = get(state);
    const uint64_t upper = TEXTS, lower = TEXTS + 0x20, abc = TEXTS + 0x40;
    for (int round = 0; round < 2; round++) { /* learnt, then known */
        assert_int_equal(native(f, STRLEN, upper, 0, 0), 12);
        assert_int_equal(native(f, STRNLEN, upper, 5, 0), 5);
        assert_int_equal(native(f, STRNLEN, upper, 50, 0), 12);
        assert_int_equal(native_sign(f, STRCMP, upper, lower, 0), -1);
        assert_int_equal(native_sign(f, STRCMP, lower, upper, 0), 1);
        assert_int_equal(native_sign(f, STRCMP, abc, abc, 0), 0);
        assert_int_equal(native_sign(f, STRNCMP, abc, abc + 3, 3), 0);
        assert_int_equal(native_sign(f, STRNCMP, abc, abc + 3, 4), 1);
        assert_int_equal(native_sign(f, STRCASECMP, upper, lower, 0), 0);
        assert_int_equal(native(f, STRCHR, upper, 'o', 0), upper + 4);
        assert_int_equal(native(f, STRCHR, upper, 'x', 0), 0);
        assert_int_equal(native(f, STRCHR, upper, 0, 0), upper + 12);
        assert_int_equal(native(f, STRCHRNUL, upper, 'x', 0), upper + 12);
        assert_int_equal(native(f, STRRCHR, upper, 'o', 0), upper + 8);
        assert_int_equal(native(f, RAWMEMCHR, upper, 'W', 0), upper + 7);
        assert_int_equal(native(f, MEMCHR, upper, 'W', 12), upper + 7);
        assert_int_equal(native(f, MEMCHR, upper, 'W', 3), 0);
        assert_int_equal(native(f, MEMRCHR, upper, 'l', 12), upper + 10);
        assert_int_equal(native_sign(f, MEMCMP, upper, lower, 0), 0);
        assert_int_equal(native_sign(f, MEMCMP, upper, lower, 12), -1);
    }
}

static void test_natives_that_write(void **state)
{
    struct fixture *f = get(state);
    const uint64_t upper = TEXTS, abc = TEXTS + 0x40, to = DATA + 0xff8; /* across two pages */
    assert_int_equal(native(f, MEMCPY, to, upper, 13), to);
    expect_text(f, to, "Hello, World");
    assert_int_equal(native(f, MEMMOVE, to + 2, to, 13), to + 2);
    expect_text(f, to, "HeHello, World");
    assert_int_equal(native(f, MEMMOVE, to, to + 2, 13), to);
    expect_text(f, to, "Hello, World");
    assert_int_equal(native(f, MEMPCPY, to, abc, 3), to + 3);
    assert_int_equal(native(f, MEMSET, to + 3, 'z', 2), to + 3);
    expect_text(f, to, "abczz, World");
    assert_int_equal(native(f, STRCPY, to, abc, 0), to);
    assert_int_equal(native(f, STPCPY, to, upper, 0), to + 12);
    assert_int_equal(native(f, STRCAT, to, abc, 0), to);
    expect_text(f, to, "Hello, Worldabcabc");
    df_emulator_reset(f->emulator);
    uint64_t value = 0;
    assert_true(df_emulator_read(f->emulator, to, &value, 8));
    assert_int_equal(value, 0x200);
}

static void test_natives_fail_like_others(void **state)
{
    struct fixture *f = get(state);
    uint64_t arguments[3] = {ABSENT, DATA, 0x1000}, result;
    for (int i = 0; i < NATIVE_COUNT; i++)
        if (i != STRNLEN) /* of at most DATA bytes: the same, but not here */
            assert_int_equal(
                df_emulator_call(f->emulator, function(LATE_SLOT + i), arguments, 3, &result),
                DF_CALL_FAULT);
    uint64_t huge[3] = {DATA, DATA, UINT64_MAX};
    assert_int_equal(df_emulator_call(f->emulator, function(LATE_SLOT + MEMSET), huge, 3, &result),
                     DF_CALL_BUDGET);
    uint64_t code[3] = {TEXT, DATA, 8};
    assert_int_equal(df_emulator_call(f->emulator, function(LATE_SLOT + MEMCPY), code, 3, &result),
                     DF_CALL_FAULT);
}

static void test_core_file(void **state)
{
    struct fixture *f = get(state);
    static const uint64_t starts[] = {ALIGNED, PACKED}, firsts[] = {0x200, 0x802};
    for (int i = 0; i < 2; i++)
        for (uint64_t page = 0; page < 3; page++)
            for (int round = 0; round < 2; round++) {
                uint64_t result = 0, at = starts[i] + page * 0x1000 + 8;
                uint64_t first = firsts[i] + page * 0x200 + 1;
                assert_int_equal(call1(f, X86_INCREMENT, at, &result), DF_CALL_OK);
                assert_int_equal(result, first);
                assert_int_equal(call1(f, X86_INCREMENT, at, &result), DF_CALL_OK);
                assert_int_equal(result, first + 1);
                df_emulator_reset(f->emulator);
            }
    const uint64_t *words = (const uint64_t *)(const void *)f->core.file->data;
    for (uint64_t i = 0; i < 8 * 512; i++)
        assert_int_equal(words[i], i);
}

static void test_pages(void **state)
{
    struct fixture *f = get(state);
    uint64_t result = 0;
    /* across two pages; into the absent one */
    assert_int_equal(call1(f, X86_CROSS, DATA, &result), DF_CALL_OK);
    assert_int_equal(result, UINT64_C(0x20100000000) | 0);
    assert_int_equal(call1(f, X86_CROSS, DATA + 0x1000, &result), DF_CALL_FAULT);
    /* a page of which a part is missing is not there; the rest of a file's last page is zero */
    assert_int_equal(call1(f, X86_INCREMENT, ODD, &result), DF_CALL_OK);
    assert_int_equal(call1(f, X86_INCREMENT, ODD + 0x1000, &result), DF_CALL_FAULT);
    assert_int_equal(call1(f, X86_INCREMENT, ZERO_TAIL + 0x10, &result), DF_CALL_FAULT);
    assert_int_equal(call1(f, X86_CROSS, ZERO_TAIL + 0xc - 0xffc, &result), DF_CALL_OK);
    assert_int_equal(result, 0x22222222);
    uint8_t bytes[0x20];
    assert_false(df_emulator_read(f->emulator, ABSENT - 8, bytes, 16));
    assert_true(df_emulator_read(f->emulator, ODD + 0xff8, bytes, 0x18));
}

static void test_aarch64(void **state)
{
    struct fixture *f = get(state);
    static const int order[] = {ARM_VISIT3, ARM_LOOP,      ARM_VISIT3,  ARM_FAULT, ARM_VISIT3,
                                ARM_SYSCAL, ARM_UNDEFINED, ARM_NONZERO, ARM_VISIT3};
    static const uint8_t statuses[] = {DF_CALL_OK,          DF_CALL_BUDGET,  DF_CALL_OK,
                                       DF_CALL_FAULT,       DF_CALL_OK,      DF_CALL_SYSCALL,
                                       DF_CALL_INSTRUCTION, DF_CALL_NONZERO, DF_CALL_OK};
    enum { COUNT = sizeof(order) / sizeof(order[0]) };
    struct df_visits calls[COUNT] = {0};
    for (size_t i = 0; i < COUNT; i++)
        calls[i] = (struct df_visits){.function = function(order[i]), .object = DATA + 8 * i};
    visit(f, calls, COUNT);
    for (size_t i = 0; i < COUNT; i++) {
        assert_int_equal(calls[i].status, statuses[i]);
        if (order[i] == ARM_VISIT3)
            expect_three(f, &calls[i]);
    }
    assert_int_equal(calls[7].result, -7);
}

static void test_aarch64_calls(void **state)
{
    struct fixture *f = get(state);
    uint64_t arguments[6] = {1, 20, 300, 4000, 50000, 600000}, result = 0;
    assert_int_equal(df_emulator_call(f->emulator, function(ARM_SUM6), arguments, 6, &result),
                     DF_CALL_OK);
    assert_int_equal(result, 654321);
    assert_int_equal(call1(f, ARM_TLS, 0, &result), DF_CALL_OK);
    assert_int_equal(result, TLS);
    assert_int_equal(call1(f, ARM_SIMD, DATA, &result), DF_CALL_OK);
    assert_int_equal(result, 3);
    assert_int_equal(call1(f, ARM_INCREMENT, DATA, &result), DF_CALL_OK);
    assert_int_equal(call1(f, ARM_INCREMENT, DATA, &result), DF_CALL_OK);
    assert_int_equal(result, 2);
    df_emulator_reset(f->emulator);
    assert_int_equal(call1(f, ARM_INCREMENT, DATA, &result), DF_CALL_OK);
    assert_int_equal(result, 1);
}

static void test_status_texts(void **state)
{
    (void)state;
    for (int i = 0; i < DF_CALL_STATUS_COUNT; i++)
        assert_string_not_equal(df_call_status_text((enum df_call_status)i), "unknown status");
    assert_string_equal(df_call_status_text(DF_CALL_STATUS_COUNT), "unknown status");
}

#define X86_TEST(test) cmocka_unit_test_setup_teardown(test, setup_x86, teardown)
#define ARM_TEST(test) cmocka_unit_test_setup_teardown(test, setup_arm, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        X86_TEST(test_visits),
        X86_TEST(test_each_call_fails_alone),
        X86_TEST(test_nonzero),
        X86_TEST(test_missing_function),
        X86_TEST(test_runaway_is_given_up),
        X86_TEST(test_calls),
        X86_TEST(test_deep_recursion),
        X86_TEST(test_self_modifying_code),
        X86_TEST(test_runaway_calls_are_given_up),
        X86_TEST(test_trace),
        X86_TEST(test_writes_are_private),
        X86_TEST(test_kinds_of_stores),
        X86_TEST(test_natives_that_read),
        X86_TEST(test_natives_that_write),
        X86_TEST(test_natives_fail_like_others),
        X86_TEST(test_core_file),
        X86_TEST(test_pages),
        ARM_TEST(test_aarch64),
        ARM_TEST(test_aarch64_calls),
        cmocka_unit_test(test_status_texts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
