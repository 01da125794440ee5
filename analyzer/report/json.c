/* SPDX-License-Identifier: MIT
 * json.c: the report for a machine: report.schema.json. A section's command gives its own member of
 * the whole, beside schema_version.
 */
#include "analyzer/report/report.h"

#include "analyzer/report/jsonvalue.h"

static json_t *nonzero(int64_t number)
{
    return number ? json_integer(number) : json_null();
}

static json_t *core(const struct fi_core *core)
{
    return json_pack(
        "{so sI so so so so so ss so sb so so so so}", "path", rp_json_text(core->path), "bytes",
        (json_int_t)core->bytes, "pid", nonzero(core->pid), "command", rp_json_text(core->command),
        "executable", rp_json_text(core->executable), "signal", rp_json_text(core->signal_name),
        "captured_by", rp_json_text(core->captured_by), "machine", core->machine, "container",
        rp_json_text(core->container), "truncated", core->truncated, "lost_bytes",
        rp_json_number(core->lost_bytes), "lost_notes_bytes", rp_json_number(core->lost_notes),
        "left_out_bytes", rp_json_number(core->left_out_bytes), "missing_files",
        rp_json_texts(core->missing_files, core->missing_file_count));
}

static json_t *collector(const struct fi_python *python)
{
    json_t *stats = json_array();
    for (int i = 0; i < 3; i++)
        json_array_append_new(stats,
                              json_pack("{so so so}", "collections",
                                        rp_json_number(python->stats[i].collections), "collected",
                                        rp_json_number(python->stats[i].collected), "uncollectable",
                                        rp_json_number(python->stats[i].uncollectable)));
    return json_pack("{sb s[iii] s[iii] si sb so so}", "enabled", python->gc_enabled, "thresholds",
                     python->thresholds[0], python->thresholds[1], python->thresholds[2], "counts",
                     python->counts[0], python->counts[1], python->counts[2], "debug_flags",
                     python->gc_debug_flags, "collecting", python->gc_collecting, "frozen",
                     rp_json_number(python->frozen), "stats", stats);
}

static json_t *python(const struct fi_python *python)
{
    return json_pack("{so sI sb sb so si so}", "version", rp_json_text(python->version),
                     "hexversion", (json_int_t)python->hexversion, "free_threaded",
                     python->free_threaded, "debug_build", python->debug_build, "layout_source",
                     rp_json_text(python->layout_source), "interpreters", (int)python->interpreters,
                     "gc", collector(python));
}

static json_t *counts(const struct fi_count *rows, uint32_t count)
{
    json_t *object = json_object();
    for (uint32_t i = 0; i < count; i++)
        json_object_set_new(object, rows[i].name, rp_json_number(rows[i].count));
    return object;
}

static json_t *balance(const struct fi_balance *balance)
{
    return json_pack("{sb so so so so so so}", "reliable", balance->reliable, "checked",
                     rp_json_number(balance->checked), "surplus", rp_json_number(balance->surplus),
                     "unexplained", rp_json_number(balance->unexplained), "lost_by_cpython",
                     rp_json_number(balance->lost_by_cpython), "lost_on_import",
                     rp_json_number(balance->lost_on_import), "deficit",
                     rp_json_number(balance->deficit));
}

static json_t *coverage(const struct fi_coverage *coverage)
{
    json_t *conservative = json_array();
    for (uint32_t i = 0; i < coverage->conservative_type_count; i++)
        json_array_append_new(
            conservative,
            json_pack("{so so}", "type", rp_json_text(coverage->conservative_types[i].name),
                      "objects", rp_json_number(coverage->conservative_types[i].count)));
    return json_pack(
        "{so so so so so so so so sb so so}", "objects", rp_json_number(coverage->objects),
        "reference_counts", balance(&coverage->balance), "references",
        rp_json_number(coverage->references), "by_source",
        counts(coverage->by_source, coverage->by_source_count), "by_reference_kind",
        counts(coverage->by_reference_kind, coverage->by_reference_kind_count), "by_walk",
        counts(coverage->by_walk, coverage->by_walk_count), "unreadable",
        counts(coverage->unreadable, coverage->unreadable_count), "conservative_types",
        conservative, "complete", coverage->complete, "cut", rp_json_text(coverage->cut),
        "emulator_note", rp_json_text(coverage->emulator_note));
}

