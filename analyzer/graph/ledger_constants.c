/* SPDX-License-Identifier: MIT
 * ledger_constants.c: what modules made by Cython lose, once, when they are imported.
 *
 * Generated code (Cython 0.29 and 3.0) takes references that nothing gives back:
 *
 * - A code object for each function, made from a tuple of its variables' names (__Pyx_PyCode_New),
 *   both kept in C variables (__pyx_codeobj_N, __pyx_tuple_N). Where nothing reads such a variable
 *   after the import, the compiler removes it and leaves the reference. The code object has no
 *   instructions, which no code has that can run.
 * - Other tuples of constants, where again nothing reads the variable: arguments of an exception
 *   that only removed code raises, tuples within tuples. Their texts are constants of the module
 *   too, and a module has each tuple once (Cython merges equal ones).
 * - The descriptor of a special method, looked up to give it a docstring: it gets a copy of its
 *   slot's description in the module's data (__pyx_wrapperbase_..., CYTHON_UPDATE_DESCRIPTOR_DOC),
 *   and is not released.
 *
 * These are told by what they are, so that the same types lost elsewhere, in a loop, still count.
 */
#include <elf.h>
#include <stdlib.h>
#include <string.h>

#include "analyzer/algo/csr.h"
#include "analyzer/graph/ledger.h"
#include "dumpfmt/base/mem.h"

#define MAX_NAMES 4096 /* variables of a function */
#define MAX_PATH 4096

struct constants {
    struct gr_graph *graph;
    struct py_objects *objects;
    const struct py *py;
    struct py_reader reader;
    struct gr_words *words;
    uint32_t *votes;     /* per module */
    struct df_map taken; /* tuples of a module that were lost already: hash of items and module */
    struct df_map by_names; /* hash of a tuple's items -> row of codes */
    struct {
        struct code {
            uint32_t node, next; /* next: row of the same hash */
            bool used;           /* has explained a tuple */
        } * items;
        size_t count, capacity;
    } codes;
};

/* No code of Python's is without instructions. */
static bool is_hollow(struct constants *constants, uint64_t code)
{
    struct py_reader *reader = &constants->reader;
    uint64_t bytes = PY_PTR(reader, code, code, co_code);
    int64_t size = py_ob_size(reader, bytes ? bytes : code);
    bool fine = !reader->fault;

    reader->fault = false;
    return fine && size == 0;
}

static uint64_t names_of(struct constants *constants, uint64_t code)
{
    struct py_reader *reader = &constants->reader;

    return PY_HAS(reader->layout, code, co_localsplusnames)
               ? PY_PTR(reader, code, code, co_localsplusnames)
               : PY_PTR(reader, code, code, co_varnames);
}

/* A number for what a tuple refers to, in its order; 0 when it is no tuple, or empty. */
static uint64_t hash_items(struct constants *constants, uint64_t tuple)
{
    struct py_reader *reader = &constants->reader;
    uint64_t items, count, hash = 0;

    if (!tuple || !py_tuple(reader, tuple, &items, &count) || !count || count > MAX_NAMES)
        return 0;
    for (uint64_t i = 0; i < count && !reader->fault; i++)
        hash = (hash ^ py_word(reader, items + i * 8)) * UINT64_C(0x9E3779B97F4A7C15) + 1;
    if (reader->fault)
        hash = 0;
    reader->fault = false;
    return hash;
}

static bool same_items(struct constants *constants, uint64_t a, uint64_t b)
{
    struct py_reader *reader = &constants->reader;
    uint64_t items[2], count[2];

    if (!py_tuple(reader, a, &items[0], &count[0]) || !py_tuple(reader, b, &items[1], &count[1]) ||
        count[0] != count[1])
        return false;
    for (uint64_t i = 0; i < count[0]; i++)
        if (py_word(reader, items[0] + i * 8) != py_word(reader, items[1] + i * 8))
            return false;
    return !reader->fault;
}

static void add_code(struct constants *constants, uint32_t node, uint64_t address)
{
    uint64_t hash = hash_items(constants, names_of(constants, address));
    struct code code = {.node = node, .next = DF_MAP_NONE};
    bool added;

    if (hash) {
        uint32_t first =
            df_map_add(&constants->by_names, hash, (uint32_t)constants->codes.count, &added);
        if (!added) {
            code.next = first;
            df_map_set(&constants->by_names, hash, (uint32_t)constants->codes.count);
        }
    }
    DF_PUSH(&constants->codes, code);
}

