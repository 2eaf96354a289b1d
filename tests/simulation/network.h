// Streams and calls between agents, tasks, users and the coordinator, with the faults of a network:
// delay, loss of a connection, half-open connections, cut places; calls are also dropped, repeated
// and overtaken. Within a stream messages stay in order, as gRPC promises.

#ifndef TRAINYARD_TESTS_SIMULATION_NETWORK_H_
#define TRAINYARD_TESTS_SIMULATION_NETWORK_H_

#include <cstdint>
#include <functional>
#include <map>
#include <string>

#include "coordinator/core/decision.h"
#include "coordinator/core/event.h"
#include "tests/simulation/world.h"

namespace trainyard::simulation {

using coordinator::CallId;
using coordinator::SessionId;

// The near end of a stream: an agent or a task.
class Client {
 public:
  virtual ~Client() = default;
  virtual void OnOrder(int64_t stream, const coordinator::Order& order) = 0;
  virtual void OnClosed(int64_t stream, const absl::Status& status) = 0;
};

// The far end: the coordinator. Up or not.
class Server {
 public:
  virtual ~Server() = default;
  virtual bool up() const = 0;
  virtual void OnEvent(coordinator::Event event) = 0;
};

class Network : public Actor {
 public:
  using MakeEvent = std::function<coordinator::Event(CallId)>;
  using OnReply = std::function<void(const coordinator::Reply&)>;
  // What tells the server that a session is gone.
  using MakeLost = std::function<coordinator::Event(SessionId)>;

  explicit Network(World* world) : Actor(world) {}
  void SetServer(Server* server) { server_ = server; }

  uint64_t Join(Client* client, const std::string& place);
  // The client is gone; the server hears of it at once, or (half open) much later.
  void Leave(uint64_t client);

  SessionId Open(uint64_t client, int64_t stream, MakeLost make_lost);
  void ToServer(SessionId session, coordinator::Event event);
  void ToClient(SessionId session, const coordinator::Order& order);
  void CloseFromClient(SessionId session);
  void ServerDied();

  // One call; `on_reply` is told at most once, Unavailable when nothing came back in time, and
  // never when the client is gone.
  void Call(uint64_t client, MakeEvent make_event, OnReply on_reply);
  void ToCaller(const coordinator::Reply& reply);

  // Nothing passes to or from the place for so long.
  void Cut(const std::string& place, absl::Duration how_long);
  // Breaks one stream of those that are open.
  void BreakOne();
  void Heal() { cut_until_.clear(); }

 private:
  struct Place {
    Client* client = nullptr;
    std::string name;
  };
  struct Session {
    uint64_t client = 0;
    int64_t stream = 0;
    std::string place;
    MakeLost make_lost;
    absl::Duration server_hears;  // the last message scheduled in each direction
    absl::Duration client_hears;
  };
  struct Pending {
    uint64_t client = 0;
    OnReply on_reply;
  };

  absl::Duration Latency(const std::string& place);
  void TellServer(SessionId session, coordinator::Event event);
  void TellClient(SessionId session, std::function<void(Client*, int64_t)> tell);
  void EndSession(SessionId session, const absl::Status& to_client);
  Client* Find(uint64_t client);

  Server* server_ = nullptr;
  uint64_t next_client_ = 1;
  SessionId next_session_ = 1;
  CallId next_call_ = 1;
  std::map<uint64_t, Place> clients_;
  std::map<SessionId, Session> sessions_;
  std::map<CallId, Pending> calls_;
  std::map<std::string, absl::Duration> cut_until_;
};

}  // namespace trainyard::simulation

#endif  // TRAINYARD_TESTS_SIMULATION_NETWORK_H_
