/* SPDX-License-Identifier: MIT
 * growth.c: where memory grew: the accumulation points of growth.
 *
 * From a root that grew, walk down while one place explains most of the growth (the idea and the
 * ratio of Eclipse MAT's accumulation point, FindLeaksQuery.java, applied to the difference of two
 * trees as FindLeaksQuery2 does). On this way is the one hop at which the number of objects jumps:
 * one list becomes 40 000 elements. That hop is the answer, its holder is what leaks, whatever
 * hangs below the elements. Where nothing jumps, it is the end of the way. Places that grew beside
 * the way start ways of their own; a module or a class whose names grew gives way to the names. So
 * no row holds another, and together they have all growth.
 *
 * What grew is ranked by bytes. With two dumps a cache that fills looks like a leak, so what is
 * known to be harmless, or happens once, counts for less; with more dumps what grew in each step
 * comes first, by what it gained steadily: the geometric mean of its steps, which one large step
 * does not lift much.
 */
#include "analyzer/findings/growth.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "analyzer/findings/phrase.h"
#include "analyzer/findings/pool.h"
#include "dumpfmt/base/mem.h"

#define EXPLAINS 0.7 /* of the growth above: as holders.c */
#define MAX_WAY 1000
#define MULTIPLIED 1.05    /* elements for each holder */
#define JUMP 2             /* objects for each one above, at least, make a jump */
#define FLOOR_BYTES 512    /* growth that is not worth a row; */
#define FLOOR_SHARE 100000 /* nor is this part of the heap */
#define MAX_ROWS 2000
#define MANY 1000         /* objects more that are as many as a leak's */
#define STEADY_SHARE 5000 /* of the heap: what grew steadily by less does not come first; */
#define STEADY_STEP 50    /* nor what in one step grew by less than this part of another */

struct candidate {
    struct fi_growth row;
    uint64_t *bytes; /* the row's */
    uint32_t module; /* the place of the module that all of the row was imported with; AL_NONE */
    bool first;      /* grew in each step, by enough */
    double score;
};

struct finder {
    const struct fi_merged *merged;
    struct fi_diff *diff;
    struct {
        uint32_t *items;
        size_t count, capacity;
    } starts, way;
    struct {
        struct candidate *items;
        size_t count, capacity;
    } rows;
    int64_t floor, steady;
    bool steadily; /* the way is that of what grew in each step */
};

struct jump {  /* the hop at which objects multiply */
    size_t at; /* place on the way: the objects that are many; way.count: those of the group */
    int64_t ratio;
};

static const struct fi_place *place_at(const struct finder *f, uint32_t place)
{
    return &f->merged->places[place];
}

/* What decides on the way. A service that warms up between the first two dumps has made much, once,
 * where it then leaks. */
static int64_t growth_of(const struct finder *f, uint32_t place)
{
    return f->steadily ? place_at(f, place)->steady : place_at(f, place)->grown;
}

static int64_t more_of(const struct finder *f, uint32_t place)
{
    return f->steadily ? place_at(f, place)->steady_count : place_at(f, place)->grown_count;
}

/* The child that grew most; children stand by growth from first dump to last. */
static uint32_t first_child(const struct finder *f, uint32_t place)
{
    uint32_t start = f->merged->child_start[place], end = f->merged->child_start[place + 1];
    uint32_t best = start < end ? f->merged->child[start] : AL_NONE;

    for (uint32_t c = start; f->steadily && c < end; c++)
        if (growth_of(f, f->merged->child[c]) > growth_of(f, best))
            best = f->merged->child[c];
    return best;
}

static void walk_down(struct finder *f, uint32_t place)
{
    f->way.count = 0;
    DF_PUSH(&f->way, place);
    while (f->way.count < MAX_WAY) {
        uint32_t child = first_child(f, place);

        if (child == AL_NONE ||
            (double)growth_of(f, child) < EXPLAINS * (double)growth_of(f, place))
            return;
        place = child;
        DF_PUSH(&f->way, place);
    }
}

/* Elements of a container, of all types: values when there are more of them, else keys. */
struct group {
    int64_t bytes, objects; /* grown */
    uint64_t counts[FI_MAX_DUMPS];
    uint32_t main; /* the type that grew most */
    bool mixed;
};

static struct group group_of(const struct finder *f, uint32_t holder, enum fi_hop hop)
{
    const struct fi_merged *m = f->merged;
    struct group group = {.main = AL_NONE};

