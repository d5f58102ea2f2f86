// The flat parameter buffer and AdamW over it. Layer: training.
#include "braid/training/parameters.h"

#include <cmath>
#include <utility>

namespace braid::training {
namespace {

int64_t Elements(const std::vector<int64_t>& shape) {
  int64_t n = 1;
  for (const int64_t d : shape) n *= d;
  return n;
}

}  // namespace

Parameters::Parameters(std::vector<ParameterSpec> specs, torch::Device device)
    : specs_(std::move(specs)) {
  int64_t total = 0;
  for (const ParameterSpec& spec : specs_) {
    offsets_.push_back(total);
    total += Elements(spec.shape);
  }
  const auto options = torch::TensorOptions().dtype(torch::kFloat32).device(device);
  values_ = torch::zeros({total}, options);
  gradient_ = torch::zeros({total}, options);
  decay_mask_ = torch::zeros({total}, options);
  for (size_t i = 0; i < specs_.size(); ++i) {
    torch::Tensor leaf = Slice(values_, i).detach().requires_grad_(true);
    leaf.mutable_grad() = Slice(gradient_, i);
    leaves_.push_back(std::move(leaf));
    if (specs_[i].decays) Slice(decay_mask_, i).fill_(1);
  }
}

torch::Tensor Parameters::Slice(const torch::Tensor& flat, size_t index) const {
  return flat.narrow(0, offsets_[index], Elements(specs_[index].shape)).view(specs_[index].shape);
}

void Parameters::ClipGradient(double most) {
  torch::NoGradGuard no_grad;
  gradient_.mul_(gradient_.norm().add_(1e-12).reciprocal_().mul_(most).clamp_max_(1));
}

AdamW::AdamW(const Parameters& parameters, Options options)
    : parameters_(parameters),
      options_(options),
      m_(torch::zeros_like(parameters.values())),
      v_(torch::zeros_like(parameters.values())) {}

void AdamW::Step(double learning_rate, const torch::Tensor& trainable) {
  torch::NoGradGuard no_grad;
  ++steps;
  torch::Tensor gradient = parameters_.gradient();
  if (trainable.defined()) gradient.mul_(trainable);
  m_.mul_(options_.beta1).add_(gradient, 1 - options_.beta1);
  v_.mul_(options_.beta2).addcmul_(gradient, gradient, 1 - options_.beta2);
  const double c1 = 1 - std::pow(options_.beta1, static_cast<double>(steps));
  const double c2 = 1 - std::pow(options_.beta2, static_cast<double>(steps));
  torch::Tensor update = m_ / (v_.sqrt().mul_(1 / std::sqrt(c2)).add_(options_.epsilon));
  update.mul_(learning_rate / c1);
  torch::Tensor values = parameters_.values();
  if (options_.weight_decay > 0) {
    update.add_(values * parameters_.decay_mask(), learning_rate * options_.weight_decay);
  }
  if (trainable.defined()) update.mul_(trainable);
  values.sub_(update);
  gradient.zero_();
}

}  // namespace braid::training
