// Which member runs which operator, and what all of them ask. Layer: convert.
#include "braid/convert/node_run.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <map>
#include <string>

namespace braid::convert {

namespace {

constexpr int64_t kMostWork = int64_t{1} << 36;

}  // namespace

Result<OnnxTensor> MakeTensor(std::vector<int64_t> shape, bool integer) {
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

Result<OnnxTensor> NodeRun::Run() {
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
      {"Concat", &NodeRun::Concat},
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

Status NodeRun::Need(size_t count) const {
  for (size_t i = 0; i < count; ++i) {
    if (i >= inputs_.size() || inputs_[i] == nullptr) {
      return InvalidArgument("input " + std::to_string(i) + " is missing");
    }
  }
  return OkStatus();
}

int64_t NodeRun::Int(const char* name, int64_t otherwise) const {
  const auto found = node_.ints.find(name);
  return found != node_.ints.end() && found->second.size() == 1 ? found->second[0] : otherwise;
}

double NodeRun::Float(const char* name, double otherwise) const {
  const auto found = node_.floats.find(name);
  return found != node_.floats.end() ? found->second : otherwise;
}

Status NodeRun::Work(int64_t multiplications) {
  work_ += std::max<int64_t>(multiplications, 1);
  return work_ > kMostWork ? ResourceExhausted("more than 2^36 operations") : OkStatus();
}

Status NodeRun::Rank(const OnnxTensor& tensor, size_t rank) {
  if (tensor.shape.size() == rank) return OkStatus();
  return InvalidArgument("a value of shape " + ShapeText(tensor.shape) + ", expected rank " +
                         std::to_string(rank));
}

}  // namespace braid::convert