    for (uint32_t i = m->child_start[holder]; i < m->child_start[holder + 1]; i++) {
        uint32_t child = m->child[i];
        const struct fi_place *place = &m->places[child];

        if (place->hop != hop)
            continue;
        group.bytes += growth_of(f, child);
        group.objects += more_of(f, child);
        for (uint32_t d = 0; d < m->dumps; d++)
            group.counts[d] += m->objects[(size_t)child * m->dumps + d];
        if (group.main == AL_NONE || more_of(f, child) > more_of(f, group.main))
            group.main = child;
    }
    if (group.main != AL_NONE)
        group.mixed = (double)more_of(f, group.main) < 0.9 * (double)group.objects;
    return group;
}

static struct group elements_of(const struct finder *f, uint32_t holder)
{
    struct group values = group_of(f, holder, FI_HOP_ELEMENT);

    /* keys of a dict whose values are all the same object, such as None */
    return values.objects > 1 ? values : group_of(f, holder, FI_HOP_KEY);
}

static int64_t at_least_one(int64_t count)
{
    return count > 1 ? count : 1;
}

/* Are there more of them for each holder? 50 threads more that have 200 strings each, as the others
 * have, are more threads, not more strings. */
static bool has_multiplied(const struct finder *f, const uint64_t *objects, const uint64_t *holders)
{
    uint32_t last = f->merged->dumps - 1;

    if (!objects[0] || !holders[0] || !holders[last])
        return true;
    return (double)objects[last] / (double)holders[last] >
           MULTIPLIED * (double)objects[0] / (double)holders[0];
}

static const uint64_t *objects_of(const struct finder *f, uint32_t place)
{
    static const uint64_t one[FI_MAX_DUMPS] = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1};

    return place == AL_NONE ? one : f->merged->objects + (size_t)place * f->merged->dumps;
}

static struct jump find_jump(const struct finder *f)
{
    struct jump best = {.at = f->way.count, .ratio = 1};
    uint32_t last = f->way.items[f->way.count - 1], above = place_at(f, f->way.items[0])->above;
    int64_t before = above == AL_NONE ? 1 : at_least_one(more_of(f, above));
    struct group group = elements_of(f, last);

    for (size_t i = 0; i < f->way.count; i++) {
        uint32_t place = f->way.items[i];
        int64_t here = at_least_one(more_of(f, place));

        if (here / before > best.ratio &&
            has_multiplied(f, objects_of(f, place), objects_of(f, place_at(f, place)->above)))
            best = (struct jump){i, here / before};
        before = here;
    }
    if (group.objects / before > best.ratio && group.bytes * 2 >= growth_of(f, last) &&
        has_multiplied(f, group.counts, objects_of(f, last)))
        best = (struct jump){f->way.count, group.objects / before};
    return best;
}

/* Places that grew beside the way, down to its place `end`. */
static void push_siblings(struct finder *f, size_t end)
{
    const struct fi_merged *m = f->merged;

    for (size_t i = 0; i < end; i++)
        for (uint32_t c = m->child_start[f->way.items[i]]; c < m->child_start[f->way.items[i] + 1];
             c++)
            if (m->child[c] != f->way.items[i + 1] && m->places[m->child[c]].grown >= f->floor)
                DF_PUSH(&f->starts, m->child[c]);
}

bool fi_is_monotone(const uint64_t *figures, uint32_t dumps)
{
    for (uint32_t d = 1; d < dumps; d++)
        if (figures[d] <= figures[d - 1])
            return false;
    return true;
}

static uint32_t root_of(const struct finder *f, uint32_t place)
{
    while (place_at(f, place)->above != AL_NONE)
        place = place_at(f, place)->above;
    return place;
}

static bool is_new_module(const struct finder *f, uint32_t place)
{
    const struct fi_place *root = place_at(f, root_of(f, place));

    return (root->flags & FI_SHAPE_MODULE) && !root->seen_first;
}

/* The limit that a container has come to, of those that are known; 0: none. */
static uint64_t limit_reached(const struct finder *f, uint32_t holder, const struct fi_growth *row)
{
    uint32_t last = f->merged->dumps - 1;
    double holders = (double)f->merged->objects[(size_t)holder * f->merged->dumps + last];
    double elements = (double)row->counts[last];

    for (uint32_t i = 0; i < FI_MAX_LIMITS && row->holder; i++) {
        double limit = (double)place_at(f, holder)->limits[i];

        if (limit > 0 && elements >= 0.9 * limit * holders && elements <= (limit + 1) * holders)
            return place_at(f, holder)->limits[i];
    }
    return 0;
}

