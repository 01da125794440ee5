/* SPDX-License-Identifier: MIT
 * ways.c: breadth-first search with manners.
 *
 * A plain shortest path is often not the one that a person would name. Rules bend it:
 * - What a module holds for good names an object, not the variable of a running function that knows
 *   it too: frames start later, by as many steps as a program may want from a module to what it
 *   keeps. The state of the interpreter and C code start last.
 * - Modules that know threads and what these run (threading._active) start later still: through
 *   them everything that a thread was given would be theirs.
 * - An object's reference to its own class is used last: the class is found through its module,
 *   not through the nearest instance. So is what a module holds outside its dict (the state of an
 *   extension module), which has no name there.
 * - Of several modules that refer to a class, a function or an instance, the one that defines it
 *   is taken.
 * Every path is still made of references that exist, and still ends in a root.
 */
#include "analyzer/findings/ways.h"

#include <string.h>

#include "analyzer/findings/hops.h"
#include "dumpfmt/base/mem.h"

#define FRAME_DELAY 10
#define BYSTANDER_DELAY 11
#define MAX_DELAY 13
#define LAST_WAVE 4
#define BYSTANDERS 6

struct node_list {
    uint32_t *items;
    size_t count, capacity;
};

struct search {
    const struct gr_graph *graph;
    const struct gr_trunk *trunk;
    const struct fi_type_fact *facts;
    uint32_t *parent;  /* per row: a node; */
    uint8_t *distance; /* how far it is from a root, modulo 256 */
    bool far;          /* for some that is too little */
    uint32_t *queue;   /* nodes */
    uint32_t tail, level;
    struct node_list later;          /* in the order of the queue: with references that come last */
    uint32_t bystanders[BYSTANDERS]; /* modules and their dicts; AL_NONE: not there */
};

static const char *const bystander_names[] = {"threading", "concurrent.futures.thread",
                                              "multiprocessing.process"};

/* A module and its dict, for each of the names. */
static void find_bystanders(struct search *s)
{
    const struct gr_graph *graph = s->graph;

    for (uint32_t i = 0; i < BYSTANDERS; i++)
        s->bystanders[i] = AL_NONE;
    for (uint32_t i = 0; i < graph->root_count; i++) {
        uint32_t v = graph->roots[i].node;

        if (graph->roots[i].kind != GR_ROOT_MODULE)
            continue;
        for (uint32_t k = 0; k < BYSTANDERS / 2; k++) {
            if (strcmp(graph->roots[i].path, bystander_names[k]) != 0)
                continue;
            s->bystanders[2 * k] = v;
            for (uint32_t e = graph->start[v]; e < graph->start[v + 1]; e++)
                if (s->facts[gr_type(graph, graph->target[e])].dict)
                    s->bystanders[2 * k + 1] = graph->target[e];
        }
    }
}

static bool is_bystander(const struct search *s, uint32_t v)
{
    for (uint32_t i = 0; i < BYSTANDERS; i++)
        if (s->bystanders[i] == v)
            return true;
    return false;
}

/* The level at which a root enters the search. */
static uint32_t root_delay(const struct search *s, uint32_t v)
{
    switch (gr_root_kind_of(s->graph, v)) {
    case GR_ROOT_MODULE:
        return is_bystander(s, v) ? BYSTANDER_DELAY : 0;
    case GR_ROOT_FRAME:
        return FRAME_DELAY;
    case GR_ROOT_INTERPRETER:
        return MAX_DELAY - 1;
    case GR_ROOT_NATIVE:
    case GR_ROOT_SURPLUS:
        return MAX_DELAY;
    default:
        return 0;
    }
}

/* `distance` is its holder's and one. */
static inline void search_enter(struct search *s, uint32_t v, uint32_t from, uint8_t distance)
{
    uint32_t row = gr_trunk_row(s->trunk, v);

    if (s->parent[row] != AL_NONE)
        return;
    s->parent[row] = from;
    s->distance[row] = distance;
    s->far |= distance == UINT8_MAX;
    s->queue[s->tail++] = v;
}

static void search_roots(struct search *s, uint32_t level)
{
    for (uint32_t i = 0; i < s->graph->root_node_count; i++)
        if (root_delay(s, s->graph->root_nodes[i]) == level)
            search_enter(s, s->graph->root_nodes[i], AL_ROOT, 0);
}

