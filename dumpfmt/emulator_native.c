/* SPDX-License-Identifier: MIT
 * emulator_native.c: libc's string functions, answered by the host over the emulated memory; and
 * calls that the dead process had not resolved yet.
 *
 * glibc binds these functions (IFUNC) to variants for the machine's CPU; Unicorn 2.0 has neither
 * AVX nor SVE, so entering one is an unknown instruction. The bound address is in the dead
 * process's own GOT, under the relocation's name. A found function gets a hook on its first
 * instruction, which answers, and that instruction becomes a return: no program counter needs to be
 * moved. Variants that no relocation names (calls inside libc) are learnt when they fail, from
 * libc's symbols.
 *
 * A lazily bound call would enter the dynamic linker, which saves AVX state (xsave): such slots are
 * resolved here, by name, the executable first, as the linker would.
 */
#ifdef NECROPY_HAVE_UNICORN

#include <elf.h>
#include <string.h>
#include <strings.h>

#include "dumpfmt/base/mem.h"
#include "dumpfmt/emulator_internal.h"

#define BYTES_PER_FUEL 64 /* native work is paid for like emulated work */

enum native {
    NATIVE_STRLEN,
    NATIVE_STRNLEN,
    NATIVE_STRCMP,
    NATIVE_STRNCMP,
    NATIVE_STRCASECMP,
    NATIVE_STRNCASECMP,
    NATIVE_STRCHR,
    NATIVE_STRCHRNUL,
    NATIVE_STRRCHR,
    NATIVE_RAWMEMCHR,
    NATIVE_MEMCHR,
    NATIVE_MEMRCHR,
    NATIVE_MEMCMP,
    NATIVE_MEMCPY,
    NATIVE_MEMPCPY,
    NATIVE_MEMSET,
    NATIVE_BZERO,
    NATIVE_STRCPY,
    NATIVE_STPCPY,
    NATIVE_STRCAT,
};

/* Names as they are after leading underscores; sorted. The _chk forms have the same arguments in
 * front; the emulator's own bounds do for the check. */
static const struct name {
    const char *name;
    enum native native;
} names[] = {
    {"bcmp", NATIVE_MEMCMP},
    {"bzero", NATIVE_BZERO},
    {"memchr", NATIVE_MEMCHR},
    {"memcmp", NATIVE_MEMCMP},
    {"memcmpeq", NATIVE_MEMCMP},
    {"memcpy", NATIVE_MEMCPY},
    {"memcpy_chk", NATIVE_MEMCPY},
    {"memmove", NATIVE_MEMCPY},
    {"memmove_chk", NATIVE_MEMCPY},
    {"mempcpy", NATIVE_MEMPCPY},
    {"mempcpy_chk", NATIVE_MEMPCPY},
    {"memrchr", NATIVE_MEMRCHR},
    {"memset", NATIVE_MEMSET},
    {"memset_chk", NATIVE_MEMSET},
    {"rawmemchr", NATIVE_RAWMEMCHR},
    {"stpcpy", NATIVE_STPCPY},
    {"stpcpy_chk", NATIVE_STPCPY},
    {"strcasecmp", NATIVE_STRCASECMP},
    {"strcat", NATIVE_STRCAT},
    {"strcat_chk", NATIVE_STRCAT},
    {"strchr", NATIVE_STRCHR},
    {"strchrnul", NATIVE_STRCHRNUL},
    {"strcmp", NATIVE_STRCMP},
    {"strcpy", NATIVE_STRCPY},
    {"strcpy_chk", NATIVE_STRCPY},
    {"strlen", NATIVE_STRLEN},
    {"strncasecmp", NATIVE_STRNCASECMP},
    {"strncmp", NATIVE_STRNCMP},
    {"strnlen", NATIVE_STRNLEN},
    {"strrchr", NATIVE_STRRCHR},
};

#define NAME_COUNT (sizeof(names) / sizeof(names[0]))

static const char *skip_underscores(const char *name)
{
    return name + strspn(name, "_");
}

