// The flat parameter buffer and the optimizers over it. Layer: training.
#include "braid/training/parameters.h"

#include <cmath>
#include <utility>

namespace braid::training {
namespace {

constexpr double kBeta1 = 0.9, kBeta2 = 0.999, kEpsilon = 1e-8;
constexpr double kMomentum = 0.9;

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

Optimizer::Optimizer(const Parameters& parameters, Options options)
    : parameters_(parameters),
      options_(options),
      m_(torch::zeros_like(parameters.values())),
      v_(torch::zeros_like(parameters.values())) {}

void Optimizer::Step(double learning_rate, const torch::Tensor& trainable) {
  torch::NoGradGuard no_grad;
  ++steps;
  torch::Tensor gradient = parameters_.gradient();
  torch::Tensor values = parameters_.values();
  if (trainable.defined()) gradient.mul_(trainable);
  torch::Tensor update = options_.method == Method::kSgd ? SgdUpdate(gradient, learning_rate)
                                                         : AdamUpdate(gradient, learning_rate);
  if (trainable.defined()) update.mul_(trainable);
  values.sub_(update);
  gradient.zero_();
}

torch::Tensor Optimizer::AdamUpdate(const torch::Tensor& gradient, double learning_rate) {
  m_.mul_(kBeta1).add_(gradient, 1 - kBeta1);
  v_.mul_(kBeta2).addcmul_(gradient, gradient, 1 - kBeta2);
  const double c1 = 1 - std::pow(kBeta1, static_cast<double>(steps));
  const double c2 = 1 - std::pow(kBeta2, static_cast<double>(steps));
  torch::Tensor update = m_ / (v_.sqrt().mul_(1 / std::sqrt(c2)).add_(kEpsilon));
  update.mul_(learning_rate / c1);
  if (options_.weight_decay > 0) {
    update.add_(Decayed(), learning_rate * options_.weight_decay);
  }
  return update;
}

torch::Tensor Optimizer::SgdUpdate(torch::Tensor& gradient, double learning_rate) {
  if (options_.weight_decay > 0) gradient.add_(Decayed(), options_.weight_decay);
  m_.mul_(kMomentum).add_(gradient);
  return gradient.add(m_, kMomentum).mul_(learning_rate);
}

torch::Tensor Optimizer::Decayed() const {
  return parameters_.values() * parameters_.decay_mask();
}

void Optimizer::Restart() {
  m_.zero_();
  v_.zero_();
  steps = 0;
}

}  // namespace braid::training
