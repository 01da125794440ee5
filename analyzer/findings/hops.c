/* SPDX-License-Identifier: MIT
 * hops.c: labels of single references.
 */
#include "analyzer/findings/hops.h"

#include <string.h>

#include "dumpfmt/base/mem.h"

bool fi_has_edge(const struct gr_graph *graph, uint32_t holder, uint32_t held)
{
    uint32_t out = graph->start[holder + 1] - graph->start[holder];
    uint32_t referrer;

    if (gr_referrer_count(graph, held) < out) {
        GR_EACH_REFERRER (graph, held, referrer)
            if (referrer == holder)
                return true;
        return false;
    }
    for (uint32_t e = graph->start[holder]; e < graph->start[holder + 1]; e++)
        if (graph->target[e] == held)
            return true;
    return false;
}

void fi_walk(struct fi_analysis *analysis, uint32_t node, struct py_refs *refs)
{
    refs->count = 0;
    py_walk_one(analysis->objects, gr_address(analysis->graph, node), refs);
}

void fi_walk_to(struct fi_analysis *analysis, uint32_t node, uint32_t held, struct py_refs *refs)
{
    refs->only = gr_address(analysis->graph, held);
    fi_walk(analysis, node, refs);
    refs->only = 0;
}

/* How much a label says to a person, for choosing among several references to the same object. */
static int label_rank(const struct py_ref *ref)
{
    static const int rank[] = {
        [PY_LABEL_ATTR] = 9,  [PY_LABEL_SLOT] = 9,   [PY_LABEL_LOCAL] = 8,  [PY_LABEL_VALUE] = 8,
        [PY_LABEL_FIELD] = 7, [PY_LABEL_ITEM] = 6,   [PY_LABEL_MEMBER] = 5, [PY_LABEL_KEY] = 4,
        [PY_LABEL_STACK] = 3, [PY_LABEL_OFFSET] = 2, [PY_LABEL_TYPE] = 1,   [PY_LABEL_NONE] = 0,
    };

    return ref->label < sizeof(rank) / sizeof(*rank) ? rank[ref->label] : 0;
}

bool fi_ref_is_better(const struct py_ref *ref, const struct py_ref *than)
{
    if (ref->kind == PY_REF_WEAK || ref->kind == PY_REF_NATIVE)
        return false;
    return !than || label_rank(ref) > label_rank(than);
}

const struct py_ref *fi_best_ref(const struct py_refs *refs, uint64_t target)
{
    const struct py_ref *best = NULL;

    for (size_t i = 0; i < refs->count; i++)
        if (refs->items[i].target == target && fi_ref_is_better(&refs->items[i], best))
            best = &refs->items[i];
    return best;
}

char *fi_step_label(struct fi_analysis *analysis, uint32_t holder, uint32_t held,
                    struct py_refs *refs)
{
    const struct py_ref *ref;

    if (holder == AL_NONE) {
        const struct gr_root *root = gr_root_of(analysis->graph, held);

        return root ? df_xstrdup(root->path) : fi_path(analysis, held, false, 24);
    }
    if (!fi_has_edge(analysis->graph, holder, held))
        return df_xstrdup("…");
    fi_walk_to(analysis, holder, held, refs);
    ref = fi_best_ref(refs, gr_address(analysis->graph, held));
    return ref ? fi_hop_text(analysis, holder, ref) : df_xstrdup(".<reference>");
}

char *fi_hop_text(struct fi_analysis *analysis, uint32_t holder, const struct py_ref *ref)
{
    char *text;

    if (ref->label == PY_LABEL_KEY) /* no Python expression leads to a key */
        return df_xstrdup(".<key>");
    text = py_label_text(analysis->objects, gr_address(analysis->graph, holder), ref);

    /* " local x" stands alone; behind the path of its frame it is a name like any other. */
    if (strncmp(text, " local ", 7) == 0) {
        memmove(text + 1, text + 7, strlen(text + 7) + 1);
        text[0] = '.';
    }
    if (*text)
        return text;
    free(text);
    /* What a module's own m_traverse visits lies in its state, which has no names. */
    return df_xstrdup(gr_root_kind_of(analysis->graph, holder) == GR_ROOT_MODULE ? ".<state>"
                                                                                 : ".<reference>");
}

const char *fi_hop_shape(struct fi_analysis *analysis, uint32_t holder, const struct py_ref *ref,
                         char **ret_free)
{
    *ret_free = NULL;
    switch (ref->label) {
    case PY_LABEL_ITEM:
    case PY_LABEL_VALUE:
        return "[*]";
    case PY_LABEL_STACK:
        return ".<stack *>";
    default:
        *ret_free = fi_hop_text(analysis, holder, ref);
        return *ret_free;
    }
}

bool fi_is_field(const struct py_ref *ref, const char *name)
{
    /* The argument of this label is a text of ours, not an address of the dump. */
    return ref->label == PY_LABEL_FIELD && ref->argument &&
           strcmp((const char *)(uintptr_t)ref->argument, name) == 0;
}

bool fi_is_attributes(const struct py_ref *ref)
{
    return fi_is_field(ref, "__dict__");
}

static bool is_identifier(const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        unsigned char c = (unsigned char)text[i];
        bool digit = c >= '0' && c <= '9';

        if (!(c == '_' || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (i && digit)))
            return false;
    }
    return length > 0;
}

bool fi_key_to_attribute(char *text)
{
    size_t length = strlen(text);

    if (length < 5 || strncmp(text, "['", 2) != 0 || strcmp(text + length - 2, "']") != 0 ||
        !is_identifier(text + 2, length - 4))
        return false;
    memmove(text + 1, text + 2, length - 4);
    text[0] = '.';
    text[length - 3] = '\0';
    return true;
}
