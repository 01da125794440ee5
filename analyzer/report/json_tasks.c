/* SPDX-License-Identifier: MIT
 * json_tasks.c: asyncio's tasks for a machine.
 */
#include "analyzer/report/jsonvalue.h"

json_t *rp_json_stack(const struct fi_frame *frames, uint32_t count)
{
    json_t *array = json_array();
    for (uint32_t i = 0; i < count; i++)
        json_array_append_new(
            array, json_pack("{so so so}", "function", rp_json_text(frames[i].function), "file",
                             rp_json_text(frames[i].file), "line",
                             frames[i].line ? json_integer(frames[i].line) : json_null()));
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
                              rp_json_stack(group->stack, group->stack_count), "awaits",
                              rp_json_text(group->awaits), "known_to_nobody_else",
                              rp_json_number(group->orphans), "error", rp_json_text(group->error),
                              "examples", examples(group)));
    }
    return json_pack("{so so so so so so}", "count", rp_json_number(tasks->count), "pending",
                     rp_json_number(tasks->pending), "finished", rp_json_number(tasks->finished),
                     "failed", rp_json_number(tasks->failed), "cancelled",
                     rp_json_number(tasks->cancelled), "groups", groups);
}
