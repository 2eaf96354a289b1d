// A node of tests: an agent whose tasks do what the test says, over the real agent's and tasks'
// gRPC services.

#ifndef TRAINYARD_TESTS_CLI_FAKE_NODE_H_
#define TRAINYARD_TESTS_CLI_FAKE_NODE_H_

#include <cstdint>
#include <memory>
#include <string>

#include "trainyard/v1/job.pb.h"

namespace trainyard::cli {

// Offers 16 cores, 64 GiB and the roots "data" and "runs". Every preflight passes; no task does
// anything by itself, not even when it is told to stop. A task is named by its job (id or name;
// empty: any) and its role and index ("trainer/0"); every method waits until the coordinator wants
// that task here, and fails the test when it does not come. One thread.
class FakeNode {
 public:
  // Connects to the coordinator and waits until it is registered.
  FakeNode(const std::string& coordinator, const std::string& name);
  ~FakeNode();
  FakeNode(const FakeNode&) = delete;
  FakeNode& operator=(const FakeNode&) = delete;

  // What the task was told to do.
  v1::JobSpec Await(const std::string& job, const std::string& task);
  // Waits until the coordinator wants it stopped; the seconds it gets until it is killed.
  double AwaitStop(const std::string& job, const std::string& task);
  // The task printed this; the coordinator has it on disk.
  void Print(const std::string& job, const std::string& task, const std::string& text);
  // The task wrote a checkpoint.
  void Commit(const std::string& job, const std::string& task, int64_t step);
  // The task reports the value of a metric at a step; the coordinator has heard it.
  void Report(const std::string& job, const std::string& task, int64_t step,
              const std::string& metric, double value);
  // The task serves at this address; the coordinator has heard it.
  void Serve(const std::string& job, const std::string& task, const std::string& endpoint);
  // The task records the job's one output and every task of the job exits.
  void Succeed(const std::string& job, const std::string& task, const v1::Artifact& output);
  // The task's process ended, and after it those of the job's other tasks.
  void Exit(const std::string& job, const std::string& task, v1::EndClass end_class,
            const std::string& message);

 private:
  class Session;
  std::unique_ptr<Session> session_;
};

}  // namespace trainyard::cli

#endif  // TRAINYARD_TESTS_CLI_FAKE_NODE_H_
