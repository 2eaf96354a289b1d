// The messages of the task's session from and to plain structs, each in the direction that a task
// needs; the coordinator has the other. No decisions.

#ifndef TRAINYARD_TASK_WIRE_H_
#define TRAINYARD_TASK_WIRE_H_

#include <optional>

#include "task/assignment.h"
#include "task/core.h"
#include "trainyard/v1/task.pb.h"

namespace trainyard::task {

Checkpoint FromWire(const v1::Checkpoint& wire);
Assignment FromWire(const v1::TaskAssignment& message);

v1::TaskMessage ToWire(const TaskSays& said);
// Nothing for a message this version does not know.
std::optional<TaskHears> FromWire(const v1::CoordinatorToTask& wire);

}  // namespace trainyard::task

#endif  // TRAINYARD_TASK_WIRE_H_
