// Windows over maps without weights, and padding. Layer: convert.
#include <algorithm>
#include <cmath>
#include <limits>

#include "braid/convert/node_run.h"

namespace braid::convert {

Result<OnnxTensor> NodeRun::Pad() {
  if (const auto mode = node_.strings.find("mode");
      mode != node_.strings.end() && mode->second != "constant") {
    return Unimplemented("mode " + mode->second);
  }
  std::vector<int64_t> pads;
  double fill = Float("value", 0);
  if (const auto found = node_.ints.find("pads"); found != node_.ints.end()) pads = found->second;
  if (Has(1)) {
    for (const double v : In(1).values) {
      if (!(v >= 0 && v <= (1 << 14))) return InvalidArgument("a bad pad");
      pads.push_back(static_cast<int64_t>(v));
    }
  }
  if (Has(2) && !In(2).values.empty()) fill = In(2).values[0];
  const OnnxTensor& x = In();
  BRAID_RETURN_IF_ERROR(Rank(x, 4));
  if (pads.size() != 8 ||
      std::any_of(pads.begin(), pads.end(), [](int64_t p) { return p < 0 || p > (1 << 14); }) ||
      pads[0] != 0 || pads[1] != 0 || pads[4] != 0 || pads[5] != 0) {
    return InvalidArgument("bad pads " + ShapeText(pads));
  }
  const int64_t h = x.shape[2], w = x.shape[3];
  BRAID_ASSIGN_OR_RETURN(OnnxTensor out, MakeTensor({x.shape[0], x.shape[1], h + pads[2] + pads[6],
                                                     w + pads[3] + pads[7]},
                                                    x.integer));
  std::fill(out.values.begin(), out.values.end(), fill);
  for (int64_t plane = 0; plane < x.shape[0] * x.shape[1]; ++plane) {
    for (int64_t y = 0; y < h; ++y) {
      std::copy_n(
          x.values.begin() + (plane * h + y) * w, w,
          out.values.begin() + (plane * out.shape[2] + y + pads[2]) * out.shape[3] + pads[3]);
    }
  }
  return out;
}

Result<OnnxTensor> NodeRun::Pool() {
  const OnnxTensor& x = In();
  BRAID_RETURN_IF_ERROR(Rank(x, 4));
  const bool maximum = node_.op == "MaxPool";
  const bool count_padding = Int("count_include_pad", 0) != 0;
  BRAID_ASSIGN_OR_RETURN(const NodeWindow win, WindowOf(node_, x.shape[2], x.shape[3], 0, 0));
  BRAID_ASSIGN_OR_RETURN(OnnxTensor out,
                         MakeTensor({x.shape[0], x.shape[1], win.out_h, win.out_w}, x.integer));
  BRAID_RETURN_IF_ERROR(Work(out.Elements() * win.kernel_h * win.kernel_w));
  const int64_t h = x.shape[2], w = x.shape[3];
  double* to = out.values.data();
  for (int64_t plane = 0; plane < x.shape[0] * x.shape[1]; ++plane) {
    const double* map = x.values.data() + plane * h * w;
    for (int64_t y = 0; y < win.out_h; ++y) {
      for (int64_t xx = 0; xx < win.out_w; ++xx) {
        double sum = 0, most = -std::numeric_limits<double>::infinity();
        int64_t inside = 0;
        for (int64_t ky = 0; ky < win.kernel_h; ++ky) {
          for (int64_t kx = 0; kx < win.kernel_w; ++kx) {
            const int64_t in_y = y * win.stride_h - win.pad_top + ky;
            const int64_t in_x = xx * win.stride_w - win.pad_left + kx;
            if (in_y < 0 || in_y >= h || in_x < 0 || in_x >= w) continue;
            sum += map[in_y * w + in_x];
            most = std::max(most, map[in_y * w + in_x]);
            ++inside;
          }
        }
        if (inside == 0) return InvalidArgument("a window that lies in the padding");
        const int64_t divisor = count_padding ? win.kernel_h * win.kernel_w : inside;
        *to++ = maximum ? most : sum / static_cast<double>(divisor);
      }
    }
  }
  return out;
}

Result<OnnxTensor> NodeRun::GlobalAveragePool() {
  const OnnxTensor& x = In();
  BRAID_RETURN_IF_ERROR(Rank(x, 4));
  BRAID_ASSIGN_OR_RETURN(OnnxTensor out, MakeTensor({x.shape[0], x.shape[1], 1, 1}));
  const auto inner = static_cast<size_t>(x.shape[2] * x.shape[3]);
  if (inner == 0) return InvalidArgument("an empty map");
  for (size_t i = 0; i < x.values.size(); ++i) {
    out.values[i / inner] += x.values[i] / static_cast<double>(inner);
  }
  return out;
}

Result<OnnxTensor> NodeRun::ReduceMean() {
  const auto axes = node_.ints.find("axes");
  if (axes == node_.ints.end() ||
      (axes->second != std::vector<int64_t>{2, 3} && axes->second != std::vector<int64_t>{-2, -1} &&
       axes->second != std::vector<int64_t>{-1, -2})) {
    return Unimplemented("only over height and width");
  }
  BRAID_ASSIGN_OR_RETURN(OnnxTensor out, GlobalAveragePool());
  if (Int("keepdims", 1) == 0) out.shape.resize(2);
  return out;
}

}  // namespace braid::convert
