/* SPDX-License-Identifier: MIT
 * test_ledger.c: reference counts of graphs written by hand against their references: surplus,
 * deficit, what slots of the state and shared keys hold, and what words of C data explain.
 */
#include <elf.h>

#include "analyzer/graph/ledger.h"
#include "tests/support/graphmade.h"
#include "tests/support/objects_check.h"

#define MOST 32

struct book {
    struct pb *pb;
    uint64_t address[MOST];
    struct graphmade_node nodes[MOST];
    struct graphmade_edge edges[MOST];
    uint32_t count, edge_count;
    struct gr_graph *graph;
    struct df_module modules[2]; /* the interpreter, an extension */
    struct df_load load;
    uint64_t data; /* the extension's */
};

static void begin(struct book *book, void **state)
{
    *book = (struct book){.pb = *state};
    book->modules[1].name = (char *)"libfoo.so";
    book->modules[1].loads = &book->load;
    book->modules[1].symbols_loaded = true;
}

/* The next object in memory, counting so many references. */
static uint32_t add(struct book *book, uint64_t address, int64_t references)
{
    assert_true(book->count < MOST);
    assert_true(!book->count || address > book->address[book->count - 1]);
    book->address[book->count] = address;
    book->nodes[book->count].references = references;
    return book->count++;
}

static uint32_t add_str(struct book *book, const char *text, int64_t references)
{
    return add(book, pb_str(book->pb, text), references);
}

static void refer(struct book *book, uint32_t from, uint32_t to, uint8_t kind)
{
    assert_true(book->edge_count < MOST);
    book->edges[book->edge_count++] = (struct graphmade_edge){from, to, kind};
}

/* A word of the extension's data, which is made on the first call. */
static void put_word(struct book *book, uint32_t i, uint64_t word)
{
    struct pb *pb = book->pb;
    if (!book->data) {
        book->data = pb_take(pb, 64);
        book->load = (struct df_load){book->data, book->data + 64, PF_R | PF_W};
        book->modules[1].load_count = 1;
    }
    pb_put(pb, book->data + i * 8, word);
}

static void add_up(struct book *book)
{
    struct pb *pb = book->pb;
    struct py_objects *objects = pb_open(pb);
    pb->modules = (struct df_modules){.items = book->modules, .count = 2};
    pb->py.module = &book->modules[0];
    book->modules[0].symbols_loaded = true;
    book->graph = graphmade(book->count, book->nodes, book->edges, book->edge_count);
    for (uint32_t v = 0; v < book->count; v++) {
        book->graph->addresses[v] = book->address[v];
        gr_column_set(&book->graph->types, v, py_object_type(objects, book->address[v]));
        book->graph->origins[v] = GR_FROM_REFERENT;
        assert_int_not_equal(gr_type(book->graph, v), PY_NO_TYPE);
    }
    assert_ok(gr_ledger_make(book->graph, objects, &pb->py, 2));
}

static void end(struct book *book)
{
    gr_graph_destroy(book->graph);
}

static void test_surplus_and_deficit(void **state)
{
    struct book book;
    begin(&book, state);
    uint32_t even = add_str(&book, "even", 2), more = add_str(&book, "more", 3);
    uint32_t less = add_str(&book, "less", 1), never = add_str(&book, "never", INT64_MAX);
    uint32_t holder = add(&book, pb_list(book.pb, 0, NULL, 0), 0);
    for (int i = 0; i < 2; i++) {
        refer(&book, holder, even, PY_REF_REFERENT);
        refer(&book, holder, less, PY_REF_OWNED);
        refer(&book, holder, never, PY_REF_REFERENT);
    }
    refer(&book, holder, more, PY_REF_REFERENT);
    refer(&book, holder, more, PY_REF_WEAK); /* counts nothing */
    add_up(&book);
    assert_int_equal(gr_surplus(book.graph, even), 0);
    assert_int_equal(gr_surplus(book.graph, more), 2);
    assert_int_equal(gr_surplus(book.graph, less), -1);
    assert_int_equal(gr_surplus(book.graph, never), 0);
    assert_int_equal(gr_unexplained(book.graph, more), 2);
    assert_int_equal(book.graph->counts.checked, 4);
    assert_int_equal(book.graph->counts.surplus, 1);
    assert_int_equal(book.graph->counts.unexplained, 1);
    assert_int_equal(book.graph->counts.deficit, 1);
    assert_int_equal(book.graph->counts.deficit_examples[0], less);
    end(&book);
}

