/* SPDX-License-Identifier: MIT
 * symbols.h: what symbols.c and module.c share. The rest of symbols.c is declared in module.h.
 */
#ifndef DF_SYMBOLS_H
#define DF_SYMBOLS_H

#include "dumpfmt/module.h"

void df_symbols_free(struct df_module *module);

#endif
