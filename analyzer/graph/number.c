/* SPDX-License-Identifier: MIT
 * number.c: numbers objects by address, and walks each in this order: its node and its row of edges
 * are written where they stay.
 *
 * The sort (of other keys) is by digits from the lowest (radix), skipping digits that are equal in
 * all keys: heap addresses share most of their high bits. It is stable, so the result depends on
 * nothing but the input.
 */
#include "analyzer/graph/number.h"

#include <string.h>

#include "analyzer/algo/csr.h"
#include "dumpfmt/base/mem.h"

#define DIGIT_BITS 11
#define DIGITS (1u << DIGIT_BITS)

struct keyed {
    uint64_t key;
    uint32_t place;
};

static void sort_digit(const struct keyed *from, struct keyed *to, uint32_t count, unsigned shift)
{
    uint32_t next[DIGITS] = {0};
    uint32_t sum = 0;

    for (uint32_t i = 0; i < count; i++)
        next[from[i].key >> shift & (DIGITS - 1)]++;
    for (uint32_t digit = 0; digit < DIGITS; digit++) {
        uint32_t here = next[digit];

        next[digit] = sum;
        sum += here;
    }
    for (uint32_t i = 0; i < count; i++)
        to[next[from[i].key >> shift & (DIGITS - 1)]++] = from[i];
}

struct df_err *gr_sort(const uint64_t *keys, uint32_t count, uint32_t *order)
{
    DF_CLEANUP_FREE struct keyed *left = NULL;
    DF_CLEANUP_FREE struct keyed *right = NULL;
    struct keyed *from, *to;
    uint64_t differ = 0;

    DF_TRY(df_array(count, sizeof(*left), &left));
    DF_TRY(df_array(count, sizeof(*right), &right));
    from = left;
    to = right;
    for (uint32_t i = 0; i < count; i++) {
        from[i] = (struct keyed){.key = keys[i], .place = i};
        differ |= keys[i] ^ keys[0];
    }
    for (unsigned shift = 0; shift < 64; shift += DIGIT_BITS) {
        if (!(differ >> shift & (DIGITS - 1)))
            continue;
        sort_digit(from, to, count, shift);
        struct keyed *swap = from;

        from = to;
        to = swap;
    }
    for (uint32_t i = 0; i < count; i++)
        order[i] = from[i].place;
    return NULL;
}

#define GROUP_OBJECTS 256
#define GROUP_REFS 4096
#define FETCH_AHEAD 16
#define PROGRESS_STEP 65536

struct numbering {
    struct gr_discovery *discovery;
    struct gr_graph *graph;
    struct py_objects *objects;
    struct py_reader reader;
    const struct gr_places *places;
    size_t edge_capacity;
    struct {
        struct gr_edge_kind *items;
        size_t count, capacity;
    } kinds;
    struct gr_wide_list wide_types, wide_sizes, wide_references;
    struct {
        uint32_t *items; /* nodes; one more reference each */
        size_t count, capacity;
    } uncounted;
    struct {
        uint32_t *items; /* as the graph's arrays of these names */
        size_t count, capacity;
    } weak_target, weak_holder, weak_start;
    size_t kept; /* of the discovery's: those of lower addresses are done */
    struct py_refs refs;
    bool too_many;
};

static struct df_err *allocate_nodes(struct gr_graph *graph, uint32_t count, uint32_t type_count)
{
    graph->count = count;
    DF_TRY(gr_column_init(&graph->types, count, type_count < UINT16_MAX ? 2 : 4));
    DF_TRY(gr_column_init(&graph->sizes, count, 2));
    DF_TRY(gr_column_init(&graph->references, count, 1));
    DF_TRY(df_array(count, sizeof(*graph->flags), &graph->flags));
    DF_TRY(df_array(count, sizeof(*graph->sources), &graph->sources));
    DF_TRY(df_array(count, sizeof(*graph->root_kinds), &graph->root_kinds));
    return df_array((size_t)count + 1, sizeof(*graph->start), &graph->start);
}

