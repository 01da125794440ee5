/* SPDX-License-Identifier: MIT
 * graphviz.h: DOT drawn by the program `dot`.
 */
#ifndef CLI_GRAPHVIZ_H
#define CLI_GRAPHVIZ_H

#include <stddef.h>

#include "dumpfmt/base/err.h"

/* Runs `dot -Tformat` with the DOT text on its standard input; what it draws goes to `path`
 * (beside, then renamed; "-" is standard output). */
struct df_err *cli_graphviz(const char *format, const char *dot, size_t length, const char *path);

#endif
