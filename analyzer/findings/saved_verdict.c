/* SPDX-License-Identifier: MIT
 * saved_verdict.c: a verdict as bytes: one function for each of its structs, which names all
 * fields.
 *
 * A field that is not named here would be lost in a snapshot: tests/lint/check_saved.py compares
 * with the headers.
 */
#include "analyzer/findings/saved.h"

#include "analyzer/findings/codec.h"

#define KIND "verd"

static void core(struct fi_codec *c, struct fi_core *it)
{
    FI_CODE_NAME(c, it->path);
    FI_CODE(c, it->command);
    FI_CODE(c, it->executable);
    FI_CODE_NAME(c, it->machine);
    FI_CODE(c, it->captured_by);
    FI_CODE(c, it->bytes);
    FI_CODE(c, it->pid);
    FI_CODE(c, it->signal);
    FI_CODE(c, it->signal_name);
    FI_CODE(c, it->container);
    FI_CODE(c, it->truncated);
    FI_CODE(c, it->lost_bytes);
    FI_CODE(c, it->lost_notes);
    FI_CODE(c, it->left_out_bytes);
    FI_CODE_ARRAY(c, it->missing_files, it->missing_file_count, fi_code_name_item);
}

static void gc_stats(struct fi_codec *c, struct fi_gc_stats *it)
{
    FI_CODE(c, it->collections);
    FI_CODE(c, it->collected);
    FI_CODE(c, it->uncollectable);
}

static void python(struct fi_codec *c, struct fi_python *it)
{
    FI_CODE_NAME(c, it->version);
    FI_CODE(c, it->layout_source);
    FI_CODE(c, it->hexversion);
    FI_CODE(c, it->free_threaded);
    FI_CODE(c, it->debug_build);
    FI_CODE(c, it->gc_enabled);
    FI_CODE(c, it->gc_collecting);
    for (int i = 0; i < 3; i++) {
        FI_CODE(c, it->thresholds[i]);
        FI_CODE(c, it->counts[i]);
        gc_stats(c, &it->stats[i]);
    }
    FI_CODE(c, it->gc_debug_flags);
    FI_CODE(c, it->frozen);
    FI_CODE(c, it->interpreters);
}

static void named_count(struct fi_codec *c, void *element)
{
    struct fi_count *it = element;

    FI_CODE_NAME(c, it->name);
    FI_CODE(c, it->count);
}

static void balance(struct fi_codec *c, struct fi_balance *it)
{
    FI_CODE(c, it->reliable);
    FI_CODE(c, it->checked);
    FI_CODE(c, it->surplus);
    FI_CODE(c, it->unexplained);
    FI_CODE(c, it->deficit);
    FI_CODE(c, it->lost_by_cpython);
    FI_CODE(c, it->lost_on_import);
    FI_CODE(c, it->deficit_example);
}

static void coverage(struct fi_codec *c, struct fi_coverage *it)
{
    FI_CODE(c, it->objects);
    FI_CODE(c, it->references);
    balance(c, &it->balance);
    FI_CODE_ARRAY(c, it->by_source, it->by_source_count, named_count);
    FI_CODE_ARRAY(c, it->by_reference_kind, it->by_reference_kind_count, named_count);
    FI_CODE_ARRAY(c, it->unreadable, it->unreadable_count, named_count);
    FI_CODE_ARRAY(c, it->by_walk, it->by_walk_count, named_count);
    FI_CODE_ARRAY(c, it->conservative_types, it->conservative_type_count, named_count);
    FI_CODE(c, it->complete);
    FI_CODE(c, it->cut);
    if (fi_codec_reads(c) && it->cut && !*it->cut) /* a clause: its first letter is made large */
        fi_codec_refuse(c, "it->cut");
    FI_CODE(c, it->emulator_note);
    FI_CODE(c, it->verified);
}

static void memory_row(struct fi_codec *c, void *element)
{
    struct fi_memory_row *it = element;

    FI_CODE_NAME(c, it->name);
    FI_CODE(c, it->bytes);
    FI_CODE(c, it->blocks);
}

static void allocator(struct fi_codec *c, struct fi_allocator *it)
{
    FI_CODE(c, it->read);
    FI_CODE(c, it->arenas);
    FI_CODE(c, it->pools);
    FI_CODE(c, it->used_blocks);
    FI_CODE(c, it->large_blocks);
}

static void memory(struct fi_codec *c, struct fi_memory *it)
{
    FI_CODE(c, it->total);
    FI_CODE_ARRAY(c, it->rows, it->row_count, memory_row);
    FI_CODE(c, it->unknown);
    allocator(c, &it->allocator);
    FI_CODE(c, it->note);
    FI_CODE(c, it->summary);
}

