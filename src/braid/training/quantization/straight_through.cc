// Rounding as autograd functions of whole-tensor operations: libtorch's own fake quantization calls
// a rounding, a minimum and a maximum function for every element. Layer: training.
#include "braid/training/quantization/straight_through.h"

namespace braid::training {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

struct ActivationRounding : torch::autograd::Function<ActivationRounding> {
  static torch::Tensor forward(AutogradContext* context, const torch::Tensor& x, double bound,
                               int64_t largest) {
    const double step = bound / static_cast<double>(largest);
    context->save_for_backward({x});
    context->saved_data["step"] = step;
    context->saved_data["largest"] = largest;
    return x.mul(1 / step).round_().clamp_(0, largest).mul_(step);
  }
  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const torch::Tensor x = context->get_saved_variables()[0];
    const double step = context->saved_data["step"].toDouble();
    const auto largest = static_cast<double>(context->saved_data["largest"].toInt());
    return {at::hardtanh_backward(gradients[0], x, -0.5 * step, (largest + 0.5) * step),
            torch::Tensor(), torch::Tensor()};
  }
};

struct WeightRounding : torch::autograd::Function<WeightRounding> {
  static torch::Tensor forward(AutogradContext*, const torch::Tensor& weight, int64_t largest) {
    const std::vector<int64_t> per_channel = {-1, 1, 1, 1};
    const torch::Tensor step = WeightSteps(weight, static_cast<int>(largest)).view(per_channel);
    return weight.div(step).round_().clamp_(-largest, largest).mul_(step);
  }
  static variable_list backward(AutogradContext*, const variable_list& gradients) {
    return {gradients[0], torch::Tensor()};
  }
};

}  // namespace

torch::Tensor RoundActivations(const torch::Tensor& x, double bound, int largest) {
  return ActivationRounding::apply(x, bound, int64_t{largest});
}

torch::Tensor WeightSteps(const torch::Tensor& weight, int largest) {
  return (weight.detach().flatten(1).abs().amax(1) / largest).clamp_min_(1e-12);
}

torch::Tensor RoundToSteps(const torch::Tensor& x, const torch::Tensor& step) {
  torch::NoGradGuard no_grad;
  const torch::Tensor moved = x.div(step).round_().mul_(step).sub_(x);
  torch::AutoGradMode with_gradient(true);
  return x + moved;
}

torch::Tensor RoundWeights(const torch::Tensor& weight, int largest) {
  return WeightRounding::apply(weight, int64_t{largest});
}

}  // namespace braid::training
