/* SPDX-License-Identifier: MIT
 * necropy-agree CORE: do the walkers written by hand say what the dead interpreter's own
 * tp_traverse, emulated over the dump, says, for every object that there is?
 *
 * Compared as multisets. Objects that the collector does not look at must have no reference of
 * kind PY_REF_REFERENT. Exit status: 0 none disagrees, 1 some do, 2 it could not be done.
 *
 * Options: --debug-dir DIR, --sysroot DIR, --executable FILE, as for necropy; --limit N objects.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "dumpfmt/base/mem.h"
#include "dumpfmt/emulator.h"
#include "tests/support/closure.h"

#define BATCH 16384
#define SAMPLES 3

struct words {
    uint64_t *items;
    size_t count, capacity;
};

struct tally { /* of a type */
    uint64_t by_hand, by_emulation, failed, disagree;
};

struct agree {
    struct py *py;
    struct py_objects *objects;
    struct closure closure;
    struct py_refs hand, emulated;
    struct words left, right;
    struct tally *types; /* by a type's number, type_count of them */
    uint32_t type_count;
    struct tally total;
    uint64_t reasons[DF_CALL_STATUS_COUNT], not_collected;
};

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

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

/* What the one side has more than the other. */
static void print_surplus(const struct agree *agree, const char *side, const struct words *more,
                          const struct words *less)
{
    size_t shown = 0;
    for (size_t i = 0, k = 0; i < more->count; i++) {
        while (k < less->count && less->items[k] < more->items[i])
            k++;
        if (k < less->count && less->items[k] == more->items[i]) {
            k++;
            continue;
        }
        if (++shown > 8)
            continue;
        DF_CLEANUP_FREE char *text = py_text(agree->objects, more->items[i], 60);
        printf("      only %s: 0x%" PRIx64 " %s\n", side, more->items[i], text);
    }
    if (shown > 8)
        printf("      only %s: %zu more\n", side, shown - 8);
}

static void print_disagreement(struct agree *agree, const struct py_batch_item *item,
                               enum py_status status)
{
    const struct py_type *type = py_type_at(agree->objects, item->type);
    DF_CLEANUP_FREE char *text = py_text(agree->objects, item->object, 60);
    printf("   %s at 0x%" PRIx64 " %s: status %d, by hand %zu, emulated %zu; flags 0x%" PRIx64
           " traverse 0x%" PRIx64 " walked %d\n",
           type->name, item->object, text, (int)status, agree->left.count, agree->right.count,
           type->flags, type->traverse, (int)type->walk_kind);
    print_surplus(agree, "by hand", &agree->left, &agree->right);
    print_surplus(agree, "emulated", &agree->right, &agree->left);
}

/* True when a walker of ours served (any part of) it. */
static bool walk_by_hand(struct agree *agree, const struct py_batch_item *item, bool emulated,
                         enum py_status *ret)
{
    const struct py_type *type = py_type_at(agree->objects, item->type);
    agree->hand.count = 0;
    *ret = py_walk(agree->objects, item->object, item->type, &agree->hand);
    if (*ret != PY_DEFERRED)
        return true;
    if (!type->python_class || !emulated)
        return false;
    struct py_batch_item one = {.object = item->object, .type = item->type};
    agree->hand.count = 0;
    py_walk_batch(agree->objects, &one, 1, &agree->hand);
    *ret = (enum py_status)one.status;
    return true;
}

static void note_failure(struct agree *agree, struct tally *tally, const struct py_type *type)
{
    tally->failed++;
    agree->total.failed++;
    agree->reasons[type->failed_status < DF_CALL_STATUS_COUNT ? type->failed_status : 0]++;
    if (tally->failed == 1)
        printf("   cannot be emulated: %s (%s)\n", type->name,
               df_call_status_text((enum df_call_status)type->failed_status));
}

/* Types are met all the time: while texts are made, too. */
static struct tally *tally_of(struct agree *agree, uint32_t type)
{
    if (type >= agree->type_count) {
        uint32_t count = py_type_count(agree->objects) * 2;
        agree->types = df_xrealloc(agree->types, count, sizeof(*agree->types));
        memset(agree->types + agree->type_count, 0,
               (count - agree->type_count) * sizeof(*agree->types));
        agree->type_count = count;
    }
    return &agree->types[type];
}

static void compare(struct agree *agree, const struct py_batch_item *item, bool collected)
{
    struct tally *tally = tally_of(agree, item->type);
    bool emulated = !collected || item->status == PY_OK;
    enum py_status status;
    bool hand = walk_by_hand(agree, item, emulated, &status);
    if (!emulated) {
        note_failure(agree, tally, py_type_at(agree->objects, item->type));
        return;
    }
    if (!hand) {
        tally->by_emulation++;
        agree->total.by_emulation++;
        return;
    }
    tally->by_hand++;
    agree->total.by_hand++;
    referents(&agree->left, agree->hand.items, agree->hand.count);
    referents(&agree->right, collected ? agree->emulated.items + item->first : NULL,
              collected ? item->count : 0);
    bool same = status == PY_OK && agree->left.count == agree->right.count &&
                (!agree->left.count ||
                 memcmp(agree->left.items, agree->right.items, agree->left.count * 8) == 0);
    if (same)
        return;
    if (tally->disagree++ < SAMPLES)
        print_disagreement(agree, item, status);
    agree->total.disagree++;
}

