#include "collective/store.h"

#include <chrono>
#include <exception>
#include <torch/csrc/distributed/c10d/PrefixStore.hpp>
#include <torch/csrc/distributed/c10d/TCPStore.hpp>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "base/cause.h"
#include "base/status.h"
#include "collective/c10d_store.h"

namespace trainyard::collective {
namespace {

// c10d reports by exception; every call that may throw goes through here.
template <typename Call>
auto Catch(const std::string& endpoint, Call&& call)
    -> absl::StatusOr<decltype(std::forward<Call>(call)())> {
  try {
    return std::forward<Call>(call)();
  } catch (const std::exception& e) {
    return PeerLostError(
        absl::StrCat("rendezvous store of rank 0 at ", endpoint, ": ", e.what()));
  }
}

std::chrono::milliseconds Milliseconds(absl::Duration duration) {
  return std::max(absl::ToChronoMilliseconds(duration), std::chrono::milliseconds(1));
}

absl::StatusOr<c10::intrusive_ptr<c10d::TCPStore>> OpenTcpStore(const std::string& host,
                                                                int port, bool hosts,
                                                                absl::Duration timeout) {
  return Catch(absl::StrCat(host, ":", port), [&] {
    c10d::TCPStoreOptions options;
    options.port = static_cast<uint16_t>(port);
    options.isServer = hosts;
    options.waitWorkers = false;
    options.timeout = Milliseconds(timeout);
    return c10::make_intrusive<c10d::TCPStore>(host, options);
  });
}

std::unique_ptr<C10dStore> WithPrefix(const std::string& prefix,
                                      c10::intrusive_ptr<c10d::Store> store) {
  auto prefixed = std::make_unique<C10dStore>();
  prefixed->store = c10::make_intrusive<c10d::PrefixStore>(prefix, std::move(store));
  return prefixed;
}

}  // namespace

Store::Store(std::string endpoint, std::unique_ptr<C10dStore> store)
    : endpoint_(std::move(endpoint)), store_(std::move(store)) {}

Store::~Store() = default;

absl::StatusOr<std::unique_ptr<Store>> Store::Host(const std::string& host,
                                                   const std::string& prefix,
                                                   absl::Duration timeout,
                                                   const PortRange& ports) {
  auto opened = OpenTcpStore(host, ports.first, true, timeout);
  for (int port = ports.first + 1; !opened.ok() && port <= ports.last; ++port) {
    opened = OpenTcpStore(host, port, true, timeout);
  }
  TY_RETURN_IF_ERROR(Annotate(
      opened.status(), absl::StrCat("ports ", ports.first, " to ", ports.last, " (task_ports)")));
  auto store = *std::move(opened);
  std::string endpoint = absl::StrCat(host, ":", store->getPort());
  return std::unique_ptr<Store>(
      new Store(std::move(endpoint), WithPrefix(prefix, std::move(store))));
}

absl::StatusOr<std::unique_ptr<Store>> Store::Connect(const std::string& endpoint,
                                                      const std::string& prefix,
                                                      absl::Duration timeout) {
  const size_t colon = endpoint.rfind(':');
  int port = 0;
  if (colon == std::string::npos || colon == 0 ||
      !absl::SimpleAtoi(endpoint.substr(colon + 1), &port) || port < 1 || port > 65535) {
    return absl::InvalidArgumentError(
        absl::StrCat("rank 0 published \"", endpoint, "\", which is not host:port"));
  }
  TY_ASSIGN_OR_RETURN(auto store, OpenTcpStore(endpoint.substr(0, colon), port, false, timeout));
  return std::unique_ptr<Store>(new Store(endpoint, WithPrefix(prefix, std::move(store))));
}

absl::StatusOr<std::unique_ptr<Store>> Store::Clone() {
  return Catch(endpoint_, [&] {
    auto copy = std::make_unique<C10dStore>();
    copy->store = store_->store->clone();
    return std::unique_ptr<Store>(new Store(endpoint_, std::move(copy)));
  });
}

absl::Status Store::Set(const std::string& key, const std::string& value) {
  return Catch(endpoint_, [&] {
    store_->store->set(key, value);
    return true;
  }).status();
}

absl::StatusOr<std::string> Store::Get(const std::string& key, absl::Duration timeout) {
  absl::Status waited = Catch(endpoint_, [&] {
    store_->store->wait({key}, Milliseconds(timeout));
    return true;
  }).status();
  if (!waited.ok()) {
    // c10d tells a time-out from a lost connection by its text only; a question tells them apart.
    TY_RETURN_IF_ERROR(Has(key).status());
    return absl::DeadlineExceededError(absl::StrCat("no \"", key, "\" in the rendezvous store at ",
                                                    endpoint_, " within ",
                                                    absl::FormatDuration(timeout)));
  }
  return Catch(endpoint_, [&] { return store_->store->get_to_str(key); });
}

absl::StatusOr<bool> Store::Has(const std::string& key) {
  return Catch(endpoint_, [&] { return store_->store->check({key}); });
}

absl::StatusOr<int64_t> Store::Add(const std::string& key, int64_t amount) {
  return Catch(endpoint_, [&] { return store_->store->add(key, amount); });
}

}  // namespace trainyard::collective
