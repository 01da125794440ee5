/* SPDX-License-Identifier: MIT
 * tracemalloc_find.c: where tracemalloc's tables are.
 *
 * Since 3.12 in the runtime's state. Up to 3.11 in static variables of the interpreter:
 * `_Py_tracemalloc_config`, which says whether it is on, is exported by every build; the others are
 * local symbols, which a stripped file without its debug file has no more. Then a table of traces
 * is told by what is in it: a word in the interpreter's data leads to a hash table, all of whose
 * entries that are looked at lead to tracebacks of frames whose file names are strings.
 */
#include <elf.h>

#include "analyzer/cpython/layout_internal.h"
#include "analyzer/cpython/tracemalloc_internal.h"

#define SAMPLES 64 /* entries of a table that are looked at */
#define NEARBY 512 /* bytes: variables of one source file */
#define MAX_LINE (1u << 30)

bool py_trace_stack_at(struct py_reader *reader, uint64_t address, uint64_t *ret_frames,
                       uint32_t *ret_count, uint32_t *ret_total)
{
    const struct py_layout *layout = reader->layout;
    uint64_t stride = PY_SIZEOF(layout, traceframe);
    bool before = reader->fault;
    reader->fault = false;
    uint64_t count = PY_GET(reader, address, tracestack, nframe),
             total = PY_GET(reader, address, tracestack, total_nframe),
             frames = PY_AT(layout, address, tracestack, frames);
    bool good = address && !(address & 7) && !reader->fault && count &&
                count <= PY_MAX_TRACE_FRAMES &&
                (total >= count || !PY_HAS(layout, tracestack, total_nframe)) &&
                py_readable(reader, frames, count * stride);
    reader->fault = before;
    if (!good)
        return false;
    *ret_frames = frames;
    *ret_count = (uint32_t)count;
    *ret_total = (uint32_t)total;
    return true;
}

static void from_runtime(const struct py *py, struct py_tracing_place *ret)
{
    struct py_reader reader = py_reader(py);
    uint64_t state = PY_AT(&py->layout, py->runtime, runtime, tracemalloc);
    uint64_t config = PY_AT(&py->layout, state, tracing, config);
    bool on = PY_GET(&reader, config, tracingconfig, tracing);
    ret->max_frames = (uint32_t)PY_GET(&reader, config, tracingconfig, max_nframe);
    ret->traces = PY_PTR(&reader, state, tracing, traces);
    ret->domains = PY_PTR(&reader, state, tracing, domains);
    ret->traced = PY_PTR(&reader, state, tracing, traced_memory);
    ret->peak = PY_PTR(&reader, state, tracing, peak_traced_memory);
    ret->state = reader.fault ? PY_TRACING_UNKNOWN : on ? PY_TRACING_ON : PY_TRACING_OFF;
}

static uint64_t variable(const struct py *py, const char *name)
{
    const struct df_symbol *symbol = py_local_symbol(py->module, name);
    struct py_reader reader = py_reader(py);
    return symbol ? py_word(&reader, symbol->address) : 0;
}

/* Whether it is on; and what the exported variable says besides. */
static void from_config(const struct py *py, struct py_tracing_place *ret)
{
    const struct df_symbol *symbol = df_module_symbol(py->module, "_Py_tracemalloc_config");
    struct py_reader reader = py_reader(py);
    ret->state = PY_TRACING_UNKNOWN;
    if (!symbol || !PY_HAS(&py->layout, tracingconfig, tracing))
        return;
    bool on = PY_GET(&reader, symbol->address, tracingconfig, tracing);
    uint64_t frames = PY_GET(&reader, symbol->address, tracingconfig, max_nframe);
    if (reader.fault)
        return;
    ret->state = on ? PY_TRACING_ON : PY_TRACING_OFF;
    ret->max_frames = (uint32_t)frames;
}

static void from_symbols(const struct py *py, struct py_tracing_place *ret)
{
    ret->traces = variable(py, "tracemalloc_traces");
    ret->domains = variable(py, "tracemalloc_domains"); /* 3.9+ */
    ret->traced = variable(py, "tracemalloc_traced_memory");
    ret->peak = variable(py, "tracemalloc_peak_traced_memory");
}

struct samples {
    struct py_reader *reader;
    uint32_t seen, good;
};

