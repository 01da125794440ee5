/* SPDX-License-Identifier: MIT
 * hashtable.h: _Py_hashtable_t, the interpreter's own hash table for C code, read with care.
 *
 *   table: count, buckets ──▶ [ bucket | bucket | ... ]        a power of two of them
 *                                  │
 *                                  ▼ entry: next, hash, key, value ──▶ entry ...
 *
 * Up to 3.8 an entry holds its key and its value themselves, of the sizes that the table says
 * (Modules/hashtable.h); since 3.9 two pointers (Include/internal/pycore_hashtable.h). Here a value
 * is told by its address in both.
 */
#ifndef PY_HASHTABLE_H
#define PY_HASHTABLE_H

#include "analyzer/cpython/view.h"

struct py_hashtable {
    uint64_t count;                 /* entries, as it says */
    uint64_t buckets, bucket_count; /* address and length of the array */
    uint32_t key_size, data_size;   /* bytes, up to 3.8; 0: pointers */
};

struct py_hash_entry {
    uint64_t key;
    uint32_t
        domain;     /* up to 3.8: what stands behind the pointer in a key that is longer than one */
    uint64_t value; /* the address of it */
};

/* Whether there is a table at address whose numbers and array can be. */
bool py_hashtable_at(struct py_reader *reader, uint64_t address, struct py_hashtable *ret);
/* Calls visit with each entry; stops when it returns false. Returns how many chains were left early
 * because they are damaged: unreadable, closed in themselves, in the wrong bucket, far too long.
 * Entries of a closed chain are visited more than once. */
uint64_t py_hashtable_each(struct py_reader *reader, const struct py_hashtable *table,
                           bool (*visit)(void *context, const struct py_hash_entry *entry),
                           void *context);

#endif
