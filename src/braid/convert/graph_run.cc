#include "braid/convert/graph_run.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>

#include "braid/convert/window_of.h"

namespace braid::convert {
namespace {

constexpr int64_t kMostWork = int64_t{1} << 36;

Result<OnnxTensor> MakeTensor(std::vector<int64_t> shape, bool integer = false) {
  int64_t elements = 1;
  for (const int64_t extent : shape) {
    if (extent < 0) return InvalidArgument("a negative extent");
    elements *= std::max<int64_t>(extent, 1);
    if (elements > kMaxOnnxElements) return ResourceExhausted("a value of more than 2^26 elements");
  }
  OnnxTensor tensor;
  tensor.shape = std::move(shape);
  tensor.integer = integer;
  tensor.values.resize(static_cast<size_t>(tensor.Elements()));
  return tensor;
}

double HalfToEven(double value) { return std::nearbyint(value); }  // the default rounding mode

// Runs one node: its inputs by position, nullptr where left out.
class NodeRun {
 public:
  NodeRun(const OnnxNode& node, std::vector<const OnnxTensor*> inputs, int64_t& work)
      : node_(node), inputs_(std::move(inputs)), work_(work) {}

  Result<OnnxTensor> Run() {
    using Binary = std::function<double(double, double)>;
    static const std::map<std::string, Binary> kBinary = {
        {"Add", [](double a, double b) { return a + b; }},
        {"Sub", [](double a, double b) { return a - b; }},
        {"Mul", [](double a, double b) { return a * b; }},
        {"Max", [](double a, double b) { return std::max(a, b); }},
        {"Min", [](double a, double b) { return std::min(a, b); }},
        {"Mod", [](double a, double b) { return a - std::floor(a / b) * b; }}};
    static const std::map<std::string, Result<OnnxTensor> (NodeRun::*)()> kOthers = {
        {"Conv", &NodeRun::Conv},
        {"ConvInteger", &NodeRun::ConvInteger},
        {"MatMul", &NodeRun::MatMul},
        {"MatMulInteger", &NodeRun::MatMulInteger},
        {"Gemm", &NodeRun::Gemm},
        {"BatchNormalization", &NodeRun::BatchNormalization},
        {"Relu", &NodeRun::Relu},
        {"Clip", &NodeRun::Clip},
        {"Div", &NodeRun::Div},
        {"Cast", &NodeRun::Cast},
        {"Pad", &NodeRun::Pad},
        {"MaxPool", &NodeRun::Pool},
        {"AveragePool", &NodeRun::Pool},
        {"GlobalAveragePool", &NodeRun::GlobalAveragePool},
        {"ReduceMean", &NodeRun::ReduceMean},
        {"Squeeze", &NodeRun::Squeeze},
        {"Flatten", &NodeRun::Flatten},
        {"Reshape", &NodeRun::Reshape},
        {"Transpose", &NodeRun::Transpose},
        {"QuantizeLinear", &NodeRun::Quantize},
        {"DequantizeLinear", &NodeRun::Dequantize},
        {"Softmax", &NodeRun::Softmax},
        {"LogSoftmax", &NodeRun::Softmax},
        {"ArgMax", &NodeRun::ArgMax},
        {"Identity", &NodeRun::Identity},
        {"Dropout", &NodeRun::Identity}};
    if (const auto binary = kBinary.find(node_.op); binary != kBinary.end()) {
      BRAID_RETURN_IF_ERROR(Need(2));
      if (inputs_.size() != 2) return Unimplemented("other than two inputs");
      return Broadcast(binary->second);
    }
    const auto other = kOthers.find(node_.op);
    if (other == kOthers.end()) return Unimplemented("this operator is not supported");
    BRAID_RETURN_IF_ERROR(Need(1));
    return (this->*other->second)();
  }

 private:
  Status Need(size_t count) const {
    for (size_t i = 0; i < count; ++i) {
      if (i >= inputs_.size() || inputs_[i] == nullptr) {
        return InvalidArgument("input " + std::to_string(i) + " is missing");
      }
    }
    return OkStatus();
  }
  const OnnxTensor& In(size_t i = 0) const { return *inputs_[i]; }
  bool Has(size_t i) const { return i < inputs_.size() && inputs_[i] != nullptr; }

  int64_t Int(const char* name, int64_t otherwise) const {
    const auto found = node_.ints.find(name);
    return found != node_.ints.end() && found->second.size() == 1 ? found->second[0] : otherwise;
  }
  double Float(const char* name, double otherwise) const {
    const auto found = node_.floats.find(name);
    return found != node_.floats.end() ? found->second : otherwise;
  }