static void compare_batch(struct agree *agree, struct py_batch_item *items, size_t count)
{
    agree->emulated.count = 0;
    py_walk_emulated_batch(agree->objects, items, count, &agree->emulated);
    for (size_t i = 0; i < count; i++)
        compare(agree, &items[i], true);
}

static void compare_all(struct agree *agree)
{
    static struct py_batch_item batch[BATCH];
    size_t pending = 0;
    for (size_t i = 0; i < agree->closure.count; i++) {
        struct py_batch_item item = agree->closure.items[i];
        /* gc.get_referents asks the same: a static type has a tp_traverse and must not be asked. */
        if (!py_is_gc(agree->objects, item.object, item.type) ||
            !py_type_at(agree->objects, item.type)->traverse) {
            agree->not_collected++;
            compare(agree, &item, false);
            continue;
        }
        batch[pending++] = item;
        if (pending == BATCH) {
            compare_batch(agree, batch, pending);
            pending = 0;
        }
    }
    compare_batch(agree, batch, pending);
}

static int verdict(const struct agree *agree)
{
    for (uint32_t i = 0; i < agree->type_count; i++) {
        const struct tally *tally = &agree->types[i];
        if (tally->disagree || tally->failed)
            printf("%8" PRIu64 " disagree %8" PRIu64 " failed of %8" PRIu64 " %s\n",
                   tally->disagree, tally->failed,
                   tally->by_hand + tally->by_emulation + tally->failed,
                   py_type_at(agree->objects, i)->name);
    }
    for (int i = 0; i < DF_CALL_STATUS_COUNT; i++)
        if (agree->reasons[i])
            printf("not emulated: %" PRIu64 " (%s)\n", agree->reasons[i],
                   df_call_status_text((enum df_call_status)i));
    printf("%zu objects (%zu of the collector's lists, %" PRIu64 " not collected): %" PRIu64
           " by hand, %" PRIu64 " by emulation alone, %" PRIu64 " could not be emulated, %" PRIu64
           " disagree\n",
           agree->closure.count, agree->closure.from_lists, agree->not_collected,
           agree->total.by_hand, agree->total.by_emulation, agree->total.failed,
           agree->total.disagree);
    return agree->total.disagree ? 1 : 0;
}

static int run(struct agree *agree)
{
    double start = now();
    closure_collect(&agree->closure, agree->py, agree->objects);
    double collected = now();
    compare_all(agree);
    int status = verdict(agree);
    printf("collected in %.2f s, compared in %.2f s\n", collected - start, now() - collected);
    if (py_objects_emulator_note(agree->objects)) {
        printf("no emulation: %s\n", py_objects_emulator_note(agree->objects));
        status = 2;
    }
    return status;
}

static int fail(struct df_err *err)
{
    fprintf(stderr, "necropy-agree: %s\n", df_err_text(err));
    df_err_free(err);
    return 2;
}

static int analyze(const char *core, const struct df_search *search, size_t limit)
{
    struct df_dump *dump = NULL;
    struct agree agree = {.closure = {.limit = limit}};
    struct df_err *err = df_dump_open(core, search, &dump);
    if (!err)
        err = py_open(dump, NULL, &agree.py);
    if (!err)
        err = py_objects_open(agree.py, NULL, &agree.objects);
    int status = err ? fail(err) : run(&agree);
    closure_deinit(&agree.closure);
    free(agree.types);
    free(agree.hand.items);
    free(agree.emulated.items);
    free(agree.left.items);
    free(agree.right.items);
    py_objects_close(agree.objects);
    py_close(agree.py);
    df_dump_close(dump);
    return status;
}

int main(int count, char **arguments)
{
    struct df_search search = {0};
    const char *core = NULL, *debug = NULL;
    size_t limit = 0;
    for (int i = 1; i < count; i++) {
        const char *value = i + 1 < count ? arguments[i + 1] : NULL;
        if (value && strcmp(arguments[i], "--debug-dir") == 0)
            debug = arguments[++i];
        else if (value && strcmp(arguments[i], "--sysroot") == 0)
            search.sysroot = arguments[++i];
        else if (value && strcmp(arguments[i], "--executable") == 0)
            search.executable = arguments[++i];
        else if (value && strcmp(arguments[i], "--limit") == 0)
            limit = strtoull(arguments[++i], NULL, 10);
        else
            core = arguments[i];
    }
    if (!core) {
        fprintf(stderr, "usage: necropy-agree CORE [--debug-dir DIR] [--sysroot DIR] "
                        "[--executable FILE] [--limit N]\n");
        return 2;
    }
    search.debug_directories = debug ? &debug : NULL;
    search.debug_directory_count = debug ? 1 : 0;
    return analyze(core, &search, limit);
}
