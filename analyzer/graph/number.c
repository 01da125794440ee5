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
    size_t edge_capacity, kind_capacity;
    struct {
        uint32_t *items; /* nodes; one more reference each */
        size_t count, capacity;
    } uncounted;
    struct {
        uint32_t *items; /* as the graph's weak_target */
        size_t count, capacity;
    } weak;
    size_t kept; /* of the discovery's: those of lower addresses are done */
    struct py_refs refs;
    bool too_many;
};

static struct df_err *allocate_nodes(struct gr_graph *graph, uint32_t count)
{
    graph->count = count;
    DF_TRY(df_array(count, sizeof(*graph->address), &graph->address));
    DF_TRY(df_array(count, sizeof(*graph->type), &graph->type));
    DF_TRY(df_array(count, sizeof(*graph->size), &graph->size));
    DF_TRY(df_array(count, sizeof(*graph->references), &graph->references));
    DF_TRY(df_array(count, sizeof(*graph->flags), &graph->flags));
    DF_TRY(df_array(count, sizeof(*graph->source), &graph->source));
    DF_TRY(df_array(count, sizeof(*graph->root_kind), &graph->root_kind));
    DF_TRY(df_array((size_t)count + 1, sizeof(*graph->start), &graph->start));
    return df_array((size_t)count + 1, sizeof(*graph->weak_start), &graph->weak_start);
}

/* All that is asked of an object but its references. */
static void measure(struct numbering *n, uint32_t v)
{
    struct gr_graph *graph = n->graph;
    const struct py_type *type = py_type_at(n->objects, graph->type[v]);
    uint64_t address = graph->address[v];
    uint8_t flags = py_object_flags(n->objects, address, graph->type[v]);

    if (py_size(n->objects, address, graph->type[v], &graph->size[v]) != PY_OK) {
        py_ledger_add(n->objects, "objects whose size is not known", address);
        if (!graph->size[v])
            graph->size[v] = type->basic_size > 0 ? (uint64_t)type->basic_size : 0;
    }
    graph->references[v] = py_refcount(&n->reader, address);
    if (flags & PY_FLAG_TRACKED)
        graph->flags[v] |= GR_TRACKED;
    if (flags & PY_FLAG_FINALIZED)
        graph->flags[v] |= GR_FINALIZED;
    if (flags & PY_FLAG_IMMORTAL || graph->references[v] == INT64_MAX) {
        graph->flags[v] |= GR_IMMORTAL;
        graph->references[v] = INT64_MAX;
    }
    if (type->has_del || type->del)
        graph->flags[v] |= GR_HAS_FINALIZER;
    if (py_is_gc(n->objects, address, graph->type[v]))
        graph->flags[v] |= GR_GC;
}

static void fill_node(struct numbering *n, uint32_t v, uint64_t address, uint64_t place)
{
    const struct gr_discovery *discovery = n->discovery;
    struct gr_graph *graph = n->graph;

    graph->address[v] = address;
    graph->type[v] = py_object_type(n->objects, address);
    graph->source[v] = (uint8_t)gr_discovered_by(discovery, address, place);
    graph->objects_by_source[graph->source[v]]++;
    if (gr_bit(discovery->listed, place))
        graph->flags[v] |= GR_TRACKED;
    if (gr_bit(discovery->frozen, place))
        graph->flags[v] |= GR_FROZEN;
    measure(n, v);
}

