/* SPDX-License-Identifier: MIT
 * ledger_keys.c: tables of keys that dicts share and that no class has any more.
 *
 * All dicts are asked, which costs what reading them from memory costs: several threads do it, each
 * with a part of the nodes, and what they have found is put together in the order of the nodes.
 */
#include <stdatomic.h>
#include <stdlib.h>

#include "analyzer/graph/ledger.h"
#include "analyzer/graph/picks.h"
#include "dumpfmt/base/mem.h"
#include "dumpfmt/base/threads.h"

#define PART 65536 /* nodes that one thread asks */
#define DICT_SIZE 48

enum { HAS_CLASS = 1, HAS_DICT = 2 }; /* who has a table */

struct table {
    uint64_t keys;
    uint32_t node;
    uint8_t who;
};

struct table_list {
    struct table *items;
    size_t count, capacity;
};

struct asking {
    const struct gr_graph *graph;
    const struct df_aspace *space;
    const uint8_t *wanted; /* by type: whose objects may have tables; HAS_CLASS, HAS_DICT */
    struct py_objects **workers;
    struct table_list *tables; /* of each part: each table once for each of who has it */
    uint32_t parts;
    atomic_uint next;
};

static void note_table(struct table_list *tables, struct df_map *seen, struct table table)
{
    bool added;
    uint32_t who = df_map_add(seen, table.keys, table.who, &added);

    if (!added && (who & table.who) == table.who)
        return;
    if (!added)
        df_map_set(seen, table.keys, who | table.who);
    DF_PUSH(tables, table);
}

static void ask_part(struct asking *asking, struct py_objects *worker, uint32_t part)
{
    struct gr_picks picks;
    struct df_map seen;

    df_map_init(&seen);
    gr_picks_begin(&picks, asking->graph, asking->wanted, (uint64_t)part * PART,
                   (uint64_t)(part + 1) * PART);
    while (gr_picks_next(&picks)) {
        for (uint32_t i = 0; i < picks.count; i++)
            gr_fetch(asking->space, picks.items[i].address, DICT_SIZE);
        for (uint32_t i = 0; i < picks.count; i++) {
            const struct gr_pick *pick = &picks.items[i];
            uint64_t keys = py_shared_keys(worker, pick->address);

            if (keys)
                note_table(&asking->tables[part], &seen,
                           (struct table){keys, pick->node, asking->wanted[pick->type]});
        }
    }
    df_map_deinit(&seen);
}

static void ask_parts(void *context, uint32_t thread)
{
    struct asking *asking = context;

    for (uint32_t part; (part = atomic_fetch_add(&asking->next, 1)) < asking->parts;)
        ask_part(asking, asking->workers[thread], part);
}

static uint8_t *find_wanted(const struct py_objects *objects)
{
    uint32_t count = py_type_count(objects);
    uint8_t *wanted = df_xcalloc((size_t)count + 1, 1);

    for (uint32_t t = 0; t < count; t++) {
        uint64_t flags = py_type_at(objects, t)->flags;

        wanted[t] = (uint8_t)((flags & PY_TPFLAGS_TYPE ? HAS_CLASS : 0) |
                              (flags & PY_TPFLAGS_DICT ? HAS_DICT : 0));
    }
    return wanted;
}

/* Of all that the parts have found, first what classes have, then what only dicts have. */
static void join(const struct asking *asking, struct gr_shared_keys *ret)
{
    struct df_map seen;
    bool added;

    df_map_init(&seen);
    for (uint8_t who = HAS_CLASS; who <= HAS_DICT; who++)
        for (uint32_t part = 0; part < asking->parts; part++)
            for (size_t i = 0; i < asking->tables[part].count; i++) {
                const struct table *table = &asking->tables[part].items[i];

                if (!(table->who & who) || (df_map_add(&seen, table->keys, 0, &added), !added) ||
                    who == HAS_CLASS)
                    continue;
                DF_PUSH(ret, (struct gr_shared_table){table->keys, table->node});
            }
    df_map_deinit(&seen);
}

void gr_find_shared_keys(const struct gr_graph *graph, struct py_objects *objects,
                         const struct df_aspace *space, uint32_t jobs, struct gr_shared_keys *ret)
{
    DF_CLEANUP_FREE uint8_t *wanted = find_wanted(objects);
    struct asking asking = {.graph = graph, .space = space, .wanted = wanted};

    asking.parts = (uint32_t)(((uint64_t)graph->count + PART - 1) / PART);
    asking.tables = df_xcalloc((size_t)asking.parts + 1, sizeof(*asking.tables));
    asking.workers = py_objects_workers(objects, jobs);
    df_threads_run(jobs, ask_parts, &asking);
    py_objects_close_workers(asking.workers, jobs);
    join(&asking, ret);
    for (uint32_t part = 0; part < asking.parts; part++)
        free(asking.tables[part].items);
    free(asking.tables);
}
