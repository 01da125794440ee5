/* SPDX-License-Identifier: MIT
 * kinds.c: what only one kind of object has: a function its arguments, a class its instances, a
 * thread its stack, a text its length.
 */
#include <inttypes.h>
#include <string.h>

#include "analyzer/findings/hops.h"
#include "analyzer/findings/parts.h"
#include "analyzer/findings/show.h"
#include "dumpfmt/base/mem.h"

#define MAX_FACTS 32
#define MAX_ARGUMENTS 40
#define MAX_BASES 20
#define STACK_FRAMES 12 /* of a thread */
#define TEXT 80

struct facts {
    struct fi_show *show;
    struct fi_analysis *analysis;
    struct py_reader reader;
    const struct py_type *type;
    uint64_t address;
    struct fi_fact items[MAX_FACTS];
    uint32_t count;
};

static void add(struct facts *facts, const char *name, const char *text)
{
    if (facts->count < MAX_FACTS && text && *text)
        facts->items[facts->count++] = (struct fi_fact){name, text};
}

static void add_number(struct facts *facts, const char *name, uint64_t number, const char *unit)
{
    add(facts, name,
        fi_pool_format(facts->show->pool, "%s %s", fi_number_phrase(number).text, unit));
}

static char *join(char *text, const char *more)
{
    char *longer = df_xasprintf("%s%s%s", text ? text : "", text ? ", " : "", more);

    free(text);
    return longer;
}

/* "shop/models.py:12" */
static void add_place(struct facts *facts, const char *name, uint64_t code, int32_t line)
{
    DF_CLEANUP_FREE char *file = code ? py_code_file(facts->analysis->py, code) : NULL;

    if (file)
        add(facts, name, fi_pool_format(facts->show->pool, "%s:%" PRId32, file, line));
}

static int32_t first_line(struct facts *facts, uint64_t code)
{
    return (int32_t)PY_GET(&facts->reader, code, code, co_firstlineno);
}

/* Elements of containers, characters of texts. */
static void of_length(struct facts *facts)
{
    uint64_t flags = facts->type->flags;
    struct fi_holding held;

    if (flags & PY_TPFLAGS_UNICODE)
        add_number(facts, "length", PY_PTR(&facts->reader, facts->address, ascii, length),
                   "characters");
    else if (flags & PY_TPFLAGS_BYTES)
        add_number(facts, "length", (uint64_t)py_ob_size(&facts->reader, facts->address), "bytes");
    else if (flags & PY_TPFLAGS_DICT)
        add_number(facts, "length", PY_PTR(&facts->reader, facts->address, dict, ma_used), "items");
    else if (flags & (PY_TPFLAGS_LIST | PY_TPFLAGS_TUPLE))
        add_number(facts, "length", (uint64_t)py_ob_size(&facts->reader, facts->address), "items");
    else if (strcmp(facts->show->object->fields_are, "members") != 0 &&
             strcmp(facts->show->object->fields_are, "items") != 0)
        return;
    else
        add_number(facts, "length", facts->show->object->field_total, "items");
    held = fi_items(facts->analysis, facts->show->node);
    if (held.type == PY_NO_TYPE || held.count < 2)
        return;
    add(facts, "holds",
        fi_pool_format(facts->show->pool, "%s `%s`, which retain %s",
                       fi_number_phrase(held.count).text,
                       py_type_at(facts->analysis->objects, held.type)->name,
                       fi_bytes_phrase(held.retained).text));
}

/* The first `count` local names of a code object. */
static char *local_names(struct facts *facts, uint64_t code, uint32_t count)
{
    char *text = NULL;

    for (uint32_t i = 0; i < count && i < MAX_ARGUMENTS; i++) {
        DF_CLEANUP_FREE char *name = py_local_name(facts->analysis->py, code, i, NULL);

        text = join(text, name ? name : "?");
    }
    return text;
}