struct subject { /* an object in work */
    uint64_t address, place;
    uint32_t type;
};

static uint64_t measure_size(struct numbering *n, const struct subject *object)
{
    int64_t basic = py_type_at(n->objects, object->type)->basic_size;
    uint64_t size = 0;

    if (py_size(n->objects, object->address, object->type, &size) == PY_OK)
        return size;
    py_ledger_add(n->objects, "objects whose size is not known", object->address);
    return size ? size : basic > 0 ? (uint64_t)basic : 0;
}

static uint8_t flags_of(struct numbering *n, const struct subject *object)
{
    const struct gr_discovery *discovery = n->discovery;
    const struct py_type *type = py_type_at(n->objects, object->type);
    uint8_t told = py_object_flags(n->objects, object->address, object->type), flags = 0;

    if (told & PY_FLAG_TRACKED || gr_bit(discovery->listed, object->place))
        flags |= GR_TRACKED;
    if (gr_bit(discovery->frozen, object->place))
        flags |= GR_FROZEN;
    if (told & PY_FLAG_FINALIZED)
        flags |= GR_FINALIZED;
    if (told & PY_FLAG_IMMORTAL)
        flags |= GR_IMMORTAL;
    if (type->has_del || type->del)
        flags |= GR_HAS_FINALIZER;
    if (py_is_gc(n->objects, object->address, object->type))
        flags |= GR_GC;
    return flags;
}

/* All that is asked of an object but its references. */
static void fill_node(struct numbering *n, uint32_t v, const struct subject *object)
{
    struct gr_graph *graph = n->graph;
    int64_t references = py_refcount(&n->reader, object->address);

    graph->sources[v] = (uint8_t)gr_discovered_by(n->discovery, object->address, object->place);
    graph->objects_by_source[graph->sources[v]]++;
    graph->flags[v] = flags_of(n, object);
    if (references == INT64_MAX)
        graph->flags[v] |= GR_IMMORTAL;
    gr_column_put(&graph->types, &n->wide_types, v, object->type);
    gr_column_put(&graph->sizes, &n->wide_sizes, v, measure_size(n, object));
    gr_column_put(&graph->references, &n->wide_references, v,
                  graph->flags[v] & GR_IMMORTAL ? 0 : (uint64_t)references);
}

static void push_edge(struct numbering *n, uint32_t target, uint8_t kind)
{
    struct gr_graph *graph = n->graph;
    size_t count = graph->edge_count;

    if (count >= UINT32_MAX - 1) {
        n->too_many = true;
        return;
    }
    if (count == n->edge_capacity)
        graph->target = df_grow(graph->target, count, &n->edge_capacity, sizeof(*graph->target));
    graph->target[count] = target;
    if (kind != PY_REF_REFERENT)
        DF_PUSH(&n->kinds, (struct gr_edge_kind){.edge = (uint32_t)count, .kind = kind});
    graph->edge_count++;
    graph->references_by_kind[kind]++;
}

static void add_reference(struct numbering *n, const struct py_ref *ref, bool weakly)
{
    enum py_ref_kind kind = weakly ? PY_REF_WEAK : (enum py_ref_kind)ref->kind;
    uint32_t target = gr_rank(n->places, ref->target);

    if (weakly && ref->kind != PY_REF_REFERENT)
        return; /* a key, which is the value too */
    if (kind == PY_REF_WEAK) {
        if (target != GR_NO_RANK)
            DF_PUSH(&n->weak_target, target);
        return;
    }
    if (target == GR_NO_RANK) {
        py_ledger_add(n->objects, "references to no object", ref->target);
        return;
    }
    if (ref->uncounted)
        DF_PUSH(&n->uncounted, target);
    if (kind != PY_REF_NATIVE) {
        push_edge(n, target, (uint8_t)kind);
        return;
    }
    n->graph->references_by_kind[PY_REF_NATIVE]++;
    DF_PUSH(&n->discovery->native, ref->target);
}