static json_t *allocator(const struct fi_allocator *allocator)
{
    if (!allocator->read)
        return json_null();
    return json_pack("{so so so so}", "arenas", rp_json_number(allocator->arenas), "pools",
                     rp_json_number(allocator->pools), "used_blocks",
                     rp_json_number(allocator->used_blocks), "large_blocks",
                     rp_json_number(allocator->large_blocks));
}

static json_t *memory(const struct fi_memory *memory)
{
    json_t *parts = json_array();
    for (uint32_t i = 0; i < memory->row_count; i++) {
        const struct fi_memory_row *row = &memory->rows[i];
        json_t *part = json_pack("{so so}", "name", rp_json_text(row->name), "bytes",
                                 rp_json_number(row->bytes));
        if (row->blocks)
            json_object_set_new(part, "blocks", rp_json_number(row->blocks));
        json_array_append_new(parts, part);
    }
    return json_pack("{so so so so so so}", "bytes", rp_json_number(memory->total), "parts", parts,
                     "summary", rp_json_text(memory->summary), "unknown_bytes",
                     rp_json_number(memory->unknown), "python_allocator",
                     allocator(&memory->allocator), "note", rp_json_text(memory->note));
}

static json_t *type_rows(const struct fi_type_row *rows, uint32_t count)
{
    json_t *array = json_array();
    for (uint32_t i = 0; i < count; i++)
        json_array_append_new(array,
                              json_pack("{so so so so}", "type", rp_json_text(rows[i].type),
                                        "count", rp_json_number(rows[i].count), "shallow_bytes",
                                        rp_json_number(rows[i].shallow_bytes), "retained_bytes",
                                        rp_json_number(rows[i].retained_bytes)));
    return array;
}

static json_t *dominators(const struct fi_verdict *verdict)
{
    json_t *array = json_array();
    for (uint32_t i = 0; i < verdict->dominator_count; i++) {
        const struct fi_holder *row = &verdict->dominators[i];
        json_array_append_new(
            array,
            json_pack("{so so so so so so so}", "address", rp_json_address(row->address), "type",
                      rp_json_text(row->type), "path", rp_json_text(row->path), "text",
                      rp_json_text(row->text), "shallow_bytes", rp_json_number(row->shallow_bytes),
                      "retained_bytes", rp_json_number(row->retained_bytes), "retained_objects",
                      rp_json_number(row->retained_objects)));
    }
    return array;
}

static json_t *cycle_group(const struct fi_cycle_group *group)
{
    json_t *example = json_array();
    for (uint32_t i = 0; i < group->example_count; i++)
        json_array_append_new(example, rp_json_address(group->example[i]));
    return json_pack("{so so so so sb so so}", "signature", rp_json_text(group->signature), "count",
                     rp_json_number(group->count), "objects", rp_json_number(group->objects),
                     "bytes", rp_json_number(group->bytes), "garbage", group->garbage, "finalizers",
                     rp_json_texts(group->finalizers, group->finalizer_count), "example", example);
}

static json_t *cycles(const struct fi_cycles *cycles)
{
    json_t *groups = json_array();
    for (uint32_t i = 0; i < cycles->group_count; i++)
        json_array_append_new(groups, cycle_group(&cycles->groups[i]));
    return json_pack("{so so so so}", "count", rp_json_number(cycles->count), "objects",
                     rp_json_number(cycles->objects), "bytes", rp_json_number(cycles->bytes),
                     "groups", groups);
}

static json_t *some_objects(uint64_t objects, const struct fi_type_row *rows, uint32_t count)
{
    return json_pack("{so so}", "objects", rp_json_number(objects), "types",
                     type_rows(rows, count));
}

