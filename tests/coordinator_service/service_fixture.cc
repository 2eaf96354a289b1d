#include "tests/coordinator_service/service_fixture.h"

#include "base/log.h"
#include "rpc/channel.h"

namespace trainyard::coordinator {

void ServiceTest::SetUpTestSuite() { ConfigureLog("coordinator", "warn"); }

void ServiceTest::Start() {
  Config config;
  config.state_dir = dir_.File("state");
  config.listen = "127.0.0.1:0";
  config.http = "127.0.0.1:0";
  auto started = Coordinator::Start(config, CoreOptions(), Clock::Real(),
                                    [](const absl::Status& status) { FAIL() << status; });
  ASSERT_TRUE(started.ok()) << started.status();
  coordinator_ = *std::move(started);
  channel_ = rpc::OpenChannel(coordinator_->endpoint(), {.own_connection = true});
  jobs_ = v1::JobService::NewStub(channel_);
  cluster_ = v1::ClusterService::NewStub(channel_);
  agents_ = v1::AgentService::NewStub(channel_);
  tasks_ = v1::TaskService::NewStub(channel_);
}

void ServiceTest::Restart() {
  coordinator_.reset();
  Start();
}

absl::StatusOr<v1::Job> ServiceTest::Submit(const v1::JobSpec& spec, const std::string& request_id,
                                            bool validate_only) {
  v1::SubmitJobRequest request;
  request.set_request_id(request_id);
  request.set_validate_only(validate_only);
  *request.mutable_spec() = spec;
  return Ask(&v1::JobService::Stub::SubmitJob, request);
}

absl::StatusOr<v1::Job> ServiceTest::Get(const std::string& job, bool explain) {
  v1::GetJobRequest request;
  request.set_job(job);
  request.set_explain(explain);
  return Ask(&v1::JobService::Stub::GetJob, request);
}

absl::StatusOr<v1::Job> ServiceTest::Cancel(const std::string& job) {
  v1::CancelJobRequest request;
  request.set_job(job);
  return Ask(&v1::JobService::Stub::CancelJob, request);
}

absl::StatusOr<v1::ListJobsResponse> ServiceTest::List(const std::string& filter, int size,
                                                       const std::string& token) {
  v1::ListJobsRequest request;
  request.set_filter(filter);
  request.set_page_size(size);
  request.set_page_token(token);
  return Ask(&v1::JobService::Stub::ListJobs, request);
}

std::unique_ptr<Watch> ServiceTest::OpenWatch(const v1::WatchJobsRequest& request) {
  return std::make_unique<Watch>(
      [&](grpc::ClientContext* context) { return jobs_->WatchJobs(context, request); });
}

v1::Job ServiceTest::Ended(const std::string& name) {
  const auto watch = OpenWatch(v1::WatchJobsRequest());
  v1::WatchJobsEvent event;
  while (watch->Next(&event)) {
    if (event.job().spec().name() == name && event.job().state() >= v1::SUCCEEDED) {
      return event.job();
    }
  }
  ADD_FAILURE() << name << " does not end: " << watch->Finish();
  return v1::Job();
}

std::unique_ptr<Logs> ServiceTest::OpenLogs(const v1::GetLogsRequest& request) {
  return std::make_unique<Logs>(
      [&](grpc::ClientContext* context) { return jobs_->GetLogs(context, request); });
}

std::unique_ptr<AgentLine> ServiceTest::Agent(const std::string& node, uint64_t nonce) {
  auto agent = std::make_unique<AgentLine>(
      [&](grpc::ClientContext* context) { return agents_->Session(context); });
  v1::AgentMessage message;
  v1::AgentRegister* offer = message.mutable_register_();
  offer->set_node(node);
  offer->set_process_nonce(nonce);
  offer->set_host(node + ".example");
  offer->set_advertise("127.0.0.1");
  offer->set_cpu_milli(4000);
  offer->set_memory_bytes(int64_t{8} << 30);
  v1::RootProof* root = offer->add_roots();
  root->set_name("runs");
  root->set_cluster_id("c1");
  agent->Send(message);
  return agent;
}

std::vector<v1::TaskAssignment> ServiceTest::Assignments(AgentLine& agent, int count) {
  v1::CoordinatorToAgent order;
  while (agent.Next(&order)) {
    if (order.has_preflight()) {
      v1::AgentMessage answer;
      answer.mutable_preflight()->set_job_id(order.preflight().job_id());
      answer.mutable_preflight()->set_epoch(order.preflight().epoch());
      answer.mutable_preflight()->set_ok(true);
      agent.Send(answer);
    }
    if (!order.has_desired() || order.desired().tasks_size() < count) continue;
    std::vector<v1::TaskAssignment> assignments(order.desired().tasks_size());
    for (int i = 0; i < order.desired().tasks_size(); ++i) {
      EXPECT_TRUE(assignments[i].ParseFromString(order.desired().tasks(i).assignment()));
    }
    return assignments;
  }
  ADD_FAILURE() << "no order for " << count << " tasks: " << agent.Finish();
  return std::vector<v1::TaskAssignment>(count);
}

void ServiceTest::Running(AgentLine& agent, uint64_t task_uid) {
  v1::AgentMessage message;
  v1::ActualTask* task = message.mutable_actual()->add_tasks();
  task->set_task_uid(task_uid);
  task->set_state(v1::TASK_RUNNING);
  agent.Send(message);
}

void ServiceTest::Exit(AgentLine& agent, uint64_t task_uid, v1::EndClass end_class) {
  v1::AgentMessage message;
  message.mutable_exit()->set_task_uid(task_uid);
  message.mutable_exit()->mutable_end()->set_class_(end_class);
  agent.Send(message);
}

std::unique_ptr<TaskLine> ServiceTest::Task(const v1::TaskAssignment& assignment,
                                            const std::string& secret) {
  auto task = std::make_unique<TaskLine>(
      [&](grpc::ClientContext* context) { return tasks_->Session(context); });
  v1::TaskMessage message;
  v1::TaskHello* hello = message.mutable_hello();
  hello->set_job_id(assignment.job_id());
  hello->set_epoch(assignment.epoch());
  hello->set_task_uid(assignment.task_uid());
  hello->set_secret(secret.empty() ? assignment.secret() : secret);
  task->Send(message);
  return task;
}

}  // namespace trainyard::coordinator
