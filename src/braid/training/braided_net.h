// A braided network in floating point: shared weights, private gains, biases and bounds of each
// sub-network, and the forward pass of one sub-network over slices of the weights. Layer: training.
// Arithmetic that it prepares for: docs/numerics.md.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "braid/model/network.h"
#include "braid/tensor/group_set.h"
#include "braid/training/parameters.h"
#include "braid/training/torch.h"

namespace braid::training {

// The network sees (pixel - 128) * kInputStep, so that the integer 0, which pads, is the real 0.
inline constexpr double kInputStep = 1.0 / 64;

// What one forward pass notes for calibration: per layer the values before the activation.
struct Observation {
  std::vector<torch::Tensor> wide;  // [layers], [N,C,H,W]; undefined where a layer has none
};

class BraidedNet {
 public:
  // `skeleton` without weights (backbone.h). `normalized`: convolutions train with a private batch
  // normalization per sub-network until FoldNormalization. `bits` of rounded weights and
  // activations: a model file holds 8.
  BraidedNet(const model::Network& skeleton, std::vector<GroupSet> sub_networks, bool normalized,
             torch::Device device, int bits = 8);

  // He initialization; gains of narrow sub-networks start larger, since they sum fewer inputs.
  void Initialize(uint64_t seed);

  // [N,C,H,W] uint8 on any device -> the float input.
  torch::Tensor Input(const torch::Tensor& pixels) const;

  // Logits [N, classes] of sub-network `sub`, or what a convolutional head answers at every
  // position [N,C,H,W]; such a network takes images of any size. Where the sub-network is bounded,
  // activations and weights are rounded as the integers will be (straight-through gradients).
  // `training` selects batch statistics for normalization. `observation` may be null.
  torch::Tensor Forward(int sub, const torch::Tensor& x, bool training,
                        Observation* observation = nullptr);

  // What bounded sub-networks compute with. kRounded (the default): as the integers will. kBounded:
  // the same bounds, unrounded weights and activations: the float network that the integers stand
  // for. kUnbounded: plain ReLU, the float network before its bounds were measured.
  enum class Arithmetic : uint8_t { kRounded, kBounded, kUnbounded };
  void SetArithmetic(Arithmetic arithmetic) { arithmetic_ = arithmetic; }

  // Rounded weights are shared by the sub-networks of a step; call whenever weights have changed.
  void NewStep() { rounded_.assign(rounded_.size(), torch::Tensor()); }

  // Turns the running statistics of `sub` into gains and biases and stops normalizing it.
  void FoldNormalization(int sub);
  void SetBounds(int sub, const std::vector<double>& bounds);
  void ForgetBounds() { bounded_.assign(bounded_.size(), 0); }  // of all sub-networks

  int sub_network_count() const { return static_cast<int>(subs_.size()); }
  GroupSet groups(int sub) const { return subs_[static_cast<size_t>(sub)]; }
  int Find(GroupSet groups) const;  // -1 when there is none
  const model::Network& skeleton() const { return skeleton_; }
  Parameters& parameters() { return parameters_; }
  const Parameters& parameters() const { return parameters_; }
  torch::Device device() const { return device_; }
  int bits() const { return bits_; }

  bool bounded(int sub) const { return bounded_[static_cast<size_t>(sub)] != 0; }
  bool normalizing(int sub) const { return normalizing_[static_cast<size_t>(sub)] != 0; }
  // Bound of the layer's Bounded ReLU in real units; 0 where it has none.
  double bound(int sub, int layer) const;
  // Real value of one integer of the layer's map, where `sub` is bounded.
  double MapStep(int sub, int layer) const;
  // Shared weights [out, in, kh, kw] (in = of one group where the layer is grouped), and the rows
  // of `sub` in the gain and bias tables, all channels of the layer.
  torch::Tensor weight(int layer) const;
  torch::Tensor gain(int sub, int layer) const;
  torch::Tensor bias(int sub, int layer) const;

  // Flat 0/1 masks for freezing: the weight blocks [out group, in group] of `layer`s in which both
  // groups lie in `groups`; the gains and biases of one sub-network.
  void MarkBlocks(torch::Tensor& mask, GroupSet groups, double value) const;
  void MarkTables(torch::Tensor& mask, int sub, double value) const;

  // Everything that is not a parameter but is part of a checkpoint, by name.
  std::vector<std::pair<std::string, torch::Tensor>> Buffers() const;
  void AfterBuffersLoaded();

 private:
  // The channels of a sub-network within a dimension, which may be those of several layers' maps:
  // a slice, or a list where there are gaps.
  struct Selection {
    int64_t start = 0, length = 0, full = 0;
    torch::Tensor list;
  };
  struct LayerState {
    int weight = -1, gain = -1, bias = -1;    // indices of parameters
    std::vector<Selection> out, in;           // [subs]
    torch::Tensor running_mean, running_var;  // [subs, C], where normalized
  };

  static std::vector<ParameterSpec> Specs(const model::Network& skeleton, int64_t subs);
  static torch::Tensor Select(const torch::Tensor& t, int64_t dim, const Selection& selection);
  Selection MakeSelection(const std::vector<model::LayerIndex>& layers, GroupSet groups) const;
  torch::Tensor weight_shape_randn(int layer) const;
  torch::Tensor SlicedWeight(int sub, int layer);
  torch::Tensor BiasOf(int sub, int layer, const torch::Tensor& gain);
  torch::Tensor Activate(int sub, int layer, const torch::Tensor& wide, bool keep) const;

  model::Network skeleton_;
  std::vector<GroupSet> subs_;
  torch::Device device_;
  int bits_;
  Parameters parameters_;
  std::vector<LayerState> states_;
  std::vector<uint8_t> is_shortcut_source_;
  std::vector<size_t> last_reader_;  // [layers]: of its map
  torch::Tensor bounds_;  // [subs, layers] float64, CPU
  torch::Tensor flags_;   // [subs, 2] int64, CPU: bounded, normalizing (as checkpointed)
  std::vector<uint8_t> bounded_, normalizing_;
  Arithmetic arithmetic_ = Arithmetic::kRounded;
  std::vector<torch::Tensor> rounded_;  // [layers], of this step
};

}  // namespace braid::training