void fi_code_type_row(struct fi_codec *c, void *element)
{
    struct fi_type_row *it = element;

    FI_CODE_NAME(c, it->type);
    FI_CODE(c, it->count);
    FI_CODE(c, it->shallow_bytes);
    FI_CODE(c, it->retained_bytes);
}

static void holder(struct fi_codec *c, struct fi_holder *it)
{
    FI_CODE(c, it->address);
    FI_CODE(c, it->type);
    FI_CODE(c, it->path);
    FI_CODE(c, it->text);
    FI_CODE(c, it->shallow_bytes);
    FI_CODE(c, it->retained_bytes);
    FI_CODE(c, it->retained_objects);
    FI_CODE(c, it->semantic_bytes);
}

/* Only a finding's holder may be none. */
static void dominator(struct fi_codec *c, void *element)
{
    struct fi_holder *it = element;

    holder(c, it);
    if (fi_codec_reads(c) && (!it->path || !it->type))
        fi_codec_refuse(c, "it->dominators");
}

static void cycle_group(struct fi_codec *c, void *element)
{
    struct fi_cycle_group *it = element;

    FI_CODE_NAME(c, it->signature);
    FI_CODE(c, it->count);
    FI_CODE(c, it->objects);
    FI_CODE(c, it->bytes);
    FI_CODE(c, it->garbage);
    FI_CODE_ARRAY(c, it->finalizers, it->finalizer_count, fi_code_name_item);
    FI_CODE_ARRAY(c, it->example, it->example_count, fi_code_u64_item);
}

static void cycles(struct fi_codec *c, struct fi_cycles *it)
{
    FI_CODE(c, it->count);
    FI_CODE(c, it->objects);
    FI_CODE(c, it->bytes);
    FI_CODE_ARRAY(c, it->groups, it->group_count, cycle_group);
}

static void garbage(struct fi_codec *c, struct fi_garbage *it)
{
    FI_CODE(c, it->objects);
    FI_CODE(c, it->freed_objects);
    FI_CODE(c, it->bytes);
    FI_CODE(c, it->cycles);
    FI_CODE(c, it->with_finalizer);
    FI_CODE(c, it->uncollectable);
    FI_CODE(c, it->in_gc_garbage);
    FI_CODE_ARRAY(c, it->with_finalizer_types, it->with_finalizer_type_count, fi_code_type_row);
    FI_CODE_ARRAY(c, it->uncollectable_types, it->uncollectable_type_count, fi_code_type_row);
    FI_CODE_ARRAY(c, it->types, it->type_count, fi_code_type_row);
}

static void local(struct fi_codec *c, void *element)
{
    struct fi_local *it = element;

    FI_CODE(c, it->name);
    FI_CODE_NAME(c, it->type);
    FI_CODE(c, it->text);
    FI_CODE(c, it->address);
    FI_CODE(c, it->retained_bytes);
}

static void frame(struct fi_codec *c, void *element)
{
    struct fi_frame *it = element;

    FI_CODE_NAME(c, it->function);
    FI_CODE(c, it->file);
    FI_CODE(c, it->line);
    FI_CODE_ARRAY(c, it->locals, it->local_count, local);
}

static void wait(struct fi_codec *c, struct fi_wait *it)
{
    FI_CODE(c, it->text);
    FI_CODE(c, it->call);
    FI_CODE(c, it->doing);
    FI_CODE(c, it->owner);
    FI_CODE(c, it->owner_thread);
    FI_CODE(c, it->object);
    FI_CODE(c, it->descriptor);
}

static void exception(struct fi_codec *c, void *element)
{
    struct fi_exception *it = element;

    FI_CODE(c, it->raised);
    FI_CODE(c, it->memory);
    FI_CODE(c, it->address);
    FI_CODE(c, it->type);
    FI_CODE(c, it->text);
    FI_CODE(c, it->note);
    FI_CODE_ARRAY(c, it->frames, it->frame_count, frame);
}

static void native_frame(struct fi_codec *c, void *element)
{
    struct fi_native_frame *it = element;

    FI_CODE(c, it->symbol);
    FI_CODE(c, it->module);
    FI_CODE(c, it->offset);
    FI_CODE(c, it->pc);
}

static void thread(struct fi_codec *c, void *element)
{
    struct fi_thread *it = element;

    FI_CODE(c, it->name);
    FI_CODE(c, it->native_id);
    FI_CODE(c, it->thread_id);
    FI_CODE(c, it->holds_gil);
    FI_CODE(c, it->alive);
    FI_CODE(c, it->interpreter);
    FI_CODE_ARRAY(c, it->frames, it->frame_count, frame);
    FI_CODE(c, it->frame_total);
    FI_CODE_ARRAY(c, it->native, it->native_count, native_frame);
    FI_CODE(c, it->native_total);
    wait(c, &it->wait);
    FI_CODE_ARRAY(c, it->exceptions, it->exception_count, exception);
}

