/* SPDX-License-Identifier: MIT
 * local_symbol.c: a symbol of the interpreter's that is not exported.
 *
 * Link-time optimisation renames local symbols ("Handlers.lto_priv.0", "lookdict.lto_priv.1"), and
 * distributions build with it; variables of functions are numbered ("importlib_string.15").
 */
#include <string.h>

#include "analyzer/cpython/layout_internal.h"

static bool is_suffix(const char *text)
{
    return !strncmp(text, ".lto_priv.", 10) ||
           (text[0] == '.' && text[1] && !text[1 + strspn(text + 1, "0123456789")]);
}

const struct df_symbol *py_local_symbol(struct df_module *module, const char *name)
{
    const struct df_symbol *symbol = df_module_symbol(module, name);
    size_t length = strlen(name);
    for (uint32_t i = 0; !symbol && i < module->symbol_count; i++) {
        const char *other = module->symbols[i].name;
        if (!strncmp(other, name, length) && is_suffix(other + length))
            symbol = &module->symbols[i];
    }
    return symbol;
}
