/* SPDX-License-Identifier: MIT
 * frames.c: Python frames, in their three forms.
 *
 * Up to 3.10 frames are objects, linked by f_back. Since 3.11 they are interpreter frames on the
 * thread's data stack, in generators, or (after their end) in frame objects, linked by `previous`;
 * since 3.14, and in free-threaded builds, their words carry tags (Include/internal/
 * pycore_stackref.h). While a frame runs, its stack pointer is not in memory: only its locals are
 * known then.
 */
#include <stdlib.h>

#include "analyzer/cpython/python_internal.h"
#include "dumpfmt/base/mem.h"

uint64_t py_slot_object(const struct py *py, uint64_t word, bool *ret_counted)
{
    if (ret_counted)
        *ret_counted = true;
    if (py->layout.frame_shape != PY_FRAME_STACKREFS)
        return word;
    if ((word & 3) == 3) /* a tagged int */
        return 0;
    if (ret_counted)
        *ret_counted = !(word & 1);
    return word & ~UINT64_C(3); /* 1 alone is NULL */
}

static bool is_code(const struct py *py, struct py_reader *reader, uint64_t object)
{
    if (!object || (object & 7))
        return false;
    uint64_t type = py_type_of(reader, object);
    if (py->code_type)
        return type == py->code_type;
    uint64_t name = type ? PY_PTR(reader, type, type, tp_name) : 0;
    const char *text = name ? df_ptr(reader->space, name, 5) : NULL;
    return text && !memcmp(text, "code", 5);
}

/* Locals, cells and free variables of a code object. */
static uint64_t slot_total(struct py_reader *reader, uint64_t code)
{
    if (PY_HAS(reader->layout, code, co_nlocalsplus))
        return (uint32_t)PY_GET(reader, code, code, co_nlocalsplus);
    uint64_t items, cells = 0, frees = 0;
    py_tuple(reader, PY_PTR(reader, code, code, co_cellvars), &items, &cells);
    py_tuple(reader, PY_PTR(reader, code, code, co_freevars), &items, &frees);
    return (uint32_t)PY_GET(reader, code, code, co_nlocals) + cells + frees;
}

/* Splits what is on a frame into slots and stack. depth: words from localsplus to the stack
 * pointer, or -1 when it is not in memory. */
static bool set_slots(struct py_reader *reader, struct py_frame *frame, int64_t depth)
{
    uint64_t total = slot_total(reader, frame->code);
    uint64_t stack = (uint32_t)PY_GET(reader, frame->code, code, co_stacksize);
    if (total > PY_MAX_LOCALS || stack > INT32_MAX ||
        !py_readable(reader, frame->localsplus, total * 8))
        return false;
    frame->slot_count = (uint32_t)total;
    frame->stack_count = 0;
    if (depth < 0)
        return true;
    if ((uint64_t)depth < total) /* being cleared: what lies above is gone */
        frame->slot_count = (uint32_t)depth;
    else if ((uint64_t)depth - total <= stack &&
             py_readable(reader, frame->localsplus, (uint64_t)depth * 8))
        frame->stack_count = (uint32_t)((uint64_t)depth - total);
    return true;
}

/* First instruction of the copy of the bytecode that a frame executes. */
static uint64_t bytecode(struct py_reader *reader, uint64_t frame, uint64_t code)
{
    const struct py_layout *layout = reader->layout;
    uint64_t base = PY_AT(layout, code, code, co_code_adaptive);
    if (!PY_HAS(layout, iframe, tlbc_index) || !PY_HAS(layout, code, co_tlbc) ||
        !PY_HAS(layout, codearray, entries))
        return base;
    uint64_t array = PY_PTR(reader, code, code, co_tlbc);
    uint64_t index = (uint32_t)PY_GET(reader, frame, iframe, tlbc_index);
    if (!array || index >= PY_PTR(reader, array, codearray, size))
        return base;
    uint64_t copy = py_word(reader, PY_AT(layout, array, codearray, entries) + index * 8);
    return copy ? copy : base;
}

static int64_t frame_lasti(struct py_reader *reader, uint64_t address, uint64_t code)
{
    uint64_t at = reader->layout->lasti_shape == PY_LASTI_NEXT
                      ? PY_PTR(reader, address, iframe, instr_ptr)
                      : PY_PTR(reader, address, iframe, prev_instr);
    int64_t offset = (int64_t)(at - bytecode(reader, address, code));
    return offset >= 0 && offset <= INT32_MAX ? offset : -1;
}

/* Words on the frame, -1 while it runs. */
static int64_t frame_depth(struct py_reader *reader, uint64_t address, uint64_t localsplus)
{
    if (PY_HAS(reader->layout, iframe, stackpointer)) {
        uint64_t top = PY_PTR(reader, address, iframe, stackpointer);
        return top >= localsplus ? (int64_t)((top - localsplus) / 8) : -1;
    }
    return (int32_t)PY_GET(reader, address, iframe, stacktop);
}

static bool read_interpreter_frame(const struct py *py, struct py_reader *reader,
                                   struct py_frame *frame)
{
    uint64_t at = frame->address;
    frame->owner = (uint8_t)PY_GET(reader, at, iframe, owner);
    frame->code = py_slot_object(py, PY_PTR(reader, at, iframe, executable), NULL);
    frame->function = py_slot_object(py, PY_PTR(reader, at, iframe, funcobj), NULL);
    frame->globals = PY_PTR(reader, at, iframe, f_globals);
    frame->locals_dict = PY_PTR(reader, at, iframe, f_locals);
    frame->frame_object = PY_PTR(reader, at, iframe, frame_obj);
    frame->localsplus = PY_AT(reader->layout, at, iframe, localsplus);
    if (reader->fault || !is_code(py, reader, frame->code) ||
        !set_slots(reader, frame, frame_depth(reader, at, frame->localsplus)))
        return false;
    frame->lasti = frame_lasti(reader, at, frame->code);
    return !reader->fault;
}