static json_t *garbage(const struct fi_garbage *garbage)
{
    return json_pack("{so so so so so so so so}", "objects", rp_json_number(garbage->objects),
                     "bytes", rp_json_number(garbage->bytes), "freed_objects",
                     rp_json_number(garbage->freed_objects), "cycles",
                     rp_json_number(garbage->cycles), "with_finalizer",
                     some_objects(garbage->with_finalizer, garbage->with_finalizer_types,
                                  garbage->with_finalizer_type_count),
                     "uncollectable",
                     some_objects(garbage->uncollectable, garbage->uncollectable_types,
                                  garbage->uncollectable_type_count),
                     "in_gc_garbage", rp_json_number(garbage->in_gc_garbage), "types",
                     type_rows(garbage->types, garbage->type_count));
}

static json_t *frame(const struct fi_frame *frame)
{
    json_t *locals = json_array();
    for (uint32_t i = 0; i < frame->local_count; i++) {
        const struct fi_local *local = &frame->locals[i];
        json_array_append_new(
            locals, json_pack("{so so so so so}", "name", rp_json_text(local->name), "type",
                              rp_json_text(local->type), "address", rp_json_address(local->address),
                              "retained_bytes", rp_json_number(local->retained_bytes), "text",
                              rp_json_text(local->text)));
    }
    return json_pack("{so so so so}", "function", rp_json_text(frame->function), "file",
                     rp_json_text(frame->file), "line", nonzero(frame->line), "locals", locals);
}

static json_t *wait(const struct fi_wait *wait)
{
    return json_pack("{so so so so so so}", "for", rp_json_text(wait->text), "doing",
                     rp_json_text(wait->doing), "system_call", rp_json_text(wait->call),
                     "lock_held_by", rp_json_text(wait->owner), "object",
                     wait->object ? rp_json_address(wait->object) : json_null(), "descriptor",
                     wait->descriptor < 0 ? json_null() : json_integer(wait->descriptor));
}

static json_t *exceptions(const struct fi_thread *thread)
{
    json_t *array = json_array();
    for (uint32_t i = 0; i < thread->exception_count; i++) {
        const struct fi_exception *from = &thread->exceptions[i];
        json_array_append_new(
            array, json_pack("{ss so so so so so}", "state", from->raised ? "raised" : "handled",
                             "type", rp_json_text(from->type), "text", rp_json_text(from->text),
                             "address", rp_json_address(from->address), "traceback",
                             rp_json_stack(from->frames, from->frame_count), "note",
                             rp_json_text(from->note)));
    }
    return array;
}

/* null: they were not asked for, or are not known. */
static json_t *native_frames(const struct fi_thread *thread)
{
    if (!thread->native)
        return json_null();
    json_t *array = json_array();
    for (uint32_t i = 0; i < thread->native_count; i++) {
        const struct fi_native_frame *native = &thread->native[i];
        json_array_append_new(
            array, json_pack("{so so so so}", "symbol", rp_json_text(native->symbol), "module",
                             rp_json_text(native->module), "offset",
                             native->module ? rp_json_number(native->offset) : json_null(),
                             "address", rp_json_address(native->pc)));
    }
    return array;
}

static json_t *threads(const struct fi_verdict *verdict)
{
    json_t *array = json_array();
    for (uint32_t i = 0; i < verdict->thread_count; i++) {
        const struct fi_thread *thread = &verdict->threads[i];
        json_t *frames = json_array();
        for (uint32_t j = 0; j < thread->frame_count; j++)
            json_array_append_new(frames, frame(&thread->frames[j]));
        json_array_append_new(
            array, json_pack("{so so sb sb si si so so so so}", "name", rp_json_text(thread->name),
                             "native_id", nonzero(thread->native_id), "holds_gil",
                             thread->holds_gil, "alive", thread->alive, "interpreter",
                             (int)thread->interpreter, "frame_total", (int)thread->frame_total,
                             "waits", wait(&thread->wait), "exceptions", exceptions(thread),
                             "frames", frames, "native_frames", native_frames(thread)));
    }
    return array;
}

