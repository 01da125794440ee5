/* SPDX-License-Identifier: MIT
 * path.c: a path as Python would write it.
 *
 * The chain of nodes from a root is turned into text hop by hop. Dicts of attributes vanish: a hop
 * to `__dict__` is held back, and a value of that dict under a name is written as an attribute. So
 * module -> dict -> class -> dict -> list reads `shop.models.Repo._by_id`. A hop that repeats is
 * written once with a count: a linked list reads `head.next×4998`.
 */
#include <stdio.h>
#include <string.h>

#include "analyzer/findings/hops.h"
#include "dumpfmt/base/mem.h"

struct chain {
    uint32_t *items; /* the node first, its root last */
    size_t count, capacity;
};

#define REPEATS_WRITTEN 3 /* a hop that repeats more often is counted */

struct writer {
    struct fi_analysis *analysis;
    FILE *stream;
    char *hop; /* the last hop, not written yet; NULL when none */
    uint64_t repeats;
    struct py_refs refs;
    bool attributes; /* the last node is the dict of attributes of what is written */
    bool per_thread; /* the last node keeps a dict for each thread, of what is written */
    bool cell;       /* the last node is the cell of the variable that is written */
};

static void chain_fill(struct chain *chain, const struct fi_analysis *analysis, uint32_t node,
                       uint32_t (*above)(const struct fi_analysis *, uint32_t))
{
    for (; node < analysis->graph->count; node = above(analysis, node))
        DF_PUSH(chain, node);
}

static bool ends_in(const char *text, const char *end)
{
    size_t length = strlen(text), end_length = strlen(end);

    return length >= end_length && strcmp(text + length - end_length, end) == 0;
}

static void flush_hop(struct writer *w)
{
    if (!w->hop)
        return;
    if (w->repeats > REPEATS_WRITTEN)
        fprintf(w->stream, "%s×%llu", w->hop, (unsigned long long)w->repeats);
    else
        for (uint64_t i = 0; i < w->repeats; i++)
            fputs(w->hop, w->stream);
    free(DF_TAKE(w->hop));
}

static void write_text(struct writer *w, const char *text)
{
    if (w->hop && strcmp(w->hop, text) == 0) {
        w->repeats++;
        return;
    }
    flush_hop(w);
    w->hop = df_xstrdup(text);
    w->repeats = 1;
}

static void write_root(struct writer *w, uint32_t node)
{
    const struct gr_root *root = gr_root_of(w->analysis->graph, node);
    const struct py_type *type = fi_type(w->analysis, node);

    if (!root) {
        fprintf(w->stream, "<unreached> %s", type->name);
        return;
    }
    fputs(root->path, w->stream);
    if (root->kind == GR_ROOT_GARBAGE || root->kind == GR_ROOT_UNKNOWN)
        fprintf(w->stream, " %s", type->name);
    /* The dict of a frame that has no other name for it: its values are the frame's names. */
    w->attributes =
        root->kind == GR_ROOT_FRAME && (type->flags & PY_TPFLAGS_DICT) && ends_in(root->path, "()");
    w->cell = root->kind == GR_ROOT_FRAME && strcmp(type->name, "cell") == 0;
}

static void write_value(struct writer *w, const struct py_ref *ref, char *text)
{
    bool attributes = w->attributes, cell = w->cell;

    w->attributes = false;
    w->cell = false;
    if (attributes && (ref->label != PY_LABEL_VALUE || !fi_key_to_attribute(text)))
        write_text(w, ".__dict__");
    if (!cell || strcmp(text, ".cell_contents") != 0)
        write_text(w, text);
}

/* A threading.local keeps the attributes that it has in each thread in a dict, found by a weak
 * reference to something of that thread's (Modules/_threadmodule.c, localobject). To a program they
 * are attributes of the one object. */
static bool skip_local(struct writer *w, uint32_t holder, uint32_t held)
{
    if (w->per_thread) {
        w->per_thread = false;
        w->attributes = strcmp(fi_type(w->analysis, held)->name, "dict") == 0;
        return w->attributes;
    }
    w->per_thread = strcmp(fi_type(w->analysis, holder)->name, "_thread._local") == 0 &&
                    strcmp(fi_type(w->analysis, held)->name, "dict") == 0;
    return w->per_thread;
}

/* The variable that a node of a context's trie has the value of: the word in front of it, in its
 * array of keys and values (Python/hamt.c, PyHamtNode_Bitmap). 0: none. */
static uint64_t context_variable(const struct writer *w, uint32_t node, uint64_t value)
{
    struct py_reader reader = py_reader(w->analysis->py);
    uint64_t at = gr_address(w->analysis->graph, node), before = 0;

    for (uint64_t i = 0; i < gr_size(w->analysis->graph, node) / 8; i++) {
        uint64_t word = py_word(&reader, at + 8 * i);

        if (word == value && before && !reader.fault)
            return before;
        before = word;
    }
    return 0;
}

