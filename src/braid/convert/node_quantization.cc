// QuantizeLinear and DequantizeLinear. Layer: convert.
#include <algorithm>
#include <cmath>
#include <limits>

#include "braid/convert/node_run.h"

namespace braid::convert {

namespace {

double HalfToEven(double value) { return std::nearbyint(value); }  // the default rounding mode

}  // namespace

Status NodeRun::PerAxis(size_t& inner, size_t& count) {
  BRAID_RETURN_IF_ERROR(Need(2));
  count = In(1).values.size();
  inner = 1;
  if (count == 1) return OkStatus();
  const auto rank = static_cast<int64_t>(In().shape.size());
  int64_t axis = Int("axis", 1);
  if (axis < 0) axis += rank;
  if (axis < 0 || axis >= rank ||
      In().shape[static_cast<size_t>(axis)] != static_cast<int64_t>(count)) {
    return InvalidArgument("scales of another size");
  }
  for (size_t d = static_cast<size_t>(axis) + 1; d < In().shape.size(); ++d) {
    inner *= static_cast<size_t>(In().shape[d]);
  }
  if (Has(2) && In(2).values.size() != count) return InvalidArgument("zero points of another size");
  return OkStatus();
}

double NodeRun::Zero(size_t index) const {
  if (!Has(2) || In(2).values.empty()) return 0;
  return In(2).values[std::min(index, In(2).values.size() - 1)];
}

Result<OnnxTensor> NodeRun::Quantize() {
  size_t inner, count;
  BRAID_RETURN_IF_ERROR(PerAxis(inner, count));
  OnnxTensor out = In();
  out.integer = true;
  if (Has(2)) out.least = In(2).least, out.most = In(2).most;  // uint8 without a zero point
  for (size_t i = 0; i < out.values.size(); ++i) {
    const size_t c = i / inner % count;
    const double rounded = HalfToEven(out.values[i] / In(1).values[c]) + Zero(c);
    out.values[i] = std::clamp(rounded, out.least, out.most);
  }
  return out;
}

Result<OnnxTensor> NodeRun::Dequantize() {
  size_t inner, count;
  BRAID_RETURN_IF_ERROR(PerAxis(inner, count));
  OnnxTensor out = In();
  out.integer = false;
  for (size_t i = 0; i < out.values.size(); ++i) {
    const size_t c = i / inner % count;
    out.values[i] = (out.values[i] - Zero(c)) * In(1).values[c];
  }
  return out;
}

}  // namespace braid::convert
