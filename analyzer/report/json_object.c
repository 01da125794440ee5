/* SPDX-License-Identifier: MIT
 * json_object.c: one object, the ways to it and pictures for a machine.
 */
#include "analyzer/findings/cuts.h"
#include "analyzer/report/jsonvalue.h"
#include "analyzer/report/report.h"

static json_t *links(const struct fi_link *rows, uint32_t count)
{
    json_t *array = json_array();
    for (uint32_t i = 0; i < count; i++)
        json_array_append_new(
            array,
            json_pack("{so so so so so}", "address", rp_json_address(rows[i].address), "type",
                      rp_json_text(rows[i].type), "label", rp_json_text(rows[i].label), "text",
                      rp_json_text(rows[i].text), "kind", rp_json_text(rows[i].kind)));
    return array;
}

static json_t *allocated(const struct fi_object *object)
{
    json_t *array = json_array();
    for (uint32_t i = 0; i < object->allocated_count; i++) {
        const struct fi_allocated *block = &object->allocated[i];
        json_t *traceback = json_array();
        for (uint32_t j = block->frame_count; j-- > 0;) /* Python's order: the oldest call first */
            json_array_append_new(traceback,
                                  json_pack("{so so}", "file", rp_json_text(block->frames[j].file),
                                            "line", rp_json_number(block->frames[j].line)));
        json_array_append_new(
            array,
            json_pack("{so so so so}", "what", rp_json_text(block->what), "size",
                      rp_json_number(block->size), "traceback", traceback, "frame_total",
                      block->frame_total ? rp_json_number(block->frame_total) : json_null()));
    }
    return array;
}

static json_t *fields(const struct fi_object *object)
{
    json_t *array = json_array();
    for (uint32_t i = 0; i < object->field_count; i++) {
        const struct fi_field *field = &object->fields[i];
        json_array_append_new(
            array, json_pack("{so so so so so so}", "name", rp_json_text(field->name), "address",
                             rp_json_address(field->address), "type", rp_json_text(field->type),
                             "text", rp_json_text(field->text), "size", rp_json_number(field->size),
                             "retained_bytes", rp_json_number(field->retained_bytes)));
    }
    return array;
}

static json_t *facts(const struct fi_object *object)
{
    json_t *array = json_array();
    for (uint32_t i = 0; i < object->fact_count; i++)
        json_array_append_new(array,
                              json_pack("{so so}", "name", rp_json_text(object->facts[i].name),
                                        "text", rp_json_text(object->facts[i].text)));
    return array;
}

static json_t *dominator(const struct fi_link *above)
{
    if (!above)
        return json_null();
    return json_pack("{so so so so}", "address", rp_json_address(above->address), "type",
                     rp_json_text(above->type), "label", rp_json_text(above->label), "text",
                     rp_json_text(above->text));
}

static json_t *freed(const struct fi_object *object)
{
    json_t *array = json_array();
    for (uint32_t i = 0; i < object->freed_count; i++)
        json_array_append_new(array,
                              json_pack("{so so so}", "type", rp_json_text(object->freed[i].type),
                                        "count", rp_json_number(object->freed[i].count), "bytes",
                                        rp_json_number(object->freed[i].shallow_bytes)));
    return array;
}

static json_t *cycle(const struct fi_object *object)
{
    if (!object->cycle_objects)
        return json_null();
    return json_pack("{so so so}", "objects", rp_json_number(object->cycle_objects), "bytes",
                     rp_json_number(object->cycle_bytes), "types",
                     rp_json_text(object->cycle_types));
}

struct df_err *rp_instances_json(FILE *stream, const struct fi_instances *instances)
{
    json_t *array = json_array();
    for (uint32_t i = 0; i < instances->count; i++) {
        const struct fi_instance *item = &instances->items[i];
        json_array_append_new(array,
                              json_pack("{so so so so}", "address", rp_json_address(item->address),
                                        "size", rp_json_number(item->size), "retained_bytes",
                                        rp_json_number(item->retained_bytes), "text",
                                        rp_json_text(item->text)));
    }
    return rp_json_write(stream, json_pack("{si so so so so}", "schema_version", FI_SCHEMA_VERSION,
                                           "type", rp_json_text(instances->type), "total",
                                           rp_json_number(instances->total), "shallow_bytes",
                                           rp_json_number(instances->bytes), "objects", array));
}

