// Quantization schemes on networks small enough to compute by hand, and the bounded one against the
// definition of a .braid network.
#include "braid/convert/scheme.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "braid/base/file.h"
#include "braid/convert/calibrated_network.h"
#include "braid/convert/fixed_point.h"
#include "braid/convert/scheme_report.h"
#include "braid/data/dataset.h"
#include "braid/runtime/testing/direct_network.h"

namespace braid::convert {
namespace {

using ::testing::DoubleNear;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Pointwise;

std::vector<uint8_t> Fixture() {
  return *ReadFile(std::string(BRAID_TESTDATA) + "/digits_resnet.onnx");
}

data::Dataset Digits(const std::string& split, uint64_t seed, int count) {
  data::LoadOptions options;
  options.seed = seed;
  options.count = count;
  return *data::Load("digits", split, options);
}

Pictures PicturesOf(const data::Dataset& set) {
  return {.pixels = set.images, .count = set.count, .height = set.height, .width = set.width,
          .channels = set.channels};
}

ImportOptions FixtureOptions() {
  ImportOptions options;
  options.mean = {128}, options.std = {64};
  options.name = "digits_resnet";
  return options;
}

FloatLayer PointLayer(model::Op op, int input, std::vector<double> weights, bool relu) {
  FloatLayer layer;
  layer.op = op, layer.input = input, layer.relu = relu;
  layer.channels = 1, layer.out_h = 1, layer.out_w = 1;
  layer.weights = std::move(weights);
  layer.bias = {0};
  return layer;
}

// pixel - 128 -> ReLU(0.5 x) -> ReLU(2 y + x') -> 1.25 z, where x' is the first sum; 1x1 maps.
FloatNetwork Chain() {
  FloatNetwork network;
  FloatLayer input;
  input.channels = 1, input.out_h = 1, input.out_w = 1;
  network.layers = {input, PointLayer(model::Op::kConv, 0, {0.5}, true),
                    PointLayer(model::Op::kConv, 1, {2}, true),
                    PointLayer(model::Op::kLinear, 2, {1.25}, false)};
  network.layers[2].shortcut = 1;
  return network;
}

TEST(FloatRunTest, AddsTheShortcutBeforeTheActivation) {
  const FloatNetwork network = Chain();
  const uint8_t bright[] = {228}, dark[] = {28};
  const FloatMaps up = FloatRun(network).Run(bright), down = FloatRun(network).Run(dark);
  EXPECT_THAT(up.sum[2], ElementsAre(100));
  EXPECT_THAT(up.wide[2], ElementsAre(150));
  EXPECT_THAT(up.map[3], ElementsAre(187.5));
  EXPECT_THAT(down.wide[2], ElementsAre(-50)) << "the wide value is not rectified";
  EXPECT_THAT(down.map[2], ElementsAre(0));
}

TEST(FixedPointTest, RoundsLikeGemmlowp) {
  EXPECT_EQ(ToFixedPoint(0.5).mantissa, 1 << 30);
  EXPECT_EQ(ToFixedPoint(0.5).exponent, 0);
  EXPECT_EQ(ToFixedPoint(3).exponent, 2);
  EXPECT_EQ(ToFixedPoint(0).mantissa, 0);
  EXPECT_EQ(Multiply(7, ToFixedPoint(1)), 7);
  EXPECT_EQ(Multiply(100, ToFixedPoint(3)), 300);
  EXPECT_EQ(Multiply(3, ToFixedPoint(0.5)), 2) << "1.5 rounds up";
  EXPECT_EQ(Multiply(5, ToFixedPoint(0.25)), 2) << "1.25, rounded twice: 2.5 to 3, then 1.5 to 2";
  EXPECT_EQ(Multiply(4, ToFixedPoint(0.25)), 1);
  EXPECT_EQ(Multiply(6, ToFixedPoint(0.125)), 1) << "0.75";
  EXPECT_EQ(Multiply(-6, ToFixedPoint(0.125)), -1) << "-0.75";
  EXPECT_EQ(Multiply(-1000, ToFixedPoint(0.1)), -100);
  EXPECT_EQ(Multiply(int64_t{1} << 40, ToFixedPoint(0.5)), 1 << 30) << "saturates as s32";
}

TEST(MinMaxTest, ComputesTheChainInItsOwnIntegers) {
  // Pixels 28..228: maps 0..50 and 0..150, sums 0..100, wide values -50..50 and -50..150.
  const FloatNetwork network = Chain();
  const uint8_t pictures[] = {28, 228};
  const auto scheme = MakeMinMax(network, MeasureRanges(network, pictures, 2, 8), 8);
  EXPECT_NEAR(scheme->step(1), 50.0 / 255, 1e-12);
  EXPECT_NEAR(scheme->step(2), 150.0 / 255, 1e-12);
  EXPECT_NEAR(scheme->bound(2), 150, 1e-9);
  // Weights 0.5 in 1..255 with 0 at its lowest: step 0.5/254.
  EXPECT_NEAR(scheme->weight_step(1), 0.5 / 254, 1e-12);
  const uint8_t pixel[] = {168};  // x = 40: 20, then 40 + 20, then 75
  const LayerMaps maps = scheme->Run(pixel);
  EXPECT_NEAR(maps[1][0], 102 * 50.0 / 255, 1e-9) << "20 is 102 steps exactly";
  // 40 is 102 of the sum's steps; 20 is 51 of the wide value's steps of 100/255, from its zero point
  // 128 (127.5): exactly. 60 is 102 steps of 150/255.
  EXPECT_NEAR(maps[2][0], 60, 1e-9);
  EXPECT_NEAR(maps[3][0], 75, 0.01);
}

TEST(EntropyTest, ClipsARareFarOutlierAndKeepsAnEvenSpread) {
  std::vector<double> outlier(2048, 0);
  for (size_t i = 0; i < 300; ++i) outlier[i] = std::floor(1e6 * std::exp(-static_cast<double>(i) / 20));
  outlier[2047] = 1;
  // Levels of 16 bins would be coarser than the decay; ones of 4 are not.
  EXPECT_LT(EntropyBins(outlier, 128), 700u);
  EXPECT_GE(EntropyBins(outlier, 128), 128u);
  const std::vector<double> even(2048, 10);
  EXPECT_EQ(EntropyBins(even, 128), 2048u) << "clipping would pile up the last bin";
}

TEST(EntropyTest, RoundsInSteps) {
  const FloatNetwork network = Chain();
  std::vector<LayerRanges> ranges(4);
  ranges[1] = {.sum = {}, .wide = {.threshold = 254}, .map = {.threshold = 127}};
  ranges[2] = {.sum = {}, .wide = {.threshold = 127}, .map = {.threshold = 127}};
  const auto scheme = MakeEntropy(network, ranges, 8, false);
  const uint8_t pixel[] = {159};  // x = 31: 15.5 -> 16; shortcut 15.5 / 2 -> 8 steps of 2
  const LayerMaps maps = scheme->Run(pixel);
  EXPECT_THAT(maps[1], ElementsAre(16)) << "halves to even";
  EXPECT_THAT(maps[2], ElementsAre(48)) << "2 * 16 + 8 * 2";
  EXPECT_THAT(maps[3], Pointwise(DoubleNear(1e-4), {60.0}));
  const uint8_t white[] = {255};  // 63.5 -> 64, 2 * 64 + 64 is beyond 127
  EXPECT_THAT(scheme->Run(white)[2], ElementsAre(127));
  EXPECT_TRUE(scheme->Clips(2, 190.5));
  EXPECT_FALSE(scheme->Clips(2, 127.2)) << "within half a step";
}

// What the scheme evaluator computes at 8 bits is the .braid network, to the bit.
TEST(BoundedTest, EqualsTheModelFileAtEightBits) {
  const data::Dataset train = Digits("train", 21, 32), test = Digits("test", 99, 20);
  for (const bool snap : {false, true}) {
    ImportOptions options = FixtureOptions();
    options.step_per_layer = snap, options.snap = snap;
    const ImportedModel imported = *ImportOnnx(Fixture(), PicturesOf(train), options);
    const auto from = CalibrateOnnx(Fixture(), PicturesOf(train), options);
    ASSERT_TRUE(from.ok()) << from.status().ToString();
    QuantizedNetwork quantized = *Quantize(from->network, from->calibration, options);
    const double step = quantized.logit_step;
    const auto scheme = MakeBounded(from->network, std::move(quantized), 8);
    const auto head = static_cast<model::LayerIndex>(imported.network.layers.size()) - 1;
    const std::vector<int32_t> logits = runtime::testing::DirectLogitsOfBatch(
        imported.network, 0, head, test.images, test.count);
    for (int n = 0; n < test.count; ++n) {
      const std::vector<double> got = scheme->Run(test.Image(n)).back();
      for (size_t c = 0; c < 10; ++c) {
        ASSERT_EQ(std::lround(got[c] / step), logits[static_cast<size_t>(n) * 10 + c])
            << "picture " << n << " class " << c;
      }
    }
  }
}

TEST(BoundedTest, SnappedBoundsHaveMultipliersOfFewBits) {
  const data::Dataset train = Digits("train", 21, 16);
  ImportOptions options = FixtureOptions();
  options.step_per_layer = true;
  const ImportedModel plain = *ImportOnnx(Fixture(), PicturesOf(train), options);
  options.snap = true;
  const ImportedModel snapped = *ImportOnnx(Fixture(), PicturesOf(train), options);
  for (size_t l = 1; l < snapped.network.layers.size(); ++l) {
    if (snapped.network.layers[l].op != model::Op::kConv) continue;
    int32_t mul = snapped.network.sub_networks[0].tables[l].mul.front();
    ASSERT_GT(mul, 0);
    while (mul % 2 == 0) mul /= 2;
    // 8 bits or so; more where roundings upwards miss the half step several times in a row.
    EXPECT_LT(mul, 1 << 12) << snapped.layers[l].name;
    // |blu*mul/2^s - 127| < 0.5 moves a bound by less than 0.5/127 of itself; earlier layers' steps
    // have no part in it.
    EXPECT_NEAR(snapped.layers[l].bound / plain.layers[l].bound, 1, 0.5 / 127 + 1e-3)
        << snapped.layers[l].name;
  }
}

TEST(SchemeReportTest, EverySchemeKeepsTheAccuracyAtEightBitsAndLosesBitByBit) {
  const data::Dataset train = Digits("train", 21, 32), test = Digits("test", 99, 30);
  const TestPictures pictures = {.pictures = PicturesOf(test), .targets = test.targets};
  for (const Scheme scheme : {Scheme::kBounded, Scheme::kMinMax, Scheme::kEntropy}) {
    double before = 0;
    for (const int bits : {8, 6, 4}) {
      ImportOptions options = FixtureOptions();
      options.bits = bits;
      const Result<SchemeReport> report =
          MeasureScheme(Fixture(), PicturesOf(train), pictures, options, scheme);
      ASSERT_TRUE(report.ok()) << report.status().ToString();
      EXPECT_GE(report->float_right, 28);
      if (bits == 8) {
        EXPECT_GE(report->same_class, 29) << static_cast<int>(scheme);
      }
      const double error = report->layers.back().error;
      EXPECT_GT(error, before) << bits << " bits, scheme " << static_cast<int>(scheme);
      EXPECT_LT(error, bits == 8 ? 0.15 : 2.0) << bits << " bits, scheme " << static_cast<int>(scheme);
      before = error;
    }
  }
}

TEST(SchemeReportTest, RefusesWhatDoesNotFit) {
  const data::Dataset train = Digits("train", 21, 8), test = Digits("test", 99, 4);
  const TestPictures pictures = {.pictures = PicturesOf(test), .targets = test.targets};
  ImportOptions options = FixtureOptions();
  options.bits = 9;
  EXPECT_THAT(MeasureScheme(Fixture(), PicturesOf(train), pictures, options, Scheme::kBounded)
                  .status().ToString(), HasSubstr("bits"));
  options.bits = 6;
  EXPECT_THAT(ImportOnnx(Fixture(), PicturesOf(train), options).status().ToString(),
              HasSubstr("bits"));
  options.bits = 8, options.snap = true;
  EXPECT_THAT(MeasureScheme(Fixture(), PicturesOf(train), pictures, options, Scheme::kBounded)
                  .status().ToString(), HasSubstr("one weight step a layer"));
  options.snap = false;
  EXPECT_FALSE(MeasureScheme(Fixture(), PicturesOf(train), {}, options, Scheme::kMinMax).ok());
}

}  // namespace
}  // namespace braid::convert
