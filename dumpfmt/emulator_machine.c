/* SPDX-License-Identifier: MIT
 * emulator_machine.c: what the emulator must know about x86-64 and aarch64: registers, the driver's
 * machine code, what the exceptions mean.
 *
 * The driver is the same loop on both: load stack pointer, function and object from constants and
 * the mailbox (no register survives hostile code), call, repeat. Everything else happens in the
 * block hook of emulator_engine.c, which sees each entry to the loop.
 */
#ifdef NECROPY_HAVE_UNICORN

#include <string.h>

#include "dumpfmt/emulator_internal.h"

static uint8_t *put(uint8_t *code, const char *bytes, size_t size)
{
    memcpy(code, bytes, size);
    return code + size;
}

static uint8_t *put_u64(uint8_t *code, uint64_t value)
{
    memcpy(code, &value, sizeof(value));
    return code + sizeof(value);
}

static uint8_t *put_u32(uint8_t *code, uint32_t value)
{
    memcpy(code, &value, sizeof(value));
    return code + sizeof(value);
}

static uint64_t stack_top(uint64_t scratch)
{
    return scratch + EMU_STACK + EMU_STACK_SIZE -
           256; /* 16-aligned, with room above for arguments */
}

static void x86_write_code(uint8_t *code, uint64_t scratch)
{
    uint8_t *at = code + EMU_CODE_NEXT;
    at = put(at, "\xfc", 1);                                     /* cld */
    at = put_u64(put(at, "\x48\xbc", 2), stack_top(scratch));    /* mov rsp, stack */
    at = put_u64(put(at, "\x48\xbb", 2), scratch + EMU_MAILBOX); /* mov rbx, mailbox */
    at = put_u64(put(at, "\x48\xbe", 2), scratch + EMU_CODE + EMU_CODE_VISIT); /* mov rsi, visit */
    at = put(at, "\x48\x8b\x7b\x08", 4); /* mov rdi, [rbx + 8] */
    at = put(at, "\x48\x8b\x03", 3);     /* mov rax, [rbx] */
    at = put(at, "\x31\xd2\x31\xed", 4); /* xor edx, edx; xor ebp, ebp */
    at = put(at, "\xff\xd0\xe9", 3);     /* call rax; jmp next */
    put_u32(at, (uint32_t) - (int32_t)(at + 4 - (code + EMU_CODE_NEXT)));
    put(code + EMU_CODE_VISIT, "\x31\xc0\xc3", 3); /* xor eax, eax; ret */
    put(code + EMU_CODE_DONE, "\xf4", 1);          /* hlt: never reached */
    memset(code + EMU_CODE_STUBS, 0xc3, EMU_PAGE - EMU_CODE_STUBS);
}

static void x86_prepare(uc_engine *uc)
{
    (void)uc;
}

static void x86_set_return(struct df_engine *engine, uint64_t address)
{
    uint64_t sp = stack_top(engine->scratch) - 8;
    uc_mem_write(engine->uc, sp, &address, sizeof(address));
    uc_reg_write(engine->uc, UC_X86_REG_RSP, &sp);
}

static enum df_call_status x86_interrupt(uint32_t number)
{
    switch (number) {
    case 0x80:
        return DF_CALL_SYSCALL;
    case 12: /* #SS */
    case 13: /* #GP */
    case 14: /* #PF */
    case 17: /* #AC */
        return DF_CALL_FAULT;
    default:
        return DF_CALL_INSTRUCTION;
    }
}

static const struct df_emu_machine x86_64 = {
    .arch = UC_ARCH_X86,
    .mode = UC_MODE_64,
    /* Unicorn 2.0 sets the same features for all models: SSE4.2 and BMI, but no POPCNT, no AVX. */
    .cpu_model = UC_CPU_X86_QEMU64,
    .pc = UC_X86_REG_RIP,
    .sp = UC_X86_REG_RSP,
    .result = UC_X86_REG_RAX,
    .tls = UC_X86_REG_FS_BASE,
    .arguments = {UC_X86_REG_RDI, UC_X86_REG_RSI, UC_X86_REG_RDX, UC_X86_REG_RCX, UC_X86_REG_R8,
                  UC_X86_REG_R9},
    .return_code = 0xc3,
    .return_size = 1,
    .write_code = x86_write_code,
    .prepare = x86_prepare,
    .set_return = x86_set_return,
    .interrupt = x86_interrupt,
};

