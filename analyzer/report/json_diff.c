/* SPDX-License-Identifier: MIT
 * json_diff.c: what grew between dumps, for a machine: diff.schema.json.
 */
#include "analyzer/report/jsonvalue.h"
#include "analyzer/report/report.h"

static json_t *figures(const uint64_t *figures, uint32_t count)
{
    json_t *array = json_array();
    for (uint32_t i = 0; i < count; i++)
        json_array_append_new(array, rp_json_number(figures[i]));
    return array;
}

static json_t *dumps(const struct fi_diff *diff)
{
    json_t *array = json_array();
    for (uint32_t d = 0; d < diff->dump_count; d++) {
        const struct fi_diff_dump *dump = &diff->dumps[d];
        json_array_append_new(
            array, json_pack("{so so so so so so}", "path", rp_json_text(dump->path), "pid",
                             dump->pid ? json_integer(dump->pid) : json_null(), "version",
                             rp_json_text(dump->version), "objects", rp_json_number(dump->objects),
                             "heap_bytes", rp_json_number(dump->heap_bytes), "unread",
                             rp_json_text(dump->gap)));
    }
    return array;
}

static json_t *path(const struct fi_diff *diff, const struct fi_growth *row)
{
    return json_pack(
        "{so so so so sb ss sb so so so sI sI so}", "path", rp_json_text(row->path), "holder",
        rp_json_text(row->holder), "holder_type", rp_json_text(row->holder_type), "type",
        rp_json_text(row->type), "mixed", row->mixed, "kind", fi_growth_kind_name(row->kind),
        "monotone", row->monotone, "limit", row->limit ? rp_json_number(row->limit) : json_null(),
        "counts", figures(row->counts, diff->dump_count), "bytes",
        figures(row->bytes, diff->dump_count), "grown_objects", (json_int_t)row->grown_objects,
        "grown_bytes", (json_int_t)row->grown_bytes, "sentence", rp_json_text(row->sentence));
}

static json_t *type(const struct fi_diff *diff, const struct fi_type_growth *row)
{
    return json_pack("{so so so so sI sI sb}", "type", rp_json_text(row->type), "counts",
                     figures(row->counts, diff->dump_count), "shallow_bytes",
                     figures(row->shallow, diff->dump_count), "retained_bytes",
                     figures(row->retained, diff->dump_count), "grown_objects",
                     (json_int_t)row->grown_objects, "grown_bytes", (json_int_t)row->grown_bytes,
                     "monotone", row->monotone);
}

struct df_err *rp_diff_json(FILE *stream, const struct fi_diff *diff, uint32_t limit)
{
    json_t *paths = json_array(), *types = json_array();
    for (uint32_t i = 0; i < diff->path_count && (!limit || i < limit); i++)
        json_array_append_new(paths, path(diff, &diff->paths[i]));
    for (uint32_t i = 0; i < diff->type_count && (!limit || i < limit); i++)
        json_array_append_new(types, type(diff, &diff->types[i]));
    return rp_json_write(
        stream,
        json_pack("{si s{ss ss} so so so sb sI so so so}", "schema_version", FI_SCHEMA_VERSION,
                  "tool", "name", "necropy", "version", NECROPY_VERSION, "dumps", dumps(diff),
                  "warnings", rp_json_texts(diff->warnings, diff->warning_count), "sentence",
                  rp_json_text(diff->sentence), "grew", diff->grew, "grown_bytes",
                  (json_int_t)diff->grown_bytes, "all_growth_bytes",
                  rp_json_number(diff->all_growth), "paths", paths, "types", types));
}
