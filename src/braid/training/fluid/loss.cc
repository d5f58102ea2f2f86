// Losses over the sub-networks of a step. Layer: training.
#include "braid/training/fluid/loss.h"

#include <map>

#include "braid/training/backbone.h"

namespace braid::training {

torch::Tensor StepLoss(BraidedNet& net, const Family& family, const Recipe& recipe,
                       const std::vector<int>& subs, const torch::Tensor& x,
                       const torch::Tensor& targets) {
  std::map<GroupSet, torch::Tensor> logits;
  torch::Tensor loss, teacher;
  const auto add = [&](torch::Tensor term, double weight) {
    if (weight != 1) term = term * weight;
    loss = loss.defined() ? loss + term : term;
  };
  for (const int sub : subs) {
    const GroupSet groups = family.sub_networks[static_cast<size_t>(sub)];
    const torch::Tensor out = net.Forward(sub, x, /*training=*/true);
    logits[groups] = out;
    const torch::Tensor log_probabilities = torch::log_softmax(out, 1);
    const double weight = groups == GroupSet::First(kGroups) ? recipe.full_weight
                          : groups.size() == 1               ? recipe.narrow_weight
                                                             : 1;
    add(torch::nll_loss(log_probabilities, targets), weight);
    if (recipe.distillation <= 0 || subs.size() < 2) continue;
    if (!teacher.defined()) {
      teacher = log_probabilities.detach().exp();
    } else {
      add(-(teacher * log_probabilities).sum(1).mean(), recipe.distillation);
    }
  }
  if (recipe.sum_loss <= 0) return loss;
  for (const std::vector<GroupSet>& terms : family.trained_sums) {
    torch::Tensor sum;
    for (const GroupSet term : terms) {
      const auto it = logits.find(term);
      if (it == logits.end()) {
        sum = torch::Tensor();
        break;
      }
      sum = sum.defined() ? sum + it->second : it->second;
    }
    if (sum.defined()) add(torch::nll_loss(torch::log_softmax(sum, 1), targets), recipe.sum_loss);
  }
  return loss;
}

}  // namespace braid::training
