// Convolutions and matrix products, float and integer. Layer: convert.
#include <algorithm>
#include <cmath>
#include <limits>

#include "braid/convert/node_run.h"

namespace braid::convert {

Result<OnnxTensor> NodeRun::Convolve(const OnnxTensor& x, const OnnxTensor& w,
                                     const OnnxTensor* bias) {
  BRAID_RETURN_IF_ERROR(Rank(x, 4));
  BRAID_RETURN_IF_ERROR(Rank(w, 4));
  const int64_t groups = Int("group", 1), c_in = x.shape[1], c_out = w.shape[0];
  if (groups < 1 || c_in % groups != 0 || c_out % groups != 0 || w.shape[1] != c_in / groups ||
      c_out == 0 || c_in == 0) {
    return InvalidArgument("weights " + ShapeText(w.shape) + " do not fit the map " +
                           ShapeText(x.shape));
  }
  if (bias != nullptr && bias->Elements() != c_out)
    return InvalidArgument("a bias of another size");
  BRAID_ASSIGN_OR_RETURN(const NodeWindow win,
                         WindowOf(node_, x.shape[2], x.shape[3], w.shape[2], w.shape[3]));
  BRAID_ASSIGN_OR_RETURN(OnnxTensor out,
                         MakeTensor({x.shape[0], c_out, win.out_h, win.out_w}, x.integer));
  BRAID_RETURN_IF_ERROR(Work(out.Elements() * (w.Elements() / c_out)));
  const int64_t h = x.shape[2], width = x.shape[3], per = w.shape[1], out_per = c_out / groups;
  double* to = out.values.data();
  for (int64_t n = 0; n < x.shape[0]; ++n) {
    for (int64_t o = 0; o < c_out; ++o) {
      const int64_t first = o / out_per * per;
      const double start = bias != nullptr ? bias->values[static_cast<size_t>(o)] : 0;
      std::fill(to, to + win.out_h * win.out_w, start);
      for (int64_t i = 0; i < per; ++i) {
        const double* map = x.values.data() + (n * c_in + first + i) * h * width;
        const double* kernel = w.values.data() + (o * per + i) * win.kernel_h * win.kernel_w;
        AddPlane(win, h, width, map, kernel, to);
      }
      to += win.out_h * win.out_w;
    }
  }
  return out;
}

void NodeRun::AddPlane(const NodeWindow& win, int64_t h, int64_t width, const double* map,
                       const double* kernel, double* to) {
  for (int64_t ky = 0; ky < win.kernel_h; ++ky) {
    for (int64_t kx = 0; kx < win.kernel_w; ++kx) {
      const double factor = kernel[ky * win.kernel_w + kx];
      if (factor == 0) continue;
      for (int64_t y = 0; y < win.out_h; ++y) {
        const int64_t in_y = y * win.stride_h - win.pad_top + ky;
        if (in_y < 0 || in_y >= h) continue;
        for (int64_t x = 0; x < win.out_w; ++x) {
          const int64_t in_x = x * win.stride_w - win.pad_left + kx;
          if (in_x >= 0 && in_x < width) {
            to[y * win.out_w + x] += factor * map[in_y * width + in_x];
          }
        }
      }
    }
  }
}

Result<OnnxTensor> NodeRun::Conv() {
  BRAID_RETURN_IF_ERROR(Need(2));
  return Convolve(In(0), In(1), Has(2) ? inputs_[2] : nullptr);
}

OnnxTensor NodeRun::WithoutZero(const OnnxTensor& tensor, size_t zero) const {
  OnnxTensor out = tensor;
  if (Has(zero) && !In(zero).values.empty()) {
    for (double& value : out.values) value -= In(zero).values[0];
  }
  return out;
}

Result<OnnxTensor> NodeRun::ConvInteger() {
  BRAID_RETURN_IF_ERROR(Need(2));
  if (Has(3) && In(3).Elements() != 1) return Unimplemented("a zero point for each channel");
  return Convolve(WithoutZero(In(0), 2), WithoutZero(In(1), 3), nullptr);
}

Result<OnnxTensor> NodeRun::Product(const OnnxTensor& a, const OnnxTensor& b) {
  BRAID_RETURN_IF_ERROR(Rank(a, 2));
  BRAID_RETURN_IF_ERROR(Rank(b, 2));
  const int64_t m = a.shape[0], k = a.shape[1], n = b.shape[1];
  if (b.shape[0] != k) {
    return InvalidArgument("matrices " + ShapeText(a.shape) + " and " + ShapeText(b.shape) +
                           " do not go together");
  }
  BRAID_ASSIGN_OR_RETURN(OnnxTensor out, MakeTensor({m, n}, a.integer && b.integer));
  BRAID_RETURN_IF_ERROR(Work(m * k * n));
  for (int64_t i = 0; i < m; ++i) {
    double* row = out.values.data() + i * n;
    for (int64_t l = 0; l < k; ++l) {
      const double factor = a.values[static_cast<size_t>(i * k + l)];
      const double* from = b.values.data() + l * n;
      for (int64_t j = 0; j < n; ++j) row[j] += factor * from[j];
    }
  }
  return out;
}

Result<OnnxTensor> NodeRun::MatMul() {
  BRAID_RETURN_IF_ERROR(Need(2));
  return Product(In(0), In(1));
}

Result<OnnxTensor> NodeRun::MatMulInteger() {
  BRAID_RETURN_IF_ERROR(Need(2));
  return Product(WithoutZero(In(0), 2), WithoutZero(In(1), 3));
}

Result<OnnxTensor> NodeRun::Turned(const OnnxTensor& from) {
  BRAID_RETURN_IF_ERROR(Rank(from, 2));
  BRAID_ASSIGN_OR_RETURN(OnnxTensor to, MakeTensor({from.shape[1], from.shape[0]}, from.integer));
  const auto rows = static_cast<size_t>(from.shape[0]),
             columns = static_cast<size_t>(from.shape[1]);
  for (size_t r = 0; r < rows; ++r) {
    for (size_t c = 0; c < columns; ++c) to.values[c * rows + r] = from.values[r * columns + c];
  }
  return to;
}

Result<OnnxTensor> NodeRun::Gemm() {
  BRAID_RETURN_IF_ERROR(Need(2));
  OnnxTensor a = In(0), b = In(1);
  if (Int("transA", 0) != 0) {
    BRAID_ASSIGN_OR_RETURN(a, Turned(a));
  }
  if (Int("transB", 0) != 0) {
    BRAID_ASSIGN_OR_RETURN(b, Turned(b));
  }
  BRAID_ASSIGN_OR_RETURN(OnnxTensor out, Product(a, b));
  const double alpha = Float("alpha", 1), beta = Float("beta", 1);
  const auto columns = static_cast<size_t>(out.shape[1]);
  const size_t biases = Has(2) ? static_cast<size_t>(In(2).Elements()) : 0;
  if (Has(2) && biases != columns && biases != 1) return InvalidArgument("a bias of another size");
  for (size_t i = 0; i < out.values.size(); ++i) {
    const double bias = biases == 0 ? 0 : In(2).values[biases == 1 ? 0 : i % columns];
    out.values[i] = alpha * out.values[i] + beta * bias;
  }
  return out;
}

}  // namespace braid::convert
