// The checkers of a chaos run: a lost, late, failed or wrong answer does not pass.
#include "braid/cli/chaos/judge.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <thread>

#include "braid/cli/answer_check.h"
#include "braid/cli/chaos/chaos_run.h"
#include "braid/cli/chaos/report.h"
#include "braid/cli/chaos/steady_load.h"
#include "braid/cli/point_runner.h"
#include "braid/data/dataset.h"
#include "braid/kernels/path.h"
#include "braid/runtime/testing/random_network.h"

namespace braid::cli {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

StreamAnswer Answer(TimePoint sent, Duration took) {
  StreamAnswer answer;
  answer.images = 1;
  answer.sent = sent;
  answer.answered = sent + took;
  answer.reply.classes = {0};
  return answer;
}

class JudgeTest : public testing::Test {
 protected:
  Judge judge_{{.equals = [](const StreamAnswer& answer) -> Result<bool> {
                  return answer.reply.logits.empty();
                },
                .correct = [](const StreamAnswer&) { return 1; }},
               seconds(1)};
  const TimePoint start_{seconds(100)};
};

TEST_F(JudgeTest, CountsWhatFailedWasLateOrWrong) {
  judge_.Take(Answer(start_, milliseconds(2)));
  judge_.Take(Answer(start_, milliseconds(1001)));
  StreamAnswer failed = Answer(start_, milliseconds(3));
  failed.status = Unavailable("gone");
  judge_.Take(failed);
  StreamAnswer wrong = Answer(start_, milliseconds(4));
  wrong.reply.logits = {1};
  judge_.Take(wrong);
  const JudgeTotals totals = judge_.Finish();
  EXPECT_EQ(totals.answered, 2);
  EXPECT_EQ(totals.failed, 2);
  EXPECT_EQ(totals.wrong, 1);
  EXPECT_THAT(totals.examples,
              testing::ElementsAre(testing::HasSubstr("past the deadline"),
                                   testing::HasSubstr("gone"), testing::HasSubstr("wrong")));
  EXPECT_DOUBLE_EQ(totals.latency.WorstMs(), 1001);
}

TEST_F(JudgeTest, ChargesAFaultWithTheLongestWaitAroundIt) {
  judge_.OpenWindow("kill", start_, milliseconds(500));
  judge_.Take(Answer(start_ - milliseconds(30), milliseconds(20)));   // over before
  judge_.Take(Answer(start_ - milliseconds(30), milliseconds(70)));   // open: waits 40 from then
  judge_.Take(Answer(start_ + milliseconds(499), milliseconds(60)));  // sent within
  judge_.Take(Answer(start_ + milliseconds(500), milliseconds(90)));  // sent after
  judge_.OpenWindow("freeze", start_ + seconds(10), seconds(1));
  judge_.Take(Answer(start_ + seconds(10), milliseconds(5)));
  judge_.OpenWindow("kill", start_ + seconds(20), seconds(1));
  judge_.Take(Answer(start_ + seconds(20), milliseconds(7)));
  judge_.OpenWindow("restart", start_ + seconds(30), seconds(1));  // met by no request
  const JudgeTotals totals = judge_.Finish();
  ASSERT_EQ(totals.waits_ms.size(), 2u);
  EXPECT_THAT(totals.waits_ms.at("kill"), testing::ElementsAre(60, 7));
  EXPECT_THAT(totals.waits_ms.at("freeze"), testing::ElementsAre(5));
}

TEST(LatencyHistogramTest, KnowsQuantilesToTwoPercent) {
  LatencyHistogram histogram;
  EXPECT_EQ(histogram.Quantile(0.5), 0);
  for (int us = 1; us <= 100000; ++us) histogram.Add(std::chrono::microseconds(us));
  EXPECT_NEAR(histogram.Quantile(0.5), 50, 1);
  EXPECT_NEAR(histogram.Quantile(0.99), 99, 2);
  EXPECT_EQ(histogram.Quantile(1), 100);
  EXPECT_EQ(histogram.WorstMs(), 100);
}

// Forgets some requests, alters the answers of others.
class Unfaithful final : public client::Client {
 public:
  explicit Unfaithful(const client::InferReply& reply) : reply_(reply) {}
  ~Unfaithful() override {
    for (Done& done : kept_) done(Status(StatusCode::kCancelled, "the client ended"));
  }
  void InferAsync(client::InferRequest, Done done) override {
    const int turn = turn_++;
    if (turn % 10 == 3) return kept_.push_back(std::move(done));
    client::InferReply reply = reply_;
    if (turn % 10 == 6) ++reply.logits.front();
    done(std::move(reply));
  }
  Result<client::ModelInfo> Model(Duration) override { return Unimplemented(""); }
  Status WaitReady(int, Duration) override { return OkStatus(); }
  std::vector<client::EndpointReport> Endpoints() const override { return {}; }
  client::ClientCounts Counts() const override { return {}; }

