/* SPDX-License-Identifier: MIT
 * shapes.c: the tree of shapes of a profile.
 *
 * Objects hang in the tree of ways; a shape is a set of objects that look alike from the root. From
 * the roots down, the shape with the most memory still below it is opened: each of its objects is
 * walked once, and what hangs below goes to the shape of the holder and one hop. So the work is
 * linear in the references of the holders, each label is made once, and what stays unopened is the
 * smallest.
 *
 * - The dict of an object's attributes is a shape of its own, but its values hang below the object:
 *   whether CPython has made that dict yet says nothing about the program.
 * - What repeats stays in its shape: an object reached by the same hop as one of its holders near
 *   by, both instances of one class; and a run of hops that comes twice. So linked lists, trees and
 *   nested lists are some shapes, not as many as they are deep.
 */
#include "analyzer/findings/profile.h"

#include <string.h>

#include "analyzer/findings/hops.h"
#include "analyzer/findings/parts.h"
#include "analyzer/findings/ways.h"
#include "analyzer/objects/facts.h"
#include "dumpfmt/base/map.h"
#include "dumpfmt/base/mem.h"

#define FLOOR_BYTES 256    /* less below a shape is not told apart */
#define MAX_SHAPES 200000  /* some 20 MB */
#define MAX_CHILDREN 20000 /* shapes below one; sys.modules of a large program has 5 000 */
#define MAX_PERIOD 8       /* hops back that a repetition is looked for */
#define MAX_LIMITS 16      /* named limits of one object */
#define LEAST_LIMIT 8

struct label {
    const char *text;
    bool names_limit; /* ".max_entries" */
};

struct growing { /* a shape while the tree is made */
    struct fi_shape shape;
    uint32_t label, type; /* numbers */
    uint32_t pending;     /* first of its objects that were not opened yet; AL_NONE */
    uint64_t pending_bytes, pending_objects; /* below those */
    uint32_t children, others;       /* others: the shape of those beyond MAX_CHILDREN, AL_NONE */
    bool opened, queued, attributes; /* attributes: dicts of attributes of what is above */
};

struct maker {
    struct fi_analysis analysis; /* a copy, with other parents */
    struct fi_pool *pool;
    const uint32_t *named; /* per type: the first of the same name */
    struct {
        struct growing *items;
        size_t count, capacity;
    } shapes;
    struct {
        struct label *items;
        size_t count, capacity;
    } labels;
    struct {
        uint32_t *items; /* shapes, a heap by pending_bytes */
        size_t count, capacity;
    } queue;
    struct df_map shape_by_hash, label_by_hash;
    struct df_map label_by_ref;    /* kind and argument of references, to label */
    uint32_t *child_start, *child; /* of the tree of ways */
    uint64_t *below_bytes;         /* per node, itself included */
    uint32_t *below_objects;
    uint32_t *next; /* per node: the next pending one of its shape */
    struct py_refs refs;
    uint32_t element, key, others, attributes, reference; /* labels */
    int64_t limits[MAX_LIMITS];                           /* of the object that is walked */
    uint32_t limit_count;
};

static uint64_t mix(uint64_t hash, uint64_t value)
{
    hash = (hash ^ value) * UINT64_C(0x9E3779B97F4A7C15);
    return hash ^ hash >> 29;
}

static uint64_t hash_text(const char *text)
{
    uint64_t hash = UINT64_C(0xCBF29CE484222325);

    for (; *text; text++)
        hash = (hash ^ (unsigned char)*text) * UINT64_C(0x100000001B3);
    return hash;
}

static bool speaks_of_limit(const char *text)
{
    return strcasestr(text, "max") || strcasestr(text, "limit") || strcasestr(text, "capacity") ||
           strcasestr(text, "bound");
}

