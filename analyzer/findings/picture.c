/* SPDX-License-Identifier: MIT
 * picture.c: a part of the graph for the eyes: who holds these, or what do these hold.
 *
 * The picture grows from its targets, group by group. A group is a set of alike objects that are
 * drawn as one: neighbours of one group that have the same type and are linked by the same kind of
 * label (30 000 elements of a list, the dicts of 30 000 instances). Roots stand for themselves and
 * end the growth, and so do classes but for their module: what else refers to a class (instances,
 * subclasses, methods) says nothing about who holds the targets.
 *
 * The way to a root is drawn first (the paths of analysis->parent), then the rest by distance, so
 * that a picture that must be cut still answers the question. What is not drawn is counted.
 */
#include "analyzer/findings/verdict.h"

#include <string.h>

#include "analyzer/findings/links.h"
#include "analyzer/findings/phrase.h"
#include "analyzer/findings/pool.h"
#include "dumpfmt/base/mem.h"

#define MAX_DEPTH 8
#define MAX_NODES 80
#define MAX_FAN 10  /* neighbours of one group; of the targets twice as many */
#define MAX_APART 3 /* so few alike neighbours are drawn one by one */
#define TEXT_LENGTH 60

struct members {
    uint32_t *items;
    size_t count, capacity;
};

struct group {
    struct members members;
    uint32_t depth;
    bool target, root, way, done;
    uint64_t hidden;
};

/* References that are drawn as one edge. */
struct bundle {
    const char *shape;      /* of the first label; in the pool */
    char *text;             /* the first label in full */
    uint64_t links, labels; /* references; such with a label of another shape */
    bool way;
};

/* Neighbours of the group that grows: a group to be. */
struct fold {
    struct members members; /* empty when `known` */
    uint32_t known;         /* the group that they are in already, AL_NONE when new */
    uint32_t type;
    bool root;
    struct bundle bundle;           /* of all */
    struct bundle apart[MAX_APART]; /* of each of the first members */
};

struct painter {
    struct fi_analysis *analysis;
    struct fi_pool *pool;
    bool backwards;
    uint32_t max_depth, max_nodes;
    struct fi_links links;
    /* Both plus 1, so that memory of nodes that are not drawn is not touched. */
    uint32_t *group_of; /* per node */
    uint32_t *fold_of;  /* per node, while a group grows */
    struct {
        struct group *items;
        size_t count, capacity;
    } groups;
    struct {
        struct fold *items;
        size_t count, capacity;
    } folds;
    struct {
        struct fi_picture_edge *items;
        size_t count, capacity;
    } edges;
    struct df_map fold_by_hash;
    uint32_t growing;        /* group */
    uint32_t next_way, next; /* groups before these have grown, those on the way and all */
    uint32_t *reasons;       /* per node: rows of roots */
};

/* A root ends the picture; heads of garbage are only names for what nobody holds. That some local
 * is the number 1 too says nothing about those who hold numbers. */
static bool is_root(const struct painter *p, uint32_t node)
{
    uint8_t kind = gr_root_kind_of(p->analysis->graph, node);

    if (!p->backwards && !(p->analysis->graph->flags[node] & GR_GC))
        return false;
    return kind != GR_ROOT_NONE && kind != GR_ROOT_GARBAGE && kind != GR_ROOT_UNKNOWN;
}

static bool is_class(const struct painter *p, uint32_t node)
{
    return fi_type(p->analysis, node)->flags & PY_TPFLAGS_TYPE;
}

/* Named roots stand for themselves; unexplained references are alike. */
static bool stands_alone(const struct painter *p, uint32_t node)
{
    return is_root(p, node) && gr_root_kind_of(p->analysis->graph, node) != GR_ROOT_SURPLUS;
}

static bool fold_fits(const struct painter *p, const struct fold *fold, uint32_t node,
                      uint32_t known, const char *shape)
{
    if (known != AL_NONE || fold->known != AL_NONE)
        return fold->known == known;
    if (stands_alone(p, node) || fold->root != is_root(p, node))
        return false;
    return fold->type == gr_type(p->analysis->graph, node) &&
           strcmp(fold->bundle.shape, shape) == 0;
}