bool fi_is_last_way(const struct gr_graph *graph, const struct fi_type_fact *facts, uint32_t from,
                    uint32_t to)
{
    if (gr_root_kind_of(graph, from) == GR_ROOT_MODULE)
        return !facts[gr_type(graph, to)].dict;
    return to == facts[gr_type(graph, from)].node;
}

/* What is there already needs no manners. */
static inline bool is_found(const struct search *s, uint32_t v)
{
    return !gr_in_trunk(s->trunk, v) || s->parent[gr_trunk_row(s->trunk, v)] != AL_NONE;
}

static void search_expand(struct search *s, uint32_t v, bool last)
{
    const struct gr_graph *graph = s->graph;
    uint8_t distance = (uint8_t)(s->distance[gr_trunk_row(s->trunk, v)] + 1);

    for (uint32_t e = graph->start[v]; e < graph->start[v + 1]; e++) {
        uint32_t to = graph->target[e];

        if (!is_found(s, to) && fi_is_last_way(graph, s->facts, v, to) == last &&
            (s->level >= BYSTANDER_DELAY || !is_bystander(s, to)))
            search_enter(s, to, v, distance);
    }
}

/* Whatever leads to its class last, once that was found, needs no second look. */
static bool has_last_ways(const struct search *s, uint32_t v)
{
    uint32_t class = s->facts[gr_type(s->graph, v)].node;

    return gr_root_kind_of(s->graph, v) == GR_ROOT_MODULE ||
           (class != AL_NONE && !is_found(s, class));
}

static void search_node(struct search *s, uint32_t head)
{
    enum { NEAR = 8, FAR = 16 };
    const struct gr_graph *graph = s->graph;
    uint32_t v = s->queue[head];

    if (head + FAR < s->tail) {
        __builtin_prefetch(&graph->start[s->queue[head + FAR]]);
        __builtin_prefetch(&graph->target[graph->start[s->queue[head + NEAR]]]);
    }
    search_expand(s, v, false);
    if (graph->start[v] < graph->start[v + 1] && has_last_ways(s, v))
        DF_PUSH(&s->later, v);
}

/* What only such edges lead to. The list grows while it is read. */
static void search_last(struct search *s, uint32_t head)
{
    for (size_t last = 0; last < s->later.count; last++) {
        search_expand(s, s->later.items[last], true);
        for (; head < s->tail; head++)
            search_node(s, head);
    }
}

static bool has_edge(const struct gr_graph *graph, uint32_t from, uint32_t to)
{
    for (uint32_t e = graph->start[from]; e < graph->start[from + 1]; e++)
        if (graph->target[e] == to)
            return true;
    return false;
}

static void search_run(struct search *s)
{
    uint32_t head = 0;

    find_bystanders(s);
    for (uint32_t level = 0; level <= MAX_DELAY || head < s->tail; level++) {
        if (level <= MAX_DELAY)
            search_roots(s, level);
        s->level = level;
        for (uint32_t end = s->tail; head < end; head++)
            search_node(s, head);
    }
    search_last(s, head);
}

/* The order in which roots are exhausted for a tree that is to be the same in another dump: what
 * running code holds for a moment comes after what modules hold for good. */
static uint32_t root_wave(uint8_t kind)
{
    switch (kind) {
    case GR_ROOT_MODULE:
        return 0;
    case GR_ROOT_STATIC_TYPE:
    case GR_ROOT_INTERPRETER:
        return 1;
    case GR_ROOT_FRAME:
        return 2;
    case GR_ROOT_NATIVE:
    case GR_ROOT_SURPLUS:
        return 3;
    default:
        return LAST_WAVE;
    }
}

static void search_run_steadily(struct search *s)
{
    uint32_t head = 0;

    s->level = MAX_DELAY;
    for (uint32_t wave = 0; wave <= LAST_WAVE; wave++) {
        for (uint32_t i = 0; i < s->graph->root_node_count; i++)
            if (root_wave(gr_root_kind_of(s->graph, s->graph->root_nodes[i])) == wave)
                search_enter(s, s->graph->root_nodes[i], AL_ROOT, 0);
        for (; head < s->tail; head++)
            search_node(s, head);
    }
    search_last(s, head);
}

/* The distances that take more than a byte, or none are there: all anew. */
static struct df_err *measure(const struct search *s, struct gr_column *ret)
{
    DF_CLEANUP_FREE uint32_t *distance = NULL;
    uint32_t count = s->trunk->count;

