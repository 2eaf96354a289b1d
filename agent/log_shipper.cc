#include "agent/log_shipper.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "base/clock.h"
#include "base/log.h"
#include "base/random.h"

namespace trainyard::agent {
namespace {

constexpr int64_t kPieceBytes = 64 << 10;
// Bytes of one task that may be on their way.
constexpr int64_t kWindowBytes = 1 << 20;
constexpr int64_t kKeptTailBytes = 4096;
constexpr absl::Duration kLook = absl::Milliseconds(200);
constexpr absl::Duration kSilence = absl::Seconds(30);
constexpr absl::Duration kCloseWait = absl::Seconds(5);
constexpr size_t kInboxCapacity = 4096;

int64_t SizeOf(int fd) {
  struct stat status = {};
  return fstat(fd, &status) == 0 ? status.st_size : 0;
}

// Where the file has bytes again, from `offset` on: behind what FreeBlocks took.
int64_t FirstBytes(int fd, int64_t offset) {
  const off_t found = lseek(fd, offset, SEEK_DATA);
  return found < 0 ? offset : found;
}

void FreeBlocks(int fd, int64_t begin, int64_t end) {
  // The end stays: what a task printed last explains how it ended.
  begin = std::max<int64_t>(0, begin - kKeptTailBytes);
  end -= kKeptTailBytes;
  // Best effort: some file systems have no holes.
  if (end > begin) fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, begin, end - begin);
}

}  // namespace

LogShipper::LogShipper(std::shared_ptr<grpc::Channel> channel,
                       std::function<void(uint64_t)> on_done)
    : stub_(v1::AgentService::NewStub(std::move(channel))),
      on_done_(std::move(on_done)),
      inbox_(std::make_shared<Inbox>(kInboxCapacity)),
      backoff_(absl::Milliseconds(200), absl::Seconds(5), EntropyBits()),
      thread_([this] { Run(); }) {}

LogShipper::~LogShipper() {
  inbox_->Push(LastCall{}, absl::InfiniteDuration());
  thread_.join();
}

void LogShipper::Add(LogSource source) { inbox_->Push(std::move(source), absl::Seconds(1)); }

void LogShipper::Finish(uint64_t task_uid) { inbox_->Push(Finished{task_uid}, absl::Seconds(1)); }

void LogShipper::Run() {
  const Clock& clock = Clock::Real();
  const auto leaving = [this] { return leave_at_ != absl::InfiniteDuration(); };
  while (clock.Monotonic() < leave_at_ && !(leaving() && AllShipped())) {
    std::optional<Item> item = inbox_->Pop(kLook);
    while (item) {
      std::visit([this](auto& i) { Take(i); }, *item);
      item = inbox_->Pop(absl::ZeroDuration());
    }
    NoticeClosed();
    if (stream_ == nullptr && !tails_.empty() && clock.Monotonic() >= open_at_) Open();
    ShipAll();
    WatchProgress();
  }
  if (stream_ != nullptr) {
    stream_->Cancel();
    stream_->AwaitClosed(kCloseWait);
  }
  for (auto& [uid, tail] : tails_) close(tail.fd);
}

void LogShipper::Take(LogSource& source) {
  const uint64_t uid = source.task_uid;
  const int fd = open(source.path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0) {
    Log().error("cannot read the output of {}: {}", source.task, source.path);
    return;
  }
  Tail& tail = tails_[uid];
  tail.fd = fd;
  tail.resumes = source.of_earlier_agent;
  tail.source = std::move(source);
}

void LogShipper::Take(Finished& finished) {
  const auto found = tails_.find(finished.task_uid);
  if (found == tails_.end()) {
    on_done_(finished.task_uid);
  } else {
    found->second.finished = true;
  }
}

void LogShipper::Take(Kept& kept) {
  const auto found = tails_.find(kept.task_uid);
  if (kept.stream != stream_number_ || found == tails_.end()) return;
  backoff_.Reset();
  progress_at_ = Clock::Real().Monotonic();
  Tail& tail = found->second;
  if (std::exchange(tail.resumes, false)) {
    tail.asked = false;
    // What was freed is gone, also when the coordinator has lost it since.
    tail.kept = tail.sent = std::min(FirstBytes(tail.fd, kept.offset), SizeOf(tail.fd));
    return;
  }
  if (kept.offset <= tail.kept) return;
  FreeBlocks(tail.fd, tail.kept, kept.offset);
  tail.kept = kept.offset;
  tail.sent = std::max(tail.sent, tail.kept);
}