static uint64_t fold_hash(const struct painter *p, uint32_t node, uint32_t known, const char *shape)
{
    uint64_t hash = UINT64_C(0xCBF29CE484222325);

    if (known != AL_NONE)
        return hash ^ (UINT64_C(1) << 40 | known);
    if (stands_alone(p, node))
        return hash ^ (UINT64_C(2) << 40 | node);
    hash ^= (uint64_t)gr_type(p->analysis->graph, node) << 1 | is_root(p, node);
    for (; *shape; shape++)
        hash = (hash ^ (unsigned char)*shape) * UINT64_C(0x100000001B3);
    return hash ? hash : 1;
}

/* The fold that a neighbour belongs to, made when there is none. */
static uint32_t find_fold(struct painter *p, const struct fi_neighbour *n)
{
    uint32_t known = p->group_of[n->node] - 1;
    uint64_t hash = fold_hash(p, n->node, known, n->shape);

    if (known == AL_NONE && p->fold_of[n->node])
        return p->fold_of[n->node] - 1;
    for (;; hash = hash * UINT64_C(0x9E3779B97F4A7C15) + 1) {
        uint32_t place = hash ? df_map_get(&p->fold_by_hash, hash) : DF_MAP_NONE;

        if (!hash)
            continue;
        if (place != DF_MAP_NONE && fold_fits(p, &p->folds.items[place], n->node, known, n->shape))
            return place;
        if (place != DF_MAP_NONE)
            continue;
        df_map_set(&p->fold_by_hash, hash, (uint32_t)p->folds.count);
        DF_PUSH(&p->folds, (struct fold){.known = known,
                                         .type = gr_type(p->analysis->graph, n->node),
                                         .root = is_root(p, n->node)});
        return (uint32_t)p->folds.count - 1;
    }
}

/* Does the path of the held object lead through this reference? */
static bool is_way(const struct painter *p, const struct fi_neighbour *n)
{
    return p->backwards ? fi_parent(p->analysis, n->member) == n->through
                        : fi_idom(p->analysis, n->node) == n->holder;
}

static void bundle_add(struct painter *p, struct bundle *bundle, const struct fi_neighbour *n)
{
    if (!bundle->links++) {
        bundle->shape = fi_pool_text(p->pool, n->shape);
        bundle->text = fi_link_text(&p->links, n);
    }
    bundle->labels += strcmp(bundle->shape, n->shape) != 0;
    bundle->way |= is_way(p, n);
}

static void visit_neighbour(void *context, const struct fi_neighbour *n)
{
    struct painter *p = context;
    uint32_t place;
    struct fold *fold;

    /* Of a class in the picture only its way counts. */
    if (p->backwards && !p->groups.items[p->growing].target && is_class(p, n->member) &&
        !is_way(p, n))
        return;
    place = find_fold(p, n);
    fold = &p->folds.items[place];
    bundle_add(p, &fold->bundle, n);
    if (fold->known != AL_NONE)
        return;
    if (!p->fold_of[n->node]) {
        p->fold_of[n->node] = place + 1;
        DF_PUSH(&fold->members, n->node);
    }
    if (fold->members.count > MAX_APART) /* too many to be drawn apart */
        return;
    for (size_t i = 0; i < fold->members.count; i++)
        if (fold->members.items[i] == n->node)
            bundle_add(p, &fold->apart[i], n);
}

/* What is drawn first: groups that are there already, then the way, then the many. */
static int compare_folds(const void *left, const void *right)
{
    const struct fold *a = left, *b = right;

    if ((a->known != AL_NONE) != (b->known != AL_NONE))
        return a->known != AL_NONE ? -1 : 1;
    if (a->bundle.way != b->bundle.way)
        return a->bundle.way ? -1 : 1;
    if (a->bundle.links != b->bundle.links)
        return a->bundle.links > b->bundle.links ? -1 : 1;
    if (a->root != b->root)
        return a->root ? -1 : 1;
    if (a->known != AL_NONE)
        return a->known < b->known ? -1 : 1;
    return a->members.items[0] < b->members.items[0] ? -1 : 1;
}

/* Several references with one shape are shown by it; further shapes are counted. */
static const char *edge_label(struct painter *p, const struct bundle *bundle)
{
    const char *label = bundle->links > 1 ? bundle->shape : bundle->text;

    if (!bundle->labels)
        return fi_pool_text(p->pool, label);
    return fi_pool_format(p->pool, "%s +%llu", label, (unsigned long long)bundle->labels);
}

