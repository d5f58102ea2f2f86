// A model's operating point as an ONNX file that other runtimes execute. Layer: convert.
// docs/onnx.md says what is equal and what is not.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "braid/base/status.h"
#include "braid/model/network.h"

namespace braid::convert {

enum class OnnxForm : uint8_t {
  // ConvInteger, MatMulInteger and 32-bit integer arithmetic: the same logits, bit for bit.
  kInteger,
  // QuantizeLinear and DequantizeLinear around float operators, which runtimes fuse into their own
  // 8-bit kernels: the same weights and steps, roundings in float.
  kQdq,
};

struct OnnxOptions {
  OnnxForm form = OnnxForm::kQdq;
  std::string version;  // of the program, into the file
};

// An ONNX model (opset 13) with input `input` uint8 [N,H,W,C] pixels. A classifier has the outputs
// `logits` [N,classes] (int32, in form kQdq float in the same unit) and `class` int64 [N] (the smallest
// index of the largest logit). A head that answers with a map has `logits` [N,H,W,C], and that of a
// network that restores images (RestorationRadius) also `restored` uint8 [N,H,W,1], of images of any
// size. `network` has passed Validate; `point` is one of its points.
// RESOURCE_EXHAUSTED where the file would pass 2 GiB; UNIMPLEMENTED names what kQdq cannot express: a
// shortcut from a channel whose multiplier is 0.
Result<std::vector<uint8_t>> ExportOnnx(const model::Network& network,
                                        const model::OperatingPoint& point,
                                        const OnnxOptions& options);

}  // namespace braid::convert