/* How many objects more, where it counts: in each step, when it grew in each. */
static int64_t more_objects(const struct finder *f, const struct fi_growth *row)
{
    uint32_t dumps = f->merged->dumps;
    int64_t least = row->grown_objects;

    for (uint32_t d = 1; row->monotone && d < dumps; d++)
        if ((int64_t)(row->counts[d] - row->counts[d - 1]) < least)
            least = (int64_t)(row->counts[d] - row->counts[d - 1]);
    return least;
}

static enum fi_growth_kind kind_of(const struct finder *f, uint32_t holder,
                                   const struct fi_growth *row)
{
    const struct fi_place *place = place_at(f, holder);
    bool known = place->seen_first || (row->monotone && f->merged->dumps > 2);
    bool many = more_objects(f, row) >= JUMP;

    if (place->flags & FI_SHAPE_GARBAGE)
        return FI_GROWS_GARBAGE;
    if (row->limit)
        return FI_GROWS_LIMITED;
    if ((place->flags & FI_SHAPE_CODE) || (is_new_module(f, holder) && !many))
        return FI_GROWS_CODE;
    if (!known)
        return FI_GROWS_NEW;
    if (many)
        return FI_GROWS_ELEMENTS;
    return place->grown_own * 2 >= row->grown_bytes ? FI_GROWS_SIZE : FI_GROWS_ONCE;
}

/* How much a byte of such growth counts beside one of a container that grows. A leak takes a little
 * each time: many more objects are a stronger sign than a few large ones, such as a pool's. */
static double weight_of(const struct finder *f, uint32_t holder, const struct fi_growth *row)
{
    static const double weights[] = {
        [FI_GROWS_ELEMENTS] = 1,  [FI_GROWS_SIZE] = 1,      [FI_GROWS_NEW] = 0.5,
        [FI_GROWS_ONCE] = 0.5,    [FI_GROWS_GARBAGE] = 0.5, [FI_GROWS_CODE] = 0.1,
        [FI_GROWS_LIMITED] = 0.1,
    };
    double weight = weights[row->kind];

    if (row->kind == FI_GROWS_NEW && is_new_module(f, holder))
        weight = 0.25; /* the tables of what was imported */
    if (row->grown_objects >= JUMP && row->grown_objects < MANY)
        weight *= log((double)row->grown_objects) / log(MANY);
    return weight;
}

/* Grew in each step, and by enough: more than what changes in any cache from one dump to the next.
 */
static bool is_steady(const struct finder *f, const uint64_t *bytes)
{
    uint32_t dumps = f->merged->dumps;
    uint64_t least = UINT64_MAX, greatest = 0;

    if (!fi_is_monotone(bytes, dumps))
        return false;
    for (uint32_t d = 1; d < dumps; d++) {
        uint64_t step = bytes[d] - bytes[d - 1];

        least = step < least ? step : least;
        greatest = step > greatest ? step : greatest;
    }
    return least >= greatest / STEADY_STEP && least * (dumps - 1) >= (uint64_t)f->steady;
}

static double steady_growth(const uint64_t *bytes, uint32_t dumps)
{
    double product = 0;

    for (uint32_t d = 1; d < dumps; d++)
        product += log((double)(bytes[d] - bytes[d - 1]));
    return (dumps - 1) * exp(product / (dumps - 1));
}

static const char *short_type(const char *type)
{
    const char *dot = strrchr(type, '.');

    return dot && dot[1] ? dot + 1 : type;
}

static const char *sentence_of(struct finder *f, const struct fi_growth *row)
{
    struct fi_pool *pool = f->diff->pool;
    const char *what = row->holder ? row->holder : row->path;
    struct fi_phrase bytes = fi_bytes_phrase((uint64_t)row->grown_bytes);
    struct fi_phrase objects =
        fi_number_phrase(row->grown_objects > 0 ? (uint64_t)row->grown_objects : 0);
    const char *by = row->mixed
                         ? fi_pool_format(pool, "%s objects, most of them `%s`", objects.text,
                                          short_type(row->type))
                         : fi_pool_format(pool, "%s `%s`", objects.text, short_type(row->type));

    switch (row->kind) {
    case FI_GROWS_LIMITED:
        return fi_pool_format(pool, "`%s` filled up to its limit of %s (%s)", what,
                              fi_number_phrase(row->limit).text, bytes.text);
    case FI_GROWS_CODE:
        return fi_pool_format(pool, "importing `%s` brought %s", what, bytes.text);
    case FI_GROWS_SIZE:
        return fi_pool_format(pool, "`%s` (`%s`) grew by %s in its own size", what,
                              short_type(row->type), bytes.text);
    case FI_GROWS_ONCE:
        return fi_pool_format(pool, "`%s` (`%s`) grew by %s", what, short_type(row->type),
                              bytes.text);
    case FI_GROWS_NEW:
        return row->grown_objects < JUMP
                   ? fi_pool_format(pool, "`%s` (`%s`) is new: %s", what, short_type(row->type),
                                    bytes.text)
                   : fi_pool_format(pool, "`%s` is new and holds %s (%s)", what, by, bytes.text);
    default:
        return fi_pool_format(pool, "`%s` grew by %s (%s)", what, by, bytes.text);
    }
}