static void fetch_target(const struct numbering *n, uint64_t target)
{
    uint64_t place = gr_place(n->places, target);

    if (place == GR_NO_PLACE)
        return;
    __builtin_prefetch(&n->places->bits[place / 64]);
    __builtin_prefetch(&n->places->ranks[place / 512]);
}

/* What emulation had found of an object. */
static bool push_kept(struct numbering *n, uint64_t object)
{
    const struct gr_discovery *discovery = n->discovery;

    while (n->kept < discovery->kept.count && discovery->kept.items[n->kept].object < object)
        n->kept++;
    if (n->kept == discovery->kept.count || discovery->kept.items[n->kept].object != object)
        return false;
    const struct gr_kept *kept = &discovery->kept.items[n->kept];

    for (size_t i = kept->first; i < (size_t)kept->first + kept->count; i++) {
        const struct gr_kept_ref *ref = &discovery->kept_refs.items[i];

        DF_PUSH(
            &n->refs,
            (struct py_ref){.target = ref->target, .kind = ref->kind, .uncounted = ref->uncounted});
    }
    return true;
}

static void push_references(struct numbering *n, const struct subject *object)
{
    if (py_type_has_no_references(py_type_at(n->objects, object->type)) ||
        push_kept(n, object->address))
        return;
    gr_note_status(n->discovery, object->address,
                   py_walk(n->objects, object->address, object->type, &n->refs));
}

/* A group of objects, whose references are in the buffer: where those of each end. */
struct group {
    uint32_t first, count; /* nodes */
    uint64_t address[GROUP_OBJECTS];
    size_t end[GROUP_OBJECTS];
};

static void add_row(struct numbering *n, uint32_t v, size_t first, size_t end, bool weakly)
{
    struct gr_graph *graph = n->graph;
    size_t weak = n->weak_target.count;

    for (size_t r = first; r < end; r++) {
        if (r + FETCH_AHEAD < n->refs.count)
            fetch_target(n, n->refs.items[r + FETCH_AHEAD].target);
        add_reference(n, &n->refs.items[r], weakly);
    }
    graph->flags[v] |= weakly ? GR_UNCOUNTED : 0;
    graph->start[v + 1] = graph->edge_count;
    if (n->weak_target.count == weak)
        return;
    DF_PUSH(&n->weak_holder, v);
    DF_PUSH(&n->weak_start, (uint32_t)weak);
}

static void add_rows(struct numbering *n, const struct group *group)
{
    size_t first = 0;

    for (uint32_t i = 0; i < group->count; i++) {
        add_row(n, group->first + i, first, group->end[i],
                gr_holds_weakly(n->discovery, group->address[i]));
        first = group->end[i];
    }
}

static void walk_all(struct numbering *n)
{
    struct group group = {0};
    struct gr_place_cursor cursor;
    struct subject object;

    gr_places_begin(n->places, &cursor);
    while (group.first < n->graph->count && !n->too_many) {
        n->refs.count = 0;
        for (group.count = 0; group.count < GROUP_OBJECTS; group.count++) {
            if (n->refs.count >= GROUP_REFS ||
                !gr_places_next(&cursor, &object.address, &object.place))
                break;
            object.type = py_object_type(n->objects, object.address);
            fill_node(n, group.first + group.count, &object);
            push_references(n, &object);
            group.address[group.count] = object.address;
            group.end[group.count] = n->refs.count;
        }
        add_rows(n, &group);
        if ((group.first + group.count) / PROGRESS_STEP != group.first / PROGRESS_STEP)
            df_progress(n->discovery->progress, "numbering objects", group.first, n->graph->count);
        group.first += group.count;
    }
}

static int by_number(const void *left, const void *right)
{
    const uint32_t *a = left, *b = right;

    return *a < *b ? -1 : *a > *b;
}