static uint32_t intern_label(struct maker *m, const char *text)
{
    for (uint64_t hash = hash_text(text);; hash = mix(hash, 1)) {
        uint32_t known = hash ? df_map_get(&m->label_by_hash, hash) : DF_MAP_NONE;

        if (!hash)
            continue;
        if (known == DF_MAP_NONE) {
            df_map_set(&m->label_by_hash, hash, (uint32_t)m->labels.count);
            DF_PUSH(&m->labels, (struct label){.text = fi_pool_text(m->pool, text),
                                               .names_limit = speaks_of_limit(text)});
            return (uint32_t)m->labels.count - 1;
        }
        if (!strcmp(m->labels.items[known].text, text))
            return known;
    }
}

static uint8_t flags_of(const struct maker *m, uint32_t above, const struct py_type *type,
                        uint8_t root_kind)
{
    static const char *const code[] = {"function", "code", "type", "module",
                                       "builtin_function_or_method"};
    uint8_t flags = 0;

    if (above != AL_NONE)
        flags = m->shapes.items[above].shape.flags & (FI_SHAPE_MODULE | FI_SHAPE_GARBAGE);
    else if (root_kind == GR_ROOT_MODULE || root_kind == GR_ROOT_STATIC_TYPE)
        flags = FI_SHAPE_MODULE;
    else if (root_kind == GR_ROOT_GARBAGE)
        flags = FI_SHAPE_GARBAGE;
    for (size_t i = 0; i < sizeof(code) / sizeof(*code); i++)
        if (!strcmp(type->name, code[i]))
            flags |= FI_SHAPE_CODE;
    if ((type->flags & PY_TPFLAGS_TYPE) || !strcmp(type->name, "module"))
        flags |= FI_SHAPE_NAMESPACE | FI_SHAPE_CODE;
    return flags;
}

static uint32_t add_shape(struct maker *m, uint32_t above, uint32_t label, uint32_t type,
                          enum fi_hop hop, uint8_t root_kind)
{
    const struct py_type *is = py_type_at(m->analysis.objects, type);
    struct growing fresh = {
        .shape = {.above = above,
                  .hop = (uint8_t)hop,
                  .flags = flags_of(m, above, is, root_kind),
                  .label = m->labels.items[label].text,
                  .type = hop == FI_HOP_OTHERS ? "…" : fi_pool_text(m->pool, is->name)},
        .label = label,
        .type = type,
        .pending = AL_NONE,
        .others = AL_NONE,
        .attributes = label == m->attributes && above != AL_NONE,
    };

    if (above != AL_NONE)
        m->shapes.items[above].children++;
    DF_PUSH(&m->shapes, fresh);
    return (uint32_t)m->shapes.count - 1;
}

/* Where shapes go that are too many: one for each holder. */
static uint32_t others_below(struct maker *m, uint32_t above, uint32_t type)
{
    uint32_t others;

    if (m->shapes.items[above].shape.hop == FI_HOP_OTHERS)
        return above;
    if (m->shapes.items[above].others == AL_NONE) {
        others = add_shape(m, above, m->others, type, FI_HOP_OTHERS, 0);
        m->shapes.items[above].others = others;
    }
    return m->shapes.items[above].others;
}

static bool is_full(const struct maker *m, uint32_t above)
{
    return above != AL_NONE &&
           (m->shapes.count >= MAX_SHAPES || m->shapes.items[above].children >= MAX_CHILDREN ||
            m->shapes.items[above].shape.hop == FI_HOP_OTHERS);
}

static uint32_t intern_shape(struct maker *m, uint32_t above, uint32_t label, uint32_t type,
                             enum fi_hop hop, uint8_t root_kind)
{
    uint64_t hash = mix(mix((uint64_t)above + 1, label), type);

    for (;; hash = mix(hash, 1)) {
        uint32_t known = hash ? df_map_get(&m->shape_by_hash, hash) : DF_MAP_NONE;
        const struct growing *shape = known == DF_MAP_NONE ? NULL : &m->shapes.items[known];

        if (!hash)
            continue;
        if (shape && shape->shape.above == above && shape->label == label && shape->type == type)
            return known;
        if (shape)
            continue;
        if (is_full(m, above))
            return others_below(m, above, type);
        known = add_shape(m, above, label, type, hop, root_kind);
        df_map_set(&m->shape_by_hash, hash, known);
        return known;
    }
}