/* Index in `names`, or -1. */
static int find_name(const char *name)
{
    name = skip_underscores(name);
    size_t low = 0, high = NAME_COUNT;
    while (low < high) {
        size_t middle = (low + high) / 2;
        int order = strcmp(names[middle].name, name);
        if (!order)
            return (int)middle;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return -1;
}

/* The name in `names` of which a symbol is a variant (__strcmp_evex, __memmove_avx_unaligned_erms,
 * __memset_chk_avx2_unaligned), or -1. */
static int find_variant(const char *symbol)
{
    const char *name = skip_underscores(symbol);
    int best = -1;
    size_t best_length = 0;
    for (size_t i = 0; i < NAME_COUNT; i++) {
        size_t length = strlen(names[i].name);
        if (length > best_length && !strncmp(name, names[i].name, length) &&
            (name[length] == '_' || !name[length])) {
            best = (int)i;
            best_length = length;
        }
    }
    return best;
}

/* Foreign bytes, one after the other. */
struct cursor {
    struct df_engine *engine;
    uint64_t address;
    const uint8_t *at;
    uint64_t left;
};

static bool next_byte(struct cursor *cursor, uint8_t *ret)
{
    if (!cursor->left) {
        cursor->at = df_emu_span(cursor->engine, cursor->address, false, &cursor->left);
        if (!cursor->at)
            return false;
    }
    cursor->address++;
    cursor->left--;
    *ret = *cursor->at++;
    return true;
}

/* Takes the fuel for `bytes` of work; ends the call when there is not enough. */
static bool pay(struct df_engine *engine, uint64_t bytes)
{
    uint64_t price = bytes / BYTES_PER_FUEL;
    if (price > engine->fuel) {
        df_emu_stop(engine, DF_CALL_BUDGET);
        return false;
    }
    engine->fuel -= price;
    return true;
}

/* Length of a string of at most max bytes (max when there is no NUL in them). */
static bool string_length(struct df_engine *engine, uint64_t address, uint64_t max, uint64_t *ret)
{
    uint64_t length = 0;
    while (length < max) {
        uint64_t left;
        const uint8_t *at = df_emu_span(engine, address + length, false, &left);
        if (!at)
            return false;
        if (left > max - length)
            left = max - length;
        const uint8_t *nul = memchr(at, 0, left);
        length += nul ? (uint64_t)(nul - at) : left;
        if (nul)
            break;
    }
    *ret = length;
    return pay(engine, length);
}

static int fold(uint8_t byte, bool ignore_case)
{
    return ignore_case && byte >= 'A' && byte <= 'Z' ? byte + ('a' - 'A') : byte;
}

/* strcmp and its kin; strings end at NUL unless `whole`. */
static bool compare(struct df_engine *engine, uint64_t a, uint64_t b, uint64_t max, bool whole,
                    bool ignore_case, uint64_t *ret)
{
    struct cursor left = {.engine = engine, .address = a};
    struct cursor right = {.engine = engine, .address = b};
    uint64_t i = 0;
    int difference = 0;
    for (; i < max && !difference; i++) {
        uint8_t x, y;
        if (!next_byte(&left, &x) || !next_byte(&right, &y))
            return false;
        difference = fold(x, ignore_case) - fold(y, ignore_case);
        if (!x && !whole)
            break;
    }
    *ret = (uint64_t)(int64_t)difference;
    return pay(engine, i);
}

/* The first (or last) `wanted` in `size` bytes; 0 when there is none. */
static bool find_byte(struct df_engine *engine, uint64_t address, uint8_t wanted, uint64_t size,
                      bool last, uint64_t *ret)
{
    struct cursor cursor = {.engine = engine, .address = address};
    uint64_t found = 0, i = 0;
    for (; i < size && (last || !found); i++) {
        uint8_t byte;
        if (!next_byte(&cursor, &byte))
            return false;
        if (byte == wanted)
            found = address + i;
    }
    *ret = found;
    return pay(engine, i);
}

static bool find_in_string(struct df_engine *engine, uint64_t address, uint8_t wanted, bool last,
                           uint64_t *ret_end, uint64_t *ret)
{
    uint64_t length;
    if (!string_length(engine, address, UINT64_MAX, &length))
        return false;
    *ret_end = address + length;
    return find_byte(engine, address, wanted, length + 1, last, ret);
}

/* Copies through the host, either way round, in pieces that do not cross chunks. */
static bool copy(struct df_engine *engine, uint64_t to, uint64_t from, uint64_t size)
{
    if (!pay(engine, size))
        return false;
    bool backwards = to > from && to - from < size;
    uint8_t buffer[1024];
    for (uint64_t done = 0; done < size;) {
        uint64_t piece = size - done < sizeof(buffer) ? size - done : sizeof(buffer);
        uint64_t at = backwards ? size - done - piece : done;
        for (uint64_t i = 0, left; i < piece; i += left) {
            const uint8_t *source = df_emu_span(engine, from + at + i, false, &left);
            if (!source)
                return false;
            left = left < piece - i ? left : piece - i;
            memcpy(buffer + i, source, left);
        }
        for (uint64_t i = 0, left; i < piece; i += left) {
            uint8_t *target = df_emu_span(engine, to + at + i, true, &left);
            if (!target)
                return false;
            left = left < piece - i ? left : piece - i;
            memcpy(target, buffer + i, left);
        }
        done += piece;
    }
    return true;
}

static bool set(struct df_engine *engine, uint64_t to, uint8_t byte, uint64_t size)
{
    if (!pay(engine, size))
        return false;
    for (uint64_t i = 0, left; i < size; i += left) {
        uint8_t *target = df_emu_span(engine, to + i, true, &left);
        if (!target)
            return false;
        left = left < size - i ? left : size - i;
        memset(target, byte, left);
    }
    return true;
}

static bool copy_string(struct df_engine *engine, uint64_t to, uint64_t from, uint64_t *ret_end)
{
    uint64_t length;
    if (!string_length(engine, from, UINT64_MAX, &length))
        return false;
    *ret_end = to + length;
    return copy(engine, to, from, length + 1);
}

/* Computes native(a, b, c). False when memory is missing (or the call has been ended already). */
static bool answer_search(struct df_engine *engine, enum native native, uint64_t a, uint64_t b,
                          uint64_t c, uint64_t *ret)
{
    uint64_t end;
    switch (native) {
    case NATIVE_STRCHR:
        return find_in_string(engine, a, (uint8_t)b, false, &end, ret);
    case NATIVE_STRCHRNUL:
        if (!find_in_string(engine, a, (uint8_t)b, false, &end, ret))
            return false;
        *ret = *ret ? *ret : end;
        return true;
    case NATIVE_STRRCHR:
        return find_in_string(engine, a, (uint8_t)b, true, &end, ret);
    case NATIVE_RAWMEMCHR:
        return find_byte(engine, a, (uint8_t)b, UINT64_MAX, false, ret);
    case NATIVE_MEMCHR:
        return find_byte(engine, a, (uint8_t)b, c, false, ret);
    default:
        return find_byte(engine, a, (uint8_t)b, c, true, ret); /* memrchr */
    }
}

static bool answer(struct df_engine *engine, enum native native, uint64_t a, uint64_t b, uint64_t c,
                   uint64_t *ret)
{
    uint64_t length;
    *ret = a;
    switch (native) {
    case NATIVE_STRLEN:
        return string_length(engine, a, UINT64_MAX, ret);
    case NATIVE_STRNLEN:
        return string_length(engine, a, b, ret);
    case NATIVE_STRCMP:
        return compare(engine, a, b, UINT64_MAX, false, false, ret);
    case NATIVE_STRNCMP:
        return compare(engine, a, b, c, false, false, ret);
    case NATIVE_STRCASECMP:
        return compare(engine, a, b, UINT64_MAX, false, true, ret);
    case NATIVE_STRNCASECMP:
        return compare(engine, a, b, c, false, true, ret);
    case NATIVE_MEMCMP:
        return compare(engine, a, b, c, true, false, ret);
    case NATIVE_MEMPCPY:
        *ret = a + c;
        return copy(engine, a, b, c);
    case NATIVE_MEMCPY:
        return copy(engine, a, b, c);
    case NATIVE_MEMSET:
        return set(engine, a, (uint8_t)b, c);
    case NATIVE_BZERO:
        return set(engine, a, 0, b);
    case NATIVE_STPCPY:
        return copy_string(engine, a, b, ret);
    case NATIVE_STRCPY:
        return copy_string(engine, a, b, &length);
    case NATIVE_STRCAT:
        return string_length(engine, a, UINT64_MAX, &length) &&
               copy_string(engine, a + length, b, &length);
    default:
        return answer_search(engine, native, a, b, c, ret);
    }
}

static void on_native(uc_engine *uc, uint64_t address, uint32_t size, void *context)
{
    (void)address, (void)size;
    const struct df_emu_native *native = context;
    struct df_engine *engine = native->engine;
    uint64_t arguments[3], result;
    for (int i = 0; i < 3; i++)
        uc_reg_read(uc, engine->machine->arguments[i], &arguments[i]);
    if (!answer(engine, names[native->kind].native, arguments[0], arguments[1], arguments[2],
                &result))
        df_emu_stop(engine, DF_CALL_FAULT);
    else
        uc_reg_write(uc, engine->machine->result, &result);
}

struct df_err *df_emu_native_hook(struct df_engine *engine)
{
    for (uint32_t i = 0; i < engine->native_count; i++) {
        struct df_emu_native *native = &engine->natives[i];
        uc_hook hook;
        if (native->hooked)
            continue;
        /* Unicorn takes the function as void *; POSIX lets us. */
        void *callback = __extension__(void *) on_native;
        if (uc_hook_add(engine->uc, &hook, UC_HOOK_CODE, callback, native, native->address,
                        native->address))
            return df_err_prefix(df_err_nomem(), "cannot set up the emulator");
        native->hooked = true;
    }
    return NULL;
}

static bool executable(const struct df_engine *engine, uint64_t address)
{
    const struct df_range *range = df_aspace_search(engine->dump->space, address);
    return range && range->flags & PF_X;
}

/* Makes the function at address native; false when it is, already, or there is no room. */
static bool add_native(struct df_engine *engine, uint64_t address, int kind)
{
    for (uint32_t i = 0; i < engine->native_count; i++)
        if (engine->natives[i].address == address)
            return false;
    if (engine->native_count == EMU_MAX_NATIVES)
        return false;
    engine->natives[engine->native_count++] =
        (struct df_emu_native){.engine = engine, .address = address, .kind = (uint32_t)kind};
    df_emu_patch(engine, address, engine->machine->return_code, engine->machine->return_size);
    return true;
}

/* A function of our own for calls to a native that was never bound. */
static uint64_t add_stub(struct df_engine *engine, int kind)
{
    uint64_t address = engine->scratch + EMU_CODE + EMU_CODE_STUBS + (uint64_t)kind * EMU_STUB_SIZE;
    add_native(engine, address, kind);
    return address;
}

struct slots { /* context of one module's relocations */
    struct df_engine *engine;
    uint64_t plt, plt_size;
};

/* Where a call by name would go; 0 when that cannot be told. */
static uint64_t resolve(struct df_engine *engine, const char *name)
{
    struct df_modules *modules = engine->dump->modules;
    const struct df_symbol *symbol = NULL;
    if (modules->executable)
        symbol = df_module_symbol(modules->executable, name);
    if (!symbol || symbol->type != DF_SYMBOL_FUNCTION || !symbol->address)
        symbol = df_modules_symbol(modules, name, NULL);
    if (!symbol || symbol->type != DF_SYMBOL_FUNCTION)
        return 0;
    return executable(engine, symbol->address) ? symbol->address : 0;
}

static void on_slot(void *context, uint64_t slot, const char *name, bool jump_slot)
{
    const struct slots *slots = context;
    struct df_engine *engine = slots->engine;
    int kind = find_name(name);
    uint64_t value;
    if ((kind < 0 && !jump_slot) || !df_u64(engine->dump->space, slot, &value))
        return;
    /* Until it is resolved a slot leads back into the module's own PLT, to its lazy part. */
    bool lazy = jump_slot && value - slots->plt < slots->plt_size;
    if (kind >= 0 && !lazy) {
        if (executable(engine, value))
            add_native(engine, value, kind);
        return;
    }
    if (!lazy)
        return;
    uint64_t target = kind >= 0 ? add_stub(engine, kind) : resolve(engine, name);
    if (target)
        df_emu_patch(engine, slot, target, sizeof(target));
}

void df_emu_native_init(struct df_engine *engine)
{
    const struct df_modules *modules = engine->dump->modules;
    for (uint32_t i = 0; modules && i < modules->count; i++) {
        struct df_module *module = &modules->items[i];
        if (!module->elf && !module->stored)
            continue;
        struct slots slots = {.engine = engine};
        if (!df_module_section(module, ".plt", &slots.plt, &slots.plt_size))
            slots.plt_size = 0;
        df_module_relocations(module, on_slot, &slots);
    }
}

bool df_emu_native_learn(struct df_engine *engine, uint64_t pc)
{
    const struct df_modules *modules = engine->dump->modules;
    for (uint32_t i = 0; modules && i < modules->count; i++) {
        struct df_module *module = &modules->items[i];
        if (pc < module->start || pc >= module->end)
            continue;
        const struct df_symbol *symbol = df_module_symbol_at(module, pc);
        int kind = symbol ? find_variant(symbol->name) : -1;
        if (kind >= 0 && add_native(engine, symbol->address, kind))
            return true;
    }
    return false;
}

#else
typedef int df_emulator_native_unused;
#endif
