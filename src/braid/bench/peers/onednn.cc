// oneDNN 2.x: int8 with fused output scales, and float32, as matmul, inner product or convolution.
// Layer: bench. Of matmul and inner product the faster one is kept, case by case.
#include <oneapi/dnnl/dnnl.hpp>

#include <algorithm>
#include <cmath>
#include <unordered_map>

#include "braid/base/clock.h"
#include "braid/bench/contender.h"

namespace braid::bench {
namespace {

using dnnl::memory;
using Type = memory::data_type;
using Tag = memory::format_tag;
using Arguments = std::unordered_map<int, memory>;

dnnl::engine Engine() { return dnnl::engine(dnnl::engine::kind::cpu, 0); }

// Tensors of a problem as oneDNN sees them; `any` weights leave the layout to the primitive.
struct Form {
  memory::desc input, output, bias, weights_plain, weights_any;
};

enum class Kind { kMatmul, kInnerProduct, kConvolution };

Form FormOf(const KernelCase& c, Kind kind, Type in, Type weights, Type bias, Type out) {
  const int64_t m = c.m, n = c.n, k = c.k;
  switch (kind) {
    case Kind::kMatmul:
      return {{{m, k}, in, Tag::ab},
              {{m, n}, out, Tag::ab},
              {{1, n}, bias, Tag::ab},
              {{k, n}, weights, Tag::ba},
              {{k, n}, weights, Tag::any}};
    case Kind::kInnerProduct:
      return {{{m, k}, in, Tag::ab},
              {{m, n}, out, Tag::ab},
              {{n}, bias, Tag::a},
              {{n, k}, weights, Tag::ab},
              {{n, k}, weights, Tag::any}};
    case Kind::kConvolution:
      break;
  }
  const int64_t side = c.side, out_side = c.out_side(), channels = c.channels();
  if (c.depthwise) {
    return {{{1, channels, side, side}, in, Tag::nhwc},
            {{1, n, out_side, out_side}, out, Tag::nhwc},
            {{n}, bias, Tag::a},
            {{n, 1, 1, 3, 3}, weights, Tag::goihw},
            {{n, 1, 1, 3, 3}, weights, Tag::any}};
  }
  return {{{1, channels, side, side}, in, Tag::nhwc},
          {{1, n, side, side}, out, Tag::nhwc},
          {{n}, bias, Tag::a},
          {{n, channels, 3, 3}, weights, Tag::ohwi},
          {{n, channels, 3, 3}, weights, Tag::any}};
}

class OnednnContender final : public Contender {
 public:
  OnednnContender(const Problem& problem, Kind kind, bool floats)
      : problem_(problem), floats_(floats), engine_(Engine()), stream_(engine_) {
    const Form form = floats ? FormOf(problem.shape, kind, Type::f32, Type::f32, Type::f32, Type::f32)
                             : FormOf(problem.shape, kind, Type::u8, Type::s8, Type::s32, Type::u8);
    const memory input = Filled(form.input, problem.input);
    const memory bias = Filled(form.bias, problem.bias);
    memory weights = Filled(form.weights_plain, problem.weights);
    output_ = memory(form.output, engine_);
    const memory::desc wanted = Build(form, kind);
    if (weights.get_desc() != wanted) {
      memory packed(wanted, engine_);
      dnnl::reorder(weights, packed).execute(stream_, weights, packed);
      stream_.wait();
      weights = packed;
    }
    arguments_ = {{DNNL_ARG_SRC, input},
                  {DNNL_ARG_WEIGHTS, weights},
                  {DNNL_ARG_BIAS, bias},
                  {DNNL_ARG_DST, output_}};
  }

  void Run() override {
    primitive_.execute(stream_, arguments_);
    stream_.wait();
  }

  std::vector<uint8_t> Output() const override {
    const size_t elements = problem_.expected.size();
    std::vector<uint8_t> output(elements);
    for (size_t i = 0; i < elements; ++i) {
      const float value = floats_ ? std::nearbyint(static_cast<const float*>(output_.get_data_handle())[i] *
                                                   multipliers_[i % multipliers_.size()])
                                  : static_cast<const uint8_t*>(output_.get_data_handle())[i];
      output[i] = static_cast<uint8_t>(std::clamp(value, 0.0f, 127.0f));
    }
    return output;
  }
  int tolerance() const override { return 1; }

 private:
  template <typename T>
  memory Filled(const memory::desc& desc, const std::vector<T>& values) {
    memory filled(desc, engine_);
    if (desc.data_type() == Type::f32) {
      std::copy(values.begin(), values.end(), static_cast<float*>(filled.get_data_handle()));
    } else {
      std::copy(values.begin(), values.end(), static_cast<T*>(filled.get_data_handle()));
    }
    return filled;
  }

