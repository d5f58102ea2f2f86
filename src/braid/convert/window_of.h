// The window of a convolution or pooling node. Layer: convert, internal.
#pragma once

#include <cstdint>

#include "braid/base/status.h"
#include "braid/convert/onnx_graph.h"

namespace braid::convert {

struct NodeWindow {
  int64_t kernel_h = 1, kernel_w = 1, stride_h = 1, stride_w = 1;
  int64_t pad_top = 0, pad_left = 0, pad_bottom = 0, pad_right = 0;
  int64_t out_h = 0, out_w = 0;
};

// `in_h` x `in_w`: the map; `kernel_h` x `kernel_w`: of the weights, 0 for pools (then the attribute
// is needed). Errors do not name the node. UNIMPLEMENTED: dilations, ceil_mode.
Result<NodeWindow> WindowOf(const OnnxNode& node, int64_t in_h, int64_t in_w, int64_t kernel_h,
                            int64_t kernel_w);

}  // namespace braid::convert
