// The key-value store through which the ranks of one attempt find each other. Rank 0 hosts it on a
// free port; the others connect. All keys lie under "<job>/<epoch>/", so that ranks of another
// attempt never meet. Not a data path.

#ifndef TRAINYARD_COLLECTIVE_STORE_H_
#define TRAINYARD_COLLECTIVE_STORE_H_

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "base/port_range.h"

namespace trainyard::collective {

struct C10dStore;  // c10d's store, for the back ends of this directory (c10d_store.h)

// One connection. Guarded by c10d's own lock: a Get that waits blocks the other calls on the same
// connection, so a second thread takes a Clone. Unavailable: the host (rank 0) is gone.
class Store {
 public:
  // Hosts a store that listens on a free port of `ports`. `host` is the name or address under which
  // the other ranks reach it. Unavailable: no port of the range is free.
  static absl::StatusOr<std::unique_ptr<Store>> Host(const std::string& host,
                                                     const std::string& prefix,
                                                     absl::Duration timeout,
                                                     const PortRange& ports = {});
  // Connects to "host:port". InvalidArgument when that does not parse; Unavailable when nothing
  // answers within `timeout`.
  static absl::StatusOr<std::unique_ptr<Store>> Connect(const std::string& endpoint,
                                                        const std::string& prefix,
                                                        absl::Duration timeout);
  ~Store();

  // "host:port" for the other ranks.
  const std::string& endpoint() const { return endpoint_; }

  // A connection of its own to the same store.
  absl::StatusOr<std::unique_ptr<Store>> Clone();

  absl::Status Set(const std::string& key, const std::string& value);
  // The value of `key`, waiting for it until `timeout`; then DeadlineExceeded.
  absl::StatusOr<std::string> Get(const std::string& key, absl::Duration timeout);
  // Whether `key` is there now.
  absl::StatusOr<bool> Has(const std::string& key);
  // Adds to a counter (which starts at 0) and returns it.
  absl::StatusOr<int64_t> Add(const std::string& key, int64_t amount);

  const C10dStore& c10d() const { return *store_; }

 private:
  Store(std::string endpoint, std::unique_ptr<C10dStore> store);

  const std::string endpoint_;
  const std::unique_ptr<C10dStore> store_;
};

}  // namespace trainyard::collective

#endif  // TRAINYARD_COLLECTIVE_STORE_H_
