// Export with both evaluations. Layer: training.
#include "braid/training/export_run.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "braid/model/file.h"
#include "braid/model/operating_point_name.h"
#include "braid/training/backbone.h"
#include "braid/training/card.h"
#include "braid/training/evaluate.h"
#include "braid/training/integer_evaluation.h"
#include "braid/training/quantization/exporter.h"
#include "braid/verify/test_vectors.h"

namespace braid::training {
namespace {

// Training images from which the ranges of shortcuts and logits are taken.
constexpr int kRangeImages = 2000;
constexpr int kRangeBatch = 250;

std::vector<torch::Tensor> RangeInputs(const BraidedNet& net, const data::Dataset& train) {
  std::vector<torch::Tensor> inputs;
  const int images = std::min(kRangeImages, train.count);
  for (int first = 0; first < images; first += kRangeBatch) {
    inputs.push_back(net.Input(PixelTensor(train, first, std::min(kRangeBatch, images - first))));
  }
  return inputs;
}

std::map<std::string, double> FloatAccuracies(BraidedNet& net, const Family& family,
                                              const data::Dataset& test,
                                              BraidedNet::Arithmetic arithmetic) {
  net.SetArithmetic(arithmetic);
  std::map<std::string, double> accuracies;
  for (const PointAccuracy& point : EvaluateFloat(net, family, test)) {
    accuracies[point.name] = point.accuracy;
  }
  net.SetArithmetic(BraidedNet::Arithmetic::kRounded);
  return accuracies;
}

// Integer accuracy of halves that the family does not train, keyed by the name of the point.
Result<std::map<std::string, double>> AskUntrainedHalves(const model::Network& network,
                                                         const data::Dataset& test) {
  std::map<std::string, double> asked;
  const GroupSet full = GroupSet::First(kGroups);
  const int from = model::FindSubNetwork(network, full);
  if (from < 0) return asked;
  model::Network copy = network;
  copy.points.clear();
  for (const GroupSet half : {GroupSet(0b0011), GroupSet(0b1100)}) {
    if (model::FindSubNetwork(network, half) >= 0) continue;
    copy.sub_networks.push_back(BorrowTables(network, from, half));
    model::OperatingPoint point = network.points.front();
    point.name = model::FormatPointName({half});
    point.terms = {static_cast<int>(copy.sub_networks.size()) - 1};
    copy.points.push_back(std::move(point));
  }
  if (copy.points.empty()) return asked;
  BRAID_ASSIGN_OR_RETURN(const std::vector<double> accuracies, EvaluateInteger(copy, test));
  for (size_t p = 0; p < accuracies.size(); ++p) asked[copy.points[p].name] = accuracies[p];
  return asked;
}

}  // namespace

model::SubNetwork BorrowTables(const model::Network& network, int from, GroupSet groups) {
  model::SubNetwork borrowed = network.sub_networks[static_cast<size_t>(from)];
  borrowed.groups = groups;
  for (size_t l = 0; l < network.layers.size(); ++l) {
    const model::Layer& layer = network.layers[l];
    if (!layer.Divided() || borrowed.tables[l].mul.empty()) continue;
    for (int g = 0; g < network.groups; ++g) {
      if (groups.Contains(g)) continue;
      const int first = layer.GroupOffset(g);
      for (int c = first; c < first + layer.group_channels[static_cast<size_t>(g)]; ++c) {
        const auto channel = static_cast<size_t>(c);
        borrowed.tables[l].bias[channel] = 0;
        borrowed.tables[l].mul[channel] = 0;
        if (!borrowed.tables[l].shortcut_mul.empty()) borrowed.tables[l].shortcut_mul[channel] = 0;
      }
    }
  }
  return borrowed;
}

Result<ExportedModel> ExportRun(BraidedNet& net, const Family& family, const Recipe& recipe,
                                const data::Dataset& train, const data::Dataset& test,
                                const std::string& name, const std::string& command,
                                double seconds) {
  ExportedModel out;
  BRAID_ASSIGN_OR_RETURN(out.network, ExportNetwork(net, family, RangeInputs(net, train)));
  model::Network& network = out.network;
  network.name = name;
  network.labels = test.labels;
  network.card = "{}";
  BRAID_ASSIGN_OR_RETURN(const std::vector<double> accuracies, EvaluateInteger(network, test));
  CardFacts facts{recipe, command, seconds, {}, {}, {}};
  using Arithmetic = BraidedNet::Arithmetic;
  facts.float_accuracy = FloatAccuracies(net, family, test, Arithmetic::kBounded);
  // Trained in floating point to the end: this is the network that the bounds came after.
  if (recipe.bounded_from >= 1) {
    facts.unbounded_accuracy = FloatAccuracies(net, family, test, Arithmetic::kUnbounded);
  }
  for (size_t p = 0; p < network.points.size(); ++p) {
    model::OperatingPoint& point = network.points[p];
    point.accuracy = accuracies[p];
    const double gap = accuracies[p] - facts.float_accuracy[point.name];
    out.mean_float_gap += gap / static_cast<double>(network.points.size());
    out.worst_float_gap = std::min(out.worst_float_gap, gap);
  }
  BRAID_ASSIGN_OR_RETURN(facts.asked_alone, AskUntrainedHalves(network, test));
  network.card = MakeCard(facts, network, train, test);
  BRAID_ASSIGN_OR_RETURN(const verify::AddedVectors vectors,
                         verify::AddTestVectors(network, train.images));
  out.test_images = vectors.images;
  BRAID_RETURN_IF_ERROR(model::Validate(network));
  return out;
}

}  // namespace braid::training
