/* SPDX-License-Identifier: MIT
 * own.c: see own.h.
 *
 * Structures of the runtime are large and have room for texts (3.14: the path of a debugger's
 * script) and for digits of numbers (dtoa's blocks), so of them only the fields with a name in the
 * layout are kept whole. Tables of the allocator and of the collector have nothing but numbers.
 */
#include "analyzer/cpython/own.h"

#include <stdlib.h>
#include <string.h>

#include "analyzer/cpython/alloc_internal.h"

#define WORD 8
#define MAX_BETWEEN 3 /* frames, the first one included, up to the next of Python code */

void py_own_fields(const struct py_layout *layout, const char *structure, uint64_t address,
                   py_own_visitor visit, void *context)
{
    size_t length = strlen(structure);
    for (enum py_field i = 0; i < PY_FIELDS; i++) {
        const char *name = py_field_name(i);
        if (layout->offset[i] == PY_ABSENT || layout->size[i] > WORD || !layout->size[i] ||
            strncmp(name, structure, length) || name[length] != '.' || strstr(name, "hash"))
            continue;
        visit(context, address + layout->offset[i], layout->size[i], true);
    }
}

static void visit_struct(const struct py *py, enum py_struct structure, const char *name,
                         uint64_t address, py_own_visitor visit, void *context)
{
    uint32_t size = py->layout.struct_size[structure];
    if (!address)
        return;
    if (size != PY_ABSENT)
        visit(context, address, size, false);
    py_own_fields(&py->layout, name, address, visit, context);
}

static void visit_gc(const struct py *py, const struct py_gc *gc, py_own_visitor visit,
                     void *context)
{
    uint32_t size = py->layout.struct_size[PY_S_gcstate];
    if (gc->address && size != PY_ABSENT)
        visit(context, gc->address, size, true);
    py_own_fields(&py->layout, "gcstate", gc->address, visit, context);
    for (int i = 0; i < 3; i++)
        if (gc->generations[i].head)
            visit(context, gc->generations[i].head, 32, true);
}

/* Between two frames of Python code there may be one of the interpreter's own, on the native stack
 * (3.12+), which struct py_thread leaves out. */
static void visit_previous(const struct py *py, uint64_t frame, py_own_visitor visit, void *context)
{
    struct py_reader reader = py_reader(py);
    for (int i = 0; i < MAX_BETWEEN && frame; i++) {
        py_own_fields(&py->layout, "iframe", frame, visit, context);
        frame = PY_PTR(&reader, frame, iframe, previous);
    }
}

static void visit_frames(const struct py *py, const struct py_thread *thread, py_own_visitor visit,
                         void *context)
{
    bool objects = py->layout.frame_shape == PY_FRAME_OBJECTS;
    for (uint32_t i = 0; i < thread->frame_count; i++)
        if (objects)
            py_own_fields(&py->layout, "frameobject", thread->frames[i].address, visit, context);
        else
            visit_previous(py, thread->frames[i].address, visit, context);
}

static void visit_arenas(const struct py *py, py_own_visitor visit, void *context)
{
    struct py_alloc_shape shape = py_alloc_shape(&py->layout);
    struct py_arena_tables tables = {0};
    uint64_t raw;
    py_find_arena_tables(py, &shape, &tables, &raw);
    for (size_t i = 0; i < tables.count; i++)
        visit(context, tables.items[i].address, (uint64_t)tables.items[i].count * shape.arena_size,
              true);
    free(tables.items);
}

static void visit_pools(const struct py *py, py_own_visitor visit, void *context)
{
    struct py_alloc *alloc;
    struct df_err *err = py_alloc_open(py, &alloc);
    if (err) {
        df_err_free(err);
        return;
    }
    for (uint32_t i = 0; i < alloc->arena_count; i++) {
        const struct py_arena *arena = &alloc->arenas[i];
        for (uint32_t p = 0; p < arena->carved_pools; p++)
            visit(context, arena->first_pool + (uint64_t)p * alloc->pool_size, alloc->header_size,
                  true);
    }
    py_alloc_close(alloc);
}

void py_own_memory(const struct py *py, py_own_visitor visit, void *context)
{
    visit_struct(py, PY_S_runtime, "runtime", py->runtime, visit, context);
    for (uint32_t i = 0; i < py->interpreter_count; i++) {
        visit_struct(py, PY_S_interp, "interp", py->interpreters[i].address, visit, context);
        visit_gc(py, &py->interpreters[i].gc, visit, context);
    }
    for (uint32_t i = 0; i < py->thread_count; i++) {
        visit_struct(py, PY_S_thread, "thread", py->threads[i].address, visit, context);
        visit_struct(py, PY_S_threadimpl, "threadimpl", py->threads[i].address, visit, context);
        visit_frames(py, &py->threads[i], visit, context);
    }
    visit_arenas(py, visit, context);
    visit_pools(py, visit, context);
}