static void find_codes(struct constants *constants, const struct gr_node_list *codes)
{
    for (size_t i = 0; i < codes->count; i++) {
        uint64_t address = gr_address(constants->graph, codes->items[i]);

        if (is_hollow(constants, address))
            add_code(constants, codes->items[i], address);
    }
}

/* One vote for each module whose data has a word that is the object's address. */
static void vote(struct constants *constants, uint64_t object)
{
    uint32_t node = gr_node(constants->graph, object), last = UINT32_MAX;
    const struct gr_native *words;
    size_t count = 0;

    words = node == AL_NONE ? NULL : gr_natives_of(constants->graph, node, &count);
    for (size_t i = 0; i < count; i++) {
        if (!gr_native_is_global(constants->py, &words[i]) || words[i].index == last)
            continue;
        last = words[i].index;
        constants->votes[last]++;
    }
}

/* "lib" of "pandas/_libs/lib.pyx", of "lib.cpython-311-x86_64-linux-gnu.so". */
static bool same_stem(const char *path, const char *module)
{
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    size_t length = strcspn(name, ".");

    return length && strcspn(module, ".") == length && memcmp(name, module, length) == 0;
}

/* Whose code it is: the module whose C variables have most of the texts in it (its file's name, its
 * own, its variables'); of several the one that is called like the file. UINT32_MAX: not known. */
static uint32_t module_of(struct constants *constants, uint32_t code)
{
    const struct df_modules *modules = constants->py->dump->modules;
    struct py_reader *reader = &constants->reader;
    uint64_t address = gr_address(constants->graph, code), items, count = 0;
    uint64_t file = PY_PTR(reader, address, code, co_filename);
    DF_CLEANUP_FREE char *path = py_str(reader, file, MAX_PATH, NULL);
    uint32_t best = UINT32_MAX, most = 0;

    memset(constants->votes, 0, modules->count * sizeof(*constants->votes));
    vote(constants, file);
    vote(constants, PY_PTR(reader, address, code, co_name));
    if (!py_tuple(reader, names_of(constants, address), &items, &count))
        count = 0;
    for (uint64_t i = 0; i < count && i < MAX_NAMES; i++)
        vote(constants, py_word(reader, items + i * 8));
    reader->fault = false;
    for (uint32_t m = 0; m < modules->count; m++) {
        uint32_t votes =
            2 * constants->votes[m] + (path && same_stem(path, modules->items[m].name) ? 1 : 0);

        if (votes >= most && votes)
            best = votes > most ? m : UINT32_MAX;
        most = votes > most ? votes : most;
    }
    return best;
}

static void lose(struct constants *constants, uint32_t node, uint32_t module)
{
    DF_PUSH(constants->words,
            (struct gr_native){.node = node, .place = GR_NATIVE_IMPORT, .index = module});
    constants->graph->counts.imports++;
}

/* A tuple of the names of some code's variables, where that code has explained no other yet. */
static bool explain_names(struct constants *constants, uint32_t node, uint64_t hash)
{
    const struct gr_graph *graph = constants->graph;
    uint32_t row = df_map_get(&constants->by_names, hash);

    while (row != DF_MAP_NONE) {
        struct code *code = &constants->codes.items[row];
        uint64_t names = names_of(constants, gr_address(graph, code->node));

        if (!code->used && same_items(constants, gr_address(graph, node), names)) {
            code->used = true;
            lose(constants, node, module_of(constants, code->node));
            return true;
        }
        row = code->next;
    }
    return false;
}

static bool has_word(const struct gr_native *words, size_t count, uint32_t module)
{
    for (size_t i = 0; i < count; i++)
        if (words[i].place == GR_NATIVE_DATA && words[i].index == module)
            return true;
    return false;
}

