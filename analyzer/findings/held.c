/* SPDX-License-Identifier: MIT
 * held.c: what a holder holds, in the words of its program: "30 000 `ui.Widget`".
 *
 * The elements of a container name it, when their class is one that Python code defined. When they
 * are glue (bound methods, tuples, dicts), the objects dominated below are summed by type, and the
 * class that retains most of the holder's weight names it. Objects that are shared with somebody
 * else are not dominated, but held all the same: they are counted through up to GLUE_DEPTH layers
 * of glue, so that a listener which a local variable also knows is not missing from the count.
 */
#include "analyzer/findings/parts.h"

#include <string.h>

#include "dumpfmt/base/mem.h"

#define GLUE_DEPTH 3
#define CROWD 16        /* elements of a container that make it one of many things, */
#define CROWD_LEAST 200 /* and in all of them */
#define MAX_INNER 5000  /* containers in a container that are looked into */
#define INNER_DEPTH 4
#define FEW 64  /* holders that are looked through though they are no crowd's */
#define ROWS 50 /* dicts of equal length that make a table */

bool fi_type_is_a(const struct fi_analysis *analysis, const struct py_type *type,
                  const char *const *names)
{
    for (int depth = 0; depth < 64; depth++) { /* a chain of bases may be damaged into a ring */
        for (const char *const *name = names; *name; name++)
            if (!strcmp(type->name, *name))
                return true;
        if (type->base_index == PY_NO_TYPE)
            return false;
        type = py_type_at(analysis->objects, type->base_index);
    }
    return false;
}

static bool is_container(const struct fi_analysis *analysis, const struct py_type *type)
{
    static const char *const names[] = {"set", "frozenset", "collections.deque",
                                        "functools._lru_cache_wrapper", NULL};
    return (type->flags & (PY_TPFLAGS_LIST | PY_TPFLAGS_TUPLE | PY_TPFLAGS_DICT)) ||
           fi_type_is_a(analysis, type, names);
}

static bool is_namespace_type(const struct fi_analysis *analysis, uint32_t node)
{
    static const char *const names[] = {"module", NULL};
    const struct py_type *type = py_type_at(analysis->objects, gr_type(analysis->graph, node));
    return (type->flags & PY_TPFLAGS_TYPE) || fi_type_is_a(analysis, type, names);
}

bool fi_is_dict_of(const struct fi_analysis *analysis, uint32_t owner, uint32_t dict)
{
    const struct gr_graph *graph = analysis->graph;
    struct py_refs refs = {0};
    bool found = false;
    py_walk_one(analysis->objects, gr_address(graph, owner), &refs);
    for (size_t i = 0; i < refs.count && !found; i++)
        found = refs.items[i].target == gr_address(graph, dict) &&
                refs.items[i].label == PY_LABEL_FIELD &&
                !strcmp((const char *)(uintptr_t)refs.items[i].argument, "__dict__");
    free(refs.items);
    return found;
}

bool fi_is_namespace(const struct fi_analysis *analysis, uint32_t node)
{
    if (is_namespace_type(analysis, node))
        return true;
    const struct py_type *type = py_type_at(analysis->objects, gr_type(analysis->graph, node));
    if (!(type->flags & PY_TPFLAGS_DICT))
        return false;
    uint32_t holders[] = {fi_idom(analysis, node), fi_parent(analysis, node)};
    for (int i = 0; i < 2; i++)
        if (holders[i] < analysis->graph->count && is_namespace_type(analysis, holders[i]) &&
            fi_is_dict_of(analysis, holders[i], node))
            return true;
    return false;
}

static bool is_element(const struct py_ref *ref)
{
    return ref->label == PY_LABEL_ITEM || ref->label == PY_LABEL_VALUE ||
           ref->label == PY_LABEL_MEMBER;
}

struct tally { /* one element per type */
    uint64_t *count, *shallow, *retained;
    uint32_t types;
};

static void tally_init(struct tally *tally, uint32_t types)
{
    tally->types = types;
    tally->count = df_xcalloc(types, sizeof(uint64_t));
    tally->shallow = df_xcalloc(types, sizeof(uint64_t));
    tally->retained = df_xcalloc(types, sizeof(uint64_t));
}

static void tally_deinit(struct tally *tally)
{
    free(tally->count);
    free(tally->shallow);
    free(tally->retained);
}

static struct fi_holding tally_row(const struct tally *tally, uint32_t type)
{
    return (struct fi_holding){.type = type,
                               .count = tally->count[type],
                               .shallow = tally->shallow[type],
                               .retained = tally->retained[type]};
}