 private:
  const client::InferReply reply_;
  int turn_ = 0;
  std::vector<Done> kept_;
};

TEST(ChaosCheckersTest, ALostAndAWrongAnswerAreCaughtByTheChecksOfARun) {
  const model::Network network = runtime::testing::SmallImageNetwork(3, 4, 4);
  data::LoadOptions load;
  load.count = 4;
  auto dataset = data::Load("digits", "test", load);
  ASSERT_TRUE(dataset.ok());
  dataset->count = 1;  // every request is of the same image
  AnswerCheck check(network, *dataset);
  ASSERT_TRUE(check.Prepare().ok());
  // A right answer, from a plan of its own.
  const model::OperatingPoint& point = network.points.front();
  PreparedShares shares(network, kernels::Path::kScalar);
  auto plan = PointPlan::Make(shares, point, 1, 1);
  ASSERT_TRUE(plan.ok());
  auto run = PointRun::Make(*plan);
  ASSERT_TRUE(run.ok());
  client::InferReply right;
  right.operating_point = point.name;
  right.logits.resize(network.labels.size());
  ASSERT_TRUE(run->Logits(dataset->Image(0), 1, right.logits).ok());
  right.classes = {std::max_element(right.logits.begin(), right.logits.end()) -
                   right.logits.begin()};

  Judge judge({.equals = [&](const StreamAnswer& answer) { return check.Equals(answer); },
               .correct = [&](const StreamAnswer& answer) { return check.Correct(answer); }},
              milliseconds(200));
  auto client = std::make_unique<Unfaithful>(right);
  SteadyLoad stream(client.get(), &*dataset, {.rate = 1000, .images = 1, .deadline = milliseconds(200)},
                    [&](const StreamAnswer& answer) { judge.Take(answer); });
  stream.Start();
  while (stream.sent() < 40) std::this_thread::sleep_for(milliseconds(1));
  stream.Stop();
  ChaosOutcome outcome;
  outcome.sent = stream.sent();
  outcome.lost = stream.lost();
  EXPECT_GE(outcome.lost, 4);
  client.reset();
  outcome.totals = judge.Finish();
  EXPECT_GE(outcome.totals.wrong, 3);
  EXPECT_GT(outcome.totals.answered, outcome.totals.wrong);

  Json report = DescribeChaos({}, outcome, 0);
  EXPECT_EQ(report["lost"], outcome.lost);
  EXPECT_GE(report["failed"].get<int64_t>(), outcome.lost);
  EXPECT_EQ(ChaosVerdict(report).code(), StatusCode::kDataLoss);
  report["wrong"] = 0;
  EXPECT_EQ(ChaosVerdict(report).code(), StatusCode::kInternal);
  report["failed"] = 0;
  EXPECT_TRUE(ChaosVerdict(report).ok());
  report["violations"] = {"a device ended by itself"};
  EXPECT_FALSE(ChaosVerdict(report).ok());
  report["violations"] = Json::array();
  report["accuracy"] = 0.5;
  report["accuracy_floor"] = 0.6;
  EXPECT_FALSE(ChaosVerdict(report).ok());
}

TEST(ChaosCheckersTest, EveryPointOfTheNextVersionAnswersWithOtherBits) {
  const model::Network network = runtime::testing::SmallImageNetwork(3, 4, 4);
  const model::Network next = NextVersion(network, 1);
  ASSERT_TRUE(model::Validate(next).ok()) << model::Validate(next).ToString();
  PreparedShares shares(network, kernels::Path::kScalar), next_shares(next, kernels::Path::kScalar);
  const std::vector<uint8_t> pixels = runtime::testing::RandomPixels(1, network, 1);
  for (size_t i = 0; i < network.points.size(); ++i) {
    std::vector<int32_t> logits(network.labels.size()), next_logits(network.labels.size());
    auto plan = PointPlan::Make(shares, network.points[i], 1, 1);
    auto next_plan = PointPlan::Make(next_shares, next.points[i], 1, 1);
    ASSERT_TRUE(plan.ok() && next_plan.ok());
    ASSERT_TRUE(PointRun::Make(*plan)->Logits(pixels, 1, logits).ok());
    ASSERT_TRUE(PointRun::Make(*next_plan)->Logits(pixels, 1, next_logits).ok());
    EXPECT_NE(logits, next_logits) << network.points[i].name;
  }
}

}  // namespace
}  // namespace braid::cli
