// A sub-network in ONNX's integer operators: the same bits. Layer: convert, internal.
#pragma once

#include "braid/convert/term_writer.h"

namespace braid::convert {

// Maps are uint8: u7 with the zero point 0, s8 with 128. Floor divisions by 2^s are (p - p mod 2^s)
// / 2^s, since ONNX divides towards 0 and shifts unsigned numbers only.
class IntegerForm final : public TermWriter {
 public:
  IntegerForm(const model::Network& network, int sub_network, int term, GraphWriter& graph);

 private:
  Result<std::string> Input(const std::string& pixels) override;
  Result<std::string> Convolution(model::LayerIndex l) override;
  Result<std::string> SumPool(model::LayerIndex l) override;
  Result<std::string> MaxPool(model::LayerIndex l) override;
  Result<std::string> Head(model::LayerIndex l) override;

  std::string AsSigned(model::LayerIndex map) override;
  std::string PixelConstant(model::LayerIndex l, uint8_t pixel) override;
  std::string Joined(model::LayerIndex l, const std::string& value, ElementKind kind) override;

  // Accumulators of a layer with a window, [N,C,H,W], and of a head that reads its map whole,
  // [N,C].
  Result<std::string> MapProducts(model::LayerIndex l);
  Result<std::string> VectorProducts(model::LayerIndex l);
  // The constant of the zero point of maps of `kind`.
  const std::string& Zero(ElementKind kind) const;
  const std::string& ZeroOf(model::LayerIndex l) const { return Zero(KindOf(l)); }
  std::string Clamp(model::LayerIndex l, const std::string& what, const std::string& value,
                    const std::vector<int64_t>& shape, const std::vector<int32_t>& low,
                    const std::vector<int32_t>& high);
  // (value * mul + 2^(shift-1)) >> shift. `positive`: the product is never negative.
  std::string MultiplyAndShift(model::LayerIndex l, const std::string& what,
                               const std::string& value, const std::vector<int64_t>& shape,
                               const std::vector<int32_t>& mul, int shift, bool positive);
  // Equations 3 and 4 of docs/numerics.md, from the accumulator to the map.
  std::string Epilogue(model::LayerIndex l, const std::string& accumulator);

  std::string zero_u7_, zero_s8_;
  std::map<model::LayerIndex, std::string> signed_;  // u7 maps as s8 ones
};

}  // namespace braid::convert