static struct fi_holding heaviest(const struct tally *tally)
{
    uint32_t best = PY_NO_TYPE;
    for (uint32_t i = 0; i < tally->types; i++)
        if (tally->count[i] &&
            (best == PY_NO_TYPE || tally->retained[i] > tally->retained[best] ||
             (tally->retained[i] == tally->retained[best] && tally->count[i] > tally->count[best])))
            best = i;
    if (best == PY_NO_TYPE)
        return (struct fi_holding){.type = PY_NO_TYPE};
    return tally_row(tally, best);
}

struct fi_holding fi_items(const struct fi_analysis *analysis, uint32_t node)
{
    const struct gr_graph *graph = analysis->graph;
    struct fi_holding none = {.type = PY_NO_TYPE};
    if (!is_container(analysis, py_type_at(analysis->objects, gr_type(graph, node))))
        return none;
    struct py_refs refs = {0};
    struct tally tally;
    tally_init(&tally, py_type_count(analysis->objects));
    py_walk_one(analysis->objects, gr_address(graph, node), &refs);
    for (size_t i = 0; i < refs.count; i++) {
        uint32_t item = is_element(&refs.items[i]) ? gr_node(graph, refs.items[i].target) : AL_NONE;
        if (item == AL_NONE)
            continue;
        uint32_t type = gr_type(graph, item);
        tally.count[type]++;
        tally.shallow[type] += gr_size(graph, item);
        tally.retained[type] += fi_idom(analysis, item) == node ? fi_retained(analysis, item) : 0;
    }
    struct fi_holding items = heaviest(&tally);
    items.items = true;
    tally_deinit(&tally);
    free(refs.items);
    return items;
}

struct below { /* a walk over what a node dominates */
    const struct fi_analysis *analysis;
    struct tally tally;
    uint32_t *open;  /* per type: how many of it are on the way down */
    uint8_t *inside; /* per node: dominated */
    struct {
        struct {
            uint32_t node, depth;
            struct fi_children children;
        } * items;
        size_t count, capacity;
    } stack;
};

static void enter(struct below *below, uint32_t node)
{
    const struct fi_analysis *analysis = below->analysis;
    uint32_t type = gr_type(analysis->graph, node);
    below->inside[node] = 1;
    below->tally.count[type]++;
    below->tally.shallow[type] += gr_size(analysis->graph, node);
    if (!below->open[type]++)
        below->tally.retained[type] += fi_retained(analysis, node);
    DF_PUSH(&below->stack, (__typeof__(*below->stack.items)){
                               .node = node, .children = fi_children(analysis, node)});
}

static void sum_below(struct below *below, uint32_t node)
{
    const struct fi_analysis *analysis = below->analysis;
    below->inside[node] = 1;
    DF_PUSH(&below->stack, (__typeof__(*below->stack.items)){
                               .node = node, .children = fi_children(analysis, node)});
    while (below->stack.count) {
        __typeof__(below->stack.items) top = &below->stack.items[below->stack.count - 1];
        uint32_t child;
        if (fi_next_child(&top->children, &child)) {
            enter(below, child);
            continue;
        }
        if (top->node != node)
            below->open[gr_type(analysis->graph, top->node)]--;
        below->stack.count--;
    }
}

/* How many distinct objects of the type the node holds, looking through dominated glue. */
static uint64_t count_held(struct below *below, uint32_t node, uint32_t type)
{
    enum { DOMINATED = 1, SEEN = 2 };
    const struct gr_graph *graph = below->analysis->graph;
    uint64_t count = 0;
    below->stack.count = 0;
    DF_PUSH(&below->stack, (__typeof__(*below->stack.items)){.node = node});
    for (size_t i = 0; i < below->stack.count; i++) {
        uint32_t from = below->stack.items[i].node, depth = below->stack.items[i].depth;
        for (uint32_t edge = graph->start[from]; edge < graph->start[from + 1]; edge++) {
            uint32_t to = graph->target[edge];
            if (below->inside[to] & SEEN)
                continue;
            below->inside[to] |= SEEN;
            if (gr_type(graph, to) == type)
                count++;
            else if ((below->inside[to] & DOMINATED) && depth + 1 < GLUE_DEPTH)
                DF_PUSH(&below->stack,
                        (__typeof__(*below->stack.items)){.node = to, .depth = depth + 1});
        }
    }
    return count;
}

static struct fi_holding heaviest_class(const struct fi_analysis *analysis,
                                        const struct tally *tally, uint32_t own_type)
{
    struct fi_holding best = {.type = PY_NO_TYPE};
    for (uint32_t i = 0; i < tally->types; i++)
        if (tally->count[i] && i != own_type && py_type_at(analysis->objects, i)->python_class &&
            (best.type == PY_NO_TYPE || tally->retained[i] > best.retained))
            best = tally_row(tally, i);
    return best;
}

