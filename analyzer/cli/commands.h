/* SPDX-License-Identifier: MIT
 * commands.h: the verbs, one function each.
 */
#ifndef CLI_COMMANDS_H
#define CLI_COMMANDS_H

#include "analyzer/cli/options.h"

extern const struct cli_command cli_commands[]; /* ends with a row without a name */
const struct cli_command *cli_find_command(const char *name);

int cli_report(const struct cli_options *options);
int cli_section(const struct cli_options *options); /* findings, types, retained, ... */
int cli_show(const struct cli_options *options);
int cli_path(const struct cli_options *options);
int cli_picture(const struct cli_options *options); /* backrefs, refs */
int cli_allocations(const struct cli_options *options);
int cli_layout(const struct cli_options *options);
int cli_verify(const struct cli_options *options);
int cli_snapshot(const struct cli_options *options);
int cli_export(const struct cli_options *options);
int cli_diff(const struct cli_options *options);

#endif
