// Rounding as autograd functions of whole-tensor operations: libtorch's own fake quantization calls
// a rounding, a minimum and a maximum function for every element. Layer: training.
#include "braid/training/quantization/straight_through.h"

namespace braid::training {
namespace {

constexpr double kLevels = 127;

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

struct ActivationRounding : torch::autograd::Function<ActivationRounding> {
  static torch::Tensor forward(AutogradContext* context, const torch::Tensor& x, double bound) {
    const double step = bound / kLevels;
    context->save_for_backward({x});
    context->saved_data["step"] = step;
    return x.mul(1 / step).round_().clamp_(0, kLevels).mul_(step);
  }
  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const torch::Tensor x = context->get_saved_variables()[0];
    const double step = context->saved_data["step"].toDouble();
    return {at::hardtanh_backward(gradients[0], x, -0.5 * step, (kLevels + 0.5) * step),
            torch::Tensor()};
  }
};

struct WeightRounding : torch::autograd::Function<WeightRounding> {
  static torch::Tensor forward(AutogradContext*, const torch::Tensor& weight) {
    const std::vector<int64_t> per_channel = {-1, 1, 1, 1};
    const torch::Tensor step =
        (weight.flatten(1).abs().amax(1) / kLevels).clamp_min_(1e-12).view(per_channel);
    return weight.div(step).round_().clamp_(-kLevels, kLevels).mul_(step);
  }
  static variable_list backward(AutogradContext*, const variable_list& gradients) {
    return {gradients[0]};
  }
};

}  // namespace

torch::Tensor RoundActivations(const torch::Tensor& x, double bound) {
  return ActivationRounding::apply(x, bound);
}

torch::Tensor RoundWeights(const torch::Tensor& weight) { return WeightRounding::apply(weight); }

}  // namespace braid::training
