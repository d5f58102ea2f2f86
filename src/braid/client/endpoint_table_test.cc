#include "braid/client/endpoint_table.h"

#include <gtest/gtest.h>

namespace braid::client {
namespace {

using std::chrono::milliseconds;

ClientOptions Three(Balance balance = Balance::kLeastOutstanding) {
  ClientOptions options;
  options.endpoints = {"a:1", "b:1", "c:1"};
  options.balance = balance;
  return options;
}

const std::vector<bool> kNone(3, false);
const TimePoint kNow(milliseconds(1));

TEST(EndpointTableTest, RoundRobinVisitsAllInTurn) {
  EndpointTable table(Three(Balance::kRoundRobin));
  table.Started(1);
  table.Started(1);
  std::vector<int> seen;
  for (int i = 0; i < 6; ++i) seen.push_back(table.Choose(kNone, kNow).endpoint);
  EXPECT_EQ(seen, (std::vector{0, 1, 2, 0, 1, 2}));
}

TEST(EndpointTableTest, LeastOutstandingTakesTheLessBusyAndTiesInTurn) {
  EndpointTable table(Three());
  table.Started(0);
  EXPECT_EQ(table.Choose(kNone, kNow).endpoint, 1);
  EXPECT_EQ(table.Choose(kNone, kNow).endpoint, 2);
  EXPECT_EQ(table.Choose(kNone, kNow).endpoint, 1);
  table.Ended(0);
  EXPECT_EQ(table.Choose(kNone, kNow).endpoint, 0);
}

TEST(EndpointTableTest, AFullEndpointGetsNothingMore) {
  ClientOptions options = Three();
  options.most_outstanding = 2;
  EndpointTable table(options);
  for (int i = 0; i < 6; ++i) table.Started(table.Choose(kNone, kNow).endpoint);
  for (const EndpointReport& report : table.Reports()) EXPECT_EQ(report.outstanding, 2);
  EXPECT_EQ(table.Choose(kNone, kNow).endpoint, -1);
  table.Ended(1);
  EXPECT_EQ(table.Choose(kNone, kNow).endpoint, 1);
}

TEST(EndpointTableTest, WhoRefusesIsChosenAfterThoseWhoDoNotHoweverIdle) {
  EndpointTable table(Three());
  table.Refused(0, kNow + milliseconds(20));
  (void)table.Failed(1, "gone", kNow);
  for (int i = 0; i < 9; ++i) table.Started(2);
  EXPECT_EQ(table.Choose(kNone, kNow).endpoint, 2);
  EXPECT_EQ(table.Choose({false, false, true}, kNow).endpoint, 0);  // before one that is down
  EXPECT_EQ(table.Choose(kNone, kNow + milliseconds(20)).endpoint, 0);
}

TEST(EndpointTableTest, ADownEndpointIsTheLastResort) {
  EndpointTable table(Three());
  ASSERT_TRUE(table.Failed(0, "gone", TimePoint{}).has_value());
  for (int i = 0; i < 4; ++i) EXPECT_NE(table.Choose(kNone, kNow).endpoint, 0);
  const EndpointTable::Pick last = table.Choose({false, true, true}, kNow);
  EXPECT_EQ(last.endpoint, 0);
  EXPECT_FALSE(last.up);
  EXPECT_EQ(table.Choose({true, true, true}, kNow).endpoint, -1);
}

TEST(EndpointTableTest, BackOffDoublesToItsLimitAndAnAnswerResetsIt) {
  EndpointTable table(Three());
  EXPECT_EQ(table.Failed(0, "x", TimePoint{}), TimePoint(milliseconds(50)));
  EXPECT_EQ(table.ProbeFailed(0, "x", TimePoint{}), TimePoint(milliseconds(100)));
  EXPECT_EQ(table.ProbeFailed(0, "x", TimePoint{}), TimePoint(milliseconds(200)));
  for (int i = 0; i < 10; ++i) (void)table.ProbeFailed(0, "x", TimePoint{});
  EXPECT_EQ(table.ProbeFailed(0, "x", TimePoint{}), TimePoint(milliseconds(1000)));
  table.ProbePassed(0);
  EXPECT_TRUE(table.up(0));
  EXPECT_EQ(table.Failed(0, "x", TimePoint{}), TimePoint(milliseconds(1000)));  // it flaps
  table.ProbePassed(0);
  table.Answered(0, milliseconds(1));
  EXPECT_EQ(table.Failed(0, "x", TimePoint{}), TimePoint(milliseconds(50)));
}

TEST(EndpointTableTest, OneProbeAtATime) {
  EndpointTable table(Three());
  EXPECT_TRUE(table.Failed(0, "x", TimePoint{}).has_value());
  EXPECT_FALSE(table.Failed(0, "y", TimePoint{}).has_value());
  EXPECT_EQ(table.Reports()[0].failed, 2);
  EXPECT_EQ(table.Reports()[0].last_error, "y");
}

TEST(EndpointTableTest, SuspectsLaterWhereAnswersUsuallyTakeLong) {
  EndpointTable table(Three());
  EXPECT_EQ(table.SuspectAfter(), milliseconds(150));
  table.Answered(0, milliseconds(2));
  EXPECT_EQ(table.SuspectAfter(), milliseconds(150));
  for (int i = 0; i < 100; ++i) table.Answered(0, milliseconds(100));
  EXPECT_GT(table.SuspectAfter(), milliseconds(390));
  EXPECT_LE(table.SuspectAfter(), milliseconds(400));
}

}  // namespace
}  // namespace braid::client