static bool same_hop(const struct growing *a, const struct growing *b)
{
    return a->label == b->label && a->type == b->type;
}

/* Does the run of `period` hops that ends with `shape` repeat the one before it? Then the shape one
 * period above stands for it. */
static bool run_repeats(const struct maker *m, uint32_t shape, uint32_t period)
{
    const struct growing *all = m->shapes.items;
    uint32_t before = shape;

    for (uint32_t i = 0; i < period; i++)
        before = before == AL_NONE ? AL_NONE : all[before].shape.above;
    for (uint32_t i = 0; i < period; i++) {
        if (shape == AL_NONE || before == AL_NONE || !same_hop(&all[shape], &all[before]))
            return false;
        shape = all[shape].shape.above;
        before = all[before].shape.above;
    }
    return true;
}

/* The shape above that an object reached by this hop repeats; AL_NONE. */
static uint32_t repeated(const struct maker *m, uint32_t above, uint32_t label, uint32_t type)
{
    const struct growing *all = m->shapes.items;
    bool class = py_type_at(m->analysis.objects, type)->python_class;
    uint32_t at = above;

    for (uint32_t i = 0; i < MAX_PERIOD && at != AL_NONE; i++, at = all[at].shape.above)
        if (all[at].shape.above != AL_NONE && all[at].label == label && all[at].type == type &&
            (class || i == 0))
            return at;
    return AL_NONE;
}

/* The shape of what is reached from `above` by a hop. */
static uint32_t shape_below(struct maker *m, uint32_t above, uint32_t label, uint32_t type,
                            enum fi_hop hop)
{
    uint32_t again = repeated(m, above, label, type), shape;

    if (again != AL_NONE)
        return again;
    shape = intern_shape(m, above, label, type, hop, 0);
    for (uint32_t period = 2; period <= MAX_PERIOD && hop != FI_HOP_OTHERS; period++)
        if (!m->shapes.items[shape].shape.count && run_repeats(m, shape, period)) {
            for (; period; period--)
                shape = m->shapes.items[shape].shape.above;
            return shape;
        }
    return shape;
}

/* The queue of shapes to open, most memory first. A shape's weight may grow while it waits: it is
 * then found a little late, which does no harm. */
static void enqueue(struct maker *m, uint32_t shape)
{
    const struct growing *all = m->shapes.items;
    uint32_t *heap;
    size_t at;

    DF_PUSH(&m->queue, shape);
    heap = m->queue.items;
    for (at = m->queue.count - 1;
         at && all[heap[(at - 1) / 2]].pending_bytes < all[shape].pending_bytes; at = (at - 1) / 2)
        heap[at] = heap[(at - 1) / 2];
    heap[at] = shape;
}

static uint32_t dequeue(struct maker *m)
{
    const struct growing *all = m->shapes.items;
    uint32_t *heap = m->queue.items, top = heap[0], last = heap[--m->queue.count];
    size_t at = 0, count = m->queue.count;

    for (size_t child = 1; child < count; child = 2 * at + 1) {
        if (child + 1 < count &&
            all[heap[child + 1]].pending_bytes > all[heap[child]].pending_bytes)
            child++;
        if (all[heap[child]].pending_bytes <= all[last].pending_bytes)
            break;
        heap[at] = heap[child];
        at = child;
    }
    heap[at] = last;
    return top;
}

static void put(struct maker *m, uint32_t shape, uint32_t node)
{
    struct growing *g = &m->shapes.items[shape];
    uint64_t size = gr_size(m->analysis.graph, node);

    g->shape.count++;
    g->shape.own_bytes += size;
    if (m->child_start[node] == m->child_start[node + 1])
        return;
    m->next[node] = g->pending;
    g->pending = node;
    g->pending_bytes += m->below_bytes[node] - size;
    g->pending_objects += m->below_objects[node] - 1;
    if (!g->queued && (g->opened || g->pending_bytes >= FLOOR_BYTES)) {
        g->queued = true;
        enqueue(m, shape);
    }
}

