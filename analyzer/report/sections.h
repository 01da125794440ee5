/* SPDX-License-Identifier: MIT
 * sections.h: the sections of the text report, each in full; private to this folder.
 */
#ifndef RP_SECTIONS_H
#define RP_SECTIONS_H

#include "analyzer/report/paper.h"

void rp_text_findings(struct rp_paper *paper, const struct fi_verdict *verdict);
void rp_text_holders(struct rp_paper *paper, const struct fi_verdict *verdict);
void rp_text_types(struct rp_paper *paper, const struct fi_verdict *verdict);
void rp_text_cycles(struct rp_paper *paper, const struct fi_verdict *verdict, bool brief);
void rp_text_garbage(struct rp_paper *paper, const struct fi_verdict *verdict);
void rp_text_threads(struct rp_paper *paper, const struct fi_verdict *verdict, bool locals);
/* The groups of asyncio tasks; `all`: with their stacks. Nothing when there are none, unless `all`.
 */
void rp_text_tasks(struct rp_paper *paper, const struct fi_verdict *verdict, bool all);
void rp_text_memory(struct rp_paper *paper, const struct fi_verdict *verdict);
void rp_text_coverage(struct rp_paper *paper, const struct fi_verdict *verdict, bool all);
/* The first lines of a report: the file, the process, the answer. */
void rp_text_lead(struct rp_paper *paper, const struct fi_verdict *verdict);

#endif
