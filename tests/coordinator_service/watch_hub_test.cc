#include "coordinator/watch_hub.h"

#include <gtest/gtest.h>

#include <vector>

namespace trainyard::coordinator {
namespace {

v1::WatchJobsEvent EventOf(const std::string& job, int64_t revision) {
  v1::WatchJobsEvent event;
  event.set_revision(revision);
  event.mutable_job()->set_id(job);
  return event;
}

// A reader that takes `room` events.
struct Reader {
  size_t room = 1000;
  std::vector<v1::WatchJobsEvent> events;
  absl::Status closed;
  std::shared_ptr<Watcher> Watch(size_t max_held = 1000) {
    Watcher::Sink sink;
    sink.send = [this](v1::WatchJobsEvent event) {
      if (events.size() >= room) return false;
      events.push_back(std::move(event));
      return true;
    };
    sink.close = [this](const absl::Status& status) { closed = status; };
    return std::make_shared<Watcher>("", "", max_held, std::move(sink));
  }
};

TEST(WatchHubTest, ChangesDuringTheSnapshotComeAfterItAndOnlyNewerOnes) {
  Reader reader;
  const auto watcher = reader.Watch();
  watcher->Tell(EventOf("a", 5));
  watcher->Tell(EventOf("b", 6));
  watcher->TellSnapshot(EventOf("a", 5));
  watcher->TellSnapshot(EventOf("b", 4));
  watcher->Synced(4);
  watcher->Tell(EventOf("a", 7));
  std::vector<int64_t> revisions;
  for (const auto& event : reader.events) revisions.push_back(event.revision());
  EXPECT_EQ(revisions, std::vector<int64_t>({5, 4, 4, 6, 7}));
  EXPECT_TRUE(reader.events[2].synced());
}

TEST(WatchHubTest, AReaderThatDoesNotKeepUpGetsOutOfRange) {
  Reader reader;
  reader.room = 2;
  const auto watcher = reader.Watch();
  watcher->Synced(0);
  for (int i = 1; i <= 3; ++i) watcher->Tell(EventOf("a", i));
  EXPECT_EQ(reader.closed.code(), absl::StatusCode::kOutOfRange);
}

TEST(WatchHubTest, TooManyChangesDuringTheSnapshotAreOutOfRange) {
  Reader reader;
  const auto watcher = reader.Watch(/*max_held=*/2);
  for (int i = 1; i <= 3; ++i) watcher->Tell(EventOf("a", i));
  EXPECT_EQ(reader.closed.code(), absl::StatusCode::kOutOfRange);
}

TEST(WatchHubTest, OnlyWhoWantsAJobIsTold) {
  WatchHub hub;
  std::vector<std::string> told;
  Watcher::Sink sink;
  sink.send = [&](v1::WatchJobsEvent event) {
    if (event.has_job()) told.push_back(event.job().id());
    return true;
  };
  sink.close = [](const absl::Status&) {};
  const auto watcher = std::make_shared<Watcher>("a", "", 10, sink);
  watcher->Synced(0);
  hub.Add(watcher);
  int made = 0;
  for (const char* id : {"a", "b"}) {
    hub.Publish(id, "", [&] {
      ++made;
      return EventOf(id, 1);
    });
  }
  EXPECT_EQ(told, std::vector<std::string>({"a"}));
  EXPECT_EQ(made, 1);
  hub.Remove(watcher);
  EXPECT_EQ(hub.size(), 0u);
}

}  // namespace
}  // namespace trainyard::coordinator
