/* SPDX-License-Identifier: MIT
 * runtime_find.c: where the interpreter's state is: _PyRuntime.
 *
 * Every build since 3.7 exports it, also statically linked executables. Where the file is stripped
 * of even that, or not at hand: the section .PyRuntime (3.10+), the cookie that the state begins
 * with (3.13+), and a search for two words that lead to an interpreter whose thread knows it.
 */
#include <elf.h>
#include <string.h>

#include "analyzer/cpython/layout_internal.h"
#include "analyzer/cpython/python_internal.h"

#define COOKIE "xdebugpy"
#define MAX_CANDIDATES 1024               /* places of one range that are looked at closely */
#define AFTER_MODULE (UINT64_C(64) << 20) /* .bss may be no part of the module in a bare core */

/* A library or executable that is named so; else the main program; else any. */
static struct df_module *likely_module(struct df_modules *modules)
{
    struct df_module *ret = modules->executable;
    for (uint32_t i = 0; i < modules->count; i++) {
        struct df_module *module = &modules->items[i];
        if (!strncmp(module->name, "libpython", 9) && module->name[9])
            return module;
        if (!ret && !strncmp(module->name, "python", 6))
            ret = module;
    }
    return ret ? ret : modules->count ? &modules->items[0] : NULL;
}

static bool find_section(struct py *py)
{
    struct df_modules *modules = py->dump->modules;
    for (uint32_t i = 0; i < modules->count; i++) {
        uint64_t address, size;
        if (!df_module_section(&modules->items[i], ".PyRuntime", &address, &size) || !size)
            continue;
        py->runtime = address;
        py->module = &modules->items[i];
        return true;
    }
    return false;
}

/* A cookie is believed when its own offsets lead to an interpreter. */
static bool is_runtime(const struct py *py, uint64_t address)
{
    uint32_t version;
    bool free_threaded;
    const struct df_aspace *space = py->dump->space;
    uint64_t head_at, next_at, head, next;
    if (!py_debug_offsets(space, address, &version, &free_threaded))
        return false;
    /* runtime_state.interpreters_head and interpreter_state.next: the same place in all versions
     * so far. */
    if (!df_u64(space, address + 40, &head_at) || !df_u64(space, address + 64, &next_at) ||
        head_at > 1u << 20 || next_at > 1u << 20 || !df_u64(space, address + head_at, &head) ||
        !head || (head & 7))
        return false;
    return df_u64(space, head + next_at, &next) && !(next & 7);
}

static bool is_writable(const struct df_range *range)
{
    return range->host && range->origin == DF_FROM_CORE && (range->flags & PF_W);
}

static bool is_near(const struct df_range *range, const struct df_module *module)
{
    return module && range->start < module->end + AFTER_MODULE && range->end > module->start;
}

static uint64_t cookie_in(const struct py *py, const struct df_range *range)
{
    const uint8_t *bytes = df_ptr(py->dump->space, range->start, range->end - range->start);
    const uint8_t *end = bytes + (range->end - range->start);
    for (const uint8_t *at = bytes;
         at && (at = memmem(at, (size_t)(end - at), COOKIE, strlen(COOKIE))); at++) {
        uint64_t address = range->start + (uint64_t)(at - bytes);
        if (!(address & 7) && is_runtime(py, address))
            return address;
    }
    return 0;
}

/* Two words that are the head of a list of interpreters, and the main one. */
static uint64_t heads_in(const struct py *py, const struct df_range *range)
{
    const struct py_layout *layout = &py->layout;
    uint64_t head_at = PY_OFF(layout, runtime, interpreters_head), size = range->end - range->start;
    struct py candidate = {.dump = py->dump, .layout = *layout};
    const uint8_t *bytes = df_ptr(py->dump->space, range->start, size);
    uint32_t budget = MAX_CANDIDATES;
    for (uint64_t at = -range->start & 7; bytes && at + 16 <= size; at += 8) {
        uint64_t words[2];
        memcpy(words, bytes + at, sizeof(words));
        if (!words[0] || !words[1] || ((words[0] | words[1]) & 7) || words[0] >> DF_ADDRESS_BITS ||
            words[1] >> DF_ADDRESS_BITS)
            continue;
        struct py_reader reader = py_reader(py);
        uint64_t thread = PY_PTR(&reader, words[0], interp, threads_head);
        if (!thread || (thread & 7) || PY_PTR(&reader, thread, thread, interp) != words[0])
            continue;
        candidate.runtime = range->start + at - head_at;
        if (!budget--)
            return 0;
        if (!reader.fault && (py_layout_holds(&candidate) & PY_HOLDS_INTERPRETERS))
            return candidate.runtime;
    }
    return 0;
}

/* Near the likely module first. */
static uint64_t search(const struct py *py,
                       uint64_t (*in)(const struct py *py, const struct df_range *range))
{
    for (int far = 0; far < 2; far++)
        for (size_t i = 0; i < py->dump->space->count; i++) {
            const struct df_range *range = &py->dump->space->ranges[i];
            uint64_t found =
                is_writable(range) && is_near(range, py->module) == !far ? in(py, range) : 0;
            if (found)
                return found;
        }
    return 0;
}

uint64_t py_search_runtime(struct py *py)
{
    const struct py_layout *layout = &py->layout;
    if (!PY_HAS(layout, runtime, interpreters_main) ||
        PY_OFF(layout, runtime, interpreters_main) !=
            PY_OFF(layout, runtime, interpreters_head) + 8)
        return 0;
    return search(py, heads_in);
}

bool py_find_runtime(struct py *py)
{
    struct df_modules *modules = py->dump->modules;
    const struct df_symbol *symbol = df_modules_symbol(modules, "_PyRuntime", &py->module);
    if (symbol) {
        py->runtime = symbol->address;
        return true;
    }
    if (find_section(py))
        return true;
    py->module = likely_module(modules);
    py->runtime = search(py, cookie_in);
    struct df_module *module = py->runtime ? df_module_at(modules, py->runtime) : NULL;
    if (module)
        py->module = module;
    return py->runtime != 0;
}