/* Labels whose text follows from the reference alone are made once. */
static bool is_constant(const struct py_ref *ref)
{
    return ref->label == PY_LABEL_ATTR || ref->label == PY_LABEL_SLOT ||
           ref->label == PY_LABEL_FIELD || ref->label == PY_LABEL_VALUE;
}

static uint32_t make_label(struct maker *m, uint32_t holder, const struct py_ref *ref)
{
    DF_CLEANUP_FREE char *text = fi_hop_text(&m->analysis, holder, ref);

    if (ref->label == PY_LABEL_VALUE)
        fi_key_to_attribute(text);
    return intern_label(m, text);
}

static uint32_t label_of(struct maker *m, uint32_t holder, const struct py_ref *ref)
{
    uint64_t key = ref->argument ^ ((uint64_t)ref->label + 1) << 56;
    uint32_t label;

    if (!is_constant(ref) || !key)
        return make_label(m, holder, ref);
    label = df_map_get(&m->label_by_ref, key);
    if (label == DF_MAP_NONE) {
        label = make_label(m, holder, ref);
        df_map_set(&m->label_by_ref, key, label);
    }
    return label;
}

/* What an object reached by ref hangs by; ref NULL: not known how. */
static uint32_t hop_of(struct maker *m, uint32_t holder, bool attributes, const struct py_ref *ref,
                       enum fi_hop *ret_hop)
{
    *ret_hop = FI_HOP_ATTRIBUTE;
    if (!ref)
        return m->reference;
    switch (ref->label) {
    case PY_LABEL_VALUE:
        if (attributes)
            return label_of(m, holder, ref);
        /* fall through */
    case PY_LABEL_ITEM:
    case PY_LABEL_MEMBER:
        *ret_hop = FI_HOP_ELEMENT;
        return m->element;
    case PY_LABEL_STACK:
        *ret_hop = FI_HOP_ELEMENT;
        return intern_label(m, ".<stack>");
    case PY_LABEL_KEY:
        *ret_hop = FI_HOP_KEY;
        return m->key;
    default:
        return label_of(m, holder, ref);
    }
}

/* Do all objects that it refers to hang by an index? */
static bool is_plain_sequence(const struct maker *m, uint32_t node)
{
    const struct py_type *type = fi_type(&m->analysis, node);

    return !(type->flags & PY_TPFLAGS_HEAPTYPE) &&
           (!strcmp(type->name, "list") || !strcmp(type->name, "tuple"));
}

/* The whole numbers that an object keeps under names like max_entries. */
static void find_limits(struct maker *m, uint32_t holder, bool attributes)
{
    m->limit_count = 0;
    for (size_t i = 0; i < m->refs.count && m->limit_count < MAX_LIMITS; i++) {
        const struct py_ref *ref = &m->refs.items[i];
        bool named = ref->label == PY_LABEL_ATTR || ref->label == PY_LABEL_SLOT ||
                     (attributes && ref->label == PY_LABEL_VALUE);
        uint32_t label = named ? label_of(m, holder, ref) : m->element;
        uint32_t type;

        if (!named || !m->labels.items[label].names_limit)
            continue;
        type = py_object_type(m->analysis.objects, ref->target);
        if (type == PY_NO_TYPE || strcmp(py_type_at(m->analysis.objects, type)->name, "int") != 0)
            continue;
        DF_CLEANUP_FREE char *text = py_text(m->analysis.objects, ref->target, 24);
        m->limits[m->limit_count++] = strtoll(text, NULL, 10);
    }
}

/* Whether a container is as long as a limit is for those who compare. */
static void note_limit(struct maker *m, uint32_t shape, int64_t limit)
{
    uint64_t *limits = m->shapes.items[shape].shape.limits;

    for (uint32_t at = 0; at < FI_MAX_LIMITS && limit >= LEAST_LIMIT; at++) {
        if (limits[at] && limits[at] != (uint64_t)limit)
            continue;
        limits[at] = (uint64_t)limit;
        break;
    }
}