/* Dicts and tuples are also records: many of them with several objects each are what a person would
 * count, not the objects. */
static bool are_records(const struct fi_analysis *analysis, const struct fi_holding *items,
                        uint64_t objects)
{
    if (items->type == PY_NO_TYPE)
        return false;
    const struct py_type *type = py_type_at(analysis->objects, items->type);
    return (type->flags & (PY_TPFLAGS_DICT | PY_TPFLAGS_TUPLE)) &&
           objects > items->count + items->count / 5 && objects < items->count * CROWD;
}

static bool is_class(const struct fi_analysis *analysis, const struct fi_holding *items)
{
    return items->type != PY_NO_TYPE && py_type_at(analysis->objects, items->type)->python_class;
}

static struct fi_holding choose(struct below *below, uint32_t node, struct fi_holding items)
{
    const struct fi_analysis *analysis = below->analysis;
    struct fi_holding class =
        heaviest_class(analysis, &below->tally, gr_type(analysis->graph, node));
    if (class.type != PY_NO_TYPE && class.retained >= fi_retained(analysis, node) / 2) {
        uint64_t held = count_held(below, node, class.type);
        class.count = held > class.count ? held : class.count;
        if (!are_records(analysis, &items, class.count) &&
            (class.type == items.type || items.type == PY_NO_TYPE || !is_class(analysis, &items) ||
             class.count >= CROWD * items.count))
            return class;
    }
    if (items.type != PY_NO_TYPE)
        return items;
    uint32_t own = gr_type(analysis->graph, node);
    struct fi_holding any = heaviest(&below->tally);
    if (py_type_at(analysis->objects, own)->python_class &&
        below->tally.count[own] + 1 >= any.count) /* and not the dicts of its instances */
        any = tally_row(&below->tally, own);
    if (any.type == own && any.count) { /* a chain: its head is one of it */
        any.count++;
        any.shallow += gr_size(analysis->graph, node);
        any.retained = fi_retained(analysis, node);
    }
    return any;
}

/* Do these look like the rows of a table: many dicts, one as long as the other? */
static bool all_as_long(const struct fi_analysis *analysis, const uint32_t *nodes, uint32_t count)
{
    const struct gr_graph *graph = analysis->graph;
    const struct py_type *type = py_type_at(analysis->objects, gr_type(graph, nodes[0]));
    if (!(type->flags & PY_TPFLAGS_DICT) || count < ROWS)
        return false;
    uint32_t length = graph->start[nodes[0] + 1] - graph->start[nodes[0]];
    for (uint32_t i = 1; i < count; i++)
        if (graph->start[nodes[i] + 1] - graph->start[nodes[i]] != length)
            return false;
    return true;
}

struct level { /* the holders of one depth below a holder */
    uint32_t *items;
    size_t count, capacity;
};

static bool is_few(const struct fi_analysis *analysis, uint32_t type, size_t count)
{
    return count <= FEW && (is_container(analysis, py_type_at(analysis->objects, type)) ||
                            py_type_at(analysis->objects, type)->python_class);
}

static void count_element(struct tally *tally, const struct fi_analysis *analysis, uint32_t item,
                          struct level *below)
{
    uint32_t type = gr_type(analysis->graph, item);
    tally->count[type]++;
    tally->shallow[type] += gr_size(analysis->graph, item);
    tally->retained[type] += fi_idom(analysis, item) == AL_NONE ? 0 : fi_retained(analysis, item);
    if (below->count <= MAX_INNER)
        DF_PUSH(below, item);
}

/* The elements of a container; of an instance, the containers that only it holds. */
static void count_elements(struct tally *tally, const struct fi_analysis *analysis, uint32_t node,
                           struct py_refs *refs, struct level *below)
{
    const struct gr_graph *graph = analysis->graph;
    bool container = is_container(analysis, py_type_at(analysis->objects, gr_type(graph, node)));
    refs->count = 0;
    py_walk_one(analysis->objects, gr_address(graph, node), refs);
    for (size_t k = 0; k < refs->count; k++) {
        uint32_t item = gr_node(graph, refs->items[k].target);
        if (item == AL_NONE || (container && !is_element(&refs->items[k])))
            continue;
        if (container ||
            (fi_idom(analysis, item) == node &&
             is_container(analysis, py_type_at(analysis->objects, gr_type(graph, item)))))
            count_element(tally, analysis, item, below);
    }
}

