// Reads layers off the nodes of an ONNX graph, in order; an operator is a member, of one of the
// files lower_*.cc. Layer: convert. Internal to LowerGraph.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "braid/base/status.h"
#include "braid/convert/float_network.h"
#include "braid/convert/onnx_graph.h"
#include "braid/convert/window_of.h"

namespace braid::convert {

// What a value of the graph is: the output of a layer. `flat`: [N, C*H*W] in the order C, H, W.
// `channels_last`: the graph's input before it was transposed. `wide`: the layer's sum before its
// activation, which a later shortcut reads beside the map. `parts`: a concatenation of the outputs
// of several layers, of which `layer` is the first; empty elsewhere.
struct Part {
  int layer = 0;
  bool own = false;  // nothing but the concatenation reads it
};
struct Binding {
  int layer = 0;
  bool flat = false;
  bool channels_last = false;
  bool wide = false;
  std::vector<Part> parts = {};
};

class Lowering {
 public:
  Lowering(const OnnxGraph& graph, const InputScaling& scaling) : graph_(graph) {
    network_.scaling = scaling;
    constants_ = graph.constants;
  }

  Result<FloatNetwork> Run(int height, int width, int channels);

 private:
  FloatLayer& LayerOf(const Binding& binding);
  Status Input(int height, int width, int channels);
  Status Node(const OnnxNode& node);
  // A node that reads the restored image: nothing may follow but what leaves it as it is.
  Status BehindImage(const OnnxNode& node);
  // What input i is: of operators that do not take a concatenation, and of those that do.
  Result<Binding> Bound(const OnnxNode& node, size_t i) const;
  Result<Binding> BoundMaps(const OnnxNode& node, size_t i) const;
  static std::vector<Part> PartsOf(const Binding& binding);
  // Channels of all parts.
  int ChannelsOf(const Binding& binding) const;
  const OnnxTensor* Constant(const OnnxNode& node, size_t i) const;
  bool UsedOnce(const std::string& value) const;
  // Whether all that read the input of `node`, it aside, are additions of two maps.
  bool OthersAdd(const OnnxNode& node) const;
  // The layer's output is from now on the node's.
  Status Rebind(const OnnxNode& node, const Binding& binding);
  Status Append(const OnnxNode& node, FloatLayer layer, bool flat = false);
  // One layer for each part of `binding`, made by make(part's layer): Result<FloatLayer>.
  template <typename Make>
  Status AppendEach(const OnnxNode& node, const Binding& binding, Make make, bool flat = false);
  static bool HasWeights(const FloatLayer& layer) { return layer.op == model::Op::kConv; }
  // Whether a linear step after the layer can still be taken into its weights.
  Status Open(const OnnxNode& node, const Binding& binding, size_t i);
  // One value a channel of a constant [C], [1,C,1,1], [C,1,1], [1,C] or scalar.
  static Result<std::vector<double>> PerChannel(const OnnxTensor& constant, int channels,
                                                bool flat);
  // Outputs of a fully connected layer count as flat, and as a map of 1x1.
  static bool IsVector(const FloatLayer& layer) { return layer.out_h == 1 && layer.out_w == 1; }
  Status Alias(const OnnxNode& node);
  // Keeps the order of the logits, so the class stays; only as the last step.
  Status LastAlias(const OnnxNode& node);
  Status Transpose(const OnnxNode& node);
  // Weights of a layer over all channels of `binding`, with the input's scaling taken in.
  Status SetWeights(FloatLayer& layer, const Binding& binding, std::vector<double> weights,
                    std::vector<double> bias);
  Status Conv(const OnnxNode& node);
  // The layer's inputs are the parts of `binding`.
  void SetPadding();
  static void SetInputs(FloatLayer& layer, const Binding& binding);
  Status Concat(const OnnxNode& node);
  // y = x * factor + offset per channel, then perhaps a ReLU, as a depthwise convolution of 1x1:
  // for maps whose layers cannot take it into their weights.
  FloatLayer ChannelwiseOf(int layer, std::span<const double> factor,
                           std::span<const double> offset) const;
  // Puts such a layer behind a part of a concatenation, which it then is.
  void Carry(const OnnxNode& node, Part& part, int first_channel, std::span<const double> factor,
             std::span<const double> offset);
  // The part's layer, which from now on is what the node's output has at these channels.
  FloatLayer& ShowAs(const OnnxNode& node, const Part& part, int channels, int first_channel);
  // Linear steps and activations of a concatenation, part by part.
  Status ScaleParts(const OnnxNode& node, const Binding& binding, size_t i,
                    const std::vector<double>& factor, const std::vector<double>& offset);
  Status RectifyParts(const OnnxNode& node, const Binding& binding, double cap);
  // A linear step on a map that no convolution before it can take in.
  Status ScaleMap(const OnnxNode& node, const Binding& binding, size_t i,
                  const std::vector<double>& factor, const std::vector<double>& offset);
  static void SetWindow(FloatLayer& layer, const NodeWindow& from);
  // y = y * factor + offset, per channel, into the layer's weights and bias.
  static void Scale(FloatLayer& layer, const std::vector<double>& factor,
                    const std::vector<double>& offset);
  Status BatchNormalization(const OnnxNode& node);
  Status Rectify(const OnnxNode& node, double cap);
  Status Relu(const OnnxNode& node) { return Rectify(node, 0); }
  Status Clip(const OnnxNode& node);
  struct Limits {
    double low, high;
  };
  Limits LimitsOf(const OnnxNode& node, double otherwise_high) const;
  Status Add(const OnnxNode& node);
  Status Subtract(const OnnxNode& node);
  // Whether input i is the image itself, and what the node makes of it the graph's answer.
  bool AnswersWithImage(const OnnxNode& node, size_t i) const;
  // The image and what `answer` adds to it: a network that restores images.
  Status Restore(const OnnxNode& node, const Binding& input, const Binding& answer, int sign);
  // Whether `from` is computed out of `other`.
  bool Reaches(int from, int other) const;
  // A 1x1 convolution that passes its input on: a shortcut is a convolution's sum before its
  // activation, and here what is added is a map behind one.
  Result<int> IdentityOf(const Binding& binding);
  // Add, Sub, Mul, Div with a constant: of the input's scaling, or of a convolution.
  Status Affine(const OnnxNode& node);
  Status MaxPool(const OnnxNode& node);
  Status AveragePool(const OnnxNode& node);
  Status Flatten(const OnnxNode& node);
  Status Gemm(const OnnxNode& node);
  // Steps of a quantized model are not kept: Braid finds its own bounds. Its saturation may be the
  // ReLU, though: a zero point at the lowest value.
  Status Quantize(const OnnxNode& node);
  Status Dequantize(const OnnxNode& node);
  // The layers that the answer needs, each after what it reads; the last one as the head.
  Result<FloatNetwork> Finish();

  const OnnxGraph& graph_;
  FloatNetwork network_;
  std::map<std::string, OnnxTensor> constants_;
  std::map<std::string, Binding> bound_;
  std::map<std::string, int> uses_;
  bool final_seen_ = false;
};

}  // namespace braid::convert
