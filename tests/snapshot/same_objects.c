/* SPDX-License-Identifier: MIT
 * same_objects.c: same_objects CORE SNAPSHOT [SYSROOT [blind]]: writes a snapshot of a core, opens
 * it without any file of the machine, and asks both about every object: type, size, flags,
 * references with their labels, buffers, text. Prints what differs, and counts; status 1 when
 * something does.
 *
 * blind: the core's code is not run either, as in a build without an emulator.
 *
 * What code told about the core's objects comes from the core's graph, as it will be in a snapshot:
 * nothing of the snapshot is run.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "analyzer/graph/build.h"
#include "analyzer/objects/object.h"
#include "dumpfmt/base/mem.h"
#include "dumpfmt/emulator.h"
#include "dumpfmt/snapshot.h"

#define TEXT 400
#define SHOWN 40

struct opened {
    struct df_dump *dump;
    struct py *py;
    struct py_objects *objects;
};

struct answer { /* everything that is said of one object, as text */
    char *items;
    size_t count, capacity;
};

static struct gr_graph *graph; /* the core's */
static uint64_t sourced, differences, references;

static void must(struct df_err *err)
{
    if (!err)
        return;
    fprintf(stderr, "same_objects: %s\n", df_err_text(err));
    exit(2);
}

static double now(void)
{
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    return (double)at.tv_sec + (double)at.tv_nsec * 1e-9;
}

/* ---- what the graph of a snapshot will know ---- */

static bool known_references(void *context, uint64_t object, struct py_refs *refs)
{
    uint32_t node = gr_node(graph, object);
    (void)context;
    if (node == UINT32_MAX)
        return false;
    sourced++;
    for (uint32_t e = graph->start[node]; e < graph->start[node + 1]; e++) {
        if (refs->count == refs->capacity)
            refs->items = df_grow(refs->items, refs->count, &refs->capacity, sizeof(*refs->items));
        refs->items[refs->count++] = (struct py_ref){.target = gr_address(graph, graph->target[e]),
                                                     .kind = (uint8_t)gr_edge_kind(graph, e)};
    }
    return true;
}

static bool known_size(void *context, uint64_t object, uint64_t *ret)
{
    uint32_t node = gr_node(graph, object);
    (void)context;
    if (node == UINT32_MAX)
        return false;
    *ret = gr_size(graph, node);
    return true;
}

/* ---- answers ---- */

static void say(struct answer *answer, char *text)
{
    DF_APPEND(answer, text, strlen(text));
    free(text);
}

static void say_buffer(void *context, uint64_t address, uint64_t size, enum py_buffer_kind kind)
{
    say(context, df_xasprintf(" buffer %d %#" PRIx64 " %" PRIu64 "\n", (int)kind, address, size));
}

/* What code visits beyond the graph's nodes is not in a snapshot. */
static bool is_in_graph(const struct py_ref *ref)
{
    return gr_node(graph, ref->target) != UINT32_MAX;
}

static void say_references(struct answer *answer, struct py_objects *objects, uint64_t object)
{
    struct py_refs refs = {0};
    say(answer, df_xasprintf(" status %d\n", (int)py_walk_one(objects, object, &refs)));
    for (size_t i = 0; i < refs.count; i++) {
        if (!is_in_graph(&refs.items[i]))
            continue;
        DF_CLEANUP_FREE char *label = py_label_text(objects, object, &refs.items[i]);
        say(answer,
            df_xasprintf(" %d %#" PRIx64 " %s\n", refs.items[i].kind, refs.items[i].target, label));
    }
    references += refs.count;
    free(refs.items);
}

static void ask(struct answer *answer, struct py_objects *objects, uint64_t object)
{
    uint32_t type = py_object_type(objects, object);
    uint64_t size = 0, presize = 0;
    answer->count = 0;
    if (type == PY_NO_TYPE) {
        say(answer, df_xstrdup("no object"));
    } else {
        enum py_status status = py_size(objects, object, type, &size);
        bool has_presize = py_presize(objects, object, type, &presize);
        DF_CLEANUP_FREE char *text = py_text(objects, object, TEXT);
        say(answer, df_xasprintf(" type %u %s\n size %d %" PRIu64 "\n presize %d %" PRIu64
                                 "\n flags %d %d\n",
                                 type, py_type_at(objects, type)->name, (int)status, size,
                                 has_presize, presize, py_object_flags(objects, object, type),
                                 py_is_gc(objects, object, type)));
        say(answer, df_xasprintf(" text %s\n", text));
        py_buffers(objects, object, type, say_buffer, answer);
        say_references(answer, objects, object);
    }
    say(answer, df_xstrdup("\n"));
    DF_PUSH(answer, 0);
    answer->count--;
}

static void differ(uint64_t object, const char *core, const char *snapshot)
{
    if (differences++ < SHOWN)
        printf("0x%" PRIx64 " core:\n%.3000s snapshot:\n%.3000s\n", object, core, snapshot);
}

/* ---- types ---- */

