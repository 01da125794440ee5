/* SPDX-License-Identifier: MIT
 * threadnames.c: how the module threading calls each thread. Its dict of them is read once: a
 * process may have tens of thousands, and the name of each is asked for several times.
 */
#include <stdlib.h>

#include "analyzer/objects/internal.h"
#include "dumpfmt/base/mem.h"

struct py_thread_names {
    struct df_map by_ident; /* pthread_self() -> index of its Thread */
    struct {
        uint64_t *items;
        size_t count, capacity;
    } threads;
};

static void add(struct py_thread_names *names, int64_t ident, uint64_t thread)
{
    bool added = false;
    if (ident) /* no key of a map, and no thread's */
        df_map_add(&names->by_ident, (uint64_t)ident, (uint32_t)names->threads.count, &added);
    if (added)
        DF_PUSH(&names->threads, thread);
}

/* threading._active: {ident: Thread} (Lib/threading.py, 3.6 to 3.15). */
static struct py_thread_names *collect(struct py_objects *objects)
{
    struct py_thread_names *names = df_xcalloc(1, sizeof(*names));
    struct py_reader *reader = &objects->reader;
    struct py_dict_cursor cursor;
    uint64_t key, value, module = py_module(objects, "threading");
    uint64_t dict = module ? PY_PTR(reader, module, module, md_dict) : 0;
    uint64_t active = dict ? py_dict_get(reader, dict, "_active") : 0;
    int64_t ident;
    df_map_init(&names->by_ident);
    reader->fault = false;
    if (active && py_dict_begin(reader, active, &cursor))
        while (names->threads.count < PY_MAX_THREADS && py_dict_next(reader, &cursor, &key, &value))
            if (py_int(reader, key, &ident))
                add(names, ident, value);
    reader->fault = false;
    return names;
}

/* Thread._name */
char *py_thread_name(struct py_objects *objects, const struct py_thread *thread)
{
    struct py_reader *reader = &objects->reader;
    if (!objects->thread_names)
        objects->thread_names = collect(objects);
    const struct py_thread_names *names = objects->thread_names;
    uint32_t index =
        thread->thread_id ? df_map_get(&names->by_ident, thread->thread_id) : DF_MAP_NONE;
    if (index == DF_MAP_NONE)
        return NULL;
    uint64_t text = py_attribute(objects, names->threads.items[index], "_name");
    char *name = text ? py_str(reader, text, 200, NULL) : NULL;
    reader->fault = false;
    return name;
}

void py_thread_names_close(struct py_thread_names *names)
{
    if (!names)
        return;
    df_map_deinit(&names->by_ident);
    free(names->threads.items);
    free(names);
}
