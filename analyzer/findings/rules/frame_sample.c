/* SPDX-License-Identifier: MIT
 * frame_sample.c: see frame_sample.h.
 */
#include "analyzer/findings/rules/frame_sample.h"

#include <stdlib.h>
#include <string.h>

#include "dumpfmt/base/mem.h"

#define TOLD 3
#define STEPS 64 /* upwards from the keeper */

/* The keeper lies below it: a `self` whose list the frames are kept in. */
static bool is_above(const struct fi_analysis *analysis, uint32_t node, uint32_t keeper)
{
    for (int step = 0; step < STEPS && keeper < analysis->graph->count; step++) {
        if (keeper == node)
            return true;
        keeper = fi_idom(analysis, keeper);
    }
    return false;
}

static void add_local(void *data, const char *name, uint64_t object)
{
    struct fi_frame_sample *sample = data;
    const struct fi_analysis *analysis = sample->context->analysis;
    uint32_t node = gr_node(analysis->graph, object), at = 0;
    if (node == AL_NONE || is_above(analysis, node, sample->keeper))
        return;
    while (at < sample->count && (sample->variables[at].code != sample->code ||
                                  strcmp(sample->variables[at].name, name) != 0))
        at++;
    if (at == FI_SAMPLE_VARIABLES)
        return;
    struct fi_variable *variable = &sample->variables[at];
    if (at == sample->count) {
        sample->count++;
        *variable = (struct fi_variable){.code = sample->code, .name = df_xstrdup(name)};
    }
    variable->bytes += fi_retained(analysis, node);
    variable->count++;
    variable->type = gr_type(analysis->graph, node);
}

/* The frame of a module has its globals as locals: those are the module's. */
void fi_frame_sample_add(struct fi_frame_sample *sample, const struct py_frame *frame)
{
    sample->code = frame->code;
    if (frame->code && (!frame->locals_dict || frame->locals_dict != frame->globals))
        py_frame_locals(sample->context->analysis->objects, frame, add_local, sample);
}

static int compare_variables(const void *left, const void *right)
{
    const struct fi_variable *a = left, *b = right;
    if (a->bytes != b->bytes)
        return a->bytes > b->bytes ? -1 : 1;
    return strcmp(a->name, b->name);
}

void fi_frame_sample_tell(struct fi_frame_sample *sample, struct fi_finding *finding)
{
    struct fi_context *context = sample->context;
    const char *text = "";
    qsort(sample->variables, sample->count, sizeof(*sample->variables), compare_variables);
    for (uint32_t i = 0; i < sample->count && i < TOLD && sample->variables[i].bytes; i++) {
        const struct fi_variable *variable = &sample->variables[i];
        DF_CLEANUP_FREE char *code = py_code_name(context->analysis->py, variable->code);
        const struct py_type *type = py_type_at(context->analysis->objects, variable->type);
        text =
            fi_pool_format(context->pool, "%s%s`%s` of %s (%s, about %s)", text, i ? ", " : "",
                           variable->name, code ? code : "?", fi_type_phrase(context->pool, type),
                           fi_bytes_phrase(variable->bytes / variable->count).text);
    }
    if (*text)
        fi_evidence(context, finding,
                    fi_pool_format(context->pool, "the frames keep their locals: %s", text));
    for (uint32_t i = 0; i < sample->count; i++)
        free(sample->variables[i].name);
    sample->count = 0;
}