static void of_function(struct facts *facts)
{
    uint64_t code = PY_PTR(&facts->reader, facts->address, function, func_code);
    uint64_t closure = PY_PTR(&facts->reader, facts->address, function, func_closure), items, count;
    uint64_t module = PY_PTR(&facts->reader, facts->address, function, func_module);
    struct fi_pool *pool = facts->show->pool;

    if (!code)
        return;
    add_place(facts, "defined at", code, first_line(facts, code));
    add(facts, "module", fi_pool_take(pool, py_str(&facts->reader, module, TEXT, NULL)));
    add(facts, "arguments",
        fi_pool_take(pool, local_names(facts, code,
                                       (uint32_t)PY_GET(&facts->reader, code, code, co_argcount) +
                                           (uint32_t)PY_GET(&facts->reader, code, code,
                                                            co_kwonlyargcount))));
    if (!closure || !py_tuple(&facts->reader, closure, &items, &count))
        return;
    char *text = NULL;

    for (uint64_t i = 0; i < count && i < MAX_ARGUMENTS; i++) {
        uint64_t cell = py_word(&facts->reader, items + i * 8);
        uint64_t inner = cell ? PY_PTR(&facts->reader, cell, cell, ob_ref) : 0;
        DF_CLEANUP_FREE char *value =
            inner ? py_text(facts->analysis->objects, inner, TEXT) : df_xstrdup("<empty>");

        text = join(text, value);
    }
    add(facts, "closes over", fi_pool_take(pool, text));
}

static void add_bases(struct facts *facts)
{
    uint64_t items, count;
    char *text = NULL;

    if (!py_tuple(&facts->reader, PY_PTR(&facts->reader, facts->address, type, tp_bases), &items,
                  &count))
        return;
    for (uint64_t i = 0; i < count && i < MAX_BASES; i++) {
        uint32_t base =
            py_type_index(facts->analysis->objects, py_word(&facts->reader, items + i * 8));

        text =
            join(text, base == PY_NO_TYPE ? "?" : py_type_at(facts->analysis->objects, base)->name);
    }
    add(facts, "bases", fi_pool_take(facts->show->pool, text));
}

/* The file of the module that a class or module says it is of. */
static void add_file(struct facts *facts, uint64_t module)
{
    uint64_t dict = module ? PY_PTR(&facts->reader, module, module, md_dict) : 0;
    uint64_t file = dict ? py_dict_get(&facts->reader, dict, "__file__") : 0;

    add(facts, "file",
        file ? fi_pool_take(facts->show->pool, py_str(&facts->reader, file, 4096, NULL)) : NULL);
}

static void of_class(struct facts *facts)
{
    const struct fi_analysis *a = facts->analysis;
    uint32_t index = py_type_index(a->objects, facts->address);
    uint64_t dict = py_type_dict(a->py, facts->address), count = 0, bytes = 0;
    uint64_t name = dict ? py_dict_get(&facts->reader, dict, "__module__") : 0;
    uint64_t subclasses = py_type_subclasses(a->py, facts->address);
    DF_CLEANUP_FREE char *module = name ? py_str(&facts->reader, name, 200, NULL) : NULL;

    if (module)
        add_file(facts, py_module(a->objects, module));
    add_bases(facts);
    if (strcmp(facts->type->name, "type") != 0)
        add(facts, "metaclass", facts->type->name);
    for (uint32_t i = 0; index != PY_NO_TYPE && i < a->graph->count; i++)
        if (gr_type(a->graph, i) == index) {
            count++;
            bytes += gr_size(a->graph, i);
        }
    uint64_t retained = index < a->type_count ? a->type_retained[index] : 0;

    add(facts, "instances",
        fi_pool_format(facts->show->pool, "%s of exactly this class, %s; they retain %s",
                       fi_number_phrase(count).text, fi_bytes_phrase(bytes).text,
                       fi_bytes_phrase(retained).text));
    if (subclasses && (py_flags_of(&facts->reader, subclasses) & PY_TPFLAGS_DICT))
        add_number(facts, "subclasses", PY_PTR(&facts->reader, subclasses, dict, ma_used), "");
}

static void of_frame(struct facts *facts, bool generator)
{
    const struct py_layout *layout = facts->reader.layout;
    struct py_frame frame;
    uint64_t at;

    if (!generator)
        at = layout->frame_shape == PY_FRAME_OBJECTS
                 ? facts->address
                 : PY_PTR(&facts->reader, facts->address, frameobject, f_frame);
    else
        at = PY_HAS(layout, gen, gi_iframe) ? PY_AT(layout, facts->address, gen, gi_iframe)
                                            : PY_PTR(&facts->reader, facts->address, gen, gi_frame);
    if (!at || !py_frame_read(facts->analysis->py, at, &frame))
        return;
    DF_CLEANUP_FREE char *name = py_code_name(facts->analysis->py, frame.code);

    add(facts, "function", fi_pool_text(facts->show->pool, name));
    add_place(facts, "defined at", frame.code, first_line(facts, frame.code));
    add_place(facts, "is at", frame.code, frame.line);
}