static char *type_text(const struct py_type *type)
{
    return df_xasprintf(
        "%#" PRIx64 " %s %#" PRIx64 " %" PRId64 " %" PRId64 " %" PRId64 " %" PRId64 " %#" PRIx64
        " %#" PRIx64 " %#" PRIx64 " %#" PRIx64 " %#" PRIx64 " %#" PRIx64 " %#" PRIx64
        " %u %u walk %p data %p size %p kind %d bits %d%d%d%d%d%d asks %#" PRIx64 " %#" PRIx64
        " failed %" PRIu64 " %d buffers %#x learned %d none %d code %d\n",
        type->address, type->name, type->flags, type->basic_size, type->item_size,
        type->dict_offset, type->weaklist_offset, type->traverse, type->dealloc, type->base,
        type->finalize, type->del, type->asks_gc, type->object_traverse, type->base_index,
        type->owner_index, __extension__(void *) type->walk, type->data,
        __extension__(void *) type->size, (int)type->walk_kind, type->deferred, type->owns_nothing,
        type->plausible, type->python_class, type->has_del, type->size_is_guess,
        type->sizeof_function, type->sizeof_class, type->failed, type->failed_status,
        type->buffer_rules, py_type_is_learned(type), py_type_has_no_references(type),
        py_type_runs_code(type));
}

static void compare_types(const struct py_objects *core, const struct py_objects *snapshot)
{
    if (py_type_count(core) != py_type_count(snapshot))
        differ(0, "number of types\n", "is another\n");
    for (uint32_t i = 0; i < py_type_count(core) && i < py_type_count(snapshot); i++) {
        DF_CLEANUP_FREE char *expected = type_text(py_type_at(core, i));
        DF_CLEANUP_FREE char *got = type_text(py_type_at(snapshot, i));
        if (strcmp(expected, got) != 0)
            differ(py_type_at(core, i)->address, expected, got);
    }
}

/* ---- both ---- */

static void open_dump(const char *path, const char *sysroot, bool no_emulator, struct opened *ret)
{
    const struct py_objects_options options = {.no_emulator = no_emulator};
    const struct df_search search = {.sysroot = sysroot};
    must(df_dump_open(path, &search, &ret->dump));
    must(py_open(ret->dump, NULL, &ret->py));
    must(py_objects_open(ret->py, &options, &ret->objects));
}

static void close_dump(struct opened *opened)
{
    py_objects_close(opened->objects);
    py_close(opened->py);
    df_dump_close(opened->dump);
}

static void save(const struct opened *core, const char *path)
{
    const struct df_snapshot_options options = {.objects = graph->count};
    struct df_necro_writer *writer;
    must(df_necro_create(path, 2, &writer));
    must(df_snapshot_save(core->dump, &options, writer));
    must(py_snapshot_save(core->py, writer));
    uint64_t before = df_necro_size(writer);
    double began = now();
    must(py_objects_save(core->objects, writer));
    printf("objects: %" PRIu64 " bytes for %u types, written in %.1f ms\n",
           df_necro_size(writer) - before, py_type_count(core->objects), (now() - began) * 1e3);
    must(df_necro_commit(writer));
}

static void time_opening(const struct opened *snapshot)
{
    struct py_objects *again;
    double began = now();
    must(py_objects_open(snapshot->py, NULL, &again));
    printf("objects: opened again in %.2f ms\n", (now() - began) * 1e3);
    py_objects_close(again);
}

int main(int count, char **arguments)
{
    const struct df_progress quiet = {0};
    struct opened core, snapshot;
    struct answer expected = {0}, got = {0};
    if (count < 3)
        return 2;
    open_dump(arguments[1], count > 3 ? arguments[3] : NULL, count > 4, &core);
    must(gr_build(core.objects, core.py, &quiet, 2, &graph));
    save(&core, arguments[2]);
    double began = now();
    open_dump(arguments[2], "/nonexistent", true, &snapshot);
    printf("snapshot: opened in %.2f ms\n", (now() - began) * 1e3);
    time_opening(&snapshot);
    compare_types(core.objects, snapshot.objects);
    py_objects_set_source(snapshot.objects,
                          &(struct py_objects_source){NULL, known_references, known_size});
    for (uint32_t node = 0; node < graph->count; node++) {
        ask(&expected, core.objects, gr_address(graph, node));
        ask(&got, snapshot.objects, gr_address(graph, node));
        if (expected.count != got.count || memcmp(expected.items, got.items, got.count) != 0)
            differ(gr_address(graph, node), expected.items, got.items);
    }
    const char *note = py_objects_emulator_note(snapshot.objects);
    printf("compared %u objects, %" PRIu64 " references, %" PRIu64
           " objects from the source, %" PRIu64 " differ%s%s\n",
           graph->count, references / 2, sourced, differences, note ? "; " : "", note ? note : "");
    free(expected.items);
    free(got.items);
    gr_graph_destroy(graph);
    close_dump(&snapshot);
    close_dump(&core);
    return differences != 0;
}
