// Runs one node of an ONNX graph in double precision; an operator is a member, of one of the files
// node_*.cc. Layer: convert. Internal to graph_run.
#pragma once

#include <cstdint>
#include <functional>
#include <utility>
#include <vector>

#include "braid/base/status.h"
#include "braid/convert/onnx_graph.h"
#include "braid/convert/window_of.h"

namespace braid::convert {

// Zeros. INVALID_ARGUMENT or RESOURCE_EXHAUSTED where a shape cannot be.
Result<OnnxTensor> MakeTensor(std::vector<int64_t> shape, bool integer = false);

class NodeRun {
 public:
  // `inputs` by position, nullptr where left out; borrowed. `work` counts multiply-adds over a
  // graph.
  NodeRun(const OnnxNode& node, std::vector<const OnnxTensor*> inputs, int64_t& work)
      : node_(node), inputs_(std::move(inputs)), work_(work) {}

  // The node's first output.
  Result<OnnxTensor> Run();

 private:
  Status Need(size_t count) const;
  const OnnxTensor& In(size_t i = 0) const { return *inputs_[i]; }
  bool Has(size_t i) const { return i < inputs_.size() && inputs_[i] != nullptr; }
  int64_t Int(const char* name, int64_t otherwise) const;
  double Float(const char* name, double otherwise) const;
  Status Work(int64_t multiplications);
  static Status Rank(const OnnxTensor& tensor, size_t rank);
  Result<OnnxTensor> Broadcast(const std::function<double(double, double)>& op);
  Result<OnnxTensor> Map(const std::function<double(double)>& op) const;
  Result<OnnxTensor> Identity() { return In(); }
  Result<OnnxTensor> Relu();
  Result<OnnxTensor> Div();
  Result<OnnxTensor> Clip();
  Result<OnnxTensor> Cast();
  // `x` [N,C,H,W], `w` [O,C/group,kh,kw], already without zero points.
  Result<OnnxTensor> Convolve(const OnnxTensor& x, const OnnxTensor& w, const OnnxTensor* bias);
  static void AddPlane(const NodeWindow& win, int64_t h, int64_t width, const double* map,
                       const double* kernel, double* to);
  Result<OnnxTensor> Conv();
  // `tensor` minus its zero point, where input `zero` gives one.
  OnnxTensor WithoutZero(const OnnxTensor& tensor, size_t zero) const;
  Result<OnnxTensor> ConvInteger();
  Result<OnnxTensor> Product(const OnnxTensor& a, const OnnxTensor& b);
  Result<OnnxTensor> MatMul();
  Result<OnnxTensor> MatMulInteger();
  static Result<OnnxTensor> Turned(const OnnxTensor& from);
  Result<OnnxTensor> Gemm();
  Result<OnnxTensor> BatchNormalization();
  Result<OnnxTensor> Pad();
  Result<OnnxTensor> Pool();
  Result<OnnxTensor> GlobalAveragePool();
  // Over height and width only.
  Result<OnnxTensor> ReduceMean();
  Result<OnnxTensor> Squeeze();
  Result<OnnxTensor> Flatten();
  Result<OnnxTensor> Reshape();
  Result<OnnxTensor> Transpose();
  Result<OnnxTensor> Concat();
  // Scale (and zero point) of element i: one for all, or one along `axis`.
  Status PerAxis(size_t& inner, size_t& count);
  double Zero(size_t index) const;
  Result<OnnxTensor> Quantize();
  Result<OnnxTensor> Dequantize();
  Result<OnnxTensor> Softmax();
  Result<OnnxTensor> ArgMax();

  const OnnxNode& node_;
  std::vector<const OnnxTensor*> inputs_;
  int64_t& work_;
};

}  // namespace braid::convert