static void add_edge(struct painter *p, uint32_t other, const struct bundle *bundle)
{
    DF_PUSH(&p->edges, (struct fi_picture_edge){.from = p->backwards ? other : p->growing,
                                                .to = p->backwards ? p->growing : other,
                                                .label = edge_label(p, bundle),
                                                .count = bundle->links});
}

static uint32_t add_group(struct painter *p, struct members members, uint32_t depth)
{
    uint32_t number = (uint32_t)p->groups.count;

    DF_PUSH(&p->groups, (struct group){.members = members, .depth = depth});
    for (size_t i = 0; i < members.count; i++)
        p->group_of[members.items[i]] = number + 1;
    return number;
}

/* Draws new objects as a group; takes the members. */
static void draw_group(struct painter *p, struct members members, bool root,
                       const struct bundle *bundle)
{
    uint32_t number = add_group(p, members, p->groups.items[p->growing].depth + 1);

    p->groups.items[number].root = root;
    p->groups.items[number].way = bundle->way;
    add_edge(p, number, bundle);
}

/* Draws a fold; false when there is no room for it. *fan counts the groups that were drawn. */
static bool draw_fold(struct painter *p, struct fold *fold, size_t *fan)
{
    size_t room = p->groups.items[p->growing].target ? 2 * MAX_FAN : MAX_FAN;
    size_t count = fold->members.count;

    if (fold->known != AL_NONE) {
        add_edge(p, fold->known, &fold->bundle);
        return true;
    }
    room = room > *fan ? room - *fan : 0;
    if (room > p->max_nodes - p->groups.count)
        room = p->max_nodes - p->groups.count;
    if (!room)
        return false;
    if (count > MAX_APART || count > room) {
        draw_group(p, fold->members, fold->root, &fold->bundle);
        fold->members = (struct members){0};
        ++*fan;
        return true;
    }
    for (size_t i = 0; i < count; i++) {
        struct members one = {0};

        DF_PUSH(&one, fold->members.items[i]);
        draw_group(p, one, fold->root, &fold->apart[i]);
    }
    *fan += count;
    return true;
}

static void fold_deinit(struct fold *fold)
{
    free(fold->members.items);
    free(fold->bundle.text);
    for (size_t i = 0; i < MAX_APART; i++)
        free(fold->apart[i].text);
}

static void grow(struct painter *p, uint32_t number)
{
    struct members members = p->groups.items[number].members;
    size_t fan = 0;

    p->growing = number;
    p->folds.count = 0;
    df_map_deinit(&p->fold_by_hash);
    df_map_init(&p->fold_by_hash);
    if (p->backwards)
        fi_links_holders(&p->links, number, members.items, members.count);
    else
        fi_links_held(&p->links, members.items, members.count);
    for (size_t i = 0; i < p->folds.count; i++)
        for (size_t m = 0; m < p->folds.items[i].members.count; m++)
            p->fold_of[p->folds.items[i].members.items[m]] = 0;
    if (p->folds.count)
        qsort(p->folds.items, p->folds.count, sizeof(*p->folds.items), compare_folds);
    for (size_t i = 0; i < p->folds.count; i++) {
        struct fold *fold = &p->folds.items[i];

        if (!draw_fold(p, fold, &fan))
            p->groups.items[number].hidden += fold->members.count;
        fold_deinit(fold);
    }
}

/* The next group to grow: on the way first, then in the order in which they were drawn. Groups are
 * only ever added behind, so each is passed once. */
static uint32_t next_group(struct painter *p)
{
    for (; p->next_way < p->groups.count; p->next_way++)
        if (p->groups.items[p->next_way].way && !p->groups.items[p->next_way].done)
            return p->next_way;
    for (; p->next < p->groups.count; p->next++)
        if (!p->groups.items[p->next].done)
            return p->next;
    return AL_NONE;
}

static uint64_t count_neighbours(struct painter *p, uint32_t number)
{
    const struct members *members = &p->groups.items[number].members;
    const struct gr_graph *graph = p->analysis->graph;
    uint64_t count = 0;

    if (p->backwards)
        return fi_links_count_holders(&p->links, number, members->items, members->count);
    for (size_t i = 0; i < members->count; i++)
        count += graph->start[members->items[i] + 1] - graph->start[members->items[i]];
    return count;
}

