// A sub-network as float operators between quantized maps. Layer: convert, internal.
#pragma once

#include "braid/convert/term_writer.h"

namespace braid::convert {

// Real units: one step of a map is 1.0, so that every map has the scale 1 (zero point 0 for u7, 128
// for s8), and the scale of a channel's weights is |mul| / 2^24; a negative multiplier turns the
// signs of weights and bias. Braid rounds halves up, ONNX to even, and runtimes multiply in float:
// maps may differ by one step now and then.
class QdqForm final : public TermWriter {
 public:
  QdqForm(const model::Network& network, int sub_network, int term, GraphWriter& graph);

 private:
  Result<std::string> Input(const std::string& pixels) override;
  Result<std::string> Convolution(model::LayerIndex l) override;
  Result<std::string> SumPool(model::LayerIndex l) override;
  Result<std::string> MaxPool(model::LayerIndex l) override;
  Result<std::string> Head(model::LayerIndex l) override;

  std::string AsSigned(model::LayerIndex map) override { return Map(map); }
  std::string PixelConstant(model::LayerIndex l, uint8_t pixel) override;
  std::string Joined(model::LayerIndex l, const std::string& value, ElementKind kind) override;

  // int8 weights and int32 bias behind DequantizeLinear, in units of 2^-shift.
  struct Parameters {
    std::string weights, bias;
    int64_t filter_groups = 1;
  };
  Parameters Quantized(model::LayerIndex l, int shift, std::vector<int64_t> weight_shape);
  // Sums with their bias, in units of 2^-shift: of a layer with a window, [N,C,H,W], and of a head
  // that reads its map whole, [N,C].
  Result<std::string> MapSums(model::LayerIndex l, int shift);
  Result<std::string> VectorSums(model::LayerIndex l);
  std::string PerChannelFloat(model::LayerIndex l, const std::string& what,
                              const std::vector<float>& values);
  // The real value of the earlier convolution's accumulator, in this layer's units.
  Result<std::string> Shortcut(model::LayerIndex l);
  // Clip to the kind's range, quantize, dequantize.
  std::string Requantize(model::LayerIndex l, const std::string& value);
  std::string Requantized(model::LayerIndex l, const std::string& value, const std::string& zero);

  std::string scale_, zero_u7_, zero_s8_;
  std::string least_, none_, most_;
};

}  // namespace braid::convert