void LogShipper::Take(LastCall&) { leave_at_ = Clock::Real().Monotonic() + kLastWait; }

void LogShipper::NoticeClosed() {
  if (stream_ == nullptr || !stream_->AwaitClosed(absl::ZeroDuration())) return;
  stream_ = nullptr;
  open_at_ = Clock::Real().Monotonic() + backoff_.Next();
  for (auto& [uid, tail] : tails_) {
    tail.sent = tail.kept;
    tail.asked = false;
  }
}

void LogShipper::Open() {
  const int64_t number = ++stream_number_;
  progress_at_ = Clock::Real().Monotonic();
  Stream::Callbacks callbacks;
  callbacks.on_message = [inbox = inbox_, number](v1::LogAck ack) {
    return inbox->TryPush(Kept{number, ack.task_uid(), ack.offset()});
  };
  callbacks.on_closed = [](const absl::Status& status) {
    Log().debug("log stream closed: {}", status.ToString());
  };
  stream_ = Stream::Start(
      [this](grpc::ClientContext* context, Stream::Reactor* reactor) {
        stub_->async()->ShipLogs(context, reactor);
      },
      std::move(callbacks));
}

void LogShipper::ShipAll() {
  for (auto it = tails_.begin(); it != tails_.end();) {
    Tail& tail = it->second;
    ShipOne(&tail);
    if (!tail.finished || tail.resumes || tail.kept < SizeOf(tail.fd)) {
      ++it;
      continue;
    }
    close(tail.fd);
    const uint64_t uid = it->first;
    it = tails_.erase(it);
    on_done_(uid);
  }
}

v1::LogShipment LogShipper::ShipmentOf(const Tail& tail) const {
  v1::LogShipment shipment;
  shipment.set_task_uid(tail.source.task_uid);
  shipment.set_job_id(tail.source.job_id);
  shipment.set_attempt(tail.source.attempt);
  shipment.set_task(tail.source.task);
  shipment.set_offset(tail.sent);
  return shipment;
}

// A shipment without bytes is answered with the offset that is kept.
void LogShipper::AskWhatIsKept(Tail* tail) {
  if (stream_ == nullptr || tail->asked) return;
  tail->asked = stream_->Send(ShipmentOf(*tail));
}

void LogShipper::ShipOne(Tail* tail) {
  if (tail->resumes) return AskWhatIsKept(tail);
  const int64_t size = SizeOf(tail->fd);
  if (size - tail->kept > kMostKeptBytes) {
    FreeBlocks(tail->fd, tail->kept, size - kMostKeptBytes);
    tail->kept = size - kMostKeptBytes;
    tail->sent = std::max(tail->sent, tail->kept);
  }
  while (stream_ != nullptr && tail->sent < size && tail->sent - tail->kept < kWindowBytes) {
    v1::LogShipment shipment = ShipmentOf(*tail);
    std::string* bytes = shipment.mutable_data();
    bytes->resize(std::min(kPieceBytes, size - tail->sent));
    const ssize_t read = pread(tail->fd, bytes->data(), bytes->size(), tail->sent);
    if (read <= 0) return;
    bytes->resize(read);
    if (!stream_->Send(std::move(shipment))) return;
    tail->sent += read;
  }
}

bool LogShipper::AllShipped() {
  return std::all_of(tails_.begin(), tails_.end(), [](const auto& entry) {
    return !entry.second.resumes && entry.second.kept >= SizeOf(entry.second.fd);
  });
}

void LogShipper::WatchProgress() {
  const bool waiting = std::any_of(tails_.begin(), tails_.end(), [](const auto& entry) {
    return entry.second.sent > entry.second.kept || entry.second.asked;
  });
  const absl::Duration now = Clock::Real().Monotonic();
  if (!waiting) progress_at_ = now;
  if (stream_ != nullptr && now >= progress_at_ + kSilence) stream_->Cancel();
}

}  // namespace trainyard::agent