static void grow_all(struct painter *p)
{
    for (uint32_t next = next_group(p); next != AL_NONE; next = next_group(p)) {
        struct group *group = &p->groups.items[next];

        group->done = true;
        if (group->root && !group->target)
            continue;
        if (group->depth >= p->max_depth)
            group->hidden = count_neighbours(p, next);
        else
            grow(p, next);
    }
}

/* One group of targets for each of their types. */
static struct df_err *add_targets(struct painter *p, const uint32_t *nodes, uint32_t count)
{
    const struct gr_graph *graph = p->analysis->graph;
    DF_CLEANUP_FREE uint32_t *group_of_type = NULL;

    DF_TRY(df_array(py_type_count(p->analysis->objects), sizeof(*group_of_type), &group_of_type));
    for (uint32_t i = 0; i < count; i++) {
        uint32_t type, number;

        if (nodes[i] >= graph->count)
            return df_err_new(DF_ERR_USAGE, "there is no such object");
        if (p->group_of[nodes[i]])
            continue;
        type = gr_type(graph, nodes[i]);
        if (!group_of_type[type]) {
            number = add_group(p, (struct members){0}, 0);
            group_of_type[type] = number + 1;
            p->groups.items[number].target = p->groups.items[number].way = true;
        }
        number = group_of_type[type] - 1;
        DF_PUSH(&p->groups.items[number].members, nodes[i]);
        p->group_of[nodes[i]] = number + 1;
    }
    return NULL;
}

/* The strongest reason of a root, and how many more there are. */
static const char *root_path(struct painter *p, uint32_t node)
{
    const char *path = gr_root_of(p->analysis->graph, node)->path;

    return p->reasons[node] > 1
               ? fi_pool_format(p->pool, "%s and %u more", path, p->reasons[node] - 1)
               : fi_pool_text(p->pool, path);
}

static struct df_err *count_reasons(struct painter *p)
{
    const struct gr_graph *graph = p->analysis->graph;

    DF_TRY(df_array(graph->count, sizeof(*p->reasons), &p->reasons));
    for (uint32_t i = 0; i < graph->root_count; i++)
        p->reasons[graph->roots[i].node]++;
    return NULL;
}

/* Why the objects of a group are roots, NULL when none is: of many, how many and one of them. */
static const char *group_root_path(struct painter *p, const struct group *group)
{
    uint64_t roots = 0, all = group->members.count;
    uint32_t first = AL_NONE;

    for (size_t i = 0; i < all; i++) {
        if (!is_root(p, group->members.items[i]))
            continue;
        first = roots++ ? first : group->members.items[i];
    }
    if (!roots || all == 1)
        return roots ? root_path(p, first) : NULL;
    return fi_pool_format(p->pool, "%s of %s: %s%s", fi_number_phrase(roots).text,
                          fi_number_phrase(all).text, gr_root_of(p->analysis->graph, first)->path,
                          roots > 1 ? " and others" : "");
}

static void finish_node(struct painter *p, uint32_t number, uint64_t retained,
                        struct fi_picture_node *ret)
{
    const struct group *group = &p->groups.items[number];
    const struct gr_graph *graph = p->analysis->graph;
    uint32_t first = group->members.items[0];
    bool single = group->members.count == 1;

    *ret = (struct fi_picture_node){
        .address = gr_address(graph, first),
        .type = fi_type(p->analysis, first)->name,
        .text = single ? fi_pool_take(p->pool, py_text(p->analysis->objects,
                                                       gr_address(graph, first), TEXT_LENGTH))
                       : "",
        .retained_bytes = retained,
        .folded = group->members.count,
        .target = group->target,
        .root_path = group_root_path(p, group),
        .garbage = fi_verdict_of(p->analysis, first) == AL_GARBAGE ||
                   fi_verdict_of(p->analysis, first) == AL_UNCOLLECTABLE,
        .cut = group->hidden != 0,
        .hidden = group->hidden,
        .depth = group->depth,
    };
    for (size_t i = 0; i < group->members.count; i++)
        ret->size += gr_size(graph, group->members.items[i]);
    ret->root = ret->root_path != NULL;
}