static uint64_t *figures(struct finder *f, const uint64_t *from)
{
    uint64_t *copy = fi_pool_array(f->diff->pool, f->merged->dumps, sizeof(*copy));

    memcpy(copy, from, f->merged->dumps * sizeof(*copy));
    return copy;
}

/* What was imported since the first dump is one row for each module. Returns whether there was one;
 * else the row becomes it. */
static bool fold_into_module(struct finder *f, uint32_t place, struct fi_growth *row)
{
    uint32_t root = root_of(f, place), dumps = f->merged->dumps;
    struct fi_pool *pool = f->diff->pool;

    for (size_t i = 0; i < f->rows.count; i++) {
        struct candidate *known = &f->rows.items[i];

        if (known->module != root)
            continue;
        for (uint32_t d = 0; d < dumps; d++)
            known->bytes[d] += row->bytes[d];
        known->row.grown_bytes += row->grown_bytes;
        known->row.monotone = fi_is_monotone(known->bytes, dumps);
        known->row.sentence = sentence_of(f, &known->row);
        known->score += (double)row->grown_bytes * weight_of(f, place, row);
        f->diff->all_growth += (uint64_t)row->grown_bytes;
        return true;
    }
    row->path = fi_pool_text(pool, place_at(f, root)->label);
    row->type = fi_pool_text(pool, place_at(f, root)->type);
    row->holder = row->holder_type = NULL;
    row->counts = figures(f, f->merged->objects + (size_t)root * dumps);
    row->grown_objects = (int64_t)(row->counts[dumps - 1] - row->counts[0]);
    return false;
}

/* Finishes a row whose path, type and counts are known. */
static void add_row(struct finder *f, uint32_t holder, struct fi_growth row, uint64_t *bytes)
{
    uint32_t dumps = f->merged->dumps;
    double steady;
    bool imported;

    row.bytes = bytes;
    row.grown_bytes = (int64_t)(bytes[dumps - 1] - bytes[0]);
    row.grown_objects = (int64_t)(row.counts[dumps - 1] - row.counts[0]);
    if (row.grown_bytes < f->floor || f->rows.count >= MAX_ROWS)
        return;
    row.monotone = fi_is_monotone(bytes, dumps);
    row.limit = limit_reached(f, holder, &row);
    row.kind = kind_of(f, holder, &row);
    imported = row.kind == FI_GROWS_CODE && is_new_module(f, holder);
    if (imported && fold_into_module(f, holder, &row))
        return;
    row.sentence = sentence_of(f, &row);
    steady = row.monotone ? steady_growth(bytes, dumps) : (double)row.grown_bytes;
    f->diff->all_growth += (uint64_t)row.grown_bytes;
    DF_PUSH(&f->rows, (struct candidate){
                          .row = row,
                          .bytes = bytes,
                          .module = imported ? root_of(f, holder) : AL_NONE,
                          .first = dumps > 2 && is_steady(f, bytes) && row.kind != FI_GROWS_LIMITED,
                          .score = steady * weight_of(f, holder, &row),
                      });
}

static uint64_t *bytes_of(struct finder *f, uint32_t place)
{
    return figures(f, f->merged->bytes + (size_t)place * f->merged->dumps);
}

/* A row of a place for itself. */
static struct fi_growth row_of_place(struct finder *f, uint32_t place)
{
    return (struct fi_growth){
        .path = fi_pool_take(f->diff->pool, fi_place_path(f->merged, place)),
        .type = fi_pool_text(f->diff->pool, place_at(f, place)->type),
        .counts = figures(f, f->merged->objects + (size_t)place * f->merged->dumps),
    };
}

