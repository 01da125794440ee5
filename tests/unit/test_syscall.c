/* SPDX-License-Identifier: MIT
 * test_syscall.c: the system call of a thread, from its registers and the instructions around it.
 */
#include "tests/support/cmocka_all.h"

#include <elf.h>
#include <string.h>

#include "dumpfmt/syscall.h"

#define CODE UINT64_C(0x400000)
enum { ORIG_RAX = 15, RDI = 14, RSI = 13 };

static uint8_t code[4096];

static struct df_aspace *space_with(const void *instruction, size_t size)
{
    struct df_aspace *space = df_aspace_create();
    memset(code, 0, sizeof(code));
    memcpy(code + 16, instruction, size);
    df_aspace_add(space, CODE, sizeof(code), code, DF_FROM_CORE, PF_R | PF_X);
    assert_null(df_aspace_seal(space));
    return space;
}

static struct df_lwp x86_64(uint64_t number)
{
    struct df_lwp lwp = {.register_count = 27, .pc = CODE + 18};
    lwp.registers[ORIG_RAX] = number;
    lwp.registers[RDI] = 0x7f0000001000;
    lwp.registers[RSI] = 128;
    return lwp;
}

static void test_x86_64(void **state)
{
    (void)state;
    struct df_aspace *space = space_with("\x0f\x05", 2);
    struct df_syscall call;
    struct df_lwp lwp = x86_64(202);
    assert_true(df_lwp_syscall(space, DF_X86_64, &lwp, &call));
    assert_string_equal(call.name, "futex");
    assert_int_equal(call.kind, DF_CALLS_FUTEX);
    assert_int_equal(call.arguments[0], 0x7f0000001000);
    assert_int_equal(call.arguments[1], 128);
    lwp = x86_64(39); /* getpid: waits for nothing */
    assert_true(df_lwp_syscall(space, DF_X86_64, &lwp, &call));
    assert_null(call.name);
    assert_int_equal(call.kind, DF_CALLS_OTHER);
    lwp = x86_64(UINT64_MAX); /* -1: in none */
    assert_false(df_lwp_syscall(space, DF_X86_64, &lwp, &call));
    lwp = x86_64(202);
    lwp.register_count = 3;
    assert_false(df_lwp_syscall(space, DF_X86_64, &lwp, &call));
    lwp = x86_64(202);
    lwp.pc = 0; /* and where there is no memory */
    assert_false(df_lwp_syscall(space, DF_X86_64, &lwp, &call));
    df_aspace_destroy(space);
}

/* orig_rax is an error code there: a fault, no system call. */
static void test_x86_64_fault(void **state)
{
    (void)state;
    struct df_aspace *space = space_with("\x48\x8b", 2);
    struct df_lwp lwp = x86_64(4);
    struct df_syscall call;
    assert_false(df_lwp_syscall(space, DF_X86_64, &lwp, &call));
    df_aspace_destroy(space);
}

static void test_aarch64(void **state)
{
    (void)state;
    struct df_aspace *space = space_with("\x01\x00\x00\xd4", 4);
    struct df_lwp lwp = {.register_count = 34};
    struct df_syscall call;
    lwp.registers[8] = 207;
    lwp.registers[0] = 5;
    lwp.pc = CODE + 16; /* set back to be restarted */
    assert_true(df_lwp_syscall(space, DF_AARCH64, &lwp, &call));
    assert_string_equal(call.name, "recvfrom");
    assert_int_equal(call.kind, DF_CALLS_READ);
    assert_int_equal(call.arguments[0], 5);
    lwp.pc = CODE + 20; /* just behind it */
    assert_true(df_lwp_syscall(space, DF_AARCH64, &lwp, &call));
    lwp.pc = CODE + 24;
    assert_false(df_lwp_syscall(space, DF_AARCH64, &lwp, &call));
    lwp.pc = CODE + 16;
    lwp.registers[8] = 202; /* accept here, futex on x86-64 */
    assert_true(df_lwp_syscall(space, DF_AARCH64, &lwp, &call));
    assert_string_equal(call.name, "accept");
    df_aspace_destroy(space);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_x86_64),
        cmocka_unit_test(test_x86_64_fault),
        cmocka_unit_test(test_aarch64),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
