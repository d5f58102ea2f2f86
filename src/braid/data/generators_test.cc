// The generators: reproducible, balanced, and out of a linear classifier's reach.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "braid/data/dataset.h"

namespace braid::data {
namespace {

Dataset Make(const std::string& name, const std::string& split, uint64_t seed, int count) {
  LoadOptions options;
  options.seed = seed;
  options.count = count;
  Result<Dataset> dataset = Load(name, split, options);
  EXPECT_TRUE(dataset.ok()) << dataset.status().ToString();
  return std::move(dataset).value();
}

// Test accuracy of softmax regression on pixels: what a linear classifier can do.
class SoftmaxRegression {
 public:
  explicit SoftmaxRegression(const Dataset& train)
      : inputs_(train.ImageBytes()), classes_(train.labels.size()) {
    weights_.assign(classes_ * (inputs_ + 1), 0.0f);
    Standardize(train);
    for (int epoch = 0; epoch < 8; ++epoch) {
      const float rate = 0.3f / static_cast<float>(inputs_) * (epoch < 5 ? 1.0f : 0.2f);
      for (int i = 0; i < train.count; ++i) Step(train, i, rate);
    }
  }

  double Accuracy(const Dataset& test) {
    int right = 0;
    for (int i = 0; i < test.count; ++i) {
      Forward(test, i);
      const auto best = std::max_element(logits_.begin(), logits_.end()) - logits_.begin();
      right += best == test.targets[static_cast<size_t>(i)];
    }
    return static_cast<double>(right) / test.count;
  }

 private:
  // Mean and spread of each pixel, so that one learning rate fits all.
  void Standardize(const Dataset& train) {
    mean_.assign(inputs_, 0.0f);
    scale_.assign(inputs_, 0.0f);
    std::vector<double> sum(inputs_), square(inputs_);
    for (int i = 0; i < train.count; ++i) {
      const auto image = train.Image(i);
      for (size_t p = 0; p < inputs_; ++p) {
        sum[p] += image[p];
        square[p] += double{1} * image[p] * image[p];
      }
    }
    for (size_t p = 0; p < inputs_; ++p) {
      const double mean = sum[p] / train.count;
      mean_[p] = static_cast<float>(mean);
      scale_[p] = static_cast<float>(1.0 / std::sqrt(square[p] / train.count - mean * mean + 1.0));
    }
  }

  void Forward(const Dataset& data, int index) {
    const auto image = data.Image(index);
    input_.resize(inputs_);
    for (size_t p = 0; p < inputs_; ++p) {
      input_[p] = (static_cast<float>(image[p]) - mean_[p]) * scale_[p];
    }
    logits_.assign(classes_, 0.0f);
    for (size_t c = 0; c < classes_; ++c) {
      const float* row = weights_.data() + c * (inputs_ + 1);
      float sum = row[inputs_];
      for (size_t p = 0; p < inputs_; ++p) sum += row[p] * input_[p];
      logits_[c] = sum;
    }
  }

  void Step(const Dataset& data, int index, float rate) {
    Forward(data, index);
    const float top = *std::max_element(logits_.begin(), logits_.end());
    float total = 0;
    for (float& logit : logits_) total += logit = std::exp(logit - top);
    for (size_t c = 0; c < classes_; ++c) {
      const float wanted = data.targets[static_cast<size_t>(index)] == c ? 1.0f : 0.0f;
      const float step = rate * (wanted - logits_[c] / total);
      float* row = weights_.data() + c * (inputs_ + 1);
      for (size_t p = 0; p < inputs_; ++p) row[p] += step * input_[p];
      row[inputs_] += step;
    }
  }

  size_t inputs_, classes_;
  std::vector<float> weights_;  // [classes, inputs + 1], the last for the bias
  std::vector<float> mean_, scale_, input_, logits_;
};

class GeneratorTest : public testing::TestWithParam<const char*> {};

TEST_P(GeneratorTest, GivesTheSameImagesForASeed) {
  const Dataset a = Make(GetParam(), "train", 3, 50), b = Make(GetParam(), "train", 3, 50);
  EXPECT_EQ(a.images, b.images);
  EXPECT_EQ(a.targets, b.targets);
  EXPECT_EQ(a.digest, b.digest);
  EXPECT_NE(a.digest, Make(GetParam(), "train", 4, 50).digest);
  EXPECT_NE(a.digest, Make(GetParam(), "test", 3, 50).digest);
}

TEST_P(GeneratorTest, BeginsALongerSplitWithTheShorterOne) {
  const Dataset small = Make(GetParam(), "test", 1, 20), large = Make(GetParam(), "test", 1, 60);
  EXPECT_TRUE(std::equal(small.images.begin(), small.images.end(), large.images.begin()));
  EXPECT_TRUE(std::equal(small.targets.begin(), small.targets.end(), large.targets.begin()));
}

TEST_P(GeneratorTest, GivesEveryClassEquallyOftenAndNoImageTwice) {
  const Dataset data = Make(GetParam(), "train", 1, 1000);
  std::vector<int> counts(data.labels.size());
  std::set<std::vector<uint8_t>> images;
  for (int i = 0; i < data.count; ++i) {
    ++counts[data.targets[static_cast<size_t>(i)]];
    images.insert({data.Image(i).begin(), data.Image(i).end()});
  }
  EXPECT_EQ(counts, std::vector<int>(data.labels.size(), 100));
  EXPECT_EQ(images.size(), 1000u);
}

TEST_P(GeneratorTest, DefeatsALinearClassifier) {
  const Dataset train = Make(GetParam(), "train", 1, 6000),
                test = Make(GetParam(), "test", 1, 2000);
  SoftmaxRegression linear(train);
  const double accuracy = linear.Accuracy(test);
  RecordProperty("linear_accuracy", std::to_string(accuracy));
  std::printf("%s: a linear classifier reaches %.1f %%\n", GetParam(), 100 * accuracy);
  // Above chance, or the regression above would prove nothing; well below what a small network
  // gets.
  EXPECT_GT(accuracy, 0.12);
  EXPECT_LT(accuracy, 0.70);
}

INSTANTIATE_TEST_SUITE_P(All, GeneratorTest, testing::Values("digits", "shapes"),
                         [](const auto& info) { return std::string(info.param); });

}  // namespace
}  // namespace braid::data
