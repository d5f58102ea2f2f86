// Names of operating points.
#include "braid/model/operating_point_name.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "braid/base/rng.h"
#include "braid/model/test_network.h"

namespace braid::model {
namespace {

using ::testing::HasSubstr;

GroupSet Groups(std::initializer_list<int> groups) {
  GroupSet set;
  for (const int group : groups) set = set.With(group);
  return set;
}

TEST(OperatingPointNameTest, WritesTheCanonicalName) {
  EXPECT_EQ(FormatPointName({Groups({0})}), "g0");
  EXPECT_EQ(FormatPointName({Groups({0, 1})}), "g0+1");
  EXPECT_EQ(FormatPointName({Groups({0, 1, 2})}), "g0-2");
  EXPECT_EQ(FormatPointName({Groups({0, 2})}), "g0+2");
  EXPECT_EQ(FormatPointName({Groups({0, 1, 2, 5, 7, 8})}), "g0-2+5+7+8");
  EXPECT_EQ(FormatPointName({Groups({1}), Groups({0})}), "g0,1");
  EXPECT_EQ(FormatPointName({Groups({2, 3}), Groups({0, 1})}), "g0+1,2+3");
  EXPECT_EQ(FormatPointName({Groups({0, 1, 2, 3})}, 2), "g0-3/e2");
  EXPECT_EQ(FormatPointName({GroupSet::First(16)}), "g0-15");
}

TEST(OperatingPointNameTest, TellsCombinedFromAdded) {
  EXPECT_EQ(ParsePointName("g0+1")->terms, std::vector{Groups({0, 1})});
  EXPECT_EQ(ParsePointName("g0,1")->terms, (std::vector{Groups({0}), Groups({1})}));
  EXPECT_EQ(ParsePointName("g0+1,2+3/e10")->exit, 10);
}

TEST(OperatingPointNameTest, ReadsBackWhatItWrites) {
  Rng rng(5);
  for (int i = 0; i < 20000; ++i) {
    // Each group joins one of three terms or none.
    std::vector<GroupSet> terms(3);
    const uint64_t leave_out = rng.Below(4);
    for (int group = 0; group < kMaxGroups; ++group) {
      const auto choice = static_cast<size_t>(rng.Below(3 + leave_out));
      if (choice < terms.size()) terms[choice] = terms[choice].With(group);
    }
    std::erase_if(terms, [](GroupSet term) { return term.empty(); });
    if (terms.empty()) continue;
    std::optional<int> exit;
    if (rng.Below(2) == 1) exit = static_cast<int>(rng.Below(20));

    const std::string name = FormatPointName(terms, exit);
    const Result<PointName> parsed = ParsePointName(name);
    ASSERT_TRUE(parsed.ok()) << name << ": " << parsed.status().ToString();
    EXPECT_EQ(parsed->exit, exit);
    EXPECT_EQ(FormatPointName(parsed->terms, parsed->exit), name);
    std::sort(terms.begin(), terms.end());
    std::vector<GroupSet> read = parsed->terms;
    std::sort(read.begin(), read.end());
    EXPECT_EQ(read, terms) << name;
  }
}

TEST(OperatingPointNameTest, SaysWhatIsWrongAndWhere) {
  const std::pair<const char*, const char*> cases[] = {
      {"", "character 1: expected 'g'"},
      {"0", "character 1: expected 'g'"},
      {"g", "character 2: expected a channel group"},
      {"g16", "character 2: a channel group above 15"},
      {"g99999999999999999999", "above 15"},
      {"g01", "character 2: leading zero"},
      {"g0+", "character 4: expected a channel group"},
      {"g0,", "character 4: expected a channel group"},
      {"g2-1", "does not ascend"},
      {"g1-1", "does not ascend"},
      {"g0-2+1", "group 1 twice in a term"},
      {"g0+1,1", "group 1 in two terms"},
      {"g0 ", "character 3: expected '+'"},
      {"g0/", "expected 'e'"},
      {"g0/x1", "expected 'e'"},
      {"g0/e", "expected an exit number"},
      {"g0/e1/e2", "expected '+'"},
      {"g0-1", "write it as 'g0+1'"},
      {"g0+1+2", "write it as 'g0-2'"},
      {"g1+0", "write it as 'g0+1'"},
      {"g1,0", "write it as 'g0,1'"},
      {"g0\n", "no UTF-8 text"},
  };
  for (const auto& [name, error] : cases) {
    const Result<PointName> parsed = ParsePointName(name);
    ASSERT_FALSE(parsed.ok()) << name;
    EXPECT_EQ(parsed.status().code(), StatusCode::kInvalidArgument);
    EXPECT_THAT(parsed.status().message(), HasSubstr(error)) << name;
  }
  EXPECT_FALSE(ParsePointName(std::string(1000, 'g')).ok());
}

TEST(OperatingPointNameTest, NumbersTheHeadsThatAreNotTheLast) {
  const Network network = MakeTestNetwork();
  EXPECT_EQ(ExitOfHead(network, kTestExit), 0);
  EXPECT_EQ(ExitOfHead(network, kTestLast), std::nullopt);
  EXPECT_EQ(HeadOfExit(network, 0), kTestExit);
  EXPECT_EQ(HeadOfExit(network, std::nullopt), kTestLast);
  EXPECT_EQ(HeadOfExit(network, 5), kNoLayer);
}

}  // namespace
}  // namespace braid::model
