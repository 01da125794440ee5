/* SPDX-License-Identifier: MIT
 * verify.c: see verify.h. Objects are chosen evenly along their type's addresses, and compared in
 * batches, since a batch shares the cost of starting the emulator.
 */
#include "analyzer/findings/verify.h"

#include <stdlib.h>
#include <string.h>

#include "analyzer/findings/phrase.h"
#include "analyzer/findings/pool.h"
#include "dumpfmt/base/mem.h"
#include "dumpfmt/dump.h"
#include "dumpfmt/emulator.h"

#define BATCH 16384
#define KEPT_OF_A_TYPE 3   /* disagreements */
#define KEPT 300           /* disagreements in all */
#define KEPT_DIFFERENCES 8 /* of one object */
#define MAX_WORDS 65536    /* of an object that are looked at for an offset */
#define TEXT 60

struct words {
    uint64_t *items;
    size_t count, capacity;
};

struct chosen {
    struct py_batch_item *items;
    size_t count, capacity;
};

struct work {
    const struct py *py;
    struct py_objects *objects;
    const struct gr_graph *graph;
    struct fi_verify *verify;
    struct fi_verify_type *tallies; /* by type number, type_count of them */
    uint32_t type_count;
    struct fi_verify_failure reasons[DF_CALL_STATUS_COUNT];
    struct py_batch_item *own, *deferred; /* BATCH each: for their code, for ours */
    struct py_refs ours, theirs;
    struct words left, right;
};

static int by_value(const void *left, const void *right)
{
    uint64_t a, b;
    memcpy(&a, left, 8);
    memcpy(&b, right, 8);
    return a < b ? -1 : a > b;
}

static void referents(struct words *words, const struct py_ref *refs, size_t count)
{
    words->count = 0;
    for (size_t i = 0; i < count; i++)
        if (refs[i].kind == PY_REF_REFERENT)
            DF_PUSH(words, refs[i].target);
    if (words->count)
        qsort(words->items, words->count, 8, by_value);
}

/* Where in the object a target stands. */
static int64_t offset_of(struct work *work, const struct py_batch_item *item, uint64_t target)
{
    uint32_t node = gr_node(work->graph, item->object);
    uint64_t words = node == UINT32_MAX ? 0 : gr_size(work->graph, node) / 8;
    for (uint64_t i = 0; i < words && i < MAX_WORDS; i++) {
        uint64_t word;
        if (!df_u64(work->py->dump->space, item->object + i * 8, &word))
            break;
        if (word == target)
            return (int64_t)(i * 8);
    }
    return -1;
}

/* What the one side has more than the other. */
static void keep_surplus(struct work *work, const struct py_batch_item *item, bool ours,
                         struct fi_verify_disagreement *kept)
{
    const struct words *more = ours ? &work->left : &work->right;
    const struct words *less = ours ? &work->right : &work->left;
    for (size_t i = 0, k = 0; i < more->count; i++) {
        while (k < less->count && less->items[k] < more->items[i])
            k++;
        if (k < less->count && less->items[k] == more->items[i]) {
            k++;
            continue;
        }
        kept->difference_total++;
        if (kept->difference_count == KEPT_DIFFERENCES)
            continue;
        kept->differences[kept->difference_count++] = (struct fi_verify_difference){
            .target = more->items[i],
            .offset = offset_of(work, item, more->items[i]),
            .ours = ours,
            .text = fi_pool_take(work->verify->pool, py_text(work->objects, more->items[i], TEXT))};
    }
}

static void keep_disagreement(struct work *work, const struct py_batch_item *item)
{
    struct fi_verify *verify = work->verify;
    if (verify->disagreement_count == KEPT)
        return;
    struct fi_verify_disagreement *kept = &verify->disagreements[verify->disagreement_count++];
    kept->address = item->object;
    kept->ours = work->left.count;
    kept->theirs = work->right.count;
    kept->type = fi_pool_text(verify->pool, py_type_at(work->objects, item->type)->name);
    kept->text = fi_pool_take(verify->pool, py_text(work->objects, item->object, TEXT));
    kept->differences =
        fi_pool_array(verify->pool, KEPT_DIFFERENCES, sizeof(struct fi_verify_difference));
    keep_surplus(work, item, true, kept);
    keep_surplus(work, item, false, kept);
}

