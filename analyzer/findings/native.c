/* SPDX-License-Identifier: MIT
 * native.c: every thread's native frames: in which C function it stands, and who called that.
 */
#include "analyzer/findings/waits.h"

#include "dumpfmt/base/mem.h"
#include "dumpfmt/unwind.h"

static struct fi_native_frame frame_of(struct fi_context *context,
                                       const struct df_native_frame *from)
{
    return (struct fi_native_frame){
        .symbol = from->symbol ? fi_pool_text(context->pool, from->symbol->name) : NULL,
        .module = from->module ? fi_pool_text(context->pool, from->module->name)
                  : from->vdso ? "[vdso]"
                               : NULL,
        .offset = from->offset,
        .pc = from->pc,
    };
}

static void fill(struct fi_context *context, struct df_unwinder *unwinder, const struct df_lwp *lwp,
                 uint32_t limit, struct fi_thread *thread)
{
    struct df_native_frame frames[DF_UNWIND_FRAMES];
    thread->native_total = df_unwind(unwinder, lwp, frames);
    thread->native_count = thread->native_total < limit ? thread->native_total : limit;
    if (thread->native_count)
        thread->native =
            fi_pool_array(context->pool, thread->native_count, sizeof(*thread->native));
    for (uint32_t i = 0; i < thread->native_count; i++)
        thread->native[i] = frame_of(context, &frames[i]);
}

void fi_fill_native_frames(struct fi_context *context, uint32_t limit)
{
    const struct py *py = context->analysis->py;
    struct fi_verdict *verdict = context->verdict;
    struct df_unwinder *unwinder;
    struct df_err *err = df_unwinder_create(py->dump, &unwinder);
    if (err) {
        verdict->native_note =
            fi_pool_format(context->pool, "Native frames are not shown: %s.", df_err_text(err));
        df_err_free(err);
        return;
    }
    struct fi_lwps lwps;
    fi_lwps_init(&lwps, py->dump->core);
    for (uint32_t i = 0; i < verdict->thread_count; i++) {
        const struct df_lwp *lwp = fi_lwp_of(&lwps, &py->threads[i]);
        if (lwp)
            fill(context, unwinder, lwp, limit, &verdict->threads[i]);
    }
    fi_lwps_deinit(&lwps);
    df_unwinder_destroy(unwinder);
}
