// Users: they submit, cancel, pause, scale and retry, and repeat what was not answered.

#ifndef TRAINYARD_TESTS_SIMULATION_SIM_USERS_H_
#define TRAINYARD_TESTS_SIMULATION_SIM_USERS_H_

#include <functional>
#include <string>
#include <vector>

#include "coordinator/core/event.h"
#include "tests/simulation/invariants.h"
#include "tests/simulation/network.h"
#include "tests/simulation/world.h"

namespace trainyard::simulation {

class SimUsers : public Client, public Actor {
 public:
  SimUsers(World* world, Network* network, Invariants* invariants, std::vector<std::string> nodes);

  void Start();
  // No new wishes; every job is cancelled, again and again, until the run ends.
  void CancelEverything();

  void OnOrder(int64_t, const coordinator::Order&) override {}
  void OnClosed(int64_t, const absl::Status&) override {}

 private:
  void ActForever();
  void Act();
  void Submit();
  void SubmitPipeline();
  void Change(coordinator::JobVerb verb, const std::string& job);
  void Scale();
  void Maintain();
  coordinator::JobDraft Draft(const std::string& name);
  // Calls until there is an answer.
  void Insist(Network::MakeEvent make, Network::OnReply on_reply);
  std::string AnyJob();

  Network& network_;
  Invariants& invariants_;
  const std::vector<std::string> nodes_;
  const uint64_t client_;
  std::vector<std::string> jobs_;
  bool done_ = false;
};

}  // namespace trainyard::simulation

#endif  // TRAINYARD_TESTS_SIMULATION_SIM_USERS_H_
