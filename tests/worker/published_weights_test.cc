#include "worker/published_weights.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>

namespace trainyard::worker {
namespace {

constexpr size_t kBytes = 10000;

// What a rollout task does.
class Reader {
 public:
  explicit Reader(const SharedMemory& memory)
      : file_(shm_open(memory.name().c_str(), O_RDONLY | O_CLOEXEC, 0)) {}
  ~Reader() { close(file_); }
  bool Lock() { return flock(file_, LOCK_SH | LOCK_NB) == 0; }
  void Unlock() { flock(file_, LOCK_UN); }
  std::string Read() const {
    std::string bytes(kBytes, '\0');
    EXPECT_EQ(pread(file_, bytes.data(), kBytes, 0), static_cast<ssize_t>(kBytes));
    return bytes;
  }

 private:
  const int file_;
};

TEST(SharedMemory, OthersReadWhatWasWrittenUntilItIsGone) {
  auto memory = *SharedMemory::Create(kBytes);
  ASSERT_FALSE(memory->name().empty());
  std::memset(memory->data(), 'a', kBytes);
  EXPECT_EQ(Reader(*memory).Read(), std::string(kBytes, 'a'));
  const std::string name = memory->name();
  memory.reset();
  EXPECT_EQ(shm_open(name.c_str(), O_RDONLY, 0), -1);
}

TEST(SharedMemory, AReaderAndTheOwnersWritingExcludeEachOther) {
  auto memory = *SharedMemory::Create(kBytes);
  Reader reader(*memory);
  ASSERT_TRUE(memory->KeepReadersOut());
  EXPECT_FALSE(reader.Lock());
  memory->LetReadersIn();
  EXPECT_TRUE(reader.Lock());
  EXPECT_FALSE(memory->KeepReadersOut());
  reader.Unlock();
  EXPECT_TRUE(memory->KeepReadersOut());
}

TEST(SharedMemory, WhatAKilledOwnerLeftIsRemovedAndWhatALivingOneHoldsIsNot) {
  auto mine = *SharedMemory::Create(kBytes);
  int names[2];
  ASSERT_EQ(pipe(names), 0);
  const pid_t child = fork();
  if (child == 0) {
    const auto left = SharedMemory::Create(kBytes);
    if (!left.ok() || write(names[1], (*left)->name().data(), (*left)->name().size()) < 0) abort();
    _exit(0);
  }
  ASSERT_EQ(waitpid(child, nullptr, 0), child);
  char name[200] = {};
  ASSERT_GT(read(names[0], name, sizeof(name) - 1), 0);
  close(names[0]);
  close(names[1]);
  SharedMemory::RemoveStale();
  EXPECT_EQ(shm_open(name, O_RDONLY, 0), -1) << name;
  EXPECT_TRUE(Reader(*mine).Lock());
}

TEST(SnapshotMemory, TwoObjectsServeAllVersionsByTurns) {
  SnapshotMemory memory;
  auto first = *memory.Take(kBytes);
  const std::string first_name = first->name();
  first->LetReadersIn();
  auto second = *memory.Take(kBytes);
  const std::string second_name = second->name();
  second->LetReadersIn();
  EXPECT_NE(first_name, second_name);
  first.reset();
  EXPECT_EQ((*memory.Take(kBytes))->name(), first_name);
  second.reset();
}

TEST(SnapshotMemory, MemoryThatIsStillReadIsNotWrittenAgain) {
  SnapshotMemory memory;
  auto first = *memory.Take(kBytes);
  const std::string name = first->name();
  std::memset(first->data(), 'a', kBytes);
  first->LetReadersIn();
  Reader reader(*first);
  ASSERT_TRUE(reader.Lock());
  first.reset();
  for (int i = 0; i < 3; ++i) {
    const auto next = *memory.Take(kBytes);
    EXPECT_NE(next->name(), name);
    std::memset(next->data(), 'b', kBytes);
    next->LetReadersIn();
  }
  EXPECT_EQ(reader.Read(), std::string(kBytes, 'a'));
}

TEST(SnapshotMemory, AnotherSizeGetsOtherMemoryAndTheOldIsGivenBack) {
  SnapshotMemory memory;
  const std::string old_name = (*memory.Take(kBytes))->name();
  for (int i = 1; i <= 2; ++i) (*memory.Take(kBytes + i))->LetReadersIn();
  EXPECT_EQ(shm_open(old_name.c_str(), O_RDONLY, 0), -1);
}

}  // namespace
}  // namespace trainyard::worker
