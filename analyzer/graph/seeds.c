/* SPDX-License-Identifier: MIT
 * seeds.c: the roots that the process shows: modules, frames, state, static types.
 *
 * Some references are true but say little: the frame that runs a function holds the function, its
 * code and its globals; the interpreter's state holds the dicts of sys and builtins, warnings'
 * filters, the dicts of static types, and thousands of names in its caches. Made roots, they would
 * take modules that run code, and much else, out of the hands of those that a person would name.
 * They are `late`: roots only where nothing else reaches them, tables of slots last.
 */
#include "analyzer/graph/roots.h"

#include <stdio.h>
#include <string.h>

#include "dumpfmt/base/mem.h"

struct collect {
    struct gr_seeds *seeds;
    struct py_objects *objects;
    const struct py *py;
    struct py_reader reader;
    const char **thread_names; /* per thread: "<thread "consumer">" */
};

static void add_seed(struct collect *c, uint64_t object, enum gr_root_kind kind, const char *path,
                     uint32_t thread, uint32_t frame)
{
    if (object)
        DF_PUSH(c->seeds, (struct gr_seed){.object = object,
                                           .kind = (uint8_t)kind,
                                           .path = path,
                                           .thread = thread,
                                           .frame = frame});
}

static void add_late(struct collect *c, uint64_t object, enum gr_root_kind kind, const char *path,
                     uint32_t thread, uint32_t frame)
{
    if (!object)
        return;
    add_seed(c, object, kind, path, thread, frame);
    c->seeds->items[c->seeds->count - 1].late = strchr(path, '[') ? GR_LATEST : 1;
}

static bool is_none(struct collect *c, uint64_t object)
{
    uint32_t type = py_object_type(c->objects, object);

    return type != PY_NO_TYPE && strcmp(py_type_at(c->objects, type)->name, "NoneType") == 0;
}

/* The modules of one interpreter, the script or all others: what the script has imported is named
 * by the module that it is from. */
static void collect_modules(struct collect *c, uint32_t interpreter, bool script)
{
    struct py_dict_cursor cursor;
    uint64_t key, module, modules = c->py->interpreters[interpreter].modules;

    if (!modules)
        return;
    if (!py_dict_begin(&c->reader, modules, &cursor)) {
        if (!script)
            py_ledger_add(c->objects, "sys.modules unreadable", modules);
        return;
    }
    while (py_dict_next(&c->reader, &cursor, &key, &module)) {
        DF_CLEANUP_FREE char *name = py_str(&c->reader, key, PY_MAX_NAME, NULL);
        const char *path;

        if ((name && strcmp(name, "__main__") == 0) != script)
            continue;
        if (name && strcmp(name, "__mp_main__") == 0) /* multiprocessing's alias of __main__ */
            continue;
        if (is_none(c, module)) /* an import that is blocked */
            continue;
        if (!name)
            name = df_xstrdup("<module>");
        path = interpreter ? gr_texts_format(c->seeds->texts, "<interpreter %lld> %s",
                                             (long long)c->py->interpreters[interpreter].id, name)
                           : gr_texts_format(c->seeds->texts, "%s", name);
        add_seed(c, module, GR_ROOT_MODULE, path, UINT32_MAX, UINT32_MAX);
    }
}

/* Without the module threading no thread has a name; the number of the first is that of the
 * process, which says nothing of the next dump. */
static const char *thread_path(struct gr_texts *texts, struct py_objects *objects,
                               const struct py *py, const struct py_thread *thread)
{
    DF_CLEANUP_FREE char *name = py_thread_name(objects, thread);

    if (name)
        return gr_texts_format(texts, "<thread \"%s\">", name);
    if (thread->native_id && thread->native_id == py->dump->core->pid)
        return gr_texts_format(texts, "<main thread>");
    if (thread->native_id)
        return gr_texts_format(texts, "<thread %lld>", (long long)thread->native_id);
    return gr_texts_format(texts, "<thread 0x%llx>", (unsigned long long)thread->thread_id);
}

static void name_threads(struct collect *c)
{
    c->thread_names = df_xcalloc(c->py->thread_count, sizeof(*c->thread_names));
    for (uint32_t t = 0; t < c->py->thread_count; t++)
        c->thread_names[t] = thread_path(c->seeds->texts, c->objects, c->py, &c->py->threads[t]);
}

const char *gr_stack_path(struct gr_texts *texts, struct py_objects *objects, const struct py *py,
                          const struct gr_native *word)
{
    const struct py_thread *thread = &py->threads[word->index];
    const struct py_frame *frame = &thread->frames[word->frame];
    DF_CLEANUP_FREE char *name = frame->code ? py_code_name(py, frame->code) : NULL;
    uint64_t place = (word->address - frame->localsplus) / 8 - frame->slot_count;

    return gr_texts_format(texts, "%s.%s().<stack %u>", thread_path(texts, objects, py, thread),
                           name ? name : "<function>", (unsigned)place);
}

/* The locals and the value stack of one frame. */
static void collect_slots(struct collect *c, const struct py_frame *frame, const char *path,
                          uint32_t t, uint32_t f)
{
    uint32_t slots = frame->slot_count < PY_MAX_LOCALS ? frame->slot_count : PY_MAX_LOCALS;
    uint32_t stack = frame->stack_count < PY_MAX_LOCALS ? frame->stack_count : PY_MAX_LOCALS;

    for (uint32_t i = 0; i < slots + stack; i++) {
        uint64_t word = py_word(&c->reader, frame->localsplus + UINT64_C(8) * i);
        uint64_t object = py_slot_object(c->py, word, NULL);
        DF_CLEANUP_FREE char *name = NULL;
        const char *slot_path;
        bool cell;

        if (!object || is_none(c, object))
            continue;
        if (i < slots)
            name = py_local_name(c->py, frame->code, i, &cell);
        if (name)
            slot_path = gr_texts_format(c->seeds->texts, "%s.%s", path, name);
        else
            slot_path = gr_texts_format(c->seeds->texts, "%s.<%s %u>", path,
                                        i < slots ? "local" : "stack", i < slots ? i : i - slots);
        add_seed(c, object, GR_ROOT_FRAME, slot_path, t, f);
    }
}

