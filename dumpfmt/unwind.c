/* SPDX-License-Identifier: MIT
 * unwind.c: native frames of a dump, wherever they come from.
 */
#include "dumpfmt/unwind.h"

#include <stdlib.h>

#include "dumpfmt/base/mem.h"
#include "dumpfmt/unwind_internal.h"

struct df_unwinder {
    const struct df_dump *dump;
    struct df_libdw *libdw;
    struct df_stored_frames *stored;
    uint32_t left; /* of DF_UNWIND_ALL_FRAMES, where they are stored */
};

struct df_err *df_unwinder_create(const struct df_dump *dump, struct df_unwinder **ret)
{
    struct df_unwinder *unwinder = df_xcalloc(1, sizeof(*unwinder));
    unwinder->dump = dump;
    unwinder->left = DF_UNWIND_ALL_FRAMES;
    struct df_err *err = dump->snapshot ? df_frames_open(dump, &unwinder->stored)
                                        : df_libdw_create(dump, &unwinder->libdw);
    if (err)
        df_unwinder_destroy(unwinder);
    else
        *ret = unwinder;
    return err;
}

void df_unwinder_destroy(struct df_unwinder *unwinder)
{
    if (!unwinder)
        return;
    df_libdw_destroy(unwinder->libdw);
    df_frames_close(unwinder->stored);
    free(unwinder);
}

uint32_t df_unwind(struct df_unwinder *unwinder, const struct df_lwp *lwp,
                   struct df_native_frame *ret)
{
    if (unwinder->libdw)
        return df_libdw_unwind(unwinder->libdw, lwp, ret);
    uint32_t index = (uint32_t)(lwp - unwinder->dump->core->lwps);
    uint32_t count = df_frames_of(unwinder->stored, index, unwinder->left, ret);
    unwinder->left -= count;
    return count;
}