/* References that counts do not have are added to them. Immortal is immortal. */
static void add_uncounted(struct numbering *n)
{
    struct gr_graph *graph = n->graph;

    for (size_t i = 0; i < n->discovery->uncounted.count; i++) {
        uint32_t v = gr_rank(n->places, n->discovery->uncounted.items[i]);

        if (v != GR_NO_RANK)
            DF_PUSH(&n->uncounted, v);
    }
    if (n->uncounted.count)
        qsort(n->uncounted.items, n->uncounted.count, sizeof(*n->uncounted.items), by_number);
    for (size_t i = 0, end; i < n->uncounted.count; i = end) {
        uint32_t v = n->uncounted.items[i];
        int64_t references = gr_references(graph, v);

        for (end = i + 1; end < n->uncounted.count && n->uncounted.items[end] == v;)
            end++;
        if (references < INT64_MAX - (int64_t)(end - i))
            gr_column_set(&graph->references, v, (uint64_t)(references + (int64_t)(end - i)));
    }
}

/* The lists become the graph's. */
static void install(struct numbering *n)
{
    struct gr_graph *graph = n->graph;

    gr_column_join(&graph->types, &n->wide_types);
    gr_column_join(&graph->sizes, &n->wide_sizes);
    gr_column_join(&graph->references, &n->wide_references);
    DF_PUSH(&n->weak_start, (uint32_t)n->weak_target.count);
    graph->weak_count = (uint32_t)n->weak_target.count;
    graph->weak_holder_count = (uint32_t)n->weak_holder.count;
    graph->weak_holder = DF_TAKE(n->weak_holder.items);
    graph->weak_start = DF_TAKE(n->weak_start.items);
    graph->weak_target = DF_TAKE(n->weak_target.items);
    graph->kind_count = (uint32_t)n->kinds.count;
    graph->kinds = DF_TAKE(n->kinds.items);
    graph->references_by_kind[PY_REF_WEAK] = graph->weak_count;
}

static struct df_err *finish(struct numbering *n)
{
    struct gr_graph *graph = n->graph;
    struct al_csr csr = {.count = graph->count, .start = graph->start};

    if (n->too_many || n->weak_target.count >= UINT32_MAX - 1)
        return df_err_new(DF_ERR_UNSUPPORTED, "the process has more than 4 billion references, "
                                              "more than this program can number");
    install(n);
    add_uncounted(n);
    csr.target = graph->target;
    return gr_reverse_make(&csr, &graph->reverse);
}

static int by_object(const void *left, const void *right)
{
    const struct gr_kept *a = left, *b = right;

    return a->object < b->object ? -1 : a->object > b->object;
}

static struct df_err *begin(struct numbering *n)
{
    struct gr_discovery *discovery = n->discovery;
    uint64_t count;

    if (discovery->kept.count)
        qsort(discovery->kept.items, discovery->kept.count, sizeof(*discovery->kept.items),
              by_object);
    DF_TRY(gr_places_rank_all(&discovery->places, &count));
    DF_TRY(allocate_nodes(n->graph, (uint32_t)count, py_type_count(n->objects)));
    n->edge_capacity = (size_t)discovery->edge_count + 1;
    return df_array(n->edge_capacity, sizeof(*n->graph->target), &n->graph->target);
}

struct df_err *gr_number(struct gr_discovery *discovery, struct gr_graph *graph)
{
    struct numbering n = {.discovery = discovery,
                          .graph = graph,
                          .objects = discovery->objects,
                          .reader = discovery->reader,
                          .places = &discovery->places};
    struct df_err *err = begin(&n);

    free(DF_TAKE(discovery->work.items));
    if (!err) {
        walk_all(&n);
        err = finish(&n);
    }
    gr_discovery_release(discovery);
    free(n.refs.items);
    free(n.kinds.items);
    free(n.weak_holder.items);
    free(n.weak_start.items);
    free(n.weak_target.items);
    free(n.wide_types.items);
    free(n.wide_sizes.items);
    free(n.wide_references.items);
    free(n.uncounted.items);
    graph->places = discovery->places;
    discovery->places = (struct gr_places){0};
    return err;
}