    gr_column_deinit(ret);
    DF_TRY(df_array(count, sizeof(*distance), &distance));
    memset(distance, 0xff, (size_t)count * sizeof(*distance));
    for (uint32_t i = 0; i < s->tail; i++) {
        uint32_t row = gr_trunk_row(s->trunk, s->queue[i]), parent = s->parent[row];

        distance[row] = parent == AL_ROOT ? 0 : distance[gr_trunk_row(s->trunk, parent)] + 1;
    }
    return gr_column_pack(ret, distance, count);
}

static struct df_err *search(struct fi_analysis *analysis, const struct fi_type_fact *facts,
                             void (*run)(struct search *))
{
    DF_CLEANUP_FREE uint32_t *queue = NULL;
    struct search s = {.graph = analysis->graph, .trunk = &analysis->trunk, .facts = facts};
    uint32_t count = analysis->trunk.count;

    DF_TRY(df_array(count, sizeof(*queue), &queue));
    DF_TRY(df_array(count, sizeof(*analysis->parent), &analysis->parent));
    DF_TRY(gr_column_init(&analysis->distances, count, 1));
    s.queue = queue;
    s.distance = analysis->distances.items;
    s.parent = analysis->parent;
    memset(s.parent, 0xff, (size_t)count * sizeof(*s.parent));
    run(&s);
    free(s.later.items);
    return s.far || s.tail < count ? measure(&s, &analysis->distances) : NULL;
}

struct df_err *fi_ways(struct fi_analysis *analysis, const struct fi_type_fact *facts)
{
    return search(analysis, facts, search_run);
}

struct df_err *fi_ways_steady(struct fi_analysis *analysis, const struct fi_type_fact *facts)
{
    return search(analysis, facts, search_run_steadily);
}

/* The module root that holds `v` through its dict by the tree, NULL when it is held otherwise. */
static const struct gr_root *module_above(const struct fi_analysis *analysis, uint32_t dict)
{
    uint32_t module = fi_parent(analysis, dict);
    const struct gr_root *root;

    if (module >= analysis->graph->count ||
        gr_root_kind_of(analysis->graph, module) != GR_ROOT_MODULE)
        return NULL;
    root = gr_root_of(analysis->graph, module);
    return root;
}

/* Does a qualified name begin with a module's name and a dot? */
static bool is_inside(const char *name, const char *module)
{
    size_t length = strlen(module);

    return strncmp(name, module, length) == 0 && name[length] == '.';
}

/* How well a module suits as the home of an object: the longest name that it shares wins; a
 * function refers to the dict of its module. */
static size_t home_score(const struct fi_analysis *analysis, uint32_t v, uint32_t dict,
                         const char *name)
{
    const struct gr_root *module = module_above(analysis, dict);

    if (!module)
        return 0;
    if (is_inside(name, module->path))
        return 1 + strlen(module->path);
    return has_edge(analysis->graph, v, dict) ? 1 : 0;
}

static void find_home(struct fi_analysis *analysis, uint32_t v, const char *name)
{
    const struct gr_graph *graph = analysis->graph;
    uint32_t best = fi_parent(analysis, v), dict;
    size_t best_score = home_score(analysis, v, best, name);

    GR_EACH_REFERRER (graph, v, dict) {
        size_t score;

        if (dict == best || fi_distance(analysis, dict) != 1)
            continue;
        score = home_score(analysis, v, dict, name);
        if (score > best_score) {
            best = dict;
            best_score = score;
        }
    }
    analysis->parent[gr_trunk_row(&analysis->trunk, v)] = best;
}

static const char *name_to_place(const struct fi_analysis *analysis, uint32_t v)
{
    const struct py_type *type = py_type_at(analysis->objects, gr_type(analysis->graph, v));
    uint32_t own;

    if (!(type->flags & PY_TPFLAGS_TYPE))
        return type->name;
    own = py_type_index(analysis->objects, gr_address(analysis->graph, v));
    return own != PY_NO_TYPE ? py_type_at(analysis->objects, own)->name : type->name;
}

void fi_ways_home(struct fi_analysis *analysis)
{
    const struct gr_trunk *trunk = &analysis->trunk;
    size_t words = (size_t)trunk->graph->count / 64 + 1;
    uint32_t row = 0;

    for (size_t i = 0; i < words; i++)
        for (uint64_t left = trunk->bits[i]; left; left &= left - 1) {
            uint32_t v = (uint32_t)(i * 64) + (uint32_t)__builtin_ctzll(left);

            if (gr_column_get(&analysis->distances, row++) == 2 &&
                module_above(analysis, fi_parent(analysis, v)))
                find_home(analysis, v, name_to_place(analysis, v));
        }
}