/* LDR Xt, literal: A64, section C6.2 of the Arm Architecture Reference Manual. */
static uint32_t a64_ldr_literal(uint32_t reg, uint32_t from, uint32_t literal)
{
    return 0x58000000u | (((literal - from) / 4) << 5) | reg;
}

static void arm64_write_code(uint8_t *code, uint64_t scratch)
{
    const uint32_t literals = 0x40;
    uint8_t *at = code + EMU_CODE_NEXT;
    at = put_u32(at, a64_ldr_literal(16, 0, literals));     /* ldr x16, =mailbox */
    at = put_u32(at, a64_ldr_literal(9, 4, literals + 8));  /* ldr x9, =stack */
    at = put_u32(at, a64_ldr_literal(1, 8, literals + 16)); /* ldr x1, =visit */
    at = put_u32(at, 0x9100013f);                           /* mov sp, x9 */
    at = put_u32(at, 0xd2800002);                           /* mov x2, #0 */
    at = put_u32(at, 0xd280001d);                           /* mov x29, #0 */
    at = put_u32(at, 0xa9400211);                           /* ldp x17, x0, [x16] */
    at = put_u32(at, 0xd63f0220);                           /* blr x17 */
    put_u32(at, 0x14000000u | (0x3ffffffu & (uint32_t) - (int32_t)((at - code) / 4))); /* b next */
    put_u64(code + literals, scratch + EMU_MAILBOX);
    put_u64(code + literals + 8, stack_top(scratch));
    put_u64(code + literals + 16, scratch + EMU_CODE + EMU_CODE_VISIT);
    put_u32(put_u32(code + EMU_CODE_VISIT, 0xd2800000), 0xd65f03c0); /* mov x0, #0; ret */
    put_u32(code + EMU_CODE_DONE, 0xd4200000);                       /* brk: never reached */
    for (uint32_t i = EMU_CODE_STUBS; i < EMU_PAGE; i += 4)
        put_u32(code + i, 0xd65f03c0);
}

static void arm64_prepare(uc_engine *uc)
{
    uint64_t cpacr = 0;
    uc_reg_read(uc, UC_ARM64_REG_CPACR_EL1, &cpacr);
    cpacr |= 3u << 20 | 3u << 16; /* FPEN, ZEN: no trap on SIMD and SVE */
    uc_reg_write(uc, UC_ARM64_REG_CPACR_EL1, &cpacr);
}

static void arm64_set_return(struct df_engine *engine, uint64_t address)
{
    uint64_t sp = stack_top(engine->scratch);
    uc_reg_write(engine->uc, UC_ARM64_REG_SP, &sp);
    uc_reg_write(engine->uc, UC_ARM64_REG_LR, &address);
}

static enum df_call_status arm64_interrupt(uint32_t number)
{
    switch (number) { /* EXCP_* of QEMU's target/arm/cpu.h */
    case 2:           /* SWI: svc */
    case 11:          /* HVC */
    case 13:          /* SMC */
        return DF_CALL_SYSCALL;
    case 3: /* prefetch abort */
    case 4: /* data abort */
        return DF_CALL_FAULT;
    default:
        return DF_CALL_INSTRUCTION;
    }
}

static const struct df_emu_machine aarch64 = {
    .arch = UC_ARCH_ARM64,
    .mode = UC_MODE_ARM,
    .cpu_model = UC_CPU_ARM64_MAX, /* atomics (LSE), pointer authentication as no-ops */
    .pc = UC_ARM64_REG_PC,
    .sp = UC_ARM64_REG_SP,
    .result = UC_ARM64_REG_X0,
    .tls = UC_ARM64_REG_TPIDR_EL0,
    .arguments = {UC_ARM64_REG_X0, UC_ARM64_REG_X1, UC_ARM64_REG_X2, UC_ARM64_REG_X3,
                  UC_ARM64_REG_X4, UC_ARM64_REG_X5},
    .return_code = 0xd65f03c0,
    .return_size = 4,
    .write_code = arm64_write_code,
    .prepare = arm64_prepare,
    .set_return = arm64_set_return,
    .interrupt = arm64_interrupt,
};

const struct df_emu_machine *df_emu_machine(enum df_machine machine)
{
    return machine == DF_AARCH64 ? &aarch64 : &x86_64;
}

#else
typedef int df_emulator_machine_unused; /* ISO C wants a declaration in every file */
#endif
