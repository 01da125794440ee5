/* SPDX-License-Identifier: MIT
 * process.c: which core this is, and which Python was in it.
 */
#include "analyzer/findings/parts.h"

#include <string.h>

#include "dumpfmt/dump.h"

/* Names of Linux' first 31 signals, the same on x86-64 and aarch64 (signal(7)); a dead machine's
 * signal must not be named by the host's table. */
static const char *signal_name(int32_t signal)
{
    static const char *const names[] = {
        NULL,        "SIGHUP",  "SIGINT",    "SIGQUIT", "SIGILL",   "SIGTRAP", "SIGABRT", "SIGBUS",
        "SIGFPE",    "SIGKILL", "SIGUSR1",   "SIGSEGV", "SIGUSR2",  "SIGPIPE", "SIGALRM", "SIGTERM",
        "SIGSTKFLT", "SIGCHLD", "SIGCONT",   "SIGSTOP", "SIGTSTP",  "SIGTTIN", "SIGTTOU", "SIGURG",
        "SIGXCPU",   "SIGXFSZ", "SIGVTALRM", "SIGPROF", "SIGWINCH", "SIGIO",   "SIGPWR",  "SIGSYS"};
    size_t count = sizeof(names) / sizeof(names[0]);
    return signal > 0 && (size_t)signal < count ? names[signal] : NULL;
}

static const char *why_missing(const struct df_module *module)
{
    switch (module->state) {
    case DF_MODULE_MISMATCH:
        return "the file here is of another build";
    case DF_MODULE_MISSING:
        return "no file found";
    default:
        return NULL;
    }
}

static void fill_missing_files(struct fi_context *context, const struct df_modules *modules)
{
    struct fi_core *core = &context->verdict->core;
    if (!modules)
        return;
    core->missing_files = fi_pool_array(context->pool, modules->count, sizeof(char *));
    for (uint32_t i = 0; i < modules->count; i++) {
        const struct df_module *module = &modules->items[i];
        const char *why = why_missing(module);
        if (why)
            core->missing_files[core->missing_file_count++] =
                fi_pool_format(context->pool, "%s: %s", module->path, why);
    }
}

/* Memory that could be written and was never put into the core: shared by other processes, or left
 * out by the filter of the process (core(5), /proc/PID/coredump_filter). */
static uint64_t left_out_bytes(const struct df_core *core)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < core->segment_count; i++) {
        const struct df_segment *segment = &core->segments[i];
        if (segment->flags & 2) /* PF_W */
            sum += segment->memory_size - segment->file_size - segment->lost;
    }
    return sum;
}

static void fill_core(struct fi_context *context, const struct df_dump *dump)
{
    struct fi_core *core = &context->verdict->core;
    const struct df_core *from = dump->core;
    core->path =
        fi_pool_text(context->pool, context->core_path ? context->core_path : from->file->path);
    core->command = fi_pool_text(context->pool, from->command);
    if (dump->modules && dump->modules->executable)
        core->executable = fi_pool_text(context->pool, dump->modules->executable->path);
    core->machine = from->machine == DF_AARCH64 ? "aarch64" : "x86-64";
    core->captured_by = from->captured_by;
    core->bytes = from->file->size;
    core->pid = from->pid;
    core->signal = from->signal;
    core->signal_name = signal_name(from->signal);
    if (core->signal > 0 && !core->signal_name)
        core->signal_name = fi_pool_format(context->pool, "signal %d", core->signal);
    core->lost_bytes = from->lost_bytes;
    core->lost_notes = from->lost_notes;
    core->left_out_bytes = left_out_bytes(from);
    core->truncated = df_core_is_cut(from);
    core->container = from->container.format;
    fill_missing_files(context, dump->modules);
}

struct frozen_count {
    uint64_t count;
};

static bool count_object(void *data, uint64_t object)
{
    (void)object;
    ((struct frozen_count *)data)->count++;
    return true;
}

static bool count_frozen(void *data, uint64_t object, bool is_frozen)
{
    return !is_frozen || count_object(data, object);
}

static void fill_gc(struct fi_python *python, const struct py *py)
{
    const struct py_gc *gc = &py->interpreters[0].gc;
    python->gc_enabled = gc->enabled;
    python->gc_collecting = gc->collecting;
    python->gc_debug_flags = gc->debug_flags;
    for (int i = 0; i < 3; i++) {
        const struct py_gc_generation *generation = &gc->generations[i];
        python->thresholds[i] = generation->threshold;
        python->counts[i] = generation->count;
        python->stats[i] = (struct fi_gc_stats){.collections = generation->collections,
                                                .collected = generation->collected,
                                                .uncollectable = generation->uncollectable};
    }
    struct frozen_count frozen = {0};
    if (gc->permanent)
        py_gc_list(py, gc->permanent, count_object, &frozen);
    py_gc_pages(py, 0, count_frozen, &frozen);
    python->frozen = frozen.count;
}

void fi_fill_process(struct fi_context *context)
{
    struct py *py = context->analysis->py;
    struct fi_python *python = &context->verdict->python;
    fill_core(context, py->dump);
    python->version = fi_pool_text(context->pool, py->version_text ? py->version_text : "");
    python->layout_source = fi_pool_text(context->pool, py->layout_source);
    python->hexversion = py->layout.version;
    python->free_threaded = py->layout.free_threaded;
    python->debug_build = py->layout.debug_build;
    python->interpreters = py->interpreter_count;
    if (py->interpreter_count)
        fill_gc(python, py);
}
