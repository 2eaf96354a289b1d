#include "base/session_link.h"

#include <gtest/gtest.h>

namespace trainyard {
namespace {

using Due = SessionLink::Due;
using Phase = SessionLink::Phase;

class SessionLinkTest : public ::testing::Test {
 protected:
  static constexpr absl::Duration kBeat = absl::Seconds(1);

  void Open() {
    link_.Open(now_);
    EXPECT_TRUE(link_.Hear(link_.stream(), /*welcome=*/true, now_));
    EXPECT_TRUE(link_.Welcome(kBeat, now_));
  }

  SessionLink link_{{.silence = absl::Seconds(10), .term = 5, .random_key = 1}};
  absl::Duration now_ = absl::Seconds(100);
};

TEST_F(SessionLinkTest, NothingIsDueBeforeTheFirstStream) {
  EXPECT_EQ(link_.phase(), Phase::kIdle);
  EXPECT_EQ(link_.NextDue(), absl::InfiniteDuration());
  EXPECT_EQ(link_.DueAt(now_), Due::kNothing);
}

TEST_F(SessionLinkTest, NothingCountsBeforeTheWelcomeNorOfAFormerStream) {
  const int64_t first = link_.Open(now_);
  EXPECT_FALSE(link_.Hear(first, /*welcome=*/false, now_));
  link_.Lose(now_);
  EXPECT_FALSE(link_.Uses(first));
  const int64_t second = link_.Open(now_);
  EXPECT_FALSE(link_.Hear(first, /*welcome=*/true, now_));
  EXPECT_TRUE(link_.Hear(second, /*welcome=*/true, now_));
  EXPECT_TRUE(link_.Welcome(kBeat, now_));
  EXPECT_TRUE(link_.Hear(second, /*welcome=*/false, now_));
  EXPECT_FALSE(link_.Welcome(kBeat, now_)) << "again on the same stream";
}

TEST_F(SessionLinkTest, AWelcomeThatDoesNotComeIsSilence) {
  link_.Open(now_);
  EXPECT_EQ(link_.NextDue(), now_ + absl::Seconds(10));
  EXPECT_EQ(link_.DueAt(now_ + absl::Seconds(9)), Due::kNothing);
  EXPECT_EQ(link_.DueAt(now_ + absl::Seconds(10)), Due::kSilent);
}

TEST_F(SessionLinkTest, HeartbeatsAreNumberedAndOneIntervalApart) {
  Open();
  EXPECT_EQ(link_.NextDue(), now_ + kBeat);
  EXPECT_EQ(link_.DueAt(now_ + kBeat), Due::kHeartbeat);
  EXPECT_EQ(link_.NextHeartbeat(now_ + kBeat), 1);
  EXPECT_EQ(link_.DueAt(now_ + kBeat), Due::kNothing);
  EXPECT_EQ(link_.NextHeartbeat(now_ + 2 * kBeat), 2);
}

TEST_F(SessionLinkTest, ThreeLostHeartbeatsAreSilenceWhenTheyTakeLongerThanTheLimit) {
  link_.Open(now_);
  link_.Hear(1, true, now_);
  link_.Welcome(absl::Seconds(20), now_);
  EXPECT_EQ(link_.DueAt(now_ + absl::Seconds(59)), Due::kHeartbeat);
  EXPECT_EQ(link_.DueAt(now_ + absl::Seconds(60)), Due::kSilent);
  EXPECT_TRUE(link_.Hear(1, false, now_ + absl::Seconds(59)));
  EXPECT_NE(link_.DueAt(now_ + absl::Seconds(60)), Due::kSilent) << "anything heard counts";
}

TEST_F(SessionLinkTest, SilenceIsDueWithoutAHeartbeatToWakeFor) {
  link_.Open(now_);
  link_.Hear(1, true, now_);
  link_.Welcome(absl::Hours(1), now_);
  EXPECT_EQ(link_.NextDue(), now_ + absl::Hours(1));
  Open();
  link_.NextHeartbeat(now_ + absl::Seconds(9.5));
  EXPECT_EQ(link_.NextDue(), now_ + absl::Seconds(10)) << "before the next heartbeat";
}

TEST_F(SessionLinkTest, PausesGrowUntilTheNextWelcome) {
  absl::Duration longest = absl::ZeroDuration();
  for (int i = 0; i < 10; ++i) {
    link_.Open(now_);
    link_.Lose(now_);
    EXPECT_EQ(link_.phase(), Phase::kWaiting);
    const absl::Duration pause = link_.NextDue() - now_;
    EXPECT_GE(pause, absl::Milliseconds(50));
    EXPECT_LT(pause, absl::Seconds(2));
    longest = std::max(longest, pause);
    EXPECT_EQ(link_.DueAt(link_.NextDue()), Due::kOpen);
  }
  EXPECT_GE(longest, absl::Seconds(1));
  Open();
  link_.Lose(now_);
  EXPECT_LT(link_.NextDue() - now_, absl::Milliseconds(100));
}

TEST_F(SessionLinkTest, AnOlderTermIsRefusedAndANewerOneRemembered) {
  EXPECT_FALSE(link_.AcceptTerm(4));
  EXPECT_TRUE(link_.AcceptTerm(5));
  EXPECT_TRUE(link_.AcceptTerm(7));
  EXPECT_FALSE(link_.AcceptTerm(6));
  EXPECT_EQ(link_.highest_term(), 7);
}

TEST_F(SessionLinkTest, NothingIsDueAfterTheEnd) {
  Open();
  link_.End();
  EXPECT_EQ(link_.NextDue(), absl::InfiniteDuration());
  EXPECT_EQ(link_.DueAt(now_ + absl::Hours(1)), Due::kNothing);
  EXPECT_FALSE(link_.Hear(link_.stream(), true, now_));
}

}  // namespace
}  // namespace trainyard
