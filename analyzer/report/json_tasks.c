/* SPDX-License-Identifier: MIT
 * json_tasks.c: asyncio's tasks for a machine.
 */
#include "analyzer/report/jsonvalue.h"

static json_t *stack(const struct fi_task_group *group)
{
    json_t *array = json_array();
    for (uint32_t i = 0; i < group->stack_count; i++) {
        const struct fi_frame *frame = &group->stack[i];
        json_array_append_new(array,
                              json_pack("{so so so}", "function", rp_json_text(frame->function),
                                        "file", rp_json_text(frame->file), "line",
                                        frame->line ? json_integer(frame->line) : json_null()));
    }
    return array;
}

static json_t *examples(const struct fi_task_group *group)
{
    json_t *array = json_array();
    for (uint32_t i = 0; i < group->example_count; i++)
        json_array_append_new(array,
                              json_pack("{so so}", "address", rp_json_address(group->examples[i]),
                                        "name", rp_json_text(group->names[i])));
    return array;
}

json_t *rp_json_tasks(const struct fi_tasks *tasks)
{
    json_t *groups = json_array();
    for (uint32_t i = 0; i < tasks->group_count; i++) {
        const struct fi_task_group *group = &tasks->groups[i];
        json_array_append_new(
            groups, json_pack("{ss so so so so so so so so}", "state", group->state, "coroutine",
                              rp_json_text(group->coroutine), "count", rp_json_number(group->count),
                              "retained_bytes", rp_json_number(group->retained_bytes), "stack",
                              stack(group), "awaits", rp_json_text(group->awaits),
                              "known_to_nobody_else", rp_json_number(group->orphans), "error",
                              rp_json_text(group->error), "examples", examples(group)));
    }
    return json_pack("{so so so so so so}", "count", rp_json_number(tasks->count), "pending",
                     rp_json_number(tasks->pending), "finished", rp_json_number(tasks->finished),
                     "failed", rp_json_number(tasks->failed), "cancelled",
                     rp_json_number(tasks->cancelled), "groups", groups);
}