static json_t *holder(const struct fi_holder *holder)
{
    if (!holder->path)
        return json_null();
    json_t *made = json_pack("{so so so}", "path", rp_json_text(holder->path), "address",
                             rp_json_address(holder->address), "type", rp_json_text(holder->type));
    if (holder->semantic_bytes) {
        json_object_set_new(made, "retained_bytes", rp_json_number(holder->retained_bytes));
        json_object_set_new(made, "semantic_retained_bytes",
                            rp_json_number(holder->semantic_bytes));
    }
    return made;
}

static json_t *findings(const struct fi_verdict *verdict)
{
    static const char *const severities[] = {
        [FI_LOW] = "low", [FI_MEDIUM] = "medium", [FI_HIGH] = "high"};
    json_t *array = json_array();
    for (uint32_t i = 0; i < verdict->finding_count; i++) {
        const struct fi_finding *finding = &verdict->findings[i];
        json_array_append_new(
            array,
            json_pack("{ss ss so so so so so so so so so}", "rule", finding->rule, "severity",
                      severities[finding->severity], "title", rp_json_text(finding->title), "type",
                      rp_json_text(finding->type), "count", rp_json_number(finding->count),
                      "shallow_bytes", rp_json_number(finding->shallow_bytes), "retained_bytes",
                      rp_json_number(finding->retained_bytes), "holder", holder(&finding->holder),
                      "evidence", rp_json_texts(finding->evidence, finding->evidence_count),
                      "advice", rp_json_text(finding->advice), "signature",
                      rp_json_text(finding->signature)));
    }
    return array;
}

/* Members in the order of the schema; each belongs to the sections whose bits it has. */
#define SECTION(section) (1u << (section))

static bool wants(unsigned wanted, unsigned sections)
{
    return wanted & (sections | SECTION(RP_REPORT));
}

/* Makes the value only when it is wanted. */
#define ADD(report, wanted, sections, name, value)        \
    do {                                                  \
        if (wants(wanted, sections))                      \
            json_object_set_new((report), (name), value); \
    } while (0)

struct df_err *rp_json(FILE *stream, const struct fi_verdict *verdict, enum rp_section section)
{
    unsigned wanted = SECTION(section);
    json_t *report = json_pack("{si s{ss ss}}", "schema_version", FI_SCHEMA_VERSION, "tool", "name",
                               "necropy", "version", NECROPY_VERSION);
    if (!report)
        return df_err_nomem();
    unsigned process = SECTION(RP_MEMORY);
    ADD(report, wanted, process, "core", core(&verdict->core));
    ADD(report, wanted, process | SECTION(RP_GARBAGE), "python", python(&verdict->python));
    ADD(report, wanted, process, "coverage", coverage(&verdict->coverage));
    if (verdict->coverage.verified) /* the section may not be among those wanted: then nowhere */
        json_object_set_new(json_object_get(report, "coverage"), "verified",
                            rp_json_text(verdict->coverage.verified));
    ADD(report, wanted, SECTION(RP_MEMORY), "memory", memory(&verdict->memory));
    ADD(report, wanted, SECTION(RP_TYPES) | SECTION(RP_RETAINED), "types",
        type_rows(verdict->types, verdict->type_count));
    ADD(report, wanted, SECTION(RP_RETAINED), "dominators", dominators(verdict));
    ADD(report, wanted, SECTION(RP_CYCLES), "cycles", cycles(&verdict->cycles));
    ADD(report, wanted, SECTION(RP_GARBAGE), "garbage", garbage(&verdict->garbage));
    ADD(report, wanted, SECTION(RP_THREADS), "threads", threads(verdict));
    ADD(report, wanted, SECTION(RP_TASKS), "tasks", rp_json_tasks(&verdict->tasks));
    ADD(report, wanted, SECTION(RP_FINDINGS), "findings", findings(verdict));
    return rp_json_write(stream, report);
}