static struct fi_holding sum_level(const struct fi_analysis *analysis, const struct level *level,
                                   struct level *below)
{
    struct py_refs refs = {0};
    struct tally tally;
    tally_init(&tally, py_type_count(analysis->objects));
    for (size_t i = 0; i < level->count; i++)
        count_elements(&tally, analysis, level->items[i], &refs, below);
    struct fi_holding heavy = heaviest(&tally);
    heavy.items = false;
    tally_deinit(&tally);
    free(refs.items);
    return heavy;
}

/* Keeps of a level what is of the type that holds most; false when nothing is to be found in them:
 * they are neither a crowd's containers nor few. */
static bool keep_inner(const struct fi_analysis *analysis, struct level *level, uint32_t type)
{
    const struct gr_graph *graph = analysis->graph;
    uint64_t crowd = 0;
    size_t kept = 0;
    if (level->count > MAX_INNER)
        return false;
    for (size_t i = 0; i < level->count; i++) {
        if (gr_type(graph, level->items[i]) != type)
            continue;
        crowd += graph->start[level->items[i] + 1] - graph->start[level->items[i]];
        level->items[kept++] = level->items[i];
    }
    level->count = kept;
    if (!kept || is_few(analysis, type, kept))
        return kept != 0;
    return is_container(analysis, py_type_at(analysis->objects, type)) && crowd >= CROWD * kept &&
           crowd >= CROWD_LEAST && !all_as_long(analysis, level->items, (uint32_t)kept);
}

/* A dict of 40 lists with 750 entries each holds 30 000 of these; so does one of 5 objects that
 * have such a list each. */
static void look_inside(const struct fi_analysis *analysis, uint32_t node, struct fi_holding *items,
                        uint64_t *ret_inner)
{
    struct level level = {0}, below = {0};
    uint32_t type = items->type;
    DF_PUSH(&level, node);
    sum_level(analysis, &level, &below);
    for (int depth = 0; depth < INNER_DEPTH && keep_inner(analysis, &below, type); depth++) {
        struct level swap = level;
        level = below;
        below = swap;
        below.count = 0;
        struct fi_holding inner = sum_level(analysis, &level, &below);
        if (inner.type == PY_NO_TYPE)
            break;
        type = inner.type;
        if (inner.count < CROWD_LEAST || inner.count < CROWD * level.count ||
            inner.count < CROWD * items->count ||
            all_as_long(analysis, level.items, (uint32_t)level.count))
            continue;
        *ret_inner = level.count;
        *items = inner;
    }
    free(level.items);
    free(below.items);
}

struct df_err *fi_held(const struct fi_analysis *analysis, uint32_t node, struct fi_holding *ret,
                       uint64_t *ret_inner)
{
    struct fi_holding items = fi_items(analysis, node);
    *ret_inner = 0;
    if (items.type != PY_NO_TYPE)
        look_inside(analysis, node, &items, ret_inner);
    if (is_class(analysis, &items) && items.count > FEW) {
        *ret = items;
        return NULL;
    }
    struct below below = {.analysis = analysis};
    DF_TRY(df_array(analysis->graph->count, 1, &below.inside));
    tally_init(&below.tally, py_type_count(analysis->objects));
    below.open = df_xcalloc(below.tally.types, sizeof(uint32_t));
    sum_below(&below, node);
    *ret = choose(&below, node, items);
    tally_deinit(&below.tally);
    free(below.open);
    free(below.inside);
    free(below.stack.items);
    return NULL;
}

static const char *last_component(const char *name)
{
    const char *dot = strrchr(name, '.');
    return dot ? dot + 1 : name;
}

const char *fi_describe(struct fi_context *context, uint32_t node)
{
    const struct fi_analysis *analysis = context->analysis;
    const struct gr_graph *graph = analysis->graph;
    const struct py_type *type = py_type_at(analysis->objects, gr_type(graph, node));
    const char *phrase = fi_type_phrase(context->pool, type);
    if (type->flags & PY_TPFLAGS_TYPE)
        return "a class";
    if (!is_container(analysis, type))
        return phrase;
    if (fi_is_namespace(analysis, node))
        return "the names of a module or class";
    struct fi_holding items = fi_items(analysis, node);
    if (items.type == PY_NO_TYPE)
        return graph->start[node] == graph->start[node + 1]
                   ? fi_pool_format(context->pool, "an empty %s", type->name)
                   : phrase;
    return fi_pool_format(context->pool, "%s of %s `%s`", phrase,
                          fi_number_phrase(items.count).text,
                          last_component(py_type_at(analysis->objects, items.type)->name));
}
