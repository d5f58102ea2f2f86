// Every path's convolution equals the scalar reference bit for bit.
#include <gtest/gtest.h>

#include <cstdlib>
#include <memory>

#include "braid/kernels/kernel_set.h"
#include "braid/kernels/testing/random_case.h"

namespace braid::kernels {
namespace {

constexpr size_t kAlignment = 64;

struct Free {
  void operator()(std::byte* p) const { std::free(p); }
};
std::unique_ptr<std::byte, Free> Aligned(size_t bytes) {
  return std::unique_ptr<std::byte, Free>(static_cast<std::byte*>(
      std::aligned_alloc(kAlignment, (bytes / kAlignment + 1) * kAlignment)));
}

struct Case {
  WindowGeometry geometry;
  int n = 1;
  std::vector<uint8_t> input;
  std::vector<int> channels;                 // of each output group
  std::vector<std::vector<int8_t>> weights;  // of each output group, OHWI
};

Case RandomCase(Rng& rng, ElementKind kind) {
  Case c;
  c.geometry = testing::RandomWindow(rng, kind, 17, 37);
  c.n = static_cast<int>(rng.Between(0, 3));
  c.input = testing::RandomBytes(rng, kind, c.n * c.geometry.InputElements(), kReadSlackBytes);
  const int groups = static_cast<int>(rng.Between(1, 4));
  for (int g = 0; g < groups; ++g) {
    c.channels.push_back(testing::RandomSize(rng, 33));
    c.weights.push_back(testing::RandomWeights(rng, c.channels.back() * c.geometry.Depth()));
  }
  return c;
}

// The accumulators of every group without padding lanes, started from zero and then added to.
std::vector<int32_t> RunTwice(const KernelSet& kernels, const Case& c) {
  std::vector<std::unique_ptr<std::byte, Free>> tiles;
  std::vector<std::vector<int32_t>> accumulators;
  std::vector<ConvTarget> targets;
  for (size_t g = 0; g < c.channels.size(); ++g) {
    tiles.push_back(Aligned(kernels.tile_bytes(c.geometry, c.channels[g])));
    kernels.pack_tile(c.geometry, c.channels[g], c.weights[g].data(), tiles.back().get());
    accumulators.emplace_back(static_cast<size_t>(c.n * c.geometry.OutputPixels()) *
                                  static_cast<size_t>(PaddedChannels(c.channels[g])),
                              0x5a5a5a5a);
  }
  for (size_t g = 0; g < c.channels.size(); ++g) {
    targets.push_back({tiles[g].get(), accumulators[g].data(), c.channels[g]});
  }
  const auto scratch = Aligned(kernels.scratch_bytes(c.geometry));
  std::vector<int32_t> seen;
  for (const bool add : {false, true}) {
    kernels.convolve(c.geometry, c.n, c.input.data(), targets, add, scratch.get());
    for (size_t g = 0; g < c.channels.size(); ++g) {
      const auto stride = static_cast<size_t>(PaddedChannels(c.channels[g]));
      for (size_t i = 0; i < accumulators[g].size(); ++i) {
        if (i % stride < static_cast<size_t>(c.channels[g])) seen.push_back(accumulators[g][i]);
      }
    }
  }
  return seen;
}

class ConvolutionTest : public ::testing::TestWithParam<Path> {};

TEST_P(ConvolutionTest, EqualsTheReferenceOnRandomShapes) {
  if (!PathSupported(GetParam())) GTEST_SKIP() << "this processor lacks " << PathName(GetParam());
  for (uint64_t seed = 0; seed < 250; ++seed) {
    Rng rng(seed);
    const Case c = RandomCase(rng, seed % 2 == 0 ? ElementKind::kU7 : ElementKind::kS8);
    ASSERT_EQ(RunTwice(KernelsFor(GetParam()), c), RunTwice(KernelsFor(Path::kScalar), c))
        << "seed " << seed;
  }
}

TEST_P(ConvolutionTest, EqualsTheReferenceWhereOneWindowIsTheWholeMap) {
  if (!PathSupported(GetParam())) GTEST_SKIP() << "this processor lacks " << PathName(GetParam());
  for (uint64_t seed = 0; seed < 40; ++seed) {
    Rng rng(seed);
    Case c = RandomCase(rng, seed % 2 == 0 ? ElementKind::kU7 : ElementKind::kS8);
    WindowGeometry& g = c.geometry;
    g = {.in_h = g.in_h,
         .in_w = g.in_w,
         .channels = g.channels,
         .out_h = 1,
         .out_w = 1,
         .kernel_h = g.in_h,
         .kernel_w = g.in_w,
         .input_kind = g.input_kind};
    for (size_t i = 0; i < c.channels.size(); ++i) {
      c.weights[i] = testing::RandomWeights(rng, c.channels[i] * g.Depth());
    }
    ASSERT_EQ(RunTwice(KernelsFor(GetParam()), c), RunTwice(KernelsFor(Path::kScalar), c))
        << "seed " << seed;
  }
}

TEST_P(ConvolutionTest, DoesNotSaturateAtTheLargestSums) {
  if (!PathSupported(GetParam())) GTEST_SKIP() << "this processor lacks " << PathName(GetParam());
  for (const ElementKind kind : {ElementKind::kU7, ElementKind::kS8}) {
    Case c;
    c.geometry = {
        .in_h = 1, .in_w = 1, .channels = 60'000, .out_h = 1, .out_w = 1, .input_kind = kind};
    const int value = kind == ElementKind::kU7 ? 127 : -128;
    c.input.assign(60'000 + kReadSlackBytes, static_cast<uint8_t>(value));
    c.channels = {1, 1};
    c.weights = {std::vector<int8_t>(60'000, 127), std::vector<int8_t>(60'000, -127)};
    const int32_t sum = 60'000 * value * 127;
    EXPECT_EQ(RunTwice(KernelsFor(GetParam()), c),
              (std::vector<int32_t>{sum, -sum, 2 * sum, -2 * sum}));
  }
}

TEST(ReferenceConvolutionTest, ComputesAHandWorkedExample) {
  // A 2x2 map of one channel, 3x3 window with padding 1: each output sees the whole map.
  Case c;
  c.geometry = {.in_h = 2,
                .in_w = 2,
                .channels = 1,
                .out_h = 2,
                .out_w = 2,
                .kernel_h = 3,
                .kernel_w = 3,
                .pad_top = 1,
                .pad_left = 1,
                .input_kind = ElementKind::kS8};
  c.input = {1, 2, 3, static_cast<uint8_t>(-4)};
  c.input.resize(4 + kReadSlackBytes);
  c.channels = {1};
  c.weights = {{1, 2, 3, 4, 5, 6, 7, 8, 9}};
  // (0,0): 5*1 + 6*2 + 8*3 - 9*4;  (0,1): 4*1 + 5*2 + 7*3 - 8*4;
  // (1,0): 2*1 + 3*2 + 5*3 - 6*4;  (1,1): 1*1 + 2*2 + 4*3 - 5*4.
  const std::vector<int32_t> once = {5, 3, -1, -3};
  std::vector<int32_t> expected = once;
  for (const int32_t v : once) expected.push_back(2 * v);
  EXPECT_EQ(RunTwice(KernelsFor(Path::kScalar), c), expected);
}

INSTANTIATE_TEST_SUITE_P(Paths, ConvolutionTest, ::testing::Values(Path::kAvx2, Path::kAvx512Vnni),
                         [](const auto& info) { return std::string(PathName(info.param)); });

}  // namespace
}  // namespace braid::kernels
