/* SPDX-License-Identifier: MIT
 * cmd_layout.c: `layout`: where CPython keeps what in this build, who says so, and who says
 * otherwise.
 */
#include <stdlib.h>

#include "analyzer/cli/commands.h"
#include "analyzer/cli/output.h"

struct printer {
    FILE *stream;
    const struct py *py;
    bool json, any;
    uint32_t disagreements;
};

static void print_text(void *context, const struct py_layout_row *row)
{
    struct printer *printer = context;
    char value[32] = "-";
    if (row->value != PY_ABSENT && row->bit_size)
        snprintf(value, sizeof(value), "%u.%u:%u", row->value, row->bit_offset, row->bit_size);
    else if (row->value != PY_ABSENT)
        snprintf(value, sizeof(value), "%u", row->value);
    fprintf(printer->stream, "%s%-*s %10s  %s", row->field ? "  " : "", row->field ? 38 : 40,
            row->field ? row->field : row->structure, value, py_source_name(row->source));
    for (uint32_t i = 0; i < row->other_count; i++)
        fprintf(printer->stream, "; %s says %u", py_source_name(row->others[i].source),
                row->others[i].value);
    fputc('\n', printer->stream);
    printer->disagreements += row->other_count;
}

/* Names are C identifiers: nothing to escape. */
static void print_json(void *context, const struct py_layout_row *row)
{
    struct printer *printer = context;
    fprintf(printer->stream, "%s\n    {\"name\": \"%s\", \"is\": \"%s\"", printer->any ? "," : "",
            row->field ? row->field : row->structure, row->field ? "offset" : "size");
    if (row->value == PY_ABSENT)
        fprintf(printer->stream, ", \"value\": null");
    else
        fprintf(printer->stream, ", \"value\": %u", row->value);
    if (row->bit_size)
        fprintf(printer->stream, ", \"bit_offset\": %u, \"bit_size\": %u", row->bit_offset,
                row->bit_size);
    fprintf(printer->stream, ", \"source\": \"%s\", \"disagreements\": {",
            py_source_name(row->source));
    for (uint32_t i = 0; i < row->other_count; i++)
        fprintf(printer->stream, "%s\"%s\": %u", i ? ", " : "",
                py_source_name(row->others[i].source), row->others[i].value);
    fprintf(printer->stream, "}}");
    printer->any = true;
}

static struct df_err *write_layout(FILE *stream, void *context)
{
    struct printer *printer = context;
    const struct py *py = printer->py;
    printer->stream = stream;
    if (printer->json) {
        fprintf(stream,
                "{\n  \"schema_version\": 1,\n  \"hexversion\": %u,\n  \"debug_build\": %s,\n"
                "  \"free_threaded\": %s,\n  \"layout_source\": \"%s\",\n  \"note\": \"%s\",\n"
                "  \"runtime\": \"0x%llx\",\n  \"fields\": [",
                py->layout.version, py->layout.debug_build ? "true" : "false",
                py->layout.free_threaded ? "true" : "false", py->layout_source,
                py->layout_note ? py->layout_note : "", (unsigned long long)py->runtime);
        py_layout_visit(py, print_json, printer);
        fprintf(stream, "\n  ]\n}\n");
        return NULL;
    }
    fprintf(stream, "CPython %s%s%s, layout from: %s\n", py->version_text,
            py->layout.debug_build ? ", debug build" : "",
            py->layout.free_threaded ? ", free-threaded" : "", py->layout_source);
    if (py->layout_note)
        fprintf(stream, "%s\n", py->layout_note);
    fprintf(stream, "_PyRuntime at 0x%llx\n\nstructure or field, its size or offset, its source\n",
            (unsigned long long)py->runtime);
    py_layout_visit(py, print_text, printer);
    fprintf(stream, "\n%u disagreement%s between sources\n", printer->disagreements,
            printer->disagreements == 1 ? "" : "s");
    return NULL;
}

int cli_layout(const struct cli_options *options)
{
    struct cli_session session;
    struct df_err *err = cli_open_python(options, &session);
    if (err)
        return cli_fail(err);
    cli_progress_clear(&session.progress);
    struct printer printer = {.py = session.py, .json = options->json};
    err = cli_write(options->json ? options->json_path : NULL, write_layout, &printer);
    int status = err ? cli_fail(err) : CLI_DONE;
    cli_close(&session);
    return status;
}