/* The limit that a container of the standard library keeps itself. */
static void note_own_limit(struct maker *m, uint32_t shape, uint32_t node)
{
    uint64_t address = gr_address(m->analysis.graph, node);
    struct py_lru lru;
    struct py_deque deque;

    if (py_lru_facts(m->analysis.objects, address, &lru))
        note_limit(m, shape, lru.maxsize);
    else if (py_deque_facts(m->analysis.objects, address, &deque))
        note_limit(m, shape, deque.maxlen);
}

static void hang(struct maker *m, uint32_t shape, uint32_t holder, uint32_t node,
                 const struct py_ref *ref)
{
    bool attributes = m->shapes.items[shape].attributes;
    uint32_t owner = attributes ? m->shapes.items[shape].shape.above : shape;
    uint32_t type = m->named[gr_type(m->analysis.graph, node)], label, below;
    enum fi_hop hop;

    if (owner == AL_NONE) /* the names of a frame, whose dict is a root */
        owner = shape;
    label = hop_of(m, holder, attributes, ref, &hop);
    if (ref && fi_is_attributes(ref))
        label = m->attributes;
    below = shape_below(m, owner, label, type, hop);
    put(m, below, node);
    for (uint32_t i = 0; i < m->limit_count && hop == FI_HOP_ATTRIBUTE; i++)
        note_limit(m, below, m->limits[i]);
}

/* The best reference of the holder to each of its children, with one walk. */
static void find_references(struct maker *m, const uint32_t *held, uint32_t count,
                            const struct py_ref **best)
{
    const struct gr_graph *graph = m->analysis.graph;
    uint64_t only = count ? gr_address(graph, *held) : 0;
    struct df_map place;

    df_map_init(&place);
    if (count > 1) {
        df_map_reserve(&place, count);
        for (uint32_t i = 0; i < count; i++)
            df_map_set(&place, gr_address(graph, held[i]), i);
    }
    for (size_t r = 0; r < m->refs.count; r++) {
        const struct py_ref *ref = &m->refs.items[r];
        uint32_t i = count > 1             ? df_map_get(&place, ref->target)
                     : ref->target == only ? 0
                                           : DF_MAP_NONE;

        if (i != DF_MAP_NONE && fi_ref_is_better(ref, best[i]))
            best[i] = ref;
    }
    df_map_deinit(&place);
}

static void open_node(struct maker *m, uint32_t shape, uint32_t node)
{
    static const struct py_ref item = {.label = PY_LABEL_ITEM};
    const uint32_t *held = m->child + m->child_start[node];
    uint32_t count = m->child_start[node + 1] - m->child_start[node];
    const struct py_ref *few[64] = {0}, **best = few;

    m->limit_count = 0;
    if (is_plain_sequence(m, node)) {
        for (uint32_t i = 0; i < count; i++)
            hang(m, shape, node, held[i], &item);
        return;
    }
    if (count > sizeof(few) / sizeof(*few))
        best = df_xcalloc(count, sizeof(*best));
    fi_walk(&m->analysis, node, &m->refs);
    find_limits(m, node, m->shapes.items[shape].attributes);
    find_references(m, held, count, best);
    for (uint32_t i = 0; i < count; i++)
        hang(m, shape, node, held[i], best[i]);
    if (best != few)
        free(best);
}

static bool keeps_limit(const struct fi_shape *shape)
{
    return !strcmp(shape->type, "functools._lru_cache_wrapper") ||
           !strcmp(shape->type, "collections.deque");
}

static void open_shapes(struct maker *m)
{
    while (m->queue.count) {
        uint32_t shape = dequeue(m), node = m->shapes.items[shape].pending;
        struct growing *g = &m->shapes.items[shape];
        bool limited = keeps_limit(&g->shape);

        g->opened = true;
        g->queued = false;
        g->pending = AL_NONE;
        g->pending_bytes = g->pending_objects = 0;
        while (node != AL_NONE) {
            uint32_t next = m->next[node];

            if (limited)
                note_own_limit(m, shape, node);
            open_node(m, shape, node);
            node = next;
        }
    }
}

