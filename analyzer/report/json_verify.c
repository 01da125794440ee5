/* SPDX-License-Identifier: MIT
 * json_verify.c: how exact the analysis is, for a machine.
 */
#include "analyzer/report/jsonvalue.h"
#include "analyzer/report/report.h"

static json_t *type_row(const struct fi_verify_type *row)
{
    return json_pack("{so so so so so so so}", "type", rp_json_text(row->type), "objects",
                     rp_json_number(row->objects), "checked", rp_json_number(row->checked), "agree",
                     rp_json_number(row->agree), "own_code", rp_json_number(row->own_code),
                     "disagree", rp_json_number(row->disagree), "failed",
                     rp_json_number(row->failed));
}

static json_t *disagreement(const struct fi_verify_disagreement *row)
{
    json_t *differences = json_array();
    for (uint32_t i = 0; i < row->difference_count; i++) {
        const struct fi_verify_difference *difference = &row->differences[i];
        json_array_append_new(
            differences,
            json_pack("{ss so so so}", "only", difference->ours ? "walker" : "tp_traverse",
                      "address", rp_json_address(difference->target), "text",
                      rp_json_text(difference->text), "offset",
                      difference->offset < 0 ? json_null() : json_integer(difference->offset)));
    }
    return json_pack("{so so so so so so so}", "address", rp_json_address(row->address), "type",
                     rp_json_text(row->type), "text", rp_json_text(row->text), "walker",
                     rp_json_number(row->ours), "tp_traverse", rp_json_number(row->theirs),
                     "differing", rp_json_number(row->difference_total), "differences",
                     differences);
}

static json_t *failure(const struct fi_verify_failure *row)
{
    return json_pack("{so so so so}", "reason", rp_json_text(row->reason), "objects",
                     rp_json_number(row->count), "type", rp_json_text(row->type), "example",
                     rp_json_address(row->example));
}

struct df_err *rp_verify_json(FILE *stream, const struct fi_verify *verify, uint32_t limit)
{
    const struct fi_verify_type *all = &verify->all;
    json_t *types = json_array(), *disagreements = json_array(), *failures = json_array();
    for (uint32_t i = 0; i < verify->type_count && (!limit || i < limit); i++)
        json_array_append_new(types, type_row(&verify->types[i]));
    for (uint32_t i = 0; i < verify->disagreement_count && (!limit || i < limit); i++)
        json_array_append_new(disagreements, disagreement(&verify->disagreements[i]));
    for (uint32_t i = 0; i < verify->failure_count; i++)
        json_array_append_new(failures, failure(&verify->failures[i]));
    json_t *value =
        json_pack("{si so so sb so so so so so so so so so so}", "schema_version",
                  FI_SCHEMA_VERSION, "verdict", rp_json_text(verify->sentence), "note",
                  rp_json_text(verify->note), "good", fi_verify_good(verify), "samples_of_a_type",
                  verify->samples ? rp_json_number(verify->samples) : json_null(), "objects",
                  rp_json_number(all->objects), "checked", rp_json_number(all->checked), "agree",
                  rp_json_number(all->agree), "own_code", rp_json_number(all->own_code), "disagree",
                  rp_json_number(all->disagree), "failed", rp_json_number(all->failed), "types",
                  types, "disagreements", disagreements, "failures", failures);
    return rp_json_write(stream, value);
}