static void task_group(struct fi_codec *c, void *element)
{
    struct fi_task_group *it = element;

    FI_CODE_NAME(c, it->state);
    FI_CODE(c, it->coroutine);
    FI_CODE(c, it->count);
    FI_CODE(c, it->retained_bytes);
    FI_CODE(c, it->orphans);
    FI_CODE_ARRAY(c, it->stack, it->stack_count, frame);
    FI_CODE(c, it->awaits);
    FI_CODE(c, it->error);
    FI_CODE_ARRAY(c, it->names, it->example_count, fi_code_text_item);
    FI_CODE_COLUMN(c, it->examples, it->example_count, fi_code_u64_item);
}

static void tasks(struct fi_codec *c, struct fi_tasks *it)
{
    FI_CODE(c, it->count);
    FI_CODE(c, it->pending);
    FI_CODE(c, it->finished);
    FI_CODE(c, it->failed);
    FI_CODE(c, it->cancelled);
    FI_CODE_ARRAY(c, it->groups, it->group_count, task_group);
    FI_CODE(c, it->group_total);
}

static void finding(struct fi_codec *c, void *element)
{
    struct fi_finding *it = element;

    FI_CODE_NAME(c, it->rule);
    FI_CODE_ENUM(c, it->severity, FI_HIGH);
    FI_CODE_NAME(c, it->title);
    FI_CODE(c, it->type);
    FI_CODE(c, it->count);
    FI_CODE(c, it->shallow_bytes);
    FI_CODE(c, it->retained_bytes);
    holder(c, &it->holder);
    FI_CODE_ARRAY(c, it->evidence, it->evidence_count, fi_code_name_item);
    FI_CODE(c, it->advice);
    FI_CODE(c, it->signature);
}

static void verdict(struct fi_codec *c, void *whole)
{
    struct fi_verdict *it = whole;

    core(c, &it->core);
    python(c, &it->python);
    coverage(c, &it->coverage);
    memory(c, &it->memory);
    FI_CODE_ARRAY(c, it->types, it->type_count, fi_code_type_row);
    FI_CODE_ARRAY(c, it->dominators, it->dominator_count, dominator);
    cycles(c, &it->cycles);
    garbage(c, &it->garbage);
    FI_CODE_ARRAY(c, it->threads, it->thread_count, thread);
    FI_CODE(c, it->native_note);
    tasks(c, &it->tasks);
    FI_CODE_ARRAY(c, it->findings, it->finding_count, finding);
    FI_CODE(c, it->heap_bytes);
    FI_CODE(c, it->gap);
}

struct df_err *fi_verdict_save(const struct fi_verdict *from, void **ret, size_t *ret_size)
{
    return fi_encode(KIND, verdict, from, ret, ret_size);
}

struct fi_verdict_options fi_saved_options(const char *command_line_core,
                                           const struct df_progress *progress)
{
    return (struct fi_verdict_options){
        .command_line_core = command_line_core, .native_frames = UINT32_MAX, .progress = progress};
}

/* As fi_fill_native_frames would have listed them; 0: as if they had not been asked for. */
static void cut_native(struct fi_verdict *it, uint32_t limit)
{
    if (!limit)
        it->native_note = NULL;
    for (uint32_t i = 0; i < it->thread_count; i++) {
        struct fi_thread *thread = &it->threads[i];

        if (thread->native_count > limit)
            thread->native_count = limit;
        if (limit)
            continue;
        thread->native = NULL;
        thread->native_total = 0;
    }
}

static void cut(struct fi_verdict *it, const struct fi_verdict_options *options)
{
    if (options->limit && it->dominator_count > options->limit)
        it->dominator_count = options->limit;
    if (options->no_findings)
        it->finding_count = 0;
    cut_native(it, options->native_frames);
}

struct df_err *fi_verdict_load(const void *bytes, size_t size,
                               const struct fi_verdict_options *options, struct fi_verdict **ret)
{
    if (options->verify)
        return df_err_new(
            DF_ERR_USAGE,
            "the answers of a snapshot were made without comparing: "
            "ask `necropy verify`, which takes it too, or give --verify with the core");
    struct fi_pool *pool = fi_pool_create();
    struct fi_verdict *made = fi_pool_array(pool, 1, sizeof(*made));
    struct df_err *err = fi_decode(KIND, verdict, bytes, size, pool, sizeof(*made), made);

    if (err) {
        fi_pool_destroy(pool);
        return err;
    }
    made->pool = pool;
    cut(made, options);
    *ret = made;
    return NULL;
}