/* A context keeps its variables in a trie, which is nobody's business: `.context['name']`. */
static bool skip_trie(struct writer *w, uint32_t holder, uint32_t held)
{
    struct py_reader reader = py_reader(w->analysis->py);
    const char *below = fi_type(w->analysis, held)->name;

    if (!strncmp(below, "hamt", 4))
        return true;
    if (strncmp(fi_type(w->analysis, holder)->name, "hamt", 4) != 0)
        return false;
    uint64_t variable = context_variable(w, holder, gr_address(w->analysis->graph, held));
    uint64_t name = variable ? PY_PTR(&reader, variable, contextvar, var_name) : 0;
    DF_CLEANUP_FREE char *text =
        name && !reader.fault ? py_text(w->analysis->objects, name, 60) : NULL;
    DF_CLEANUP_FREE char *hop = NULL;
    if (!text || asprintf(&hop, "[%s]", text) < 0)
        return false;
    write_text(w, hop);
    w->attributes = w->cell = false;
    return true;
}

static void write_hop(struct writer *w, uint32_t holder, uint32_t held)
{
    DF_CLEANUP_FREE char *text = NULL;
    const struct py_ref *ref;

    if (skip_local(w, holder, held) || skip_trie(w, holder, held))
        return;
    fi_walk_to(w->analysis, holder, held, &w->refs);
    ref = fi_best_ref(&w->refs, gr_address(w->analysis->graph, held));
    if (!ref) { /* the holder could be walked only by other means */
        write_text(w, ".<reference>");
        w->attributes = w->cell = false;
        return;
    }
    if (fi_is_attributes(ref) && !w->attributes) {
        w->attributes = true;
        return;
    }
    text = fi_hop_text(w->analysis, holder, ref);
    write_value(w, ref, text);
    w->cell = ref->label == PY_LABEL_LOCAL && strcmp(fi_type(w->analysis, held)->name, "cell") == 0;
}

static void write_gap(struct writer *w)
{
    write_text(w, ".…");
    w->attributes = w->cell = false;
}

/* Hops from chain->items[count - 1] down to items[0]; of many, the first and last half. */
static void write_hops(struct writer *w, const struct chain *chain, uint32_t max_hops)
{
    size_t hops = chain->count - 1;
    size_t head = max_hops && hops > max_hops ? max_hops / 2 : hops;
    size_t tail = max_hops && hops > max_hops ? max_hops - head : 0;

    for (size_t i = 0; i < hops; i++) {
        uint32_t holder = chain->items[hops - i], held = chain->items[hops - i - 1];

        if (i >= head && i < hops - tail) {
            if (i == head)
                write_gap(w);
            continue;
        }
        if (fi_has_edge(w->analysis->graph, holder, held))
            write_hop(w, holder, held);
        else
            write_gap(w);
    }
}

/* The top of the dominator tree may be held by several roots: then its short path names it. */
static void write_top(struct writer *w, uint32_t node, bool dominators, uint32_t max_hops)
{
    if (dominators && gr_root_kind_of(w->analysis->graph, node) == GR_ROOT_NONE) {
        struct chain chain = {0};

        chain_fill(&chain, w->analysis, node, fi_parent);
        write_root(w, chain.items[chain.count - 1]);
        write_hops(w, &chain, max_hops);
        free(chain.items);
    } else {
        write_root(w, node);
    }
}

static bool begin(struct writer *w, struct fi_analysis *analysis, char **text, size_t *length)
{
    *w = (struct writer){.analysis = analysis};
    w->stream = open_memstream(text, length);
    return w->stream != NULL;
}

static void end(struct writer *w)
{
    if (w->attributes)
        write_text(w, ".__dict__");
    flush_hop(w);
    free(w->refs.items);
    fclose(w->stream);
}

char *fi_chain_path(struct fi_analysis *analysis, const uint32_t *nodes, size_t count,
                    uint32_t max_hops)
{
    struct writer w;
    struct chain chain = {0};
    char *text = NULL;
    size_t length;

    if (!count || !begin(&w, analysis, &text, &length))
        return df_xstrdup("");
    for (size_t i = 0; i < count; i++)
        DF_PUSH(&chain, nodes[i]);
    write_root(&w, nodes[count - 1]);
    write_hops(&w, &chain, max_hops);
    free(chain.items);
    end(&w);
    return text ? text : df_xstrdup("");
}

char *fi_path(struct fi_analysis *analysis, uint32_t node, bool dominators, uint32_t max_hops)
{
    struct writer w;
    struct chain chain = {0};
    char *text = NULL;
    size_t length;

    if (!begin(&w, analysis, &text, &length))
        return df_xstrdup("");
    chain_fill(&chain, analysis, node, dominators ? fi_idom : fi_parent);
    write_top(&w, chain.items[chain.count - 1], dominators, max_hops);
    write_hops(&w, &chain, max_hops);
    free(chain.items);
    end(&w);
    return text ? text : df_xstrdup("");
}
