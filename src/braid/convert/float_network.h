// What an ONNX network becomes on its way to integers: layers of a Braid network with real weights.
// Layer: convert.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "braid/base/status.h"
#include "braid/convert/onnx_graph.h"
#include "braid/model/network.h"

namespace braid::convert {

// x = scale * pixel + shift, per channel, is what the network computes with.
struct InputScaling {
  std::vector<double> scale, shift;  // [channels]
};

struct FloatLayer {
  std::string name;
  std::string value;  // of the ONNX graph: this layer's output, [N,C,H,W] or [N,C]
  // Where `value` is a concatenation: its channels in all, and which is the layer's first.
  int value_channels = 0, first_channel = 0;
  model::Op op = model::Op::kInput;
  int input = -1;     // index of the layer that is read
  std::vector<int> more_inputs;  // whose channels follow those of `input`: a concatenation
  int shortcut = -1;  // whose sum before its own activation is added
  model::Window window;
  int channels = 0, out_h = 0, out_w = 0;
  bool relu = false;
  int filter_channels = 0;  // input channels that a filter reads, as in model::Layer; 0: all
  double cap = 0;  // the graph's own upper bound (ReLU6), 0: none
  // OHWI [channels, kernel_h, kernel_w, channels of all inputs, or filter_channels] and [channels];
  // convolutions and heads.
  // A layer that reads the input has the input's scaling in both: it multiplies pixel - 128.
  std::vector<double> weights, bias;
  bool identity = false;  // made here, to carry a shortcut or to answer
};

struct FloatNetwork {
  std::vector<FloatLayer> layers;  // 0: the input; the last one is the head
  // What becomes of the head's answer: it tells classes (0), or restores the image, which it is added
  // to (1) or, in the graph, taken from (-1: the head's weights have the sign of what is added).
  int image_sign = 0;
  InputScaling scaling;
  bool nhwc = false;  // how the graph takes its input
  // [channels] what pads the image, in the integers' unit, pixel - 128: where x is 0, as the graph
  // pads. Empty where no layer pads the image.
  std::vector<double> padding;
  // Largest |x| of the pixel that pads the integer network (PaddingPixels): where it is not 0, maps
  // differ at the border from those of the graph.
  double padding_offset = 0;
};

// `padding` as pixels, [channels], the nearest that there are; empty where all are 128.
std::vector<uint8_t> PaddingPixels(const FloatNetwork& network);

// Reads a classifier, or a network that restores images, off `graph`; docs/onnx.md lists operators and forms. `scaling` has one entry or
// one for each channel. UNIMPLEMENTED names the node that cannot be taken and says why.
Result<FloatNetwork> LowerGraph(const OnnxGraph& graph, const InputScaling& scaling, int height,
                                int width, int channels);

}  // namespace braid::convert
