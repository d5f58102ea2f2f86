#include "braid/convert/window_of.h"

#include <algorithm>
#include <string>
#include <vector>

namespace braid::convert {
namespace {

constexpr int64_t kMostSide = 1 << 14;

// Attribute `name` of two (or four) values, each in [least, kMostSide].
Result<std::vector<int64_t>> Extents(const OnnxNode& node, const char* name, size_t count,
                                     int64_t least, int64_t otherwise) {
  const auto found = node.ints.find(name);
  if (found == node.ints.end()) return std::vector<int64_t>(count, otherwise);
  const std::vector<int64_t>& values = found->second;
  const bool fits = values.size() == count && std::all_of(values.begin(), values.end(), [&](auto v) {
                      return v >= least && v <= kMostSide;
                    });
  if (!fits) return InvalidArgument(std::string("bad ") + name + " " + ShapeText(values));
  return values;
}

}  // namespace

Result<NodeWindow> WindowOf(const OnnxNode& node, int64_t in_h, int64_t in_w, int64_t kernel_h,
                            int64_t kernel_w) {
  BRAID_ASSIGN_OR_RETURN(const auto kernel, Extents(node, "kernel_shape", 2, 1, 0));
  BRAID_ASSIGN_OR_RETURN(const auto strides, Extents(node, "strides", 2, 1, 1));
  BRAID_ASSIGN_OR_RETURN(auto pads, Extents(node, "pads", 4, 0, 0));
  BRAID_ASSIGN_OR_RETURN(const auto dilations, Extents(node, "dilations", 2, 1, 1));
  if (dilations[0] != 1 || dilations[1] != 1) return Unimplemented("dilations");
  if (const auto ceil = node.ints.find("ceil_mode");
      ceil != node.ints.end() && ceil->second != std::vector<int64_t>{0}) {
    return Unimplemented("ceil_mode");
  }
  NodeWindow w;
  w.kernel_h = kernel_h != 0 ? kernel_h : kernel[0];
  w.kernel_w = kernel_w != 0 ? kernel_w : kernel[1];
  if (w.kernel_h == 0 || w.kernel_w == 0) return InvalidArgument("no kernel_shape");
  if (kernel[0] != 0 && (kernel[0] != w.kernel_h || kernel[1] != w.kernel_w)) {
    return InvalidArgument("kernel_shape is not that of the weights");
  }
  w.stride_h = strides[0], w.stride_w = strides[1];
  const auto found = node.strings.find("auto_pad");
  const std::string auto_pad = found == node.strings.end() ? "NOTSET" : found->second;
  if (auto_pad == "VALID") {
    pads.assign(4, 0);
  } else if (auto_pad == "SAME_UPPER" || auto_pad == "SAME_LOWER") {
    const auto same = [&](int64_t in, int64_t k, int64_t stride, int64_t& before, int64_t& after) {
      const int64_t sum = std::max<int64_t>(((in + stride - 1) / stride - 1) * stride + k - in, 0);
      before = auto_pad == "SAME_UPPER" ? sum / 2 : sum - sum / 2;
      after = sum - before;
    };
    same(in_h, w.kernel_h, w.stride_h, pads[0], pads[2]);
    same(in_w, w.kernel_w, w.stride_w, pads[1], pads[3]);
  } else if (auto_pad != "NOTSET") {
    return InvalidArgument("bad auto_pad");
  }
  w.pad_top = pads[0], w.pad_left = pads[1], w.pad_bottom = pads[2], w.pad_right = pads[3];
  const int64_t space_h = in_h + w.pad_top + w.pad_bottom - w.kernel_h;
  const int64_t space_w = in_w + w.pad_left + w.pad_right - w.kernel_w;
  if (space_h < 0 || space_w < 0) return InvalidArgument("the window is larger than the map");
  w.out_h = space_h / w.stride_h + 1;
  w.out_w = space_w / w.stride_w + 1;
  return w;
}

}  // namespace braid::convert
