/* SPDX-License-Identifier: MIT
 * unwind.h: native frames of the threads of a dump, by unwind information (.eh_frame,
 * .debug_frame), through elfutils' libdwfl.
 *
 * The library sees what the dump sees: modules are df_modules' (it looks for no file and no server
 * of its own), registers are the core's, every word of memory is read through the address space.
 * Nothing is guessed: where a function has no unwind information, its frame is the last one.
 *
 * Needs libdw (-DNECROPY_UNWIND=ON, the default where it is found); without it df_unwinder_create
 * fails with DF_ERR_UNSUPPORTED.
 */
#ifndef DF_UNWIND_H
#define DF_UNWIND_H

#include "dumpfmt/dump.h"

#define DF_UNWIND_FRAMES 256            /* of one thread */
#define DF_UNWIND_ALL_FRAMES (1u << 20) /* that one unwinder gives in all */

struct df_native_frame {
    uint64_t pc;
    const struct df_module *module; /* NULL: code that no file has (made at run time, the vdso) */
    const struct df_symbol *symbol; /* the function; NULL when it is not known */
    uint64_t offset;                /* of pc, from symbol; without it, from module; else 0 */
    bool vdso;                      /* code that the kernel lends to each process */
};

struct df_unwinder;

/* `dump` must outlive it. Loads symbols while it works (see module.h): one thread at a time. */
struct df_err *df_unwinder_create(const struct df_dump *dump, struct df_unwinder **ret);
void df_unwinder_destroy(struct df_unwinder *unwinder); /* NULL is allowed */

/* The frames of a thread of the core, innermost first, at most DF_UNWIND_FRAMES (so large must
 * `ret` be). Returns how many: 0 when its registers are not known, or all frames are used up. */
uint32_t df_unwind(struct df_unwinder *unwinder, const struct df_lwp *lwp,
                   struct df_native_frame *ret);

#endif