/* A guess is no proof of a mistake, nor of a loss. */
static void test_guesses(void **state)
{
    struct book book;
    begin(&book, state);
    uint32_t one = add_str(&book, "one", 1), two = add_str(&book, "two", 2);
    uint32_t three = add_str(&book, "three", 3);
    uint32_t holder = add(&book, pb_list(book.pb, 0, NULL, 0), 0);
    for (uint32_t to = one; to <= three; to++) {
        refer(&book, holder, to, PY_REF_REFERENT);
        refer(&book, holder, to, PY_REF_GUESS);
    }
    add_up(&book);
    assert_int_equal(gr_surplus(book.graph, one), 0);
    assert_int_equal(gr_surplus(book.graph, two), 0);
    assert_int_equal(gr_surplus(book.graph, three), 1);
    assert_int_equal(book.graph->counts.deficit, 0);
    end(&book);
}

/* A word explains one reference: the object's address, or that of its text. */
static void test_words(void **state)
{
    struct book book;
    uint64_t text, length;
    uint32_t kind;
    begin(&book, state);
    uint32_t twice = add_str(&book, "twice", 2), doc = add_str(&book, "what it does", 1);
    uint32_t lost = add_str(&book, "lost", 1);
    struct py_reader reader = py_reader(&book.pb->py);
    assert_true(py_str_data(&reader, book.address[doc], &text, &length, &kind));
    put_word(&book, 0, book.address[twice]);
    put_word(&book, 1, text);
    put_word(&book, 2, text + 1);               /* into the text: nothing */
    put_word(&book, 3, book.address[lost] + 8); /* into the header: nothing */
    add_up(&book);
    assert_int_equal(gr_unexplained(book.graph, twice), 1);
    assert_int_equal(gr_unexplained(book.graph, doc), 0);
    assert_int_equal(gr_unexplained(book.graph, lost), 1);
    assert_int_equal(book.graph->counts.surplus, 3);
    assert_int_equal(book.graph->counts.unexplained, 2);
    size_t count;
    const struct gr_native *word = gr_natives_of(book.graph, twice, &count);
    assert_int_equal(count, 1);
    assert_int_equal(word->address, book.data);
    char *name = gr_native_name(&book.pb->py, word);
    assert_non_null(strstr(name, "libfoo.so"));
    free(name);
    end(&book);
}

/* A slot of the interpreter's state holds one reference, however often it is told. */
static void test_state(void **state)
{
    struct book book;
    begin(&book, state);
    struct pb *pb = book.pb;
    uint32_t held = add_str(&book, "held", 1), other = add_str(&book, "other", 1);
    struct py_slot slots[] = {{.path = (char *)"dict", .offset = 8, .count = 1, .stride = 8},
                              {.path = (char *)"again", .offset = 8, .count = 1, .stride = 8}};
    struct py_slots before = pb->py.layout.interp_slots;
    pb->interpreter.address = pb_take(pb, 64);
    pb_put(pb, pb->interpreter.address + 8, book.address[held]);
    pb->py.layout.interp_slots.items = slots;
    pb->py.layout.interp_slots.count = 2;
    pb->py.interpreters = &pb->interpreter;
    pb->py.interpreter_count = 1;
    add_up(&book);
    assert_int_equal(gr_surplus(book.graph, held), 0);
    assert_int_equal(gr_surplus(book.graph, other), 1);
    assert_int_equal(book.graph->counts.reliable, !pb->form->free_threaded);
    pb->py.layout.interp_slots = before;
    end(&book);
}

