#include "eval/words.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace trainyard::eval {
namespace {

using ::testing::ElementsAre;

TEST(WordsTest, AreLowerCaseLettersWithOneApostropheInside) {
  EXPECT_THAT(Words("It's a TEST, rock'n'roll 'tis 4x4 café don'"),
              ElementsAre("it's", "a", "test", "rock'n", "roll", "tis", "x", "caf", "don"));
  EXPECT_TRUE(Words(" '12' ").empty());
}

}  // namespace
}  // namespace trainyard::eval
