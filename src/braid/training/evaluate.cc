// Float evaluation in batches. Layer: training.
#include "braid/training/evaluate.h"

#include <algorithm>
#include <cstring>
#include <map>

namespace braid::training {
namespace {

constexpr int kBatch = 500;

std::vector<std::vector<GroupSet>> AllPoints(const Family& family) {
  std::vector<std::vector<GroupSet>> points;
  for (const GroupSet set : family.sub_networks) points.push_back({set});
  points.insert(points.end(), family.sums.begin(), family.sums.end());
  return points;
}

}  // namespace

torch::Tensor PixelTensor(const std::vector<uint8_t>& images, int count, int height, int width,
                          int channels) {
  torch::Tensor nhwc = torch::empty({count, height, width, channels}, torch::kUInt8);
  std::memcpy(nhwc.data_ptr(), images.data(), static_cast<size_t>(nhwc.numel()));
  return nhwc.permute({0, 3, 1, 2});
}

torch::Tensor PixelTensor(const data::Dataset& dataset, int first, int count) {
  torch::Tensor nhwc =
      torch::empty({count, dataset.height, dataset.width, dataset.channels}, torch::kUInt8);
  std::memcpy(nhwc.data_ptr(), dataset.Image(first).data(), static_cast<size_t>(nhwc.numel()));
  return nhwc.permute({0, 3, 1, 2});
}

std::vector<PointAccuracy> EvaluateFloat(BraidedNet& net, const Family& family,
                                         const data::Dataset& dataset) {
  torch::NoGradGuard no_grad;
  net.NewStep();
  const auto points = AllPoints(family);
  std::vector<int64_t> correct(points.size(), 0);
  for (int first = 0; first < dataset.count; first += kBatch) {
    const int count = std::min(kBatch, dataset.count - first);
    const torch::Tensor x = net.Input(PixelTensor(dataset, first, count));
    torch::Tensor targets = torch::empty({count}, torch::kInt64);
    for (int i = 0; i < count; ++i) {
      targets.data_ptr<int64_t>()[i] = dataset.targets[static_cast<size_t>(first + i)];
    }
    targets = targets.to(net.device());
    std::map<GroupSet, torch::Tensor> logits;
    for (int sub = 0; sub < net.sub_network_count(); ++sub) {
      logits[net.groups(sub)] = net.Forward(sub, x, /*training=*/false);
    }
    for (size_t p = 0; p < points.size(); ++p) {
      torch::Tensor sum = logits.at(points[p][0]);
      for (size_t t = 1; t < points[p].size(); ++t) sum = sum + logits.at(points[p][t]);
      correct[p] += sum.argmax(1).eq(targets).sum().item<int64_t>();
    }
  }
  std::vector<PointAccuracy> result;
  for (size_t p = 0; p < points.size(); ++p) {
    result.push_back({PointName(points[p]), points[p],
                      static_cast<double>(correct[p]) / std::max(dataset.count, 1)});
  }
  return result;
}

}  // namespace braid::training