/* A root's path without what differs between processes: addresses, and the numbers of threads. */
static char *mask(const char *path)
{
    char *text = df_xcalloc(strlen(path) + 1, 1), *to = text;
    bool inside = false; /* of "<thread …>" and the like */

    while (*path) {
        size_t hex = path[0] == '0' && path[1] == 'x' ? strspn(path + 2, "0123456789abcdef") : 0;
        size_t digits = strspn(path, "0123456789");

        inside = *path == '<' || (inside && *path != '>');
        if (hex > 4 || (digits && inside)) {
            path += hex > 4 ? hex + 2 : digits;
            *to++ = '*';
            continue;
        }
        *to++ = *path++;
    }
    return text;
}

static bool ends_in_call(const char *text)
{
    size_t length = strlen(text);

    return length >= 2 && !strcmp(text + length - 2, "()");
}

static void put_root(struct maker *m, uint32_t node)
{
    const struct gr_graph *graph = m->analysis.graph;
    const struct gr_root *root = gr_root_of(graph, node);
    uint8_t kind = gr_root_kind_of(graph, node);
    bool named = kind == GR_ROOT_MODULE || kind == GR_ROOT_STATIC_TYPE;
    DF_CLEANUP_FREE char *path = !root   ? df_xstrdup("<unreached>")
                                 : named ? df_xstrdup(root->path)
                                         : mask(root->path);
    uint32_t shape = intern_shape(m, AL_NONE, intern_label(m, path), m->named[gr_type(graph, node)],
                                  FI_HOP_ROOT, kind);

    /* The dict of a frame that has no other name for it: its values are the frame's names. */
    if (kind == GR_ROOT_FRAME && ends_in_call(path) &&
        (fi_type(&m->analysis, node)->flags & PY_TPFLAGS_DICT))
        m->shapes.items[shape].attributes = true;
    put(m, shape, node);
}

/* Reached nodes, each before all that hang below it. */
static struct df_err *sort_by_distance(const struct fi_analysis *analysis, uint32_t *order,
                                       uint32_t *ret_count)
{
    DF_CLEANUP_FREE uint32_t *place = NULL;
    uint32_t count = analysis->graph->count;
    uint64_t sum = 0;

    DF_TRY(df_array((size_t)count + 1, sizeof(*place), &place));
    for (uint32_t v = 0; v < count; v++)
        if (fi_distance(analysis, v) < count)
            place[fi_distance(analysis, v)]++;
    for (uint32_t d = 0; d < count; d++) {
        uint32_t here = place[d];

        place[d] = (uint32_t)sum;
        sum += here;
    }
    for (uint32_t v = 0; v < count; v++)
        if (fi_distance(analysis, v) < count)
            order[place[fi_distance(analysis, v)]++] = v;
    *ret_count = (uint32_t)sum;
    return NULL;
}

static void sum_below(struct maker *m, const uint32_t *order, uint32_t count)
{
    const struct fi_analysis *a = &m->analysis;

    for (uint32_t v = 0; v < a->graph->count; v++) {
        m->below_bytes[v] = gr_size(a->graph, v);
        m->below_objects[v] = 1;
    }
    for (uint32_t i = count; i-- > 0;) {
        uint32_t parent = fi_parent(a, order[i]);

        if (parent >= a->graph->count)
            continue;
        m->below_bytes[parent] += m->below_bytes[order[i]];
        m->below_objects[parent] += m->below_objects[order[i]];
    }
}

/* Children in the order of `order`, so that the same heap gives the same rows. */
static void fill_children(struct maker *m, const uint32_t *order, uint32_t count)
{
    const struct fi_analysis *a = &m->analysis;
    uint32_t nodes = m->analysis.graph->count, *start = m->child_start;

    for (uint32_t i = 0; i < count; i++)
        if (fi_parent(a, order[i]) < nodes)
            start[fi_parent(a, order[i]) + 2]++;
    for (uint32_t v = 0; v < nodes; v++)
        start[v + 2] += start[v + 1];
    for (uint32_t i = 0; i < count; i++)
        if (fi_parent(a, order[i]) < nodes)
            m->child[start[fi_parent(a, order[i]) + 1]++] = order[i];
}

