// All learned numbers of a network in one flat buffer, and the optimizer over it. One buffer makes
// a step a handful of tensor operations however many small tables the sub-networks have (a step
// with one tensor a table costs more than the convolutions of a small network). Layer: training.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "braid/training/torch.h"

namespace braid::training {

struct ParameterSpec {
  std::string name;
  std::vector<int64_t> shape;
  bool decays = false;  // whether weight decay applies
};

class Parameters {
 public:
  Parameters(std::vector<ParameterSpec> specs, torch::Device device);

  size_t size() const { return specs_.size(); }
  const ParameterSpec& spec(size_t index) const { return specs_[index]; }
  // A leaf that shares the flat buffer; backward() adds to its slice of the flat gradient.
  const torch::Tensor& operator[](size_t index) const { return leaves_[index]; }
  // The slice of a flat tensor (of values, of moments, of a mask) that belongs to a parameter.
  torch::Tensor Slice(const torch::Tensor& flat, size_t index) const;

  const torch::Tensor& values() const { return values_; }
  const torch::Tensor& gradient() const { return gradient_; }
  // Scales the accumulated gradient to a norm of at most `most`, on the device.
  void ClipGradient(double most);
  const torch::Tensor& decay_mask() const { return decay_mask_; }

 private:
  std::vector<ParameterSpec> specs_;
  std::vector<int64_t> offsets_;
  torch::Tensor values_, gradient_, decay_mask_;
  std::vector<torch::Tensor> leaves_;
};

// AdamW: Adam with decoupled weight decay (Loshchilov and Hutter, "Decoupled Weight Decay
// Regularization", 2019). SGD: Nesterov's momentum, the decay added to the gradient, so that a
// learning rate and a decay mean what they mean in the residual networks' papers.
class Optimizer {
 public:
  enum class Method : uint8_t { kAdamW, kSgd };
  struct Options {
    Method method = Method::kAdamW;
    double weight_decay = 0;
  };

  Optimizer(const Parameters& parameters, Options options);
  // One step with the gradient that has accumulated, which is then zeroed. Where `trainable`
  // (flat, 0 or 1; undefined: all) is 0, the value stays.
  void Step(double learning_rate, const torch::Tensor& trainable);

  // Forgets the moments: what the next steps train has other gradients.
  void Restart();

  // For checkpoints. SGD's second moment stays 0.
  torch::Tensor& first_moment() { return m_; }
  torch::Tensor& second_moment() { return v_; }
  int64_t steps = 0;

 private:
  torch::Tensor AdamUpdate(const torch::Tensor& gradient, double learning_rate);
  torch::Tensor SgdUpdate(torch::Tensor& gradient, double learning_rate);
  torch::Tensor Decayed() const;  // the values that weight decay pulls at, 0 elsewhere

  const Parameters& parameters_;
  Options options_;
  torch::Tensor m_, v_;
};

}  // namespace braid::training