static int64_t object_depth(struct py_reader *reader, uint64_t address, uint64_t localsplus)
{
    uint64_t bottom = PY_PTR(reader, address, frameobject, f_valuestack);
    int64_t slots = (int64_t)((bottom - localsplus) / 8);
    if (bottom < localsplus)
        return -1;
    if (PY_HAS(reader->layout, frameobject, f_stackdepth)) { /* 3.10 */
        int32_t depth = (int32_t)PY_GET(reader, address, frameobject, f_stackdepth);
        return depth < 0 ? -1 : slots + depth;
    }
    uint64_t top = PY_PTR(reader, address, frameobject, f_stacktop);
    return top >= bottom ? slots + (int64_t)((top - bottom) / 8) : -1;
}

static bool read_frame_object(const struct py *py, struct py_reader *reader, struct py_frame *frame)
{
    uint64_t at = frame->address;
    frame->frame_object = at;
    frame->code = PY_PTR(reader, at, frameobject, f_code);
    frame->globals = PY_PTR(reader, at, frameobject, f_globals);
    frame->locals_dict = PY_PTR(reader, at, frameobject, f_locals);
    frame->localsplus = PY_AT(reader->layout, at, frameobject, f_localsplus);
    if (reader->fault || !is_code(py, reader, frame->code) ||
        !set_slots(reader, frame, object_depth(reader, at, frame->localsplus)))
        return false;
    frame->lasti = (int32_t)PY_GET(reader, at, frameobject, f_lasti);
    if (reader->layout->lasti_shape == PY_LASTI_UNITS && frame->lasti > 0)
        frame->lasti *= 2;
    return !reader->fault;
}

/* All but the line. */
static bool read_frame(const struct py *py, uint64_t address, struct py_frame *ret)
{
    struct py_reader reader = py_reader(py);
    *ret = (struct py_frame){.address = address};
    if (!address || (address & 7))
        return false;
    return py->layout.frame_shape == PY_FRAME_OBJECTS ? read_frame_object(py, &reader, ret)
                                                      : read_interpreter_frame(py, &reader, ret);
}

bool py_frame_read(const struct py *py, uint64_t address, struct py_frame *ret)
{
    struct py_frame frame;
    if (!read_frame(py, address, &frame))
        return false;
    frame.line = py_code_line(py, frame.code, frame.lasti);
    *ret = frame;
    return true;
}

/* A recursive function repeats its frame: the line of the one before is asked first. */
static void set_line(const struct py *py, struct py_frame *frame, const struct py_frame *before,
                     struct py_frame_budget *budget)
{
    if (before && before->code == frame->code && before->lasti == frame->lasti) {
        frame->line = before->line;
        return;
    }
    uint64_t cost = py_line_table_size(py, frame->code);
    if (cost > budget->line_bytes)
        return;
    budget->line_bytes -= cost;
    frame->line = py_code_line(py, frame->code, frame->lasti);
}

static uint64_t first_frame(const struct py *py, struct py_reader *reader, uint64_t thread)
{
    if (py->layout.frame_shape == PY_FRAME_OBJECTS)
        return PY_PTR(reader, thread, thread, frame);
    if (PY_HAS(reader->layout, thread, current_frame))
        return PY_PTR(reader, thread, thread, current_frame);
    uint64_t cframe = PY_PTR(reader, thread, thread, cframe);
    return cframe ? PY_PTR(reader, cframe, cframe, current_frame) : 0;
}

/* A frame that the C stack owns: an entry of the evaluation loop, with no Python code of its own.
 */
static bool is_shim(struct py_reader *reader, uint64_t address)
{
    return reader->layout->frame_shape != PY_FRAME_OBJECTS &&
           PY_GET(reader, address, iframe, owner) >= reader->layout->owner_skip;
}

void py_read_frames(const struct py *py, struct py_thread *thread, struct py_frame_budget *budget)
{
    struct py_reader reader = py_reader(py);
    struct {
        struct py_frame *items;
        size_t count, capacity;
    } list = {0};
    struct py_cycle cycle = {0};
    uint64_t at = first_frame(py, &reader, thread->address);
    for (uint64_t steps = 0; at; steps++) {
        struct py_frame frame;
        bool shim = is_shim(&reader, at);
        if (steps >= PY_MAX_FRAMES || !budget->frames || py_cycle_closed(&cycle, at) ||
            (!shim && !read_frame(py, at, &frame))) {
            thread->frames_cut = true;
            break;
        }
        budget->frames--;
        if (!shim) {
            set_line(py, &frame, list.count ? &list.items[list.count - 1] : NULL, budget);
            DF_PUSH(&list, frame);
        }
        at = py->layout.frame_shape == PY_FRAME_OBJECTS ? PY_PTR(&reader, at, frameobject, f_back)
                                                        : PY_PTR(&reader, at, iframe, previous);
    }
    thread->frames_cut |= reader.fault;
    thread->frames = list.items;
    thread->frame_count = (uint32_t)list.count;
}