static void of_exception(struct facts *facts)
{
    uint64_t next = PY_PTR(&facts->reader, facts->address, exception, traceback);
    uint64_t cause = PY_PTR(&facts->reader, facts->address, exception, cause);
    uint64_t context = PY_PTR(&facts->reader, facts->address, exception, context);
    struct py_cycle cycle = {0};
    uint64_t last = 0, frames = 0;

    while (next && !py_cycle_closed(&cycle, next) && !facts->reader.fault) {
        last = next;
        next = PY_PTR(&facts->reader, next, traceback, tb_next);
        frames++;
    }
    if (last)
        add(facts, "raised at",
            fi_pool_format(facts->show->pool, "%s, %s frames below where it was caught",
                           fi_show_text(facts->show, last, 1000),
                           fi_number_phrase(frames - 1).text));
    if (cause)
        add(facts, "cause", fi_show_text(facts->show, cause, TEXT));
    if (context)
        add(facts, "context", fi_show_text(facts->show, context, TEXT));
}

static bool inherits(const struct facts *facts, const char *name)
{
    const struct py_type *type = facts->type;

    while (strcmp(type->name, name) != 0 && type->base_index != PY_NO_TYPE)
        type = py_type_at(facts->analysis->objects, type->base_index);
    return strcmp(type->name, name) == 0;
}

/* threading.Thread._ident is what the interpreter's own state has as thread_id. */
static void of_thread(struct facts *facts)
{
    const struct py *py = facts->analysis->py;
    uint64_t ident = py_attribute(facts->analysis->objects, facts->address, "_ident");
    const struct py_thread *thread = NULL;
    int64_t number;

    if (!ident || !py_int(&facts->reader, ident, &number))
        return;
    for (uint32_t i = 0; i < py->thread_count && !thread; i++)
        if (py->threads[i].thread_id == (uint64_t)number)
            thread = &py->threads[i];
    add(facts, "runs",
        thread
            ? fi_pool_format(facts->show->pool, "yes, as native thread %" PRId64, thread->native_id)
            : "no: it has ended");
    for (uint32_t i = 0; thread && i < thread->frame_count && i < STACK_FRAMES; i++) {
        DF_CLEANUP_FREE char *name = py_code_name(py, thread->frames[i].code);
        DF_CLEANUP_FREE char *file = py_code_file(py, thread->frames[i].code);

        add(facts, i ? "" : "stack",
            fi_pool_format(facts->show->pool, "%s, %s:%" PRId32, name ? name : "?",
                           file ? file : "?", thread->frames[i].line));
    }
    if (thread && thread->frame_count > STACK_FRAMES)
        add_number(facts, "", thread->frame_count - STACK_FRAMES, "more frames");
}

void fi_show_kind(struct fi_show *show)
{
    struct facts facts = {.show = show,
                          .analysis = show->analysis,
                          .reader = py_reader(show->analysis->py),
                          .type = fi_type(show->analysis, show->node),
                          .address = gr_address(show->analysis->graph, show->node)};
    const char *name = facts.type->name;

    if (facts.type->flags & PY_TPFLAGS_TYPE)
        of_class(&facts);
    else if (!strcmp(name, "module"))
        add_file(&facts, facts.address);
    else if (!strcmp(name, "function"))
        of_function(&facts);
    else if (!strcmp(name, "frame"))
        of_frame(&facts, false);
    else if (!strcmp(show->object->fields_are, "locals"))
        of_frame(&facts, true);
    else if (facts.type->flags & PY_TPFLAGS_BASE_EXC)
        of_exception(&facts);
    else if (inherits(&facts, "threading.Thread"))
        of_thread(&facts);
    else
        of_length(&facts);
    show->object->facts = fi_pool_array(show->pool, facts.count, sizeof(struct fi_fact));
    if (facts.count)
        memcpy(show->object->facts, facts.items, facts.count * sizeof(struct fi_fact));
    show->object->fact_count = facts.count;
}