  Status Work(int64_t multiplications) {
    work_ += std::max<int64_t>(multiplications, 1);
    return work_ > kMostWork ? ResourceExhausted("more than 2^36 operations") : OkStatus();
  }

  static Status Rank(const OnnxTensor& tensor, size_t rank) {
    if (tensor.shape.size() == rank) return OkStatus();
    return InvalidArgument("a value of shape " + ShapeText(tensor.shape) + ", expected rank " +
                           std::to_string(rank));
  }

  Result<OnnxTensor> Broadcast(const std::function<double(double, double)>& op) {
    const OnnxTensor &a = In(0), &b = In(1);
    const size_t rank = std::max(a.shape.size(), b.shape.size());
    std::vector<int64_t> shape(rank), step_a(rank, 0), step_b(rank, 0);
    int64_t run_a = 1, run_b = 1;
    for (size_t i = 0; i < rank; ++i) {  // from the last dimension
      const auto extent = [i](const OnnxTensor& t) {
        return i < t.shape.size() ? t.shape[t.shape.size() - 1 - i] : 1;
      };
      const int64_t ea = extent(a), eb = extent(b);
      if (ea != eb && ea != 1 && eb != 1) {
        return InvalidArgument("shapes " + ShapeText(a.shape) + " and " + ShapeText(b.shape) +
                               " do not go together");
      }
      shape[rank - 1 - i] = ea == 1 ? eb : ea;
      step_a[rank - 1 - i] = ea == 1 ? 0 : run_a;
      step_b[rank - 1 - i] = eb == 1 ? 0 : run_b;
      run_a *= ea, run_b *= eb;
    }
    BRAID_ASSIGN_OR_RETURN(OnnxTensor out, MakeTensor(shape, a.integer && b.integer));
    std::vector<int64_t> at(rank, 0);
    int64_t ia = 0, ib = 0;
    for (double& value : out.values) {
      value = op(a.values[static_cast<size_t>(ia)], b.values[static_cast<size_t>(ib)]);
      for (size_t d = rank; d-- > 0;) {
        ia += step_a[d], ib += step_b[d];
        if (++at[d] < shape[d]) break;
        ia -= step_a[d] * shape[d], ib -= step_b[d] * shape[d];
        at[d] = 0;
      }
    }
    return out;
  }

  Result<OnnxTensor> Map(const std::function<double(double)>& op) const {
    OnnxTensor out = In();
    for (double& value : out.values) value = op(value);
    return out;
  }

  Result<OnnxTensor> Identity() { return In(); }
  Result<OnnxTensor> Relu() {
    return Map([](double v) { return std::max(v, 0.0); });
  }
  Result<OnnxTensor> Div() {
    BRAID_RETURN_IF_ERROR(Need(2));
    const bool whole = In(0).integer && In(1).integer;
    return Broadcast([whole](double a, double b) { return whole ? std::trunc(a / b) : a / b; });
  }
  Result<OnnxTensor> Clip() {
    double low = Float("min", -std::numeric_limits<double>::infinity());
    double high = Float("max", std::numeric_limits<double>::infinity());
    if (Has(1) && !In(1).values.empty()) low = In(1).values[0];
    if (Has(2) && !In(2).values.empty()) high = In(2).values[0];
    return Map([=](double v) { return std::min(std::max(v, low), high); });
  }
  Result<OnnxTensor> Cast() {
    // 1, 10, 11, 16: the floating-point types.
    const int64_t to = Int("to", 0);
    OnnxTensor out = In();
    out.integer = to != 1 && to != 10 && to != 11 && to != 16;
    if (out.integer) {
      for (double& value : out.values) value = std::trunc(value);
    }
    return out;
  }