static void compare(struct work *work, const struct py_batch_item *item, const struct py_ref *ours,
                    size_t our_count, const struct py_ref *theirs, size_t their_count)
{
    struct fi_verify_type *tally = &work->tallies[item->type];
    referents(&work->left, ours, our_count);
    referents(&work->right, theirs, their_count);
    if (work->left.count == work->right.count &&
        (!work->left.count ||
         memcmp(work->left.items, work->right.items, work->left.count * 8) == 0)) {
        tally->agree++;
        return;
    }
    if (tally->disagree++ < KEPT_OF_A_TYPE)
        keep_disagreement(work, item);
}

static void note_failure(struct work *work, const struct py_batch_item *item)
{
    const struct py_type *type = py_type_at(work->objects, item->type);
    uint8_t status = type->failed_status < DF_CALL_STATUS_COUNT ? type->failed_status : 0;
    struct fi_verify_failure *row = &work->reasons[status];
    work->tallies[item->type].failed++;
    if (!row->count++) {
        row->example = item->object;
        row->type = fi_pool_text(work->verify->pool, type->name);
        row->reason = status ? df_call_status_text((enum df_call_status)status) : "not run";
    }
}

/* Nobody but its own code walks it. */
static bool is_own_code(const struct py_type *type)
{
    return type->deferred && !type->python_class && !py_type_is_learned(type);
}

static void compare_batch(struct work *work, size_t count)
{
    size_t deferred = 0;
    work->theirs.count = work->ours.count = 0;
    py_walk_emulated_batch(work->objects, work->own, count, &work->theirs);
    for (size_t i = 0; i < count; i++) {
        struct py_batch_item *item = &work->own[i];
        const struct py_type *type = py_type_at(work->objects, item->type);
        if (item->status != PY_OK) {
            note_failure(work, item);
            continue;
        }
        if (is_own_code(type)) {
            work->tallies[item->type].own_code++;
            continue;
        }
        size_t first = work->ours.count;
        if (py_walk(work->objects, item->object, item->type, &work->ours) == PY_DEFERRED) {
            work->deferred[deferred] = *item;
            work->own[deferred++] = *item; /* its own run, for below */
            continue;
        }
        compare(work, item, work->ours.items + first, work->ours.count - first,
                work->theirs.items + item->first, item->count);
        work->ours.count = first;
    }
    py_walk_batch(work->objects, work->deferred, deferred, &work->ours);
    for (size_t i = 0; i < deferred; i++)
        compare(work, &work->own[i], work->ours.items + work->deferred[i].first,
                work->deferred[i].count, work->theirs.items + work->own[i].first,
                work->own[i].count);
}

/* Objects that nobody traverses. */
static void compare_unvisited(struct work *work, const struct py_batch_item *item)
{
    struct py_batch_item one = *item;
    work->ours.count = 0;
    if (py_walk(work->objects, item->object, item->type, &work->ours) == PY_DEFERRED)
        py_walk_batch(work->objects, &one, 1, &work->ours);
    compare(work, item, work->ours.items, work->ours.count, NULL, 0);
}

/* The i-th of count objects is one of `samples` that are spread evenly. */
static bool is_chosen(uint64_t i, uint64_t count, uint32_t samples)
{
    return !samples || count <= samples || i * samples / count != (i + 1) * samples / count;
}

static void run(struct work *work, const struct df_progress *progress)
{
    const struct gr_graph *graph = work->graph;
    DF_CLEANUP_FREE uint64_t *seen = df_xcalloc(work->type_count, sizeof(*seen));
    size_t pending = 0;
    for (uint32_t node = 0; node < graph->count; node++)
        work->tallies[gr_type(graph, node)].objects++;
    for (uint32_t node = 0; node < graph->count; node++) {
        struct py_batch_item item = {.object = gr_address(graph, node),
                                     .type = gr_type(graph, node)};
        if (!is_chosen(seen[item.type]++, work->tallies[item.type].objects, work->verify->samples))
            continue;
        /* gc.get_referents asks the same: a static type has a tp_traverse and must not be asked. */
        if (!py_type_at(work->objects, item.type)->traverse ||
            !py_is_gc(work->objects, item.object, item.type)) {
            compare_unvisited(work, &item);
            continue;
        }
        work->own[pending++] = item;
        if (pending == BATCH) {
            compare_batch(work, pending);
            pending = 0;
            df_progress(progress, "verifying", node, graph->count);
        }
    }
    compare_batch(work, pending);
}

static int by_name(const void *left, const void *right)
{
    const struct fi_verify_type *a = left, *b = right;
    return strcmp(a->type, b->type);
}

static int by_weight(const void *left, const void *right)
{
    const struct fi_verify_type *a = left, *b = right;
    if (a->disagree != b->disagree)
        return a->disagree > b->disagree ? -1 : 1;
    if (a->failed != b->failed)
        return a->failed > b->failed ? -1 : 1;
    if (a->objects != b->objects)
        return a->objects > b->objects ? -1 : 1;
    return strcmp(a->type, b->type);
}

