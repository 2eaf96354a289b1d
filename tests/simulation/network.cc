#include "tests/simulation/network.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "absl/strings/str_cat.h"

namespace trainyard::simulation {
namespace {

constexpr absl::Duration kCallTimeout = absl::Seconds(8);

}  // namespace

uint64_t Network::Join(Client* client, const std::string& place) {
  clients_[next_client_] = {client, place};
  return next_client_++;
}

void Network::Leave(uint64_t client) {
  clients_.erase(client);
  std::vector<SessionId> open;
  for (const auto& [id, session] : sessions_) {
    if (session.client == client) open.push_back(id);
  }
  for (SessionId id : open) CloseFromClient(id);
}

SessionId Network::Open(uint64_t client, int64_t stream, MakeLost make_lost) {
  const SessionId id = next_session_++;
  sessions_[id] = {client, stream, clients_.at(client).name, std::move(make_lost)};
  if (!server_->up()) {
    Later(Latency(sessions_[id].place),
          [this, id] { EndSession(id, absl::UnavailableError("connection refused")); });
  }
  return id;
}

void Network::ToServer(SessionId session, coordinator::Event event) {
  if (sessions_.count(session) > 0) TellServer(session, std::move(event));
}

void Network::ToClient(SessionId session, const coordinator::Order& order) {
  if (sessions_.count(session) == 0) return;
  if (const auto* close = std::get_if<coordinator::CloseSession>(&order)) {
    const absl::Status status = close->status;
    TellClient(session,
               [status](Client* client, int64_t stream) { client->OnClosed(stream, status); });
    sessions_.erase(session);
    return;
  }
  TellClient(session, [order](Client* client, int64_t stream) { client->OnOrder(stream, order); });
}

// What was sent before arrives before; a newer stream may overtake both.
void Network::CloseFromClient(SessionId id) {
  const auto it = sessions_.find(id);
  if (it == sessions_.end()) return;
  Session& session = it->second;
  session.client = 0;
  const absl::Duration delay = world_.Fault(0.15)
                                   ? world_.Between(absl::Seconds(1), absl::Seconds(40))
                                   : Latency(session.place);
  session.server_hears = std::max(session.server_hears, world_.now() + delay);
  Later(session.server_hears - world_.now(), [this, id, lost = session.make_lost(id)] {
    if (sessions_.erase(id) > 0 && server_->up()) server_->OnEvent(lost);
  });
}

void Network::ServerDied() {
  std::vector<SessionId> open;
  for (const auto& [id, session] : sessions_) open.push_back(id);
  for (SessionId id : open) EndSession(id, absl::UnavailableError("connection reset"));
}

// Streams of a server that died send no event: the next one does not know them.
void Network::EndSession(SessionId session, const absl::Status& to_client) {
  const auto it = sessions_.find(session);
  if (it == sessions_.end()) return;
  const bool silent = world_.Fault(0.2);  // the client finds out by its own deadline
  if (!silent) {
    TellClient(session, [to_client](Client* client, int64_t stream) {
      client->OnClosed(stream, to_client);
    });
  }
  sessions_.erase(session);
}

void Network::BreakOne() {
  if (sessions_.empty()) return;
  const SessionId id = std::next(sessions_.begin(), world_.Below(sessions_.size()))->first;
  world_.Trace(absl::StrCat("fault: stream ", id, " breaks"));
  coordinator::Event lost = sessions_.at(id).make_lost(id);
  EndSession(id, absl::UnavailableError("connection reset"));
  Later(world_.Between(absl::ZeroDuration(), absl::Seconds(3)), [this, lost = std::move(lost)] {
    if (server_->up()) server_->OnEvent(lost);
  });
}

void Network::Cut(const std::string& place, absl::Duration how_long) {
  world_.Trace(absl::StrCat("fault: ", place, " is cut off for ", absl::FormatDuration(how_long)));
  cut_until_[place] = world_.now() + how_long;
}

absl::Duration Network::Latency(const std::string& place) {
  absl::Duration latency = world_.Between(absl::Microseconds(200), absl::Milliseconds(5));
  if (world_.Fault(0.03)) latency += world_.Between(absl::ZeroDuration(), absl::Milliseconds(500));
  if (world_.Fault(0.003)) latency += world_.Between(absl::ZeroDuration(), absl::Seconds(5));
  const auto cut = cut_until_.find(place);
  if (cut != cut_until_.end() && cut->second > world_.now()) latency += cut->second - world_.now();
  return latency;
}

void Network::TellServer(SessionId id, coordinator::Event event) {
  Session& session = sessions_.at(id);
  session.server_hears = std::max(session.server_hears, world_.now() + Latency(session.place));
  Later(session.server_hears - world_.now(), [this, id, event = std::move(event)] {
    if (sessions_.count(id) > 0 && server_->up()) server_->OnEvent(event);
  });
}

void Network::TellClient(SessionId id, std::function<void(Client*, int64_t)> tell) {
  Session& session = sessions_.at(id);
  session.client_hears = std::max(session.client_hears, world_.now() + Latency(session.place));
  Later(session.client_hears - world_.now(),
        [this, client = session.client, stream = session.stream, tell = std::move(tell)] {
          if (Client* found = Find(client)) tell(found, stream);
        });
}

Client* Network::Find(uint64_t client) {
  const auto it = clients_.find(client);
  return it == clients_.end() ? nullptr : it->second.client;
}

void Network::Call(uint64_t client, MakeEvent make_event, OnReply on_reply) {
  const CallId call = next_call_++;
  calls_[call] = {client, std::move(on_reply)};
  const std::string place = clients_.at(client).name;
  const coordinator::Event event = make_event(call);
  const auto deliver = [this, event] {
    if (server_->up()) server_->OnEvent(event);
  };
  if (!world_.Fault(0.04)) Later(Latency(place), deliver);
  if (world_.Fault(0.04)) Later(Latency(place) * 3, deliver);
  Later(kCallTimeout, [this, call] {
    ToCaller({call, absl::UnavailableError("no answer"), "", {}});
  });
}

void Network::ToCaller(const coordinator::Reply& reply) {
  const auto it = calls_.find(reply.call);
  if (it == calls_.end()) return;
  const bool timeout = reply.status.message() == "no answer";
  if (!timeout && world_.Fault(0.04)) return;
  const Pending pending = it->second;
  calls_.erase(it);
  const auto place = clients_.find(pending.client);
  if (place == clients_.end()) return;
  Later(timeout ? absl::ZeroDuration() : Latency(place->second.name), [this, pending, reply] {
    if (Find(pending.client) != nullptr) pending.on_reply(reply);
  });
}

}  // namespace trainyard::simulation