/* Is it a trace whose traceback begins with a file name and a line? */
static bool look_at_trace(void *context, const struct py_hash_entry *entry)
{
    struct samples *samples = context;
    struct py_reader *reader = samples->reader;
    uint64_t size = PY_PTR(reader, entry->value, trace, size), frames, data, length;
    uint64_t stack = PY_PTR(reader, entry->value, trace, traceback);
    uint32_t count, total, kind;
    samples->seen++;
    if (reader->fault || size >> DF_ADDRESS_BITS ||
        !py_trace_stack_at(reader, stack, &frames, &count, &total))
        return false;
    uint64_t name = PY_PTR(reader, frames, traceframe, filename);
    uint64_t line = PY_GET(reader, frames, traceframe, lineno);
    if (!(py_flags_of(reader, name) & PY_TPFLAGS_UNICODE) || reader->fault || line > MAX_LINE ||
        !py_str_data(reader, name, &data, &length, &kind))
        return false;
    samples->good++;
    return samples->seen < SAMPLES;
}

/* Entries of a table that looks like one of traces, else 0. */
static uint64_t traces_in(struct py_reader *reader, uint64_t address)
{
    struct py_hashtable table;
    struct samples samples = {.reader = reader};
    if (!py_hashtable_at(reader, address, &table) || !table.count)
        return 0;
    if (PY_HAS(reader->layout, hashtable, data_size) &&
        table.data_size != PY_SIZEOF(reader->layout, trace))
        return 0;
    py_hashtable_each(reader, &table, look_at_trace, &samples);
    return samples.good && samples.good == samples.seen ? table.count : 0;
}

static bool look_at_domain(void *context, const struct py_hash_entry *entry)
{
    struct samples *samples = context;
    samples->seen++;
    if (!entry->key || entry->key > UINT32_MAX || !traces_in(samples->reader, entry->value))
        return false;
    samples->good++;
    return samples->seen < SAMPLES;
}

static bool is_domains(struct py_reader *reader, uint64_t address)
{
    struct py_hashtable table;
    struct samples samples = {.reader = reader};
    if (!py_hashtable_at(reader, address, &table) || !table.count)
        return false;
    py_hashtable_each(reader, &table, look_at_domain, &samples);
    return samples.good && samples.good == samples.seen;
}

/* Words of [start, end) that are addresses; true when one fits. */
static void search_domains(struct py_reader *reader, uint64_t slot, struct py_tracing_place *ret)
{
    for (uint64_t at = slot - NEARBY; at < slot + NEARBY && !ret->domains; at += 8) {
        uint64_t word;
        if (df_u64(reader->space, at, &word) && word && !(word & 7) && is_domains(reader, word))
            ret->domains = word;
    }
}

static void by_search(const struct py *py, struct py_tracing_place *ret)
{
    struct py_reader reader = py_reader(py);
    uint64_t most = 0, slot = 0;
    for (uint32_t i = 0; i < py->module->load_count; i++) {
        const struct df_load *load = &py->module->loads[i];
        if (!(load->flags & PF_W))
            continue;
        for (uint64_t at = (load->start + 7) & ~UINT64_C(7); at + 8 <= load->end; at += 8) {
            uint64_t word, count;
            if (!df_u64(reader.space, at, &word) || !word || (word & 7) ||
                !(count = traces_in(&reader, word)) || count <= most)
                continue;
            most = count;
            slot = at;
            ret->traces = word;
        }
    }
    if (slot && PY_HAS(&py->layout, hashentry, value)) /* 3.9+ */
        search_domains(&reader, slot, ret);
}

void py_find_tracing(const struct py *py, struct py_tracing_place *ret)
{
    struct py_hashtable table;
    struct py_reader reader = py_reader(py);
    *ret = (struct py_tracing_place){.state = PY_TRACING_UNKNOWN};
    if (PY_HAS(&py->layout, runtime, tracemalloc)) {
        from_runtime(py, ret);
    } else if (py->module) {
        from_config(py, ret);
        if (ret->state == PY_TRACING_OFF)
            return;
        from_symbols(py, ret);
        if (!ret->traces)
            by_search(py, ret);
        if (ret->traces)
            ret->state = PY_TRACING_ON;
    }
    if (ret->state == PY_TRACING_ON && !py_hashtable_at(&reader, ret->traces, &table))
        ret->state = PY_TRACING_LOST;
}
