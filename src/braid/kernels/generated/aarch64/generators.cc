#include "braid/kernels/generated/aarch64/generators.h"

#include "braid/kernels/generated/aarch64/dot_emitter.h"
#include "braid/kernels/generated/aarch64/widening_emitter.h"

namespace braid::kernels::generated::aarch64 {
namespace {

template <typename Emitter>
class AArch64Generator final : public Generator {
 public:
  asmjit::Environment environment() const override {
    return asmjit::Environment(asmjit::Arch::kAArch64);
  }
  int Lanes(int) const override { return kVectorLanes; }

  // Four vectors a pass, of any outputs. A pass begins inside of an output only where a row of
  // tables (16 channels) begins.
  std::vector<Pass> Passes(const ConvolutionShape& shape) const override {
    std::vector<Pass> passes;
    int vectors = kPassVectors;  // in the last pass
    for (const Vector& v : VectorsOf(shape)) {
      const bool row_starts = v.panel % kPassVectors == 0;
      const int row_vectors = RowVectors(shape, v);
      if (vectors == kPassVectors || (row_starts && vectors + row_vectors > kPassVectors)) {
        passes.emplace_back();
        vectors = 0;
      }
      if (passes.back().empty() || passes.back().back().output != v.output) {
        passes.back().push_back({v.output, v.first_channel, 0});
      }
      passes.back().back().channels += v.valid;
      ++vectors;
    }
    return passes;
  }

  void Emit(const ConvolutionShape& pass, asmjit::CodeHolder& code) const override {
    Emitter(pass, code).Emit();
  }

 private:
  // Vectors of the row of tables that begins at `v`.
  static int RowVectors(const ConvolutionShape& shape, const Vector& v) {
    const int channels = shape.outputs[static_cast<size_t>(v.output)].channels - v.first_channel;
    return std::min(kPassVectors, (channels + kVectorLanes - 1) / kVectorLanes);
  }
};

}  // namespace

const Generator& NeonGenerator() {
  static const AArch64Generator<WideningEmitter> generator;
  return generator;
}

const Generator& NeonDotGenerator() {
  static const AArch64Generator<DotEmitter> generator;
  return generator;
}

}  // namespace braid::kernels::generated::aarch64
