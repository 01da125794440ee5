/* SPDX-License-Identifier: MIT
 * fields.c: what a person means by "in it": attributes, items, members, locals, names.
 *
 * They are the references whose labels are names or places, and the items of the dict that holds an
 * object's attributes. Keys are names here, and no fields of their own; nor is the type.
 */
#include <string.h>

#include "analyzer/findings/hops.h"
#include "analyzer/findings/show.h"
#include "dumpfmt/base/mem.h"

#define FIELD_TEXT 100
#define NAME_TEXT 60

struct fields {
    struct fi_show *show;
    struct {
        struct fi_field *items;
        size_t count, capacity;
    } list;
    struct {
        struct fi_link *items;
        size_t count, capacity;
    } others;
    uint64_t total, other_total;
};

static bool is_field(const struct py_ref *ref)
{
    return ref->label == PY_LABEL_ATTR || ref->label == PY_LABEL_SLOT ||
           ref->label == PY_LABEL_ITEM || ref->label == PY_LABEL_VALUE ||
           ref->label == PY_LABEL_MEMBER || ref->label == PY_LABEL_LOCAL;
}

static bool within(const struct fields *fields, uint64_t listed)
{
    return !fields->show->limit || listed < fields->show->limit;
}

static void add_field(struct fields *fields, const char *name, uint64_t target)
{
    struct fi_analysis *analysis = fields->show->analysis;
    uint32_t node = gr_node(analysis->graph, target);
    uint32_t type = py_object_type(analysis->objects, target);

    DF_PUSH(&fields->list,
            (struct fi_field){
                .name = name,
                .type = type == PY_NO_TYPE ? "?" : py_type_at(analysis->objects, type)->name,
                .text = fi_show_text(fields->show, target, FIELD_TEXT),
                .address = target,
                .size = node == AL_NONE ? 0 : gr_size(analysis->graph, node),
                .retained_bytes = node == AL_NONE ? 0 : fi_retained(analysis, node)});
}

/* ".name" is called name, "['key']" 'key'; a place keeps its brackets; members have no name. */
static const char *field_name(struct fields *fields, uint64_t holder, const struct py_ref *ref)
{
    struct fi_show *show = fields->show;
    char *text;
    size_t length;

    if (ref->label == PY_LABEL_MEMBER)
        return "";
    if (ref->label == PY_LABEL_VALUE)
        return fi_pool_take(show->pool, py_text(show->analysis->objects, ref->argument, NAME_TEXT));
    text = fi_pool_take(show->pool, py_label_text(show->analysis->objects, holder, ref));
    length = strlen(text);
    if (text[0] == '.')
        memmove(text, text + 1, length);
    return text;
}

/* The items of the dict of attributes; its keys are their names. */
static void add_attributes(struct fields *fields, uint64_t dict)
{
    struct fi_show *show = fields->show;
    struct py_refs refs = {0};

    py_walk_one(show->analysis->objects, dict, &refs);
    for (size_t i = 0; i < refs.count; i++) {
        const struct py_ref *ref = &refs.items[i];
        struct py_ref as = {.label = PY_LABEL_ATTR, .argument = ref->argument};

        if (ref->label != PY_LABEL_VALUE)
            continue;
        if (within(fields, fields->total++))
            add_field(fields, field_name(fields, dict, &as), ref->target);
    }
    free(refs.items);
}

static const char *fields_are(const struct fi_show *show)
{
    const struct py_type *type = fi_type(show->analysis, show->node);

    if ((type->flags & PY_TPFLAGS_TYPE) || !strcmp(type->name, "module"))
        return "names";
    if (!strcmp(type->name, "frame") || !strcmp(type->name, "generator") ||
        !strcmp(type->name, "coroutine") || !strcmp(type->name, "async_generator"))
        return "locals";
    for (size_t i = 0; i < show->refs.count; i++)
        if (is_field(&show->refs.items[i]))
            return show->refs.items[i].label == PY_LABEL_MEMBER ? "members"
                   : show->refs.items[i].label == PY_LABEL_ITEM ||
                           show->refs.items[i].label == PY_LABEL_VALUE
                       ? "items"
                       : "attributes";
    return "attributes";
}

static void sort_reference(struct fields *fields, const struct py_ref *ref)
{
    struct fi_show *show = fields->show;
    uint64_t holder = gr_address(show->analysis->graph, show->node);

    if (is_field(ref)) {
        if (within(fields, fields->total++))
            add_field(fields, field_name(fields, holder, ref), ref->target);
    } else if (ref->label != PY_LABEL_KEY && ref->label != PY_LABEL_TYPE) {
        bool attributes = fi_is_attributes(ref);

        if (within(fields, fields->other_total++))
            DF_PUSH(&fields->others, fi_show_link(show, show->node, ref->target, ref));
        if (attributes)
            add_attributes(fields, ref->target);
    }
}

void fi_show_fields(struct fi_show *show)
{
    struct fields fields = {.show = show};
    struct fi_object *object = show->object;

    fi_walk(show->analysis, show->node, &show->refs);
    object->fields_are = fields_are(show);
    for (size_t i = 0; i < show->refs.count; i++)
        sort_reference(&fields, &show->refs.items[i]);
    object->fields = fi_pool_array(show->pool, fields.list.count, sizeof(*object->fields));
    object->others = fi_pool_array(show->pool, fields.others.count, sizeof(*object->others));
    if (fields.list.count)
        memcpy(object->fields, fields.list.items, fields.list.count * sizeof(*object->fields));
    if (fields.others.count)
        memcpy(object->others, fields.others.items, fields.others.count * sizeof(*object->others));
    object->field_count = (uint32_t)fields.list.count;
    object->field_total = fields.total;
    object->other_count = (uint32_t)fields.others.count;
    object->other_total = fields.other_total;
    free(fields.list.items);
    free(fields.others.items);
}
