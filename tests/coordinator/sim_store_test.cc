#include "tests/support/sim_store.h"

#include <gtest/gtest.h>

#include "tests/coordinator/sample_records.h"
#include "tests/coordinator/store_conformance.h"

namespace trainyard::coordinator {
namespace {

class SimStoreFixture : public StoreFixture {
 public:
  SimStoreFixture() { SimStoreFixture::Reopen(); }
  Store& store() override { return *store_; }
  absl::Status Settle() override {
    store_->Sync(store_->pending());
    return status_;
  }
  void Reopen() override {
    status_ = absl::OkStatus();
    store_ = std::make_unique<SimStore>(&disk_, [this](absl::StatusOr<int64_t> durable) {
      if (!durable.ok()) status_ = durable.status();
    });
  }

 private:
  SimDisk disk_;
  absl::Status status_;
  std::unique_ptr<SimStore> store_;
};

std::unique_ptr<StoreFixture> MakeFixture() { return std::make_unique<SimStoreFixture>(); }

INSTANTIATE_TEST_SUITE_P(Sim, StoreConformance, testing::Values(&MakeFixture));

std::shared_ptr<const Batch> JobBatch(uint64_t term, int64_t revision) {
  Batch batch;
  batch.term = term;
  batch.revision = revision;
  batch.jobs = {SampleJob(absl::StrCat("job-", revision))};
  return std::make_shared<const Batch>(batch);
}

TEST(SimStoreTest, NothingIsDurableBeforeItsSync) {
  SimDisk disk;
  int64_t told = 0;
  SimStore store(&disk, [&](absl::StatusOr<int64_t> durable) { told = *durable; });
  store.Write(JobBatch(1, 1));
  store.Write(JobBatch(1, 2));
  EXPECT_EQ(store.durable_revision(), 0);
  EXPECT_FALSE(store.GetJob("job-1").ok());
  store.Sync(1);
  EXPECT_EQ(told, 1);
  EXPECT_TRUE(store.GetJob("job-1").ok());
  EXPECT_FALSE(store.GetJob("job-2").ok());
}

TEST(SimStoreTest, ACrashKeepsWhatReachedTheDiskAndTellsNobody) {
  SimDisk disk;
  int told = 0;
  SimStore store(&disk, [&](absl::StatusOr<int64_t>) { ++told; });
  for (int64_t revision = 1; revision <= 3; ++revision) store.Write(JobBatch(1, revision));
  store.Crash(2);
  EXPECT_EQ(told, 0);
  SimStore next(&disk, [](absl::StatusOr<int64_t>) {});
  EXPECT_EQ(next.durable_revision(), 2);
  EXPECT_EQ(next.term(), 2);
  EXPECT_FALSE(next.GetJob("job-3").ok());
}

}  // namespace
}  // namespace trainyard::coordinator
