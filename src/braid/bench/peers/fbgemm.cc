// FBGEMM: packed product and convolution with fused requantization. Layer: bench.
// It is given its best case: zero points 0, so that it needs no row sums; per-channel multipliers
// and bias as Braid has them.
#include <fbgemm/Fbgemm.h>

#include <algorithm>
#include <array>

#include "braid/bench/contender.h"

namespace braid::bench {
namespace {

using fbgemm::QuantizationGranularity;
using Requantize = fbgemm::ReQuantizeOutput<true, QuantizationGranularity::OUT_CHANNEL>;

// What both of its forms share: tables in its own form, output and scratch memory.
class FbgemmContender : public Contender {
 public:
  std::vector<uint8_t> Output() const override {
    std::vector<uint8_t> output(output_);
    for (uint8_t& value : output) value = std::min<uint8_t>(value, 127);
    return output;
  }
  int tolerance() const override { return 1; }

 protected:
  explicit FbgemmContender(const Problem& problem)
      : problem_(problem),
        zeros_(static_cast<size_t>(problem.shape.n)),
        sums_(static_cast<size_t>(problem.shape.m) * static_cast<size_t>(problem.shape.n)),
        output_(sums_.size()) {
    for (const int32_t mul : problem.mul) {
      multipliers_.push_back(static_cast<float>(mul) / static_cast<float>(1 << 24));
    }
  }

  const Problem& problem_;
  std::vector<float> multipliers_;
  std::vector<int32_t> zeros_;  // zero points, and column offsets that meet a zero point of 0
  std::vector<int32_t> sums_;
  std::vector<uint8_t> output_;
  fbgemm::DoNothing<> nothing_;
};

class FbgemmProduct final : public FbgemmContender {
 public:
  explicit FbgemmProduct(const Problem& problem)
      : FbgemmContender(problem),
        weights_(fbgemm::matrix_op_t::Transpose, problem.shape.k, problem.shape.n,
                 problem.weights.data(), problem.shape.k) {}

  void Run() override {
    const KernelCase& c = problem_.shape;
    fbgemm::PackAMatrix<uint8_t> input(fbgemm::matrix_op_t::NoTranspose, c.m, c.k,
                                       problem_.input.data(), c.k);
    const Requantize requantize(nothing_, multipliers_.data(), 0, 0, zeros_.data(), nullptr,
                                zeros_.data(), problem_.bias.data(), static_cast<uint32_t>(c.n));
    fbgemm::fbgemmPacked(input, weights_, output_.data(), sums_.data(),
                         static_cast<uint32_t>(c.n), requantize, 0, 1);
  }

 private:
  fbgemm::PackBMatrix<int8_t> weights_;
};

class FbgemmConvolution final : public FbgemmContender {
 public:
  explicit FbgemmConvolution(const Problem& problem)
      : FbgemmContender(problem),
        shape_(1, problem.shape.channels(), problem.shape.n,
               {problem.shape.side, problem.shape.side},
               problem.shape.depthwise ? problem.shape.n : 1, {3, 3},
               {problem.shape.stride, problem.shape.stride}, {1, 1, 1, 1}),
        weights_(shape_, problem.weights.data()) {}

  void Run() override {
    Requantize requantize(nothing_, multipliers_.data(), 0, 0, zeros_.data(), nullptr,
                          zeros_.data(), problem_.bias.data(),
                          static_cast<uint32_t>(problem_.shape.n));
    fbgemm::fbgemmConv(shape_, problem_.input.data(), weights_, output_.data(), sums_.data(),
                       requantize, 0, 1);
  }

 private:
  fbgemm::conv_param_t<2> shape_;
  fbgemm::PackWeightsForConv<2> weights_;
};

Result<std::unique_ptr<Contender>> Make(const Problem& problem, kernels::Path) {
  if (problem.input_kind != ElementKind::kU7) {
    return Unimplemented("its activations are unsigned");
  }
  try {
    if (problem.shape.convolution()) {
      return std::unique_ptr<Contender>(std::make_unique<FbgemmConvolution>(problem));
    }
    return std::unique_ptr<Contender>(std::make_unique<FbgemmProduct>(problem));
  } catch (const std::exception& error) {
    return Internal(error.what());
  }
}

}  // namespace

Library FbgemmLibrary(bool avx2_only) {
  Library library{.name = "fbgemm", .version = BRAID_FBGEMM_VERSION, .why_absent = "", .make = Make};
  if (!fbgemm::fbgemmSupportedCPU()) {
    library.make = nullptr;
    library.version.clear();
    library.why_absent = "it does not support this processor";
    return library;
  }
  if (avx2_only) fbgemm::fbgemmForceIsa(fbgemm::inst_set_t::avx2);
  return library;
}

}  // namespace braid::bench