static const char *frame_path(struct collect *c, const struct py_frame *frame, uint32_t t)
{
    DF_CLEANUP_FREE char *name = frame->code ? py_code_name(c->py, frame->code) : NULL;

    return gr_texts_format(c->seeds->texts, "%s.%s()", c->thread_names[t],
                           name ? name : "<function>");
}

static void collect_frame(struct collect *c, const struct py_frame *frame, uint32_t t, uint32_t f)
{
    const char *path = frame_path(c, frame, t);

    collect_slots(c, frame, path, t, f);
    /* A class body or exec() has locals of its own; a module's are its globals. */
    if (frame->locals_dict != frame->globals)
        add_seed(c, frame->locals_dict, GR_ROOT_FRAME, path, t, f);
    add_late(c, frame->frame_object, GR_ROOT_FRAME, path, t, f);
    add_late(c, frame->function, GR_ROOT_FRAME, path, t, f);
    add_late(c, frame->code, GR_ROOT_FRAME, path, t, f);
    add_late(c, frame->globals, GR_ROOT_FRAME, path, t, f);
}

static void collect_frames(struct collect *c)
{
    for (uint32_t t = 0; t < c->py->thread_count; t++) {
        const struct py_thread *thread = &c->py->threads[t];

        for (uint32_t f = 0; f < thread->frame_count; f++)
            collect_frame(c, &thread->frames[f], t, f);
        if (thread->frames_cut)
            py_ledger_add(c->objects, "threads with damaged frames", thread->address);
    }
}

/* "interpreter.codecs.search_cache" becomes "<interpreter>.codecs.search_cache". */
static void collect_state(void *context, uint64_t object, const char *path,
                          const struct py_thread *thread)
{
    struct collect *c = context;
    const char *rest = strchrnul(path, '.');
    uint32_t t = thread ? (uint32_t)(thread - c->py->threads) : UINT32_MAX;
    const char *text;

    if (is_none(c, object)) /* an empty slot; None needs no reason */
        return;
    text = thread ? gr_texts_format(c->seeds->texts, "%s%s", c->thread_names[t], rest)
                  : gr_texts_format(c->seeds->texts, "<%.*s>%s", (int)(rest - path), path, rest);

    if (thread) /* its exception, its context: reasons of their own */
        add_seed(c, object, GR_ROOT_INTERPRETER, text, t, UINT32_MAX);
    else
        add_late(c, object, GR_ROOT_INTERPRETER, text, t, UINT32_MAX);
}

static void collect_interpreter(struct collect *c, uint32_t i)
{
    const struct py_interpreter *interpreter = &c->py->interpreters[i];
    char name[64] = "";

    if (i)
        snprintf(name, sizeof(name), "<interpreter %lld> ", (long long)interpreter->id);
    add_late(c, interpreter->modules, GR_ROOT_INTERPRETER,
             gr_texts_format(c->seeds->texts, "%ssys.modules", name), UINT32_MAX, UINT32_MAX);
    add_late(c, interpreter->gc.garbage, GR_ROOT_INTERPRETER,
             gr_texts_format(c->seeds->texts, "%sgc.garbage", name), UINT32_MAX, UINT32_MAX);
    add_late(c, interpreter->gc.callbacks, GR_ROOT_INTERPRETER,
             gr_texts_format(c->seeds->texts, "%sgc.callbacks", name), UINT32_MAX, UINT32_MAX);
    add_late(c, interpreter->sysdict, GR_ROOT_INTERPRETER,
             gr_texts_format(c->seeds->texts, "%ssys.__dict__", name), UINT32_MAX, UINT32_MAX);
    add_late(c, interpreter->builtins, GR_ROOT_INTERPRETER,
             gr_texts_format(c->seeds->texts, "%sbuiltins.__dict__", name), UINT32_MAX, UINT32_MAX);
    /* It holds its strings weakly (discover.c). */
    add_late(c, py_interned_strings(c->py, i), GR_ROOT_INTERPRETER,
             gr_texts_format(c->seeds->texts, "%s<interpreter>.interned", name), UINT32_MAX,
             UINT32_MAX);
}

static void collect_static_type(void *context, uint64_t type)
{
    struct collect *c = context;
    uint32_t index = py_type_index(c->objects, type);

    if (index != PY_NO_TYPE)
        add_seed(c, type, GR_ROOT_STATIC_TYPE,
                 gr_texts_format(c->seeds->texts, "%s", py_type_at(c->objects, index)->name),
                 UINT32_MAX, UINT32_MAX);
}

void gr_seeds_collect(struct gr_seeds *seeds, struct py_objects *objects, const struct py *py)
{
    struct collect c = {.seeds = seeds, .objects = objects, .py = py, .reader = py_reader(py)};

    for (uint32_t i = 0; i < py->interpreter_count; i++)
        collect_modules(&c, i, false);
    for (uint32_t i = 0; i < py->interpreter_count; i++)
        collect_modules(&c, i, true);
    name_threads(&c);
    collect_frames(&c);
    for (uint32_t i = 0; i < py->interpreter_count; i++)
        collect_interpreter(&c, i);
    py_state_roots(py, collect_state, &c);
    py_static_types(py, collect_static_type, &c);
    free(c.thread_names);
}