  // Makes the primitive; the layout in which it wants its weights.
  memory::desc Build(const Form& form, Kind kind) {
    for (const int32_t mul : problem_.mul) {
      multipliers_.push_back(static_cast<float>(mul) / static_cast<float>(1 << 24));
    }
    dnnl::primitive_attr attributes;
    if (floats_) {
      dnnl::post_ops relu;
      relu.append_eltwise(1.0f, dnnl::algorithm::eltwise_relu, 0.0f, 0.0f);
      attributes.set_post_ops(relu);
    } else {
      attributes.set_output_scales(1 << 1, multipliers_);  // dimension 1 is the channel
    }
    constexpr auto kForward = dnnl::prop_kind::forward_inference;
    switch (kind) {
      case Kind::kMatmul: {
        const dnnl::matmul::desc desc(form.input, form.weights_any, form.bias, form.output);
        return Keep<dnnl::matmul>(dnnl::matmul::primitive_desc(desc, attributes, engine_));
      }
      case Kind::kInnerProduct: {
        const dnnl::inner_product_forward::desc desc(kForward, form.input, form.weights_any,
                                                     form.bias, form.output);
        return Keep<dnnl::inner_product_forward>(
            dnnl::inner_product_forward::primitive_desc(desc, attributes, engine_));
      }
      case Kind::kConvolution:
        break;
    }
    const int64_t stride = problem_.shape.stride;
    const dnnl::convolution_forward::desc desc(kForward, dnnl::algorithm::convolution_direct,
                                               form.input, form.weights_any, form.bias,
                                               form.output, {stride, stride}, {1, 1}, {1, 1});
    return Keep<dnnl::convolution_forward>(
        dnnl::convolution_forward::primitive_desc(desc, attributes, engine_));
  }

  template <typename Primitive, typename Description>
  memory::desc Keep(const Description& description) {
    primitive_ = Primitive(description);
    return description.weights_desc();
  }

  const Problem& problem_;
  const bool floats_;
  dnnl::engine engine_;
  dnnl::stream stream_;
  std::vector<float> multipliers_;
  dnnl::primitive primitive_;
  memory output_;
  Arguments arguments_;
};

// The shortest of some runs after a first one.
Duration Quickest(Contender& contender) {
  const SystemClock clock;
  contender.Run();
  Duration best = Duration::max();
  for (int i = 0; i < 10; ++i) {
    const TimePoint start = clock.Now();
    contender.Run();
    best = std::min(best, clock.Now() - start);
  }
  return best;
}

Result<std::unique_ptr<Contender>> MakeEither(const Problem& problem, bool floats) {
  if (problem.input_kind != ElementKind::kU7) {
    return Unimplemented("compared with unsigned input only");
  }
  try {
    if (problem.shape.convolution()) {
      return std::unique_ptr<Contender>(
          std::make_unique<OnednnContender>(problem, Kind::kConvolution, floats));
    }
    auto matmul = std::make_unique<OnednnContender>(problem, Kind::kMatmul, floats);
    auto inner = std::make_unique<OnednnContender>(problem, Kind::kInnerProduct, floats);
    const bool matmul_wins = Quickest(*matmul) <= Quickest(*inner);
    return std::unique_ptr<Contender>(std::move(matmul_wins ? matmul : inner));
  } catch (const dnnl::error& error) {
    return Internal(error.what());
  }
}

Library Make(const char* name, bool avx2_only,
             Result<std::unique_ptr<Contender>> (*make)(const Problem&, kernels::Path)) {
  // Later calls than the first are refused by oneDNN and change nothing.
  if (avx2_only) (void)dnnl_set_max_cpu_isa(dnnl_cpu_isa_avx2);
  const dnnl_version_t* version = dnnl_version();
  return {.name = name,
          .version = std::to_string(version->major) + "." + std::to_string(version->minor) + "." +
                     std::to_string(version->patch),
          .why_absent = "",
          .make = make};
}

}  // namespace

Library OnednnLibrary(bool avx2_only) {
  return Make("onednn", avx2_only,
              [](const Problem& problem, kernels::Path) { return MakeEither(problem, false); });
}
Library OnednnFloatLibrary(bool avx2_only) {
  return Make("onednn_f32", avx2_only,
              [](const Problem& problem, kernels::Path) { return MakeEither(problem, true); });
}

}  // namespace braid::bench