static void add(struct fi_verify_type *sum, const struct fi_verify_type *row)
{
    sum->objects += row->objects;
    sum->checked += row->checked;
    sum->agree += row->agree;
    sum->own_code += row->own_code;
    sum->disagree += row->disagree;
    sum->failed += row->failed;
}

/* Rows by name: classes made twice are one type to a person. */
static void fill_types(struct work *work)
{
    struct fi_verify *verify = work->verify;
    struct fi_verify_type *rows = fi_pool_array(verify->pool, work->type_count, sizeof(*rows));
    uint32_t count = 0, kept = 0;
    for (uint32_t i = 0; i < work->type_count; i++) {
        struct fi_verify_type *row = &work->tallies[i];
        if (!row->objects)
            continue;
        row->type = fi_pool_text(verify->pool, py_type_at(work->objects, i)->name);
        row->checked = row->agree + row->own_code + row->disagree + row->failed;
        add(&verify->all, row);
        rows[count++] = *row;
    }
    if (count)
        qsort(rows, count, sizeof(*rows), by_name);
    for (uint32_t i = 0; i < count; i++)
        if (kept && strcmp(rows[kept - 1].type, rows[i].type) == 0)
            add(&rows[kept - 1], &rows[i]);
        else
            rows[kept++] = rows[i];
    if (kept)
        qsort(rows, kept, sizeof(*rows), by_weight);
    verify->types = rows;
    verify->type_count = kept;
}

static void fill_failures(struct work *work)
{
    struct fi_verify *verify = work->verify;
    verify->failures = fi_pool_array(verify->pool, DF_CALL_STATUS_COUNT, sizeof(*verify->failures));
    for (int i = 0; i < DF_CALL_STATUS_COUNT; i++)
        if (work->reasons[i].count)
            verify->failures[verify->failure_count++] = work->reasons[i];
}

/* Never rounded up: 100.00 is all of them. */
static void fill_sentence(struct fi_verify *verify)
{
    const struct fi_verify_type *all = &verify->all;
    if (verify->note) {
        verify->sentence = fi_pool_format(verify->pool, "Not verified: %s.", verify->note);
        return;
    }
    uint64_t run = all->checked - all->failed, good = run - all->disagree;
    uint64_t share = run ? (uint64_t)((__uint128_t)good * 10000 / run) : 10000;
    char *failed = all->failed ? fi_pool_format(verify->pool, "; %s could not be run",
                                                fi_number_phrase(all->failed).text)
                               : fi_pool_text(verify->pool, "");
    verify->sentence = fi_pool_format(
        verify->pool,
        "Verified: the process's own code, emulated, agrees with what was read on %u.%02u %% of "
        "%s %sobjects of %s types%s.",
        (unsigned)(share / 100), (unsigned)(share % 100), fi_number_phrase(run).text,
        verify->samples ? "sampled " : "", fi_number_phrase(verify->type_count).text, failed);
}

struct df_err *fi_verify_make(const struct py *py, struct py_objects *objects,
                              const struct gr_graph *graph, uint32_t samples,
                              const struct df_progress *progress, struct fi_verify **ret)
{
    struct fi_pool *pool = fi_pool_create();
    struct fi_verify *verify = fi_pool_array(pool, 1, sizeof(*verify));
    verify->pool = pool;
    verify->samples = samples;
    verify->disagreements = fi_pool_array(pool, KEPT, sizeof(*verify->disagreements));
    struct work work = {.py = py, .objects = objects, .graph = graph, .verify = verify};
    work.type_count = py_type_count(objects);
    work.tallies = fi_pool_array(pool, work.type_count, sizeof(*work.tallies));
    work.own = df_xcalloc(2 * BATCH, sizeof(*work.own));
    work.deferred = work.own + BATCH;
    run(&work, progress);
    verify->note = fi_pool_text(pool, py_objects_emulator_note(objects));
    fill_types(&work);
    fill_failures(&work);
    fill_sentence(verify);
    free(work.own);
    free(work.ours.items);
    free(work.theirs.items);
    free(work.left.items);
    free(work.right.items);
    *ret = verify;
    return NULL;
}

void fi_verify_free(struct fi_verify *verify)
{
    if (verify)
        fi_pool_destroy(verify->pool);
}

bool fi_verify_good(const struct fi_verify *verify)
{
    return !verify->note && !verify->all.disagree && !verify->all.failed;
}