static void push_edge(struct numbering *n, uint32_t target, uint8_t kind)
{
    struct gr_graph *graph = n->graph;
    size_t count = graph->edge_count;

    if (count >= UINT32_MAX - 1) {
        n->too_many = true;
        return;
    }
    if (count == n->edge_capacity) {
        graph->target = df_grow(graph->target, count, &n->edge_capacity, sizeof(*graph->target));
        graph->kind = df_grow(graph->kind, count, &n->kind_capacity, sizeof(*graph->kind));
    }
    graph->target[count] = target;
    graph->kind[count] = kind;
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
            DF_PUSH(&n->weak, target);
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

static void push_references(struct numbering *n, uint32_t v)
{
    const struct gr_graph *graph = n->graph;

    if (py_type_has_no_references(py_type_at(n->objects, graph->type[v])) ||
        push_kept(n, graph->address[v]))
        return;
    gr_note_status(n->discovery, graph->address[v],
                   py_walk(n->objects, graph->address[v], graph->type[v], &n->refs));
}

/* Nodes [first, end): their references are in the buffer, where those of each end in `ends`. */
static void add_rows(struct numbering *n, uint32_t first, uint32_t end, const size_t *ends)
{
    struct gr_graph *graph = n->graph;
    size_t r = 0;

    for (uint32_t v = first; v < end; v++) {
        bool weakly = gr_holds_weakly(n->discovery, graph->address[v]);

        graph->flags[v] |= weakly ? GR_UNCOUNTED : 0;
        for (; r < ends[v - first]; r++) {
            if (r + FETCH_AHEAD < n->refs.count)
                fetch_target(n, n->refs.items[r + FETCH_AHEAD].target);
            add_reference(n, &n->refs.items[r], weakly);
        }
        graph->start[v + 1] = graph->edge_count;
        graph->weak_start[v + 1] = (uint32_t)n->weak.count;
    }
}

static void walk_all(struct numbering *n)
{
    size_t ends[GROUP_OBJECTS];
    struct gr_place_cursor cursor;
    uint64_t address, place;
    uint32_t v = 0, first = 0;

    gr_places_begin(n->places, &cursor);
    while (v < n->graph->count && !n->too_many) {
        n->refs.count = 0;
        for (first = v; v < n->graph->count && v - first < GROUP_OBJECTS; v++) {
            if (n->refs.count >= GROUP_REFS || !gr_places_next(&cursor, &address, &place))
                break;
            fill_node(n, v, address, place);
            push_references(n, v);
            ends[v - first] = n->refs.count;
        }
        add_rows(n, first, v, ends);
        if (v / PROGRESS_STEP != first / PROGRESS_STEP)
            df_progress(n->discovery->progress, "numbering objects", v, n->graph->count);
    }
}

/* References that counts do not have are added to them. Immortal is immortal. */
static void add_uncounted(const struct numbering *n)
{
    int64_t *references = n->graph->references;

    for (size_t i = 0; i < n->uncounted.count; i++) {
        uint32_t v = n->uncounted.items[i];

        if (references[v] < INT64_MAX - 1)
            references[v]++;
    }
    for (size_t i = 0; i < n->discovery->uncounted.count; i++) {
        uint32_t v = gr_rank(n->places, n->discovery->uncounted.items[i]);

        if (v != GR_NO_RANK && references[v] < INT64_MAX - 1)
            references[v]++;
    }
}

static struct df_err *finish(struct numbering *n)
{
    struct gr_graph *graph = n->graph;
    struct al_csr csr = {.count = graph->count, .start = graph->start};

    if (n->too_many || n->weak.count >= UINT32_MAX - 1)
        return df_err_new(DF_ERR_UNSUPPORTED, "the process has more than 4 billion references, "
                                              "more than this program can number");
    add_uncounted(n);
    graph->weak_count = (uint32_t)n->weak.count;
    graph->references_by_kind[PY_REF_WEAK] = n->weak.count;
    if (n->weak.items)
        graph->weak_target = DF_TAKE(n->weak.items);
    else
        DF_TRY(df_array(0, sizeof(*graph->weak_target), &graph->weak_target));
    csr.target = graph->target;
    return al_csr_reverse(&csr, &graph->reverse_start, &graph->reverse_source);
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
    DF_TRY(allocate_nodes(n->graph, (uint32_t)count));
    n->edge_capacity = n->kind_capacity = (size_t)discovery->edge_count + 1;
    DF_TRY(df_array(n->edge_capacity, sizeof(*n->graph->target), &n->graph->target));
    return df_array(n->kind_capacity, sizeof(*n->graph->kind), &n->graph->kind);
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
    free(n.weak.items);
    free(n.uncounted.items);
    graph->places = discovery->places;
    discovery->places = (struct gr_places){0};
    return err;
}
