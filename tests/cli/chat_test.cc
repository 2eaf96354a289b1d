// cli/chat.cc, through `trainyard generate --chat`.

#include "cli/chat.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "base/atomic_file.h"
#include "tests/cli/chat_model.h"
#include "tests/cli/verb_harness.h"

namespace trainyard::cli {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class ChatTest : public VerbTest {
 protected:
  ChatTest() {
    WriteChatModel(dir().File("data/model"));
    EXPECT_TRUE(MakeDirectories(dir().File("runs")).ok());
  }
  std::vector<std::string> Line(std::vector<std::string> arguments) const {
    arguments.insert(arguments.begin(), {"generate", "root://data/model", "--chat"});
    arguments.insert(arguments.end(), {"--root", "data=" + dir().File("data"), "--root",
                                       "runs=" + dir().File("runs")});
    return arguments;
  }
  // What the chat left, its job served by `task_`.
  Ran Talk(std::vector<std::string> arguments) {
    const auto verb = Start(Line(std::move(arguments)));
    node().Serve("", "rollout/0", task_.endpoint());
    return verb->End();
  }
  // The same with these lines on standard input.
  Ran TalkInLines(const std::string& lines, const std::vector<std::string>& flags = {}) {
    EXPECT_TRUE(WriteFileAtomically(dir().File("lines"), lines).ok());
    const int before = dup(STDIN_FILENO);
    const int file = open(dir().File("lines").c_str(), O_RDONLY | O_CLOEXEC);
    dup2(file, STDIN_FILENO);
    const Ran ran = Talk(flags);
    dup2(before, STDIN_FILENO);
    close(before);
    close(file);
    return ran;
  }
  v1::DesiredState JobIs() {
    Client client(address());
    return client.ListJobs(v1::ListJobsRequest())->jobs(0).desired();
  }
  FakeChatTask task_;
};

TEST_F(ChatTest, MessagesGivenAreTurnsOfOneConversation) {
  task_.Answer({"yo", "fine"});
  const Ran ran = Talk({"hi", "how?", "--system", "Be brief."});
  EXPECT_EQ(ran.code, kDone) << ran.err;
  EXPECT_EQ(ran.out, "yo\nfine\n");
  EXPECT_THAT(task_.prompts(),
              ElementsAre("Be brief.\n<|user|>hi<|assistant|>",
                          "Be brief.\n<|user|>hi<|assistant|>yo<|end|><|user|>how?<|assistant|>"));
  EXPECT_EQ(JobIs(), v1::CANCEL);
}

TEST_F(ChatTest, ALineOfAPipeIsATurnOrAnOrder) {
  task_.Answer({"a", "b", "c"});
  const Ran ran = TalkInLines("one\n\n/reset\ntwo\n/system Be kind.\n  three  ");
  EXPECT_EQ(ran.code, kDone) << ran.err;
  EXPECT_EQ(ran.out, "a\nb\nc\n") << "no decoration";
  EXPECT_THAT(task_.prompts(),
              ElementsAre("<|user|>one<|assistant|>", "<|user|>two<|assistant|>",
                          "Be kind.\n<|user|>two<|assistant|>b<|end|><|user|>three<|assistant|>"));
}

TEST_F(ChatTest, ExitEndsItBeforeTheInputDoes) {
  EXPECT_EQ(TalkInLines("one\n/exit\ntwo\n").out, "ok\n");
  EXPECT_EQ(JobIs(), v1::CANCEL);
}

TEST_F(ChatTest, AServerThatDoesNotStreamIsShownWhenItIsDone) {
  task_.StopStreaming();
  EXPECT_EQ(Talk({"hi"}).out, "ok\n");
}

TEST_F(ChatTest, JsonIsARowForEachTurn) {
  EXPECT_EQ(
      Talk({"hi", "-o", "json"}).out,
      "{\"answers\":[{\"finish_reason\":\"end\",\"text\":\"ok\",\"token_ids\":[111,107,258]}],"
      "\"prompt\":\"hi\"}\n");
}

TEST_F(ChatTest, BytesThatAreNoTextAreAMessageToo) {
  const Ran ran = TalkInLines("a\xFF\n", {"-o", "json"});
  EXPECT_EQ(ran.code, kDone) << ran.err;
  EXPECT_THAT(ran.out, HasSubstr("\"prompt\":\"a\xEF\xBF\xBD\""));
}

TEST_F(ChatTest, FlagsOfSamplingAreOfEveryAnswer) {
  EXPECT_EQ(Talk({"hi", "--temperature", "0", "--max-new-tokens", "5", "--seed", "3"}).code, kDone);
  EXPECT_EQ(task_.last_request().sampling().temperature(), 0);
  EXPECT_EQ(task_.last_request().sampling().max_new_tokens(), 5);
  EXPECT_EQ(task_.last_request().seed(), 3u);
}

TEST_F(ChatTest, WithoutALimitAnAnswerMayFillTheContext) {
  EXPECT_EQ(Talk({"hi"}).code, kDone);
  EXPECT_EQ(task_.last_request().sampling().max_new_tokens(), 60);
}

TEST_F(ChatTest, AConversationThatOutgrowsTheContextEndsWithTheNumbers) {
  task_.Answer({std::string(50, 'x')});
  const Ran ran = Talk({"hi", "and then?"});
  EXPECT_NE(ran.code, kDone);
  EXPECT_EQ(ran.out, std::string(50, 'x') + "\n");
  EXPECT_THAT(ran.err, HasSubstr("the conversation has"));
  EXPECT_THAT(ran.err, HasSubstr("the model's context of 64"));
  EXPECT_EQ(JobIs(), v1::CANCEL);
}

TEST_F(ChatTest, WhatIsNoChatIsRefusedBeforeAJobIsSubmitted) {
  EXPECT_THAT(Run(Line({"hi", "--n", "2"})).err, HasSubstr("a chat has one answer"));
  EXPECT_THAT(Run(Line({"--file", "root://data/p.jsonl"})).err,
              HasSubstr("--file and --limit are not for --chat"));
  EXPECT_THAT(Run(Line({std::string(70, 'x')})).err, HasSubstr("the model's context of 64"));
  EXPECT_THAT(Run(Line({"hi", "--chat-template", "none"})).err,
              HasSubstr("a chat needs a template"));
  std::vector<std::string> plain = Line({"hi", "--system", "x"});
  plain.erase(plain.begin() + 2);
  EXPECT_THAT(Run(plain).err, HasSubstr("--system is only for --chat"));
  EXPECT_THAT(Run({"list"}).out, HasSubstr("no jobs"));
}

}  // namespace
}  // namespace trainyard::cli
