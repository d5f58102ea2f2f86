// Generated convolutions equal the scalar reference on every byte, whatever the shape.
#include "braid/kernels/convolution/convolution.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "braid/kernels/testing/convolution_case.h"

namespace braid::kernels {
namespace {

using testing::ConvolutionCase;
using testing::RunOn;

class ConvolutionTest : public ::testing::TestWithParam<Path> {
 protected:
  void SetUp() override {
    if (!PathSupported(GetParam())) GTEST_SKIP() << "this processor lacks " << PathName(GetParam());
  }
};

TEST_P(ConvolutionTest, EqualsTheReferenceOnRandomShapes) {
  for (uint64_t seed = 0; seed < 400; ++seed) {
    Rng rng(seed);
    const ConvolutionCase c = testing::RandomConvolution(rng, 37, 37);
    ASSERT_EQ(RunOn(c, GetParam()), RunOn(c, Path::kScalar))
        << "seed " << seed << " " << ConvolutionName(c.shape);
  }
}

TEST_P(ConvolutionTest, EqualsTheReferenceWherePaddingIsLeftOut) {
  for (uint64_t seed = 0; seed < 500; ++seed) {
    Rng rng(seed);
    const ConvolutionCase c = testing::RandomPaddedConvolution(rng, 33, seed % 4 == 0 ? 65 : 17);
    const int64_t half = rng.Between(0, c.rows);
    ASSERT_EQ(RunOn(c, GetParam(), {{half, c.rows}, {0, half}}), RunOn(c, Path::kScalar))
        << "seed " << seed << " " << ConvolutionName(c.shape);
  }
}

// What lies outside of the edges is not read where whole steps do, so it need not even be zero.
TEST_P(ConvolutionTest, LeavesPaddingOut) {
  const Path path = GetParam();
  if (path != Path::kAvx2 && path != Path::kAvx512Vnni) GTEST_SKIP() << "computes its rings";
  int cases = 0;
  for (uint64_t seed = 0; cases < 20; ++seed) {
    Rng rng(seed);
    ConvolutionCase c = testing::RandomPaddedConvolution(rng, 3, 17);
    const SourceShape& s = c.shape.sources[0];
    // A row is one block, a step four channels.
    if (s.encoding != Encoding::kU7 || s.channels % 4 != 0 || c.shape.columns > 2) continue;
    ++cases;
    const auto expected = RunOn(c, path);
    for (size_t i = 0; i < c.outside.size(); ++i) {
      for (std::vector<uint8_t>& map : c.maps) map[i] = c.outside[i] ? 1 : map[i];
    }
    ASSERT_EQ(RunOn(c, path), expected) << "seed " << seed << " " << ConvolutionName(c.shape);
  }
}

TEST_P(ConvolutionTest, EqualsTheReferenceOnDepthwiseWindows) {
  for (uint64_t seed = 0; seed < 500; ++seed) {
    Rng rng(seed);
    const ConvolutionCase c = testing::RandomDepthwise(rng, 33, seed % 4 == 0 ? 65 : 33);
    const int64_t half = rng.Between(0, c.rows);
    ASSERT_EQ(RunOn(c, GetParam(), {{half, c.rows}, {0, half}}), RunOn(c, Path::kScalar))
        << "seed " << seed << " " << ConvolutionName(c.shape);
  }
}

// A dense convolution whose weights are zero between unlike channels.
TEST(ReferenceConvolutionTest, DepthwiseIsADenseConvolutionWithZeros) {
  for (uint64_t seed = 0; seed < 100; ++seed) {
    Rng rng(seed);
    const ConvolutionCase c = testing::RandomDepthwise(rng, 9, 17);
    ConvolutionCase dense = c;
    for (size_t s = 0; s < c.shape.sources.size(); ++s) {
      SourceShape& source = dense.shape.sources[s];
      source.depthwise = false;
      const int taps = source.kernel_h * source.kernel_w, channels = source.channels;
      dense.weights[s].assign(static_cast<size_t>(channels * taps * channels), 0);
      for (int o = 0; o < channels; ++o) {
        for (int tap = 0; tap < taps; ++tap) {
          dense.weights[s][static_cast<size_t>((o * taps + tap) * channels + o)] =
              c.weights[s][static_cast<size_t>(o * taps + tap)];
        }
      }
    }
    ASSERT_EQ(RunOn(c, Path::kScalar), RunOn(dense, Path::kScalar)) << "seed " << seed;
  }
}

TEST_P(ConvolutionTest, EqualsTheReferenceOnProducts) {
  for (uint64_t seed = 0; seed < 150; ++seed) {
    Rng rng(seed);
    ConvolutionCase c;
    static constexpr int kDepths[] = {1, 3, 4, 5, 36, 63, 127, 255, 256, 257, 1031};
    const int m = testing::RandomSize(rng, 65);
    const int n = rng.Below(3) == 0 ? static_cast<int>(rng.Between(1, 200))
                                    : testing::RandomSize(rng, 65);
    const int k = kDepths[rng.Below(std::size(kDepths))];
    c.shape = ProductShape(Path::kScalar, m, n, k,
                           seed % 2 == 0 ? Encoding::kU7 : Encoding::kS8, k, n);
    testing::FillData(rng, c);
    ASSERT_EQ(RunOn(c, GetParam()), RunOn(c, Path::kScalar))
        << "seed " << seed << " " << ConvolutionName(c.shape);
  }
}

TEST_P(ConvolutionTest, DoesNotSaturateAtTheLargestSums) {
  for (const int value : {127, -128}) {
    ConvolutionCase c;
    c.shape = ProductShape(Path::kScalar, 2, 2, 60'000,
                           value < 0 ? Encoding::kS8 : Encoding::kU7, 60'000, 2);
    c.shape.finish = Finish::kWide;
    Rng rng(1);
    testing::FillData(rng, c);
    std::fill(c.maps[0].begin(), c.maps[0].end(), static_cast<uint8_t>(value));
    std::fill(c.weights[0].begin(), c.weights[0].begin() + 60'000, int8_t{127});
    std::fill(c.weights[0].begin() + 60'000, c.weights[0].end(), int8_t{-127});
    const auto run = RunOn(c, GetParam());
    const int32_t sum = 60'000 * value * 127;
    EXPECT_EQ(run.wide[0][0], sum);
    EXPECT_EQ(run.wide[0][1], -sum);
  }
}

TEST_P(ConvolutionTest, GivesTheSameBitsInPartsOnTwoThreads) {
  for (uint64_t seed = 0; seed < 40; ++seed) {
    Rng rng(seed);
    ConvolutionCase c;
    do {
      c = testing::RandomConvolution(rng, 17, 17);
    } while (c.rows < 2);
    ASSERT_EQ(RunOn(c, GetParam(), {{1, c.rows}, {0, 1}}), RunOn(c, Path::kScalar))
        << "seed " << seed;
  }
}

TEST(ReferenceConvolutionTest, ComputesAHandWorkedExample) {
  // A 2x2 map of one channel inside of a ring, 3x3 window: each output sees the whole map.
  ConvolutionCase c;
  c.rows = 2;
  c.shape.columns = 2;
  c.shape.sources.push_back({.encoding = Encoding::kS8,
                             .channels = 1,
                             .kernel_h = 3,
                             .kernel_w = 3,
                             .tap_stride_w = 1,
                             .tap_stride_h = 4,
                             .column_stride = 1,
                             .row_stride = 4,
                             .image_stride = 16});
  c.shape.outputs.push_back({.channels = 1,
                             .column_stride = 1,
                             .row_stride = 2,
                             .image_stride = 4,
                             .wide_column_stride = 8,
                             .wide_row_stride = 16,
                             .wide_image_stride = 32});
  c.shape.finish = Finish::kWide;
  Rng rng(0);
  testing::FillData(rng, c);
  const auto minus_4 = static_cast<uint8_t>(-4);
  c.maps[0] = {0, 0, 0, 0, 0, 1, 2, 0, 0, 3, minus_4, 0, 0, 0, 0, 0};
  c.maps[0].resize(16 + kReadSlackBytes);
  c.weights[0] = {1, 2, 3, 4, 5, 6, 7, 8, 9};
  // (0,0): 5*1 + 6*2 + 8*3 - 9*4;  (0,1): 4*1 + 5*2 + 7*3 - 8*4;
  // (1,0): 2*1 + 3*2 + 5*3 - 6*4;  (1,1): 1*1 + 2*2 + 4*3 - 5*4.
  for (const Path path : SupportedPaths()) {
    const auto wide = RunOn(c, path).wide[0];
    EXPECT_EQ((std::vector<int32_t>{wide[0], wide[8], wide[16], wide[24]}),
              (std::vector<int32_t>{5, 3, -1, -3}))
        << PathName(path);
  }
}

TEST(ConvolutionNameTest, IsAsUniqueAsTheShape) {
  std::set<std::string> names;
  std::vector<ConvolutionShape> shapes;
  for (uint64_t seed = 0; seed < 300; ++seed) {
    Rng rng(seed);
    const ConvolutionShape shape = seed % 2 == 0
                                       ? testing::RandomConvolution(rng, 37, 37).shape
                                   : seed % 3 == 0
                                       ? testing::RandomDepthwise(rng, 17, 17).shape
                                       : testing::RandomPaddedConvolution(rng, 17, 17).shape;
    if (std::find(shapes.begin(), shapes.end(), shape) == shapes.end()) shapes.push_back(shape);
    names.insert(ConvolutionName(shape));
  }
  EXPECT_EQ(names.size(), shapes.size());
}

TEST(ConvolutionShapeTest, RefusesWhatIsNoConvolution) {
  const ConvolutionShape fine = ProductShape(Path::kScalar, 1, 1, 1, Encoding::kU7, 1, 1);
  EXPECT_TRUE(Convolution::Make(fine).ok());
  ConvolutionShape shape = fine;
  shape.sources.clear();
  EXPECT_EQ(Convolution::Make(shape).status().code(), StatusCode::kInvalidArgument);
  shape = fine;
  shape.outputs[0].channels = 0;
  EXPECT_EQ(Convolution::Make(shape).status().code(), StatusCode::kInvalidArgument);
  shape = fine;
  shape.sources[0].column_stride = int64_t{1} << 40;
  EXPECT_EQ(Convolution::Make(shape).status().code(), StatusCode::kInvalidArgument);
  shape = fine;
  shape.sources[0].edges.left = -1;
  EXPECT_EQ(Convolution::Make(shape).status().code(), StatusCode::kInvalidArgument);
  shape = fine;
  shape.sources[0].edges = {.top = 2, .bottom = 1};
  EXPECT_EQ(Convolution::Make(shape).status().code(), StatusCode::kInvalidArgument);
  shape = fine;
  shape.sources[0].depthwise = true;
  EXPECT_TRUE(Convolution::Make(shape).ok());
  shape.outputs[0].channels = 2;
  EXPECT_EQ(Convolution::Make(shape).status().code(), StatusCode::kInvalidArgument);
  shape = fine;
  shape.sources.push_back(fine.sources[0]);
  shape.sources[1].depthwise = true;
  EXPECT_EQ(Convolution::Make(shape).status().code(), StatusCode::kInvalidArgument);
}

INSTANTIATE_TEST_SUITE_P(Paths, ConvolutionTest, ::testing::ValuesIn(kBuiltPaths),
                         [](const auto& info) { return std::string(PathName(info.param)); });

}  // namespace
}  // namespace braid::kernels