static struct df_err *find_ways(struct maker *m)
{
    DF_CLEANUP_FREE struct fi_type_fact *facts = NULL;
    struct fi_analysis *a = &m->analysis;
    uint32_t types;

    a->parent = NULL; /* those of the analysis stay as they are */
    a->distances = (struct gr_column){0};
    DF_TRY(fi_type_facts(a->py, a->objects, a->graph, &facts, &types));
    DF_TRY(fi_ways_steady(a, facts));
    fi_ways_home(a);
    return NULL;
}

static struct df_err *prepare(struct maker *m)
{
    DF_CLEANUP_FREE uint32_t *order = NULL;
    uint32_t count = m->analysis.graph->count, reached;

    DF_TRY(find_ways(m));
    DF_TRY(df_array(count, sizeof(*order), &order));
    DF_TRY(df_array((size_t)count + 2, sizeof(uint32_t), &m->child_start));
    DF_TRY(df_array(count, sizeof(uint32_t), &m->child));
    DF_TRY(df_array(count, sizeof(uint64_t), &m->below_bytes));
    DF_TRY(df_array(count, sizeof(uint32_t), &m->below_objects));
    DF_TRY(df_array(count, sizeof(uint32_t), &m->next));
    DF_TRY(sort_by_distance(&m->analysis, order, &reached));
    sum_below(m, order, reached);
    fill_children(m, order, reached);
    return NULL;
}

static void make_constants(struct maker *m)
{
    m->element = intern_label(m, "[*]");
    m->key = intern_label(m, ".<key>");
    m->others = intern_label(m, ".…");
    m->attributes = intern_label(m, ".__dict__");
    m->reference = intern_label(m, ".<reference>");
}

/* What was left unopened is the rest of its shape. */
static void store(struct maker *m, struct fi_profile *profile)
{
    profile->shapes = fi_pool_array(m->pool, m->shapes.count, sizeof(*profile->shapes));
    profile->shape_count = (uint32_t)m->shapes.count;
    for (size_t i = 0; i < m->shapes.count; i++) {
        struct growing *g = &m->shapes.items[i];

        g->shape.rest_bytes = g->pending_bytes;
        g->shape.rest_objects = g->pending_objects;
        profile->shapes[i] = g->shape;
    }
}

static struct df_err *make(struct maker *m, struct fi_profile *profile)
{
    const struct fi_analysis *a = &m->analysis;

    DF_TRY(prepare(m));
    make_constants(m);
    for (uint32_t i = 0; i < a->graph->root_node_count; i++)
        if (fi_parent(a, a->graph->root_nodes[i]) >= a->graph->count)
            put_root(m, a->graph->root_nodes[i]);
    open_shapes(m);
    store(m, profile);
    return NULL;
}

struct df_err *fi_profile_shapes(struct fi_analysis *analysis, struct fi_profile *profile)
{
    struct maker m = {.analysis = *analysis, .pool = profile->pool};
    struct fi_context names = {.analysis = analysis, .pool = profile->pool};
    struct df_err *err;

    fi_name_types(&names);
    m.named = names.named;
    df_map_init(&m.shape_by_hash);
    df_map_init(&m.label_by_hash);
    df_map_init(&m.label_by_ref);
    err = make(&m, profile);
    df_map_deinit(&m.shape_by_hash);
    df_map_deinit(&m.label_by_hash);
    df_map_deinit(&m.label_by_ref);
    free(m.analysis.parent);
    gr_column_deinit(&m.analysis.distances);
    free(m.shapes.items);
    free(m.labels.items);
    free(m.queue.items);
    free(m.child_start);
    free(m.child);
    free(m.below_bytes);
    free(m.below_objects);
    free(m.next);
    free(m.refs.items);
    return err;
}
