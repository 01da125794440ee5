/* SPDX-License-Identifier: MIT
 * hashtable.c: see hashtable.h.
 *
 * What is checked of a damaged table: the array of buckets is all there, so its length is bounded
 * by the dump; an entry stands in the bucket that its hash says, so no chain is walked from two
 * buckets; a chain does not come back to itself; the number of entries fits the array
 * (_Py_hashtable_set rehashes from half full on; when memory is short it goes on without), and what
 * is visited fits the number: a closed chain is seen up to three times before that is noticed.
 */
#include "analyzer/cpython/hashtable.h"

#define MAX_LOAD 64  /* entries for a bucket, on average */
#define MAX_VISITS 4 /* of an entry, on average */
#define MAX_KEY 12   /* bytes: pointer_t of 3.8's _tracemalloc.c */
#define MAX_DATA 256 /* bytes */

bool py_hashtable_at(struct py_reader *reader, uint64_t address, struct py_hashtable *ret)
{
    bool before = reader->fault;
    reader->fault = false;
    struct py_hashtable table = {
        .count = PY_PTR(reader, address, hashtable, nentries),
        .bucket_count = PY_PTR(reader, address, hashtable, nbuckets),
        .buckets = PY_PTR(reader, address, hashtable, buckets),
    };
    uint64_t key_size = PY_PTR(reader, address, hashtable, key_size),
             data_size = PY_PTR(reader, address, hashtable, data_size), number = table.bucket_count;
    bool pointers = PY_HAS(reader->layout, hashentry, value);
    bool good = address && !reader->fault && PY_HAS(reader->layout, hashtable, buckets) &&
                PY_HAS(reader->layout, hashentry, next) &&
                (pointers || (key_size >= 8 && key_size <= MAX_KEY && data_size <= MAX_DATA)) &&
                number && !(number & (number - 1)) && number <= UINT64_MAX / 8 / MAX_LOAD &&
                table.count / MAX_LOAD <= number && py_readable(reader, table.buckets, number * 8);
    reader->fault = before;
    if (!good)
        return false;
    table.key_size = pointers ? 0 : (uint32_t)key_size;
    table.data_size = pointers ? 0 : (uint32_t)data_size;
    *ret = table;
    return true;
}

static struct py_hash_entry read_entry(struct py_reader *reader, const struct py_hashtable *table,
                                       uint64_t entry)
{
    if (!table->key_size)
        return (struct py_hash_entry){.key = PY_PTR(reader, entry, hashentry, key),
                                      .value = PY_PTR(reader, entry, hashentry, value)};
    uint64_t key = entry + PY_SIZEOF(reader->layout, hashentry);
    return (struct py_hash_entry){.key = py_word(reader, key),
                                  .domain = table->key_size > 8 ? py_half(reader, key + 8) : 0,
                                  .value = key + table->key_size};
}

struct walk {
    struct py_reader *reader;
    const struct py_hashtable *table;
    bool (*visit)(void *context, const struct py_hash_entry *entry);
    void *context;
    uint64_t left; /* entries that may still be visited */
    bool stopped;
};

/* False when the chain is damaged. */
static bool walk_chain(struct walk *walk, uint64_t bucket)
{
    struct py_reader *reader = walk->reader;
    struct py_cycle cycle = {0};
    uint64_t entry = py_word(reader, walk->table->buckets + bucket * 8);
    while (entry && !walk->stopped) {
        uint64_t hash = PY_PTR(reader, entry, hashentry, key_hash);
        struct py_hash_entry found = read_entry(reader, walk->table, entry);
        if (reader->fault || (hash & (walk->table->bucket_count - 1)) != bucket || !walk->left)
            return false;
        walk->left--;
        walk->stopped = !walk->visit(walk->context, &found);
        entry = PY_PTR(reader, entry, hashentry, next);
        if (entry && py_cycle_closed(&cycle, entry))
            return false;
    }
    return !reader->fault;
}

uint64_t py_hashtable_each(struct py_reader *reader, const struct py_hashtable *table,
                           bool (*visit)(void *context, const struct py_hash_entry *entry),
                           void *context)
{
    struct walk walk = {reader, table, visit, context, (table->count + 4) * MAX_VISITS, false};
    bool before = reader->fault;
    uint64_t damaged = 0;
    for (uint64_t bucket = 0; bucket < table->bucket_count && !walk.stopped; bucket++) {
        reader->fault = false;
        damaged += !walk_chain(&walk, bucket);
    }
    reader->fault = before;
    return damaged;
}
