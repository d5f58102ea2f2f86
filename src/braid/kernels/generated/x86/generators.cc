#include "braid/kernels/generated/x86/generators.h"

#include <algorithm>

#include "braid/kernels/generated/x86/avx2_emitter.h"
#include "braid/kernels/generated/x86/avx512vnni_emitter.h"
#include "braid/kernels/generated/block.h"

namespace braid::kernels::generated::x86 {
namespace {

template <typename Emitter>
class X86Generator final : public Generator {
 public:
  // `multiple`: passes start at panels that are multiples of it, so that tables do too.
  constexpr X86Generator(const RegisterModel& model, int multiple)
      : model_(model), multiple_(multiple) {}

  asmjit::Environment environment() const override {
    return asmjit::Environment(asmjit::Arch::kX64);
  }
  int Lanes(int channels) const override {
    const int needed = channels > 8 ? 16 : channels > 4 ? 8 : 4;
    return std::min(needed, model_.widest_lanes);
  }
  std::vector<Pass> Passes(const ConvolutionShape& shape) const override {
    const std::vector<Vector> vectors = VectorsOf(shape);
    const std::vector<int> cuts = CutVectors(model_, shape, multiple_);
    std::vector<Pass> passes;
    for (size_t i = 0; i + 1 < cuts.size(); ++i) {
      Pass pass;
      for (auto v = static_cast<size_t>(cuts[i]); v < static_cast<size_t>(cuts[i + 1]); ++v) {
        if (pass.empty() || pass.back().output != vectors[v].output) {
          pass.push_back({vectors[v].output, vectors[v].first_channel, 0});
        }
        pass.back().channels += vectors[v].valid;
      }
      passes.push_back(std::move(pass));
    }
    return passes;
  }
  void Emit(const ConvolutionShape& pass, asmjit::CodeHolder& code) const override {
    Emitter(pass, code).Emit();
  }

 private:
  const RegisterModel& model_;
  const int multiple_;
};

}  // namespace

const Generator& Avx2Generator() {
  static const X86Generator<Avx2Emitter> generator(kAvx2Model, 2);
  return generator;
}

const Generator& Avx512VnniGenerator() {
  static const X86Generator<Avx512VnniEmitter> generator(kAvx512VnniModel, 1);
  return generator;
}

}  // namespace braid::kernels::generated::x86