struct df_err *rp_object_json(FILE *stream, const struct fi_object *object)
{
    bool immortal = object->immortal || object->references == INT64_MAX;
    json_t *value = json_pack(
        "{si so so so so so so so sb so so so so so sb sb sb}", "schema_version", FI_SCHEMA_VERSION,
        "address", rp_json_address(object->address), "type", rp_json_text(object->type), "text",
        rp_json_text(object->text), "size", rp_json_number(object->size), "retained_bytes",
        rp_json_number(object->retained_bytes), "retained_objects",
        rp_json_number(object->retained_objects), "refcount",
        immortal ? json_null() : json_integer(object->references), "immortal", immortal, "path",
        rp_json_text(object->path), "dominator_path", rp_json_text(object->dominator_path), "root",
        rp_json_text(object->root), "source", rp_json_text(object->source), "verdict",
        rp_json_text(object->verdict), "tracked", object->tracked, "finalized", object->finalized,
        "garbage", object->garbage);
    if (!value)
        return df_err_nomem();
    json_object_set_new(value, "allocated", allocated(object));
    json_object_set_new(value, "facts", facts(object));
    json_object_set_new(value, "fields_are", rp_json_text(object->fields_are));
    json_object_set_new(value, "fields", fields(object));
    json_object_set_new(value, "field_total", rp_json_number(object->field_total));
    json_object_set_new(value, "dominator", dominator(object->dominator));
    json_object_set_new(value, "freed_with_it", freed(object));
    json_object_set_new(value, "cycle", cycle(object));
    json_object_set_new(value, "referents", links(object->referents, object->referent_count));
    json_object_set_new(value, "referent_total", rp_json_number(object->referent_total));
    json_object_set_new(value, "referrers", links(object->referrers, object->referrer_count));
    json_object_set_new(value, "referrer_total", rp_json_number(object->referrer_total));
    return rp_json_write(stream, value);
}

static json_t *route(const struct fi_route *route)
{
    json_t *steps = json_array();
    for (uint32_t i = 0; i < route->step_count; i++) {
        const struct fi_step *step = &route->steps[i];
        json_array_append_new(
            steps, json_pack("{so so so so so so}", "address", rp_json_address(step->address),
                             "type", rp_json_text(step->type), "label", rp_json_text(step->label),
                             "text", rp_json_text(step->text), "size", rp_json_number(step->size),
                             "retained_bytes", rp_json_number(step->retained_bytes)));
    }
    return json_pack("{so so}", "path", rp_json_text(route->path), "steps", steps);
}

static json_t *cuts(const struct fi_cuts *cuts)
{
    json_t *edges = json_array(), *ways = json_array();
    for (uint32_t i = 0; i < cuts->cut_count; i++) {
        const struct fi_cut *cut = &cuts->cuts[i];
        json_array_append_new(
            edges, json_pack("{so so so so so}", "path", rp_json_text(cut->path), "holder",
                             cut->holder ? rp_json_address(cut->holder) : json_null(),
                             "holder_type", rp_json_text(cut->holder_type), "root",
                             rp_json_text(cut->kind), "held", rp_json_address(cut->held)));
    }
    for (uint32_t i = 0; i < cuts->way_count; i++)
        json_array_append_new(ways, route(&cuts->ways[i]));
    return json_pack("{si sb so so so}", "references", (int)cuts->count, "more", cuts->more,
                     "sentence", rp_json_text(cuts->sentence), "cut", edges, "ways", ways);
}

struct df_err *rp_routes_json(FILE *stream, const struct fi_routes *routes)
{
    json_t *shortest = json_array();
    for (uint32_t i = 0; i < routes->count; i++) {
        json_t *one = route(&routes->shortest[i]);
        json_object_set_new(one, "count", rp_json_number(routes->counts[i]));
        json_array_append_new(shortest, one);
    }
    bool dominated = routes->dominators.step_count > 0;
    return rp_json_write(stream, json_pack("{si so so so so}", "schema_version", FI_SCHEMA_VERSION,
                                           "targets", rp_json_number(routes->targets), "shortest",
                                           shortest, "dominators",
                                           dominated ? route(&routes->dominators) : json_null(),
                                           "to_free",
                                           routes->cuts ? cuts(routes->cuts) : json_null()));
}

static json_t *picture_node(const struct fi_picture_node *node, uint32_t number)
{
    return json_pack("{si so so so so so so sb sb sb so so si}", "node", (int)number, "address",
                     rp_json_address(node->address), "type", rp_json_text(node->type), "text",
                     rp_json_text(node->text), "size", rp_json_number(node->size), "retained_bytes",
                     rp_json_number(node->retained_bytes), "count", rp_json_number(node->folded),
                     "target", node->target, "garbage", node->garbage, "cut", node->cut, "hidden",
                     rp_json_number(node->hidden), "root",
                     node->root ? rp_json_text(node->root_path ? node->root_path : "")
                                : json_null(),
                     "depth", (int)node->depth);
}

struct df_err *rp_picture_json(FILE *stream, const struct fi_picture *picture)
{
    json_t *nodes = json_array(), *edges = json_array();
    for (uint32_t i = 0; i < picture->node_count; i++)
        json_array_append_new(nodes, picture_node(&picture->nodes[i], i));
    for (uint32_t i = 0; i < picture->edge_count; i++) {
        const struct fi_picture_edge *edge = &picture->edges[i];
        json_array_append_new(edges, json_pack("{si si so so}", "from", (int)edge->from, "to",
                                               (int)edge->to, "label", rp_json_text(edge->label),
                                               "count", rp_json_number(edge->count)));
    }
    return rp_json_write(stream,
                         json_pack("{si so so so}", "schema_version", FI_SCHEMA_VERSION, "title",
                                   rp_json_text(picture->title), "nodes", nodes, "edges", edges));
}