/* A row of a container and its elements. */
static void add_container(struct finder *f, uint32_t holder, const struct group *elements)
{
    struct fi_pool *pool = f->diff->pool;
    const struct fi_place *main = place_at(f, elements->main);
    const char *path = fi_pool_take(pool, fi_place_path(f->merged, holder));
    struct fi_growth row = {
        .path = fi_pool_format(pool, "%s%s", path, main->label),
        .holder = path,
        .holder_type = fi_pool_text(pool, place_at(f, holder)->type),
        .type = fi_pool_text(pool, main->type),
        .mixed = elements->mixed,
        .counts = figures(f, elements->counts),
    };

    add_row(f, holder, row, bytes_of(f, holder));
}

static bool is_name(const struct fi_place *place)
{
    return !fi_is_element(place);
}

/* Where the way ends without a jump: names that grew are rows of their own, what is left of the
 * place is its own. */
static void end_of_way(struct finder *f, uint32_t place)
{
    const struct fi_merged *m = f->merged;
    uint64_t *bytes = bytes_of(f, place);
    int64_t named = 0;

    for (uint32_t c = m->child_start[place]; c < m->child_start[place + 1]; c++)
        if (is_name(&m->places[m->child[c]]) && m->places[m->child[c]].grown >= f->floor)
            named += m->places[m->child[c]].grown;
    for (uint32_t c = m->child_start[place];
         named * 2 >= place_at(f, place)->grown && c < m->child_start[place + 1]; c++) {
        uint32_t child = m->child[c];

        if (!is_name(&m->places[child]) || m->places[child].grown < f->floor)
            continue;
        DF_PUSH(&f->starts, child);
        for (uint32_t d = 0; d < m->dumps; d++)
            bytes[d] -= m->bytes[(size_t)child * m->dumps + d];
    }
    add_row(f, place, row_of_place(f, place), bytes);
}

static void follow(struct finder *f, uint32_t start)
{
    struct jump jump;
    size_t end;
    uint32_t place;

    f->steadily = f->merged->dumps > 2 && place_at(f, start)->steady >= f->steady;
    walk_down(f, start);
    place = f->way.items[f->way.count - 1];
    if (f->steadily && !is_steady(f, f->merged->bytes + (size_t)place * f->merged->dumps)) {
        f->steadily = false;
        walk_down(f, start);
    }
    jump = find_jump(f);
    if (jump.ratio < JUMP) {
        end = f->way.count - 1;
        place = f->way.items[end];
        push_siblings(f, end);
        end_of_way(f, place);
        return;
    }
    end = jump.at;
    place = end < f->way.count ? f->way.items[end] : AL_NONE;
    if (place == AL_NONE || (end && fi_is_element(place_at(f, place)))) { /* elements */
        uint32_t holder = f->way.items[--end];
        struct group elements = elements_of(f, holder);

        push_siblings(f, end);
        add_container(f, holder, &elements);
        return;
    }
    push_siblings(f, end);
    add_row(f, place, row_of_place(f, place), bytes_of(f, place));
}

static int compare_candidates(const void *left, const void *right)
{
    const struct candidate *a = left, *b = right;

    if (a->first != b->first)
        return a->first ? -1 : 1;
    if (a->score != b->score)
        return a->score > b->score ? -1 : 1;
    return strcmp(a->row.path, b->row.path);
}

static void store(struct finder *f)
{
    struct fi_diff *diff = f->diff;

    if (f->rows.count)
        qsort(f->rows.items, f->rows.count, sizeof(*f->rows.items), compare_candidates);
    diff->paths = fi_pool_array(diff->pool, f->rows.count, sizeof(*diff->paths));
    for (size_t i = 0; i < f->rows.count; i++)
        diff->paths[diff->path_count++] = f->rows.items[i].row;
}

void fi_find_growth(const struct fi_merged *merged, struct fi_diff *diff)
{
    uint64_t heap = diff->dumps[diff->dump_count - 1].heap_bytes;
    struct finder f = {
        .merged = merged,
        .diff = diff,
        .floor = FLOOR_BYTES > heap / FLOOR_SHARE ? FLOOR_BYTES : (int64_t)(heap / FLOOR_SHARE),
        .steady = (int64_t)(heap / STEADY_SHARE),
    };
    uint32_t first = merged->child_start[merged->count];

    for (uint32_t i = merged->child_start[merged->count + 1]; i-- > first;)
        if (merged->places[merged->child[i]].grown >= f.floor)
            DF_PUSH(&f.starts, merged->child[i]);
    while (f.starts.count)
        follow(&f, f.starts.items[--f.starts.count]);
    store(&f);
    free(f.starts.items);
    free(f.way.items);
    free(f.rows.items);
}
