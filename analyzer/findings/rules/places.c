/* SPDX-License-Identifier: MIT
 * places.c: the commonest path of a sample.
 */
#include "analyzer/findings/rules/places.h"

#include <ctype.h>
#include <string.h>

#include "dumpfmt/base/mem.h"

#define SAMPLE 24
#define MAX_WALKED 2000000 /* references that the sample's paths may cost */
#define MAX_HOPS 40
#define ID_DIGITS 12 /* of an address, as a number */

/* The end of what begins with the bracket at `at`: quoted keys may hold brackets. */
static const char *behind_brackets(const char *at)
{
    unsigned depth = 0;
    char quote = 0;
    for (; *at; at++) {
        if (quote) {
            if (*at == '\\' && at[1])
                at++;
            else if (*at == quote)
                quote = 0;
        } else if (*at == '\'' || *at == '"') {
            quote = *at;
        } else if (*at == '[') {
            depth++;
        } else if (*at == ']' && --depth == 0) {
            return at + 1;
        }
    }
    return at;
}

/* The end of an identifier that has an id() in it ("_asgiref_local_impl_140005566956304_kXVUxeHn"),
 * from the number on: it is another in each process. NULL: no such number here. */
static const char *behind_id(const char *at)
{
    size_t digits = strspn(at, "0123456789");
    if (digits < ID_DIGITS)
        return NULL;
    for (at += digits; isalnum((unsigned char)*at) || *at == '_';)
        at++;
    return at;
}

char *fi_path_shape(struct fi_pool *pool, const char *path)
{
    DF_CLEANUP_FREE char *shape = df_xcalloc(3 * strlen(path) + 1, 1);
    size_t used = 0;
    bool number = false; /* of a thread or an interpreter: "<thread 1234>" */
    for (const char *at = path, *end; *at;) {
        if (*at == '[') {
            at = behind_brackets(at);
            memcpy(shape + used, "[*]", 3);
            used += 3;
        } else if ((end = behind_id(at))) {
            shape[used++] = '*';
            at = end;
        } else if (isdigit((unsigned char)*at) && (number || (used && shape[used - 1] == '-'))) {
            at++; /* "Thread-12": which one it is differs from dump to dump */
        } else {
            number = *at == ' ' && used && shape[0] == '<';
            shape[used++] = *at++;
        }
    }
    return fi_pool_text(pool, shape);
}

/* References that writing the node's path will walk. */
static uint64_t cost(const struct fi_analysis *analysis, uint32_t node)
{
    const struct gr_graph *graph = analysis->graph;
    uint64_t sum = 1;
    for (uint32_t at = fi_parent(analysis, node), hops = 0; at < graph->count && hops < MAX_HOPS;
         at = fi_parent(analysis, at), hops++)
        sum += graph->start[at + 1] - graph->start[at];
    return sum;
}

struct fi_place fi_commonest_place(struct fi_context *context, const uint32_t *nodes, size_t count)
{
    struct fi_place best = {.node = AL_NONE};
    struct {
        const char *path;
        uint32_t node, same;
    } seen[SAMPLE];
    uint32_t distinct = 0, asked = 0;
    uint64_t walked = 0;
    for (size_t i = 0; i < SAMPLE && i < count; i++) {
        uint32_t node = nodes[count <= SAMPLE ? i : i * (count / SAMPLE)];
        walked += cost(context->analysis, node);
        if (asked && walked > MAX_WALKED)
            break;
        DF_CLEANUP_FREE char *path = fi_path(context->analysis, node, false, MAX_HOPS);
        const char *shape = fi_path_shape(context->pool, path);
        uint32_t at = 0;
        while (at < distinct && strcmp(seen[at].path, shape) != 0)
            at++;
        if (at == distinct) {
            seen[distinct].path = shape;
            seen[distinct].node = node;
            seen[distinct++].same = 0;
        }
        asked++;
        if (++seen[at].same > best.same)
            best = (struct fi_place){.path = shape, .node = seen[at].node, .same = seen[at].same};
    }
    best.asked = asked;
    return best;
}

struct fi_holder fi_place_holder(struct fi_context *context, const struct fi_place *place)
{
    const struct fi_analysis *analysis = context->analysis;
    if (place->node >= analysis->graph->count)
        return (struct fi_holder){0};
    uint32_t above = fi_parent(analysis, place->node);
    uint32_t node = above < analysis->graph->count ? above : place->node;
    return (struct fi_holder){
        .address = gr_address(analysis->graph, node),
        .type = fi_pool_text(context->pool, fi_type_name(analysis, node)),
        .path = place->path,
        .text = fi_describe(context, node),
        .shallow_bytes = gr_size(analysis->graph, node),
        .retained_bytes = fi_retained(analysis, node),
        .retained_objects = fi_retained_count(analysis, node),
    };
}
