// Operators that go element by element, or over one dimension. Layer: convert.
#include <algorithm>
#include <cmath>
#include <limits>

#include "braid/convert/node_run.h"

namespace braid::convert {

Result<OnnxTensor> NodeRun::Broadcast(const std::function<double(double, double)>& op) {
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

Result<OnnxTensor> NodeRun::Map(const std::function<double(double)>& op) const {
  OnnxTensor out = In();
  for (double& value : out.values) value = op(value);
  return out;
}

Result<OnnxTensor> NodeRun::Relu() {
  return Map([](double v) { return std::max(v, 0.0); });
}

Result<OnnxTensor> NodeRun::Div() {
  BRAID_RETURN_IF_ERROR(Need(2));
  const bool whole = In(0).integer && In(1).integer;
  return Broadcast([whole](double a, double b) { return whole ? std::trunc(a / b) : a / b; });
}

Result<OnnxTensor> NodeRun::Clip() {
  double low = Float("min", -std::numeric_limits<double>::infinity());
  double high = Float("max", std::numeric_limits<double>::infinity());
  if (Has(1) && !In(1).values.empty()) low = In(1).values[0];
  if (Has(2) && !In(2).values.empty()) high = In(2).values[0];
  return Map([=](double v) { return std::min(std::max(v, low), high); });
}

Result<OnnxTensor> NodeRun::Cast() {
  // 1, 10, 11, 16: the floating-point types.
  const int64_t to = Int("to", 0);
  OnnxTensor out = In();
  out.integer = to != 1 && to != 10 && to != 11 && to != 16;
  if (out.integer) {
    for (double& value : out.values) value = std::trunc(value);
  }
  return out;
}

Result<OnnxTensor> NodeRun::BatchNormalization() {
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
    out.values[i] =
        (out.values[i] - In(3).values[c]) / std::sqrt(In(4).values[c] + epsilon) * In(1).values[c] +
        In(2).values[c];
  }
  return out;
}

Result<OnnxTensor> NodeRun::Softmax() {
  OnnxTensor out = In();
  BRAID_RETURN_IF_ERROR(Rank(out, 2));
  const auto columns = static_cast<size_t>(out.shape[1]);
  for (size_t row = 0; row + columns <= out.values.size() && columns > 0; row += columns) {
    const auto begin = out.values.begin() + static_cast<ptrdiff_t>(row);
    const auto end = begin + static_cast<ptrdiff_t>(columns);
    const double most = *std::max_element(begin, end);
    double sum = 0;
    for (auto v = begin; v != end; ++v) sum += * v = std::exp(*v - most);
    const bool logarithm = node_.op == "LogSoftmax";
    for (auto v = begin; v != end; ++v) *v = logarithm ? std::log(*v / sum) : *v / sum;
  }
  return out;
}

Result<OnnxTensor> NodeRun::ArgMax() {
  const OnnxTensor& x = In();
  BRAID_RETURN_IF_ERROR(Rank(x, 2));
  if (Int("axis", 0) != 1 || x.shape[1] < 1) return Unimplemented("an axis other than 1");
  const bool keep = Int("keepdims", 1) != 0;
  BRAID_ASSIGN_OR_RETURN(OnnxTensor out, MakeTensor(keep ? std::vector<int64_t>{x.shape[0], 1}
                                                         : std::vector<int64_t>{x.shape[0]},
                                                    true));
  for (size_t n = 0; n < out.values.size(); ++n) {
    const auto row = x.values.begin() + static_cast<ptrdiff_t>(n) * x.shape[1];
    out.values[n] = static_cast<double>(std::max_element(row, row + x.shape[1]) - row);
  }
  return out;
}

}  // namespace braid::convert
