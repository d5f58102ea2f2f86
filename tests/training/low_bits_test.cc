// Training with N bits and `braid quantize --bits N` round to the same integers.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include "braid/convert/quantize_network.h"
#include "braid/convert/scheme.h"
#include "braid/data/dataset.h"
#include "braid/model/layer_map.h"
#include "braid/training/evaluate.h"
#include "braid/training/trainer.h"

namespace braid::training {
namespace {

// The network as `braid quantize` sees it, with the bounds of training.
convert::FloatNetwork FloatNetworkOf(const BraidedNet& net, convert::Calibration& calibration) {
  convert::FloatNetwork out;
  for (size_t l = 0; l < net.skeleton().layers.size(); ++l) {
    const model::Layer& from = net.skeleton().layers[l];
    const int index = static_cast<int>(l);
    convert::FloatLayer layer;
    layer.name = from.name;
    layer.op = from.op;
    layer.input = from.input;
    layer.window = model::WindowOf(net.skeleton(), from);
    layer.channels = from.Channels();
    layer.out_h = from.out_h, layer.out_w = from.out_w;
    layer.relu = from.activation == model::Activation::kRelu;
    convert::LayerStatistics statistics;
    if (l > 0) {
      // Pixels are seen as (pixel - 128) / 64, which is the first layer's factor here.
      const double input_step = from.input == 0 ? kInputStep : 1;
      const torch::Tensor weight = net.weight(index) * net.gain(0, index).view({-1, 1, 1, 1});
      const torch::Tensor ohwi =
          weight.permute({0, 2, 3, 1}).to(torch::kFloat64).mul(input_step).contiguous();
      layer.weights.assign(ohwi.data_ptr<double>(), ohwi.data_ptr<double>() + ohwi.numel());
      const torch::Tensor bias = net.bias(0, index).to(torch::kFloat64).contiguous();
      layer.bias.assign(bias.data_ptr<double>(), bias.data_ptr<double>() + bias.numel());
      statistics.bound = net.bound(0, index);
      statistics.largest = 100;  // of a logit: far above any
    }
    calibration.layers.push_back(statistics);
    out.layers.push_back(std::move(layer));
  }
  return out;
}

data::Dataset Digits(const std::string& split, int count) {
  data::LoadOptions options;
  options.count = count;
  auto digits = data::Load("digits", split, options);
  EXPECT_TRUE(digits.ok()) << digits.status().ToString();
  return std::move(*digits);
}

TEST(LowBitsTest, TrainingRoundsToTheGridsOfQuantize) {
  torch::set_num_threads(1);
  const data::Dataset train = Digits("train", 3000), test = Digits("test", 100);
  for (const int bits : {8, 6, 4, 3}) {
    SCOPED_TRACE(bits);
    Recipe recipe = DefaultRecipe("static", "digits", "cnn");
    recipe.channels = 16;
    recipe.epochs = 4;
    recipe.bits = bits;
    const auto created = Trainer::Create(recipe, train, torch::kCPU);
    ASSERT_TRUE(created.ok()) << created.status().ToString();
    Trainer& trainer = **created;
    ASSERT_TRUE(trainer.Run({}).ok());
    BraidedNet& net = trainer.net();
    const torch::Tensor x = net.Input(PixelTensor(test, 0, test.count));
    convert::Calibration calibration;
    const convert::FloatNetwork floats = FloatNetworkOf(net, calibration);
    convert::ImportOptions options;
    options.bits = bits;
    auto quantized = convert::Quantize(floats, calibration, options);
    ASSERT_TRUE(quantized.ok()) << quantized.status().ToString();
    const auto integers = convert::MakeBounded(floats, std::move(*quantized), bits);
    torch::NoGradGuard no_grad;
    net.NewStep();
    const torch::Tensor rounded = net.Forward(0, x, false).contiguous();
    const double spread = rounded.std().item<double>();
    const auto classes = static_cast<int>(test.labels.size());
    double error = 0;
    int same = 0, right = 0;
    for (int i = 0; i < test.count; ++i) {
      const std::vector<double> logits = integers->Run(test.Image(i)).back();
      const float* row = rounded.data_ptr<float>() + i * classes;
      for (int c = 0; c < classes; ++c) {
        error += std::abs(logits[static_cast<size_t>(c)] - row[c]) / (classes * test.count);
      }
      same += std::max_element(logits.begin(), logits.end()) - logits.begin() ==
              std::max_element(row, row + classes) - row;
      right += std::max_element(row, row + classes) - row == test.targets[static_cast<size_t>(i)];
    }
    // But for ties and a multiplier's last bit, where a level is a larger part of a map with fewer.
    EXPECT_LT(error, 0.02 * spread) << "of a spread of " << spread;
    EXPECT_GE(same, 98);
    EXPECT_GE(right, 60);
  }
}

}  // namespace
}  // namespace braid::training
