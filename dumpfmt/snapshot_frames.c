/* SPDX-License-Identifier: MIT
 * snapshot_frames.c: native frames, saved and restored: unwinding takes the files of the machine.
 */
#include <stdlib.h>

#include "dumpfmt/base/mem.h"
#include "dumpfmt/snapshot_internal.h"
#include "dumpfmt/unwind_internal.h"

#define NONE UINT32_MAX

struct frame_row {
    uint64_t pc, offset;
    uint32_t module, symbol; /* symbol: of the module's, by address; NONE */
    uint32_t vdso, reserved;
};
_Static_assert(sizeof(struct frame_row) == 32, "as specified");

struct frame_list {
    struct frame_row *items;
    size_t count, capacity;
};

/* ---- saving ---- */

static struct frame_row row_of(const struct df_dump *dump, const struct df_native_frame *frame)
{
    const struct df_module *module = frame->module;
    return (struct frame_row){
        .pc = frame->pc,
        .offset = frame->offset,
        .module = module ? (uint32_t)(module - dump->modules->items) : NONE,
        .symbol = frame->symbol ? (uint32_t)(frame->symbol - module->symbols) : NONE,
        .vdso = frame->vdso,
    };
}

static struct df_err *save(struct df_unwinder *unwinder, const struct df_dump *dump,
                           struct df_necro_writer *writer)
{
    struct df_native_frame frames[DF_UNWIND_FRAMES];
    struct frame_list list = {0};
    uint64_t *ends = df_xcalloc((size_t)dump->core->lwp_count + 1, sizeof(*ends));
    for (uint32_t i = 0; i < dump->core->lwp_count; i++) {
        uint32_t count = df_unwind(unwinder, &dump->core->lwps[i], frames);
        for (uint32_t f = 0; f < count; f++)
            DF_PUSH(&list, row_of(dump, &frames[f]));
        ends[i] = list.count;
    }
    struct df_err *err = df_necro_add(writer, "core.frames", DF_NECRO_PACKED, list.items,
                                      sizeof(*list.items), list.count);
    if (!err)
        err = df_necro_add(writer, "core.frame-ends", DF_NECRO_PACKED, ends, sizeof(*ends),
                           dump->core->lwp_count);
    free(ends);
    free(list.items);
    return err;
}

struct df_err *df_frames_save(const struct df_dump *dump, struct df_necro_writer *writer)
{
    struct df_unwinder *unwinder;
    struct df_err *err = df_unwinder_create(dump, &unwinder);
    if (!err) {
        err = save(unwinder, dump, writer);
        df_unwinder_destroy(unwinder);
        return err;
    }
    struct df_facts_writer facts = {0};
    df_facts_put(&facts, "none", df_err_text(err));
    df_err_free(err);
    return df_facts_save(&facts, writer, "core.no-frames");
}

/* ---- restoring ---- */

struct df_stored_frames {
    const struct df_dump *dump;
    const struct frame_row *rows;
    const uint64_t *ends; /* of each lwp's, in rows */
    uint64_t row_count, lwp_count;
};

static struct df_err *why_none(struct df_necro *necro)
{
    struct df_facts *facts;
    DF_TRY(df_facts_open(necro, "core.no-frames", &facts));
    const char *why = df_facts_text(facts, "none");
    struct df_err *err = df_err_new(DF_ERR_UNSUPPORTED, "%s", why ? why : "it is not known why");
    df_facts_close(facts);
    return err;
}

static struct df_err *read_rows(struct df_necro *necro, struct df_stored_frames *frames)
{
    DF_TRY(df_necro_section(necro, "core.frames", sizeof(*frames->rows), &frames->rows,
                            &frames->row_count));
    DF_TRY(df_necro_section(necro, "core.frame-ends", sizeof(*frames->ends), &frames->ends,
                            &frames->lwp_count));
    for (uint64_t i = 0; i < frames->lwp_count; i++)
        if (frames->ends[i] > frames->row_count || (i && frames->ends[i] < frames->ends[i - 1]))
            return df_necro_senseless(necro, "core.frame-ends");
    return NULL;
}

struct df_err *df_frames_open(const struct df_dump *dump, struct df_stored_frames **ret)
{
    if (df_necro_has(dump->necro, "core.no-frames"))
        return why_none(dump->necro);
    struct df_stored_frames *frames = df_xcalloc(1, sizeof(*frames));
    frames->dump = dump;
    struct df_err *err = read_rows(dump->necro, frames);
    if (err)
        df_frames_close(frames);
    else
        *ret = frames;
    return err;
}

void df_frames_close(struct df_stored_frames *frames)
{
    free(frames);
}

static struct df_native_frame frame_of(const struct df_stored_frames *frames,
                                       const struct frame_row *row)
{
    const struct df_modules *modules = frames->dump->modules;
    struct df_native_frame frame = {.pc = row->pc, .offset = row->offset, .vdso = row->vdso != 0};
    if (row->module >= modules->count)
        return frame;
    struct df_module *module = &modules->items[row->module];
    frame.module = module;
    df_module_symbol(module, ""); /* loads them */
    if (row->symbol < module->symbol_count)
        frame.symbol = &module->symbols[row->symbol];
    return frame;
}

uint32_t df_frames_of(const struct df_stored_frames *frames, uint32_t lwp, uint32_t left,
                      struct df_native_frame *ret)
{
    if (lwp >= frames->lwp_count)
        return 0;
    uint64_t at = lwp ? frames->ends[lwp - 1] : 0, count = frames->ends[lwp] - at;
    if (count > DF_UNWIND_FRAMES)
        count = DF_UNWIND_FRAMES;
    if (count > left)
        count = left;
    for (uint64_t i = 0; i < count; i++)
        ret[i] = frame_of(frames, &frames->rows[at + i]);
    return (uint32_t)count;
}
