// What every store must do. A test file names its implementation:
//
//   INSTANTIATE_TEST_SUITE_P(Sim, StoreConformance, testing::Values(&MakeSimStoreFixture));

#ifndef TRAINYARD_TESTS_COORDINATOR_STORE_CONFORMANCE_H_
#define TRAINYARD_TESTS_COORDINATOR_STORE_CONFORMANCE_H_

#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "coordinator/store.h"

namespace trainyard::coordinator {

// One store with its disk.
class StoreFixture {
 public:
  virtual ~StoreFixture() = default;
  virtual Store& store() = 0;
  // Waits until everything written is durable, or the store failed: its status.
  virtual absl::Status Settle() = 0;
  // Ends this store and opens the next on the same disk.
  virtual void Reopen() = 0;
};

using StoreFixtureFactory = std::unique_ptr<StoreFixture> (*)();

class StoreConformance : public testing::TestWithParam<StoreFixtureFactory> {
 protected:
  void SetUp() override { fixture_ = GetParam()(); }
  Store& store() { return fixture_->store(); }

  // A batch that follows the last one.
  Batch Next();
  // Writes it and waits.
  absl::Status Put(Batch batch);
  // A job created by the next batch.
  void PutJob(const JobRecord& job);

  std::unique_ptr<StoreFixture> fixture_;
};

}  // namespace trainyard::coordinator

#endif  // TRAINYARD_TESTS_COORDINATOR_STORE_CONFORMANCE_H_