  // `x` [N,C,H,W], `w` [O,C/group,kh,kw], already without zero points.
  Result<OnnxTensor> Convolve(const OnnxTensor& x, const OnnxTensor& w, const OnnxTensor* bias) {
    BRAID_RETURN_IF_ERROR(Rank(x, 4));
    BRAID_RETURN_IF_ERROR(Rank(w, 4));
    const int64_t groups = Int("group", 1), c_in = x.shape[1], c_out = w.shape[0];
    if (groups < 1 || c_in % groups != 0 || c_out % groups != 0 || w.shape[1] != c_in / groups ||
        c_out == 0 || c_in == 0) {
      return InvalidArgument("weights " + ShapeText(w.shape) + " do not fit the map " +
                             ShapeText(x.shape));
    }
    if (bias != nullptr && bias->Elements() != c_out) return InvalidArgument("a bias of another size");
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

  static void AddPlane(const NodeWindow& win, int64_t h, int64_t width, const double* map,
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

  Result<OnnxTensor> Conv() {
    BRAID_RETURN_IF_ERROR(Need(2));
    return Convolve(In(0), In(1), Has(2) ? inputs_[2] : nullptr);
  }

  // `tensor` minus its zero point, where input `zero` gives one.
  OnnxTensor WithoutZero(const OnnxTensor& tensor, size_t zero) const {
    OnnxTensor out = tensor;
    if (Has(zero) && !In(zero).values.empty()) {
      for (double& value : out.values) value -= In(zero).values[0];
    }
    return out;
  }

  Result<OnnxTensor> ConvInteger() {
    BRAID_RETURN_IF_ERROR(Need(2));
    if (Has(3) && In(3).Elements() != 1) return Unimplemented("a zero point for each channel");
    return Convolve(WithoutZero(In(0), 2), WithoutZero(In(1), 3), nullptr);
  }

  Result<OnnxTensor> Product(const OnnxTensor& a, const OnnxTensor& b) {
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

  Result<OnnxTensor> MatMul() {
    BRAID_RETURN_IF_ERROR(Need(2));
    return Product(In(0), In(1));
  }
  Result<OnnxTensor> MatMulInteger() {
    BRAID_RETURN_IF_ERROR(Need(2));
    return Product(WithoutZero(In(0), 2), WithoutZero(In(1), 3));
  }

  static Result<OnnxTensor> Turned(const OnnxTensor& from) {
    BRAID_RETURN_IF_ERROR(Rank(from, 2));
    BRAID_ASSIGN_OR_RETURN(OnnxTensor to, MakeTensor({from.shape[1], from.shape[0]}, from.integer));
    const auto rows = static_cast<size_t>(from.shape[0]), columns = static_cast<size_t>(from.shape[1]);
    for (size_t r = 0; r < rows; ++r) {
      for (size_t c = 0; c < columns; ++c) to.values[c * rows + r] = from.values[r * columns + c];
    }
    return to;
  }

  Result<OnnxTensor> Gemm() {
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

  Result<OnnxTensor> BatchNormalization() {
    BRAID_RETURN_IF_ERROR(Need(5));
    OnnxTensor out = In();
    if (out.shape.size() < 2) return InvalidArgument("a value without channels");
    const auto channels = static_cast<size_t>(out.shape[1]);
    for (size_t i = 1; i < 5; ++i) {
      if (In(i).values.size() != channels) return InvalidArgument("statistics of another size");
    }
    const double epsilon = Float("epsilon", 1e-5);
    size_t inner = 1;
    for (size_t d = 2; d < out.shape.size(); ++d) inner *= static_cast<size_t>(out.shape[d]);
    for (size_t i = 0; i < out.values.size(); ++i) {
      const size_t c = i / inner % channels;
      out.values[i] = (out.values[i] - In(3).values[c]) / std::sqrt(In(4).values[c] + epsilon) *
                          In(1).values[c] +
                      In(2).values[c];
    }
    return out;
  }

  Result<OnnxTensor> Pad() {
    if (const auto mode = node_.strings.find("mode");
        mode != node_.strings.end() && mode->second != "constant") {
      return Unimplemented("mode " + mode->second);
    }
    std::vector<int64_t> pads;
    double fill = Float("value", 0);
    if (const auto found = node_.ints.find("pads"); found != node_.ints.end()) pads = found->second;
    if (Has(1)) {
      for (const double v : In(1).values) pads.push_back(static_cast<int64_t>(v));
    }
    if (Has(2) && !In(2).values.empty()) fill = In(2).values[0];
    const OnnxTensor& x = In();
    BRAID_RETURN_IF_ERROR(Rank(x, 4));
    if (pads.size() != 8 || std::any_of(pads.begin(), pads.end(), [](int64_t p) {
          return p < 0 || p > (1 << 14);
        }) || pads[0] != 0 || pads[1] != 0 || pads[4] != 0 || pads[5] != 0) {
      return InvalidArgument("bad pads " + ShapeText(pads));
    }
    const int64_t h = x.shape[2], w = x.shape[3];
    BRAID_ASSIGN_OR_RETURN(OnnxTensor out,
                           MakeTensor({x.shape[0], x.shape[1], h + pads[2] + pads[6],
                                       w + pads[3] + pads[7]},
                                      x.integer));
    std::fill(out.values.begin(), out.values.end(), fill);
    for (int64_t plane = 0; plane < x.shape[0] * x.shape[1]; ++plane) {
      for (int64_t y = 0; y < h; ++y) {
        std::copy_n(x.values.begin() + (plane * h + y) * w, w,
                    out.values.begin() +
                        (plane * out.shape[2] + y + pads[2]) * out.shape[3] + pads[3]);
      }
    }
    return out;
  }

  Result<OnnxTensor> Pool() {
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

  Result<OnnxTensor> GlobalAveragePool() {
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

  // Over height and width only.
  Result<OnnxTensor> ReduceMean() {
    const auto axes = node_.ints.find("axes");
    if (axes == node_.ints.end() || (axes->second != std::vector<int64_t>{2, 3} &&
                                     axes->second != std::vector<int64_t>{-2, -1} &&
                                     axes->second != std::vector<int64_t>{-1, -2})) {
      return Unimplemented("only over height and width");
    }
    BRAID_ASSIGN_OR_RETURN(OnnxTensor out, GlobalAveragePool());
    if (Int("keepdims", 1) == 0) out.shape.resize(2);
    return out;
  }

  Result<OnnxTensor> Squeeze() {
    OnnxTensor out = In();
    BRAID_RETURN_IF_ERROR(Rank(out, 4));
    if (out.shape[2] != 1 || out.shape[3] != 1) return Unimplemented("only of maps of 1x1");
    out.shape.resize(2);
    return out;
  }

  Result<OnnxTensor> Flatten() {
    OnnxTensor out = In();
    const int64_t axis = Int("axis", 1);
    if (axis != 1 || out.shape.empty()) return Unimplemented("an axis other than 1");
    const int64_t batch = out.shape[0];
    out.shape = {batch, batch == 0 ? 0 : static_cast<int64_t>(out.values.size()) / batch};
    return out;
  }

  Result<OnnxTensor> Reshape() {
    BRAID_RETURN_IF_ERROR(Need(2));
    OnnxTensor out = In();
    std::vector<int64_t> shape;
    int64_t known = 1;
    size_t open = 0;
    for (size_t i = 0; i < In(1).values.size(); ++i) {
      auto extent = static_cast<int64_t>(In(1).values[i]);
      if (extent == 0 && i < out.shape.size()) extent = out.shape[i];
      if (extent < -1 || extent > kMaxOnnxElements) return InvalidArgument("a bad shape");
      if (extent == -1) {
        ++open;
      } else {
        known *= extent;
        if (known > kMaxOnnxElements) return InvalidArgument("a bad shape");
      }
      shape.push_back(extent);
    }
    const auto elements = static_cast<int64_t>(out.values.size());
    if (open > 1 || known <= 0 || elements % known != 0 || (open == 0 && known != elements)) {
      return InvalidArgument("shape " + ShapeText(shape) + " does not fit " +
                             ShapeText(out.shape));
    }
    for (int64_t& extent : shape) {
      if (extent == -1) extent = elements / known;
    }
    out.shape = std::move(shape);
    return out;
  }

  Result<OnnxTensor> Transpose() {
    const OnnxTensor& x = In();
    const size_t rank = x.shape.size();
    std::vector<int64_t> perm;
    for (size_t d = rank; d-- > 0;) perm.push_back(static_cast<int64_t>(d));
    if (const auto found = node_.ints.find("perm"); found != node_.ints.end()) perm = found->second;
    std::vector<int64_t> sorted = perm;
    std::sort(sorted.begin(), sorted.end());
    for (size_t d = 0; d < sorted.size(); ++d) {
      if (sorted[d] != static_cast<int64_t>(d)) return InvalidArgument("a bad perm");
    }
    if (perm.size() != rank) return InvalidArgument("a bad perm");
    std::vector<int64_t> steps(rank, 1), shape;
    for (size_t d = rank; d-- > 1;) steps[d - 1] = steps[d] * x.shape[d];
    for (const int64_t p : perm) shape.push_back(x.shape[static_cast<size_t>(p)]);
    BRAID_ASSIGN_OR_RETURN(OnnxTensor out, MakeTensor(shape, x.integer));
    std::vector<int64_t> at(rank, 0);
    int64_t from = 0;
    for (double& value : out.values) {
      value = x.values[static_cast<size_t>(from)];
      for (size_t d = rank; d-- > 0;) {
        const int64_t step = steps[static_cast<size_t>(perm[d])];
        from += step;
        if (++at[d] < shape[d]) break;
        from -= step * shape[d];
        at[d] = 0;
      }
    }
    return out;
  }

  // Scale (and zero point) of element i: one for all, or one along `axis`.
  Status PerAxis(size_t& inner, size_t& count) {
    BRAID_RETURN_IF_ERROR(Need(2));
    count = In(1).values.size();
    inner = 1;
    if (count == 1) return OkStatus();
    const auto rank = static_cast<int64_t>(In().shape.size());
    int64_t axis = Int("axis", 1);
    if (axis < 0) axis += rank;
    if (axis < 0 || axis >= rank || In().shape[static_cast<size_t>(axis)] !=
                                        static_cast<int64_t>(count)) {
      return InvalidArgument("scales of another size");
    }
    for (size_t d = static_cast<size_t>(axis) + 1; d < In().shape.size(); ++d) {
      inner *= static_cast<size_t>(In().shape[d]);
    }
    if (Has(2) && In(2).values.size() != count) return InvalidArgument("zero points of another size");
    return OkStatus();
  }
  double Zero(size_t index) const {
    if (!Has(2) || In(2).values.empty()) return 0;
    return In(2).values[std::min(index, In(2).values.size() - 1)];
  }

  Result<OnnxTensor> Quantize() {
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
  Result<OnnxTensor> Dequantize() {
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

  Result<OnnxTensor> Softmax() {
    OnnxTensor out = In();
    BRAID_RETURN_IF_ERROR(Rank(out, 2));
    const auto columns = static_cast<size_t>(out.shape[1]);
    for (size_t row = 0; row + columns <= out.values.size() && columns > 0; row += columns) {
      const auto begin = out.values.begin() + static_cast<ptrdiff_t>(row);
      const auto end = begin + static_cast<ptrdiff_t>(columns);
      const double most = *std::max_element(begin, end);
      double sum = 0;
      for (auto v = begin; v != end; ++v) sum += *v = std::exp(*v - most);
      const bool logarithm = node_.op == "LogSoftmax";
      for (auto v = begin; v != end; ++v) *v = logarithm ? std::log(*v / sum) : *v / sum;
    }
    return out;
  }

  Result<OnnxTensor> ArgMax() {
    const OnnxTensor& x = In();
    BRAID_RETURN_IF_ERROR(Rank(x, 2));
    if (Int("axis", 0) != 1 || x.shape[1] < 1) return Unimplemented("an axis other than 1");
    const bool keep = Int("keepdims", 1) != 0;
    BRAID_ASSIGN_OR_RETURN(
        OnnxTensor out,
        MakeTensor(keep ? std::vector<int64_t>{x.shape[0], 1} : std::vector<int64_t>{x.shape[0]},
                   true));
    for (size_t n = 0; n < out.values.size(); ++n) {
      const auto row = x.values.begin() + static_cast<ptrdiff_t>(n) * x.shape[1];
      out.values[n] = static_cast<double>(std::max_element(row, row + x.shape[1]) - row);
    }
    return out;
  }

  const OnnxNode& node_;
  std::vector<const OnnxTensor*> inputs_;
  int64_t& work_;
};

}  // namespace

Result<OnnxTensor> RunNode(const OnnxNode& node, std::vector<const OnnxTensor*> inputs) {
  int64_t work = 0;
  Result<OnnxTensor> out = NodeRun(node, std::move(inputs), work).Run();
  if (!out.ok()) return out.status().WithContext(node.Title());
  return out;
}

Result<std::map<std::string, OnnxTensor>> RunGraph(const OnnxGraph& graph, OnnxTensor input) {
  const std::vector<int64_t>& expected = graph.input_shape;
  bool fits = expected.size() == input.shape.size() &&
              input.Elements() == static_cast<int64_t>(input.values.size());
  for (size_t d = 0; fits && d < expected.size(); ++d) {
    fits = expected[d] == -1 || expected[d] == input.shape[d];
  }
  if (!fits) {
    return InvalidArgument("an input of shape " + ShapeText(input.shape) + ", the model takes " +
                           ShapeText(expected));
  }
  std::map<std::string, OnnxTensor> values;
  values.emplace(graph.input, std::move(input));
  int64_t work = 0;
  for (const OnnxNode& node : graph.nodes) {
    std::vector<const OnnxTensor*> inputs;
    for (const std::string& name : node.inputs) {
      const OnnxTensor* tensor = nullptr;
      if (const auto constant = graph.constants.find(name); constant != graph.constants.end()) {
        tensor = &constant->second;
      } else if (const auto value = values.find(name); value != values.end()) {
        tensor = &value->second;
      } else if (!name.empty()) {
        return Unimplemented(node.Title() + ": it reads another output than the first of a node");
      }
      inputs.push_back(tensor);
    }
    Result<OnnxTensor> out = NodeRun(node, std::move(inputs), work).Run();
    if (!out.ok()) return out.status().WithContext(node.Title());
    values.emplace(node.outputs[0], std::move(*out));
  }
  return values;
}

}  // namespace braid::convert
