#include "braid/cluster/sim/braided_network.h"

#include "braid/base/check.h"
#include "braid/model/cost.h"
#include "braid/model/operating_point_name.h"
#include "braid/runtime/testing/random_network.h"

namespace braid::cluster::sim {
namespace {

constexpr int kGroups = 4;
constexpr int kLeastExchanges = 2;
constexpr int kMaxImages = 64;

void AddSum(model::Network& network, const std::vector<GroupSet>& terms, double bonus) {
  model::OperatingPoint point;
  int groups = 0;
  for (const GroupSet term : terms) {
    point.terms.push_back(model::FindSubNetwork(network, term));
    groups += term.size();
  }
  point.head = network.points.front().head;
  point.name = model::FormatPointName(terms);
  point.accuracy = 0.8 + 0.04 * groups + bonus * static_cast<double>(terms.size());
  const model::Cost cost = model::PointCost(network, point);
  point.macs_mean = point.macs_worst = cost.macs;
  point.weight_bytes = cost.weight_bytes;
  network.points.push_back(std::move(point));
}

int CountExchanges(const model::Network& network) {
  const auto model =
      runtime::PreparedModel::Prepare(network, GroupSet::Single(0), kernels::Path::kScalar);
  BRAID_CHECK(model.ok()) << model.status().ToString();
  const auto plan = runtime::Plan::Make(
      **model, {.groups = GroupSet::First(kGroups), .local = GroupSet::Single(0)});
  BRAID_CHECK(plan.ok()) << plan.status().ToString();
  return static_cast<int>((*plan)->exchanges().size());
}

// Many random networks have one convolution or grouped ones only, and then devices have nothing to
// tell each other: the first from `seed` on that exchanges more than once, and is small.
model::Network ExchangingNetwork(uint64_t seed) {
  constexpr int64_t kMaxMacs = 150'000;
  for (uint64_t i = 0;; ++i) {
    model::Network network = runtime::testing::RandomNetwork(
        seed * 1000 + i, {.groups = kGroups,
                          .concatenations = seed % 3 == 2,
                          .filters = seed % 3 == 2,
                          .max_side = 6,
                          .max_layers = 6,
                          .classes = 5});
    if (CountExchanges(network) < kLeastExchanges) continue;
    const int whole = model::FindSubNetwork(network, GroupSet::First(kGroups));
    for (const model::OperatingPoint& point : network.points) {
      if (point.terms.front() == whole && point.macs_worst <= kMaxMacs) return network;
    }
  }
}

}  // namespace

model::Network BraidedNetwork(uint64_t seed, Preferred preferred) {
  const double bonus = preferred == Preferred::kAdded ? 0.005 : -0.005;
  model::Network network = ExchangingNetwork(seed);
  for (model::OperatingPoint& point : network.points) {
    const int groups = network.sub_networks[static_cast<size_t>(point.terms.front())].groups.size();
    point.accuracy = 0.8 + 0.04 * groups;
  }
  for (uint32_t mask = 1; mask < 1u << kGroups; ++mask) {
    std::vector<GroupSet> singles;
    for (const int group : GroupSet(mask)) singles.push_back(GroupSet::Single(group));
    if (singles.size() > 1) AddSum(network, singles, bonus);
  }
  AddSum(network, {GroupSet(0b0011), GroupSet(0b1100)}, bonus);
  AddSum(network, {GroupSet(0b0101), GroupSet(0b1010)}, bonus);
  BRAID_CHECK(model::Validate(network).ok()) << model::Validate(network).ToString();
  return network;
}

model::ModelFile BraidedModel(uint64_t seed, Preferred preferred) {
  const auto bytes = model::Serialize(BraidedNetwork(seed, preferred));
  BRAID_CHECK(bytes.ok()) << bytes.status().ToString();
  auto file = model::Parse(*bytes);
  BRAID_CHECK(file.ok()) << file.status().ToString();
  return std::move(file).value();
}

Oracle::Oracle(const model::Network& network) : network_(network) {
  auto model = runtime::PreparedModel::Prepare(network, GroupSet::First(network.groups),
                                               kernels::Path::kScalar);
  BRAID_CHECK(model.ok()) << model.status().ToString();
  model_ = std::move(model).value();
}

std::vector<int32_t> Oracle::Logits(int point, std::span<const uint8_t> pixels, int images) {
  const model::OperatingPoint& chosen = network_.points[static_cast<size_t>(point)];
  std::vector<int32_t> total;
  for (const int term : chosen.terms) {
    std::unique_ptr<runtime::Plan>& plan = plans_[{term, chosen.head}];
    if (plan == nullptr) {
      const GroupSet groups = network_.sub_networks[static_cast<size_t>(term)].groups;
      auto made = runtime::Plan::Make(
          *model_,
          {.groups = groups, .local = groups, .head = chosen.head, .max_batch = kMaxImages});
      BRAID_CHECK(made.ok()) << made.status().ToString();
      plan = std::move(made).value();
    }
    const auto execution = runtime::Execution::Create(*plan);
    BRAID_CHECK(execution->Start(pixels, images).ok());
    while (execution->Resume() != runtime::Step::kDone) {
    }
    const auto logits = execution->Logits();
    std::vector<int32_t> sums(logits.begin(), logits.end());
    runtime::FinishLogits(network_, term, chosen.head, sums);
    if (total.empty()) {
      total = std::move(sums);
    } else {
      for (size_t i = 0; i < total.size(); ++i) total[i] += sums[i];
    }
  }
  return total;
}

}  // namespace braid::cluster::sim