/* The bytes that each group retains together, whatever its members hold of each other. */
static struct df_err *measure_groups(struct painter *p, uint64_t *retained)
{
    for (size_t i = 0; i < p->groups.count; i++) {
        const __typeof__(p->groups.items->members) *members = &p->groups.items[i].members;

        DF_TRY(
            fi_set_retained(p->analysis, members->items, (uint32_t)members->count, &retained[i]));
    }
    return NULL;
}

static const char *make_title(struct painter *p, const uint32_t *nodes, uint32_t count)
{
    const char *type = count ? fi_type(p->analysis, nodes[0])->name : "nothing";
    const char *more = p->groups.count > 1 && p->groups.items[1].target ? " and others" : "";

    if (count == 1)
        return fi_pool_format(p->pool,
                              p->backwards ? "what holds %s at 0x%llx" : "what %s at 0x%llx holds",
                              type, (unsigned long long)gr_address(p->analysis->graph, nodes[0]));
    return fi_pool_format(p->pool, p->backwards ? "what holds %s %s%s" : "what %s %s%s hold",
                          fi_number_phrase(count).text, type, more);
}

static struct df_err *paint(struct painter *p, const uint32_t *nodes, uint32_t count,
                            struct fi_picture *picture)
{
    DF_CLEANUP_FREE uint64_t *retained = NULL;

    DF_TRY(add_targets(p, nodes, count));
    picture->title = make_title(p, nodes, count);
    grow_all(p);
    DF_TRY(df_array(p->groups.count + 1, sizeof(*retained), &retained));
    DF_TRY(measure_groups(p, retained));
    DF_TRY(count_reasons(p));
    picture->node_count = (uint32_t)p->groups.count;
    picture->nodes = fi_pool_array(p->pool, p->groups.count, sizeof(*picture->nodes));
    for (uint32_t i = 0; i < picture->node_count; i++)
        finish_node(p, i, retained[i], &picture->nodes[i]);
    picture->edge_count = (uint32_t)p->edges.count;
    picture->edges = fi_pool_array(p->pool, p->edges.count, sizeof(*picture->edges));
    if (p->edges.count)
        memcpy(picture->edges, p->edges.items, p->edges.count * sizeof(*picture->edges));
    return NULL;
}

static struct df_err *painter_init(struct painter *p)
{
    uint32_t count = p->analysis->graph->count;

    DF_TRY(df_array(count, sizeof(*p->group_of), &p->group_of));
    DF_TRY(df_array(count, sizeof(*p->fold_of), &p->fold_of));
    DF_TRY(fi_links_init(&p->links, p->analysis, p->group_of));
    p->links.visit = visit_neighbour;
    p->links.context = p;
    return NULL;
}

static void painter_deinit(struct painter *p)
{
    fi_links_deinit(&p->links);
    df_map_deinit(&p->fold_by_hash);
    for (size_t i = 0; i < p->groups.count; i++)
        free(p->groups.items[i].members.items);
    free(p->groups.items);
    free(p->folds.items);
    free(p->edges.items);
    free(p->group_of);
    free(p->fold_of);
    free(p->reasons);
}

struct df_err *fi_picture_make(struct fi_analysis *analysis, const uint32_t *nodes, uint32_t count,
                               const struct fi_picture_options *options, struct fi_picture **ret)
{
    struct painter p = {
        .analysis = analysis,
        .pool = fi_pool_create(),
        .backwards = options->backwards,
        .max_depth = options->max_depth ? options->max_depth : MAX_DEPTH,
        .max_nodes = options->max_nodes ? options->max_nodes : MAX_NODES,
    };
    struct fi_picture *picture = fi_pool_array(p.pool, 1, sizeof(*picture));
    struct df_err *err;

    picture->pool = p.pool;
    df_map_init(&p.fold_by_hash);
    df_map_init(&p.links.owners);
    err = painter_init(&p);
    if (!err)
        err = paint(&p, nodes, count, picture);
    painter_deinit(&p);
    if (err) {
        fi_picture_free(picture);
        return err;
    }
    *ret = picture;
    return NULL;
}

void fi_picture_free(struct fi_picture *picture)
{
    if (picture)
        fi_pool_destroy(picture->pool);
}