/* Whether all texts in a tuple are constants of a module. Those that count nothing may be. */
static bool belongs(struct constants *constants, uint32_t node, uint32_t module)
{
    const struct gr_graph *graph = constants->graph;
    bool any = false;

    for (uint32_t e = graph->start[node]; e < graph->start[node + 1]; e++) {
        uint32_t item = graph->target[e];
        uint64_t flags = py_type_at(constants->objects, gr_type(graph, item))->flags;
        const struct gr_native *words;
        size_t count;

        if (!(flags &
              (PY_TPFLAGS_UNICODE | PY_TPFLAGS_BYTES | PY_TPFLAGS_LONG | PY_TPFLAGS_TUPLE)) &&
            graph->flags[item] & GR_GC)
            return false;
        if (!(flags & (PY_TPFLAGS_UNICODE | PY_TPFLAGS_BYTES)) || gr_surplus(graph, item) <= 0)
            continue;
        words = gr_natives_of(graph, item, &count);
        if (!has_word(words, count, module))
            return false;
        any = true;
    }
    return any;
}

static void explain_tuple(struct constants *constants, uint32_t node)
{
    uint64_t hash = hash_items(constants, gr_address(constants->graph, node));

    if (!hash || !constants->codes.count || explain_names(constants, node, hash))
        return;
    for (uint32_t m = 0; m < constants->py->dump->modules->count; m++) {
        uint64_t key = hash ^ (m + 1) * UINT64_C(0xD6E8FEB86659FD93);
        bool added = false;

        if (&constants->py->dump->modules->items[m] == constants->py->module ||
            !belongs(constants, node, m))
            continue;
        if (key)
            df_map_add(&constants->taken, key, 1, &added);
        if (!added)
            continue;
        lose(constants, node, m);
        return;
    }
}

/* The last words of a wrapper are its slot's description and the function: of an ordinary one both
 * are the interpreter's (PyWrapperDescrObject). */
static void explain_wrapper(struct constants *constants, uint32_t node, const struct py_type *type)
{
    const struct df_modules *modules = constants->py->dump->modules;
    uint64_t at = gr_address(constants->graph, node) + (uint64_t)type->basic_size - 16, word;
    const struct df_module *module;

    if (type->basic_size < 32 || !df_u64(constants->py->dump->space, at, &word))
        return;
    module = df_module_at(modules, word);
    if (module && module != constants->py->module)
        lose(constants, node, (uint32_t)(module - modules->items));
}

static void explain_codes(struct constants *constants)
{
    for (size_t i = 0; i < constants->codes.count; i++) {
        uint32_t node = constants->codes.items[i].node;

        if (gr_unexplained(constants->graph, node))
            lose(constants, node, module_of(constants, node));
    }
}

static uint32_t type_named(const struct py_objects *objects, const char *name)
{
    for (uint32_t i = 0; i < py_type_count(objects); i++)
        if (strcmp(py_type_at(objects, i)->name, name) == 0)
            return i;
    return PY_NO_TYPE;
}

uint32_t gr_code_type(const struct py_objects *objects)
{
    return type_named(objects, "code");
}

void gr_explain_constants(struct gr_graph *graph, struct py_objects *objects, const struct py *py,
                          const struct gr_node_list *codes, struct gr_words *words)
{
    uint32_t wrapper = type_named(objects, "wrapper_descriptor");
    struct constants constants = {
        .graph = graph, .objects = objects, .py = py, .reader = py_reader(py)};
    struct gr_words found = {0};

    constants.words = &found;
    constants.votes = df_xcalloc((size_t)py->dump->modules->count + 1, sizeof(*constants.votes));
    df_map_init(&constants.by_names);
    df_map_init(&constants.taken);
    find_codes(&constants, codes);
    explain_codes(&constants);
    for (uint32_t i = 0; i < graph->surplus_count; i++) {
        uint32_t v = graph->surpluses[i].node;
        const struct py_type *type = py_type_at(objects, gr_type(graph, v));

        if (!gr_unexplained(graph, v))
            continue;
        if (type->flags & PY_TPFLAGS_TUPLE)
            explain_tuple(&constants, v);
        else if (gr_type(graph, v) == wrapper)
            explain_wrapper(&constants, v, type);
    }
    for (size_t i = 0; i < found.count; i++)
        DF_PUSH(words, found.items[i]);
    free(found.items);
    free(constants.codes.items);
    free(constants.votes);
    df_map_deinit(&constants.by_names);
    df_map_deinit(&constants.taken);
}
