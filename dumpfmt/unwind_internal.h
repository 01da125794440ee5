/* SPDX-License-Identifier: MIT
 * unwind_internal.h: where native frames come from: libdw (unwind_libdw.c), or a snapshot, into
 * which they were written (snapshot_frames.c).
 */
#ifndef DF_UNWIND_INTERNAL_H
#define DF_UNWIND_INTERNAL_H

#include "dumpfmt/unwind.h"

struct df_libdw;
struct df_err *df_libdw_create(const struct df_dump *dump, struct df_libdw **ret);
void df_libdw_destroy(struct df_libdw *unwinder); /* NULL is allowed */
uint32_t df_libdw_unwind(struct df_libdw *unwinder, const struct df_lwp *lwp,
                         struct df_native_frame *ret);

struct df_stored_frames;
struct df_err *df_frames_open(const struct df_dump *dump, struct df_stored_frames **ret);
void df_frames_close(struct df_stored_frames *frames); /* NULL is allowed */
/* Of the lwp with this index; at most `left`. */
uint32_t df_frames_of(const struct df_stored_frames *frames, uint32_t lwp, uint32_t left,
                      struct df_native_frame *ret);

#endif