/* Keys that dicts share: their class has them in the graph, or nobody has and they are counted
 * once. */
static void test_shared_keys(void **state)
{
    static const char *const names[] = {"x"};
    struct book book;
    begin(&book, state);
    struct pb *pb = book.pb;
    uint64_t value = pb_int(pb, 7);
    uint64_t class = pb_class(pb, "Kept", pb->object, true, NULL);
    uint64_t kept = pb_share_keys(pb, class, 1, names);
    struct py_refs keys = {0};
    py_own_keys(pb_open(pb), kept, &keys);
    assert_int_equal(keys.count, 1);
    uint64_t kept_key = keys.items[0].target;
    free(keys.items);
    uint32_t class_node = add(&book, class, 0);
    uint32_t kept_node = add(&book, kept_key, 1);
    uint64_t orphan = pb_str(pb, "y");
    uint32_t orphan_node = add(&book, orphan, 1);
    uint64_t table = pb_keys(pb, PB_SHARED, 3, 1, &orphan, NULL);
    add(&book, pb_split_dict(pb, kept, 1, &value), 0);
    add(&book, pb_split_dict(pb, table, 1, &value), 0);
    add(&book, pb_split_dict(pb, table, 1, &value), 0);
    refer(&book, class_node, kept_node, PY_REF_OWNED);
    add_up(&book);
    assert_int_equal(gr_surplus(book.graph, kept_node), 0);
    assert_int_equal(gr_surplus(book.graph, orphan_node), 0);
    end(&book);
}

/* Code without instructions is Cython's, and each explains one tuple of its variables' names. */
static void test_lost_on_import(void **state)
{
    struct book book;
    begin(&book, state);
    struct pb *pb = book.pb;
    struct py_layout *layout = &pb->py.layout;
    layout->offset[PY_F_code_co_localsplusnames] = 80;
    layout->size[PY_F_code_co_localsplusnames] = 8;
    uint64_t items[] = {pb_str(pb, "self"), pb_str(pb, "count")};
    add(&book, items[0], 3);
    add(&book, items[1], 3);
    uint64_t names = pb_tuple(pb, 2, items);
    uint32_t names_node = add(&book, names, 1);
    uint32_t equal = add(&book, pb_tuple(pb, 2, items), 1);
    uint32_t again = add(&book, pb_tuple(pb, 2, items), 1);
    uint64_t code = pb_object(pb, pb->code, 128), runs = pb_object(pb, pb->code, 128);
    uint32_t code_node = add(&book, code, 1), runs_node = add(&book, runs, 1);
    PB_SET(pb, code, code, co_localsplusnames, names);
    PB_SET(pb, runs, varobject, ob_size, 12);
    refer(&book, code_node, names_node, PY_REF_OWNED);
    for (uint32_t tuple = names_node; tuple <= again; tuple++)
        for (uint32_t item = 0; item < 2; item++)
            refer(&book, tuple, item, PY_REF_REFERENT);
    add_up(&book);
    assert_int_equal(gr_surplus(book.graph, 0), 0);
    assert_int_equal(gr_unexplained(book.graph, names_node), 0);
    assert_int_equal(gr_unexplained(book.graph, code_node), 0);
    assert_int_equal(gr_unexplained(book.graph, runs_node), 1);
    assert_int_equal(gr_unexplained(book.graph, equal) + gr_unexplained(book.graph, again), 1);
    assert_int_equal(book.graph->counts.imports, 2);
    end(&book);
}

int main(void)
{
    static const struct form_test tests[] = {
        {"surplus and deficit", test_surplus_and_deficit},
        {"guesses", test_guesses},
        {"words", test_words},
        {"state", test_state},
        {"shared keys", test_shared_keys},
        {"lost on import", test_lost_on_import},
    };
    return run_forms(tests, sizeof(tests) / sizeof(*tests));
}
