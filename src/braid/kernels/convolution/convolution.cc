#include "braid/kernels/convolution/convolution.h"

#include <span>
#include <utility>

#include "braid/kernels/convolution/tile.h"
#include "braid/kernels/generated/generator.h"
#include "braid/kernels/generated/kernel_cache.h"
#include "braid/kernels/reference/convolution.h"
#include "braid/kernels/requantization.h"

namespace braid::kernels {
namespace {

using generated::Generator;

// A part of the outputs with the code that computes it.
struct PassPlan {
  Generator::Pass ranges;
  ConvolutionShape shape;
  KernelFunction function = nullptr;
  std::span<const std::byte> code;
};

// The one implementation.
class PreparedConvolution final : public Convolution {
 public:
  PreparedConvolution(ConvolutionShape shape, std::vector<PassPlan> passes)
      : shape_(std::move(shape)), passes_(std::move(passes)) {}

  const ConvolutionShape& shape() const override { return shape_; }
  std::vector<ConvolutionShape> passes() const override {
    std::vector<ConvolutionShape> shapes;
    for (const PassPlan& pass : passes_) shapes.push_back(pass.shape);
    return shapes;
  }
  std::vector<std::span<const std::byte>> code() const override {
    std::vector<std::span<const std::byte>> code;
    for (const PassPlan& pass : passes_) code.push_back(pass.code);
    return code;
  }
  BoundConvolution Bind(const ConvolutionMemory& memory) const override {
    BoundConvolution bound;
    for (const PassPlan& pass : passes_) BindPass(pass, memory, bound);
    return bound;
  }

 private:
  void BindPass(const PassPlan& pass, const ConvolutionMemory& memory,
                BoundConvolution& bound) const;

  const ConvolutionShape shape_;
  const std::vector<PassPlan> passes_;
};

// Hands out pointers one after another from one allocation.
class PointerRows {
 public:
  explicit PointerRows(size_t count) : words_(std::make_unique<uint64_t[]>(count)) {}
  template <typename T>
  T* const* Row(const std::vector<T*>& row) {
    uint64_t* begin = words_.get() + used_;
    for (T* pointer : row) words_[used_++] = reinterpret_cast<uint64_t>(pointer);
    return reinterpret_cast<T* const*>(begin);
  }
  std::unique_ptr<uint64_t[]> Release() { return std::move(words_); }

 private:
  std::unique_ptr<uint64_t[]> words_;
  size_t used_ = 0;
};

void PreparedConvolution::BindPass(const PassPlan& pass, const ConvolutionMemory& memory,
                                   BoundConvolution& bound) const {
  const size_t sources = shape_.sources.size();
  const size_t outputs = pass.ranges.size();
  std::vector<const std::byte*> tiles;
  for (size_t s = 0; s < sources; ++s) {
    for (size_t r = 0; r < outputs; ++r) {
      const auto& range = pass.ranges[r];
      const std::byte* tile =
          memory.tiles[s * shape_.outputs.size() + static_cast<size_t>(range.output)];
      const int lanes = pass.shape.outputs[r].panel_lanes;
      const size_t panels = range.first_channel == 0 ? 0 : static_cast<size_t>(range.first_channel / lanes);
      tiles.push_back(panels == 0 ? tile : tile + panels * PanelBytes(shape_.sources[s], lanes));
    }
  }
  // Pointers of the pass's ranges into an array that has one for every output, or none at all.
  const auto cut = [&](const auto& whole, auto first_of) {
    std::remove_cvref_t<decltype(whole)> part;
    if (whole.empty()) return part;
    for (const auto& range : pass.ranges) {
      part.push_back(whole[static_cast<size_t>(range.output)] + first_of(range.first_channel));
    }
    return part;
  };
  const auto itself = [](int channel) { return static_cast<size_t>(channel); };
  // Panels of 8 lanes start in the middle of a table's 16.
  const auto table = [](int channel) { return TableIndex(TableRow::kBias, channel); };
  std::vector<const uint8_t*> maps = memory.maps;
  if (shape_.sources[0].depthwise) {
    for (const uint8_t*& map : maps) map += pass.ranges[0].first_channel;
  }
  PointerRows rows(sources + tiles.size() + 4 * outputs);
  KernelCall call;
  call.maps = rows.Row(maps);
  call.tiles = rows.Row(tiles);
  call.outputs = rows.Row(cut(memory.outputs, itself));
  call.wide = rows.Row(cut(memory.wide, itself));
  call.shortcuts = rows.Row(cut(memory.shortcuts, itself));
  call.tables = rows.Row(cut(memory.tables, table));
  call.shape = &pass.shape;
  call.function = pass.function;
  const uint32_t bias = shape_.output_encoding == Encoding::kBiased ? 0x80000000u : 0u;
  for (int i = 0; i < KernelCall::kRepeats; ++i) {
    call.shortcut_high[i] = memory.shortcut_clamp;
    call.shortcut_low[i] = -memory.shortcut_clamp;
    call.shortcut_half[i] = int32_t{1} << (shape_.shortcut_shift - 1);
    call.output_half[i] =
        static_cast<int32_t>((uint32_t{1} << (kRequantizationShift - 1)) + bias);
  }
  Append(bound, call, rows.Release());
}

}  // namespace

void Convolution::Append(BoundConvolution& bound, const KernelCall& call,
                         std::unique_ptr<uint64_t[]> pointers) {
  bound.calls_.push_back(call);
  bound.pointers_.push_back(std::move(pointers));
}

Result<std::shared_ptr<const Convolution>> Convolution::Make(const ConvolutionShape& requested) {
  BRAID_RETURN_IF_ERROR(CheckShape(requested));
  if (!PathSupported(requested.path)) {
    return FailedPrecondition("convolution: this processor cannot run path " +
                              std::string(PathName(requested.path)));
  }
  ConvolutionShape shape = WithUsefulEdges(requested);
  std::vector<PassPlan> passes;
  const Generator* generator = generated::GeneratorFor(shape.path);
  if (shape.sources[0].depthwise && !GeneratesDepthwise(shape.path)) generator = nullptr;
  if (generator == nullptr) {
    Generator::Pass all;
    for (size_t o = 0; o < shape.outputs.size(); ++o) {
      all.push_back({static_cast<int>(o), 0, shape.outputs[o].channels});
    }
    passes.push_back({all, shape, reference::Convolve, {}});
  } else {
    for (OutputShape& output : shape.outputs) {
      output.panel_lanes = generator->Lanes(output.channels);
    }
    for (const Generator::Pass& ranges : generator->Passes(shape)) {
      PassPlan pass{ranges, shape, nullptr, {}};
      pass.shape.outputs.clear();
      for (const Generator::OutputRange& range : ranges) {
        pass.shape.outputs.push_back(shape.outputs[static_cast<size_t>(range.output)]);
        pass.shape.outputs.back().channels = range.channels;
      }
      for (SourceShape& source : pass.shape.sources) {
        if (source.depthwise) source.channels = pass.shape.outputs[0].channels;
      }
      BRAID_ASSIGN_OR_RETURN(const generated::Kernel kernel,
                             generated::KernelFor(*generator, pass.shape));
      pass.function = kernel.function;
      pass.code = kernel.code;
      passes.push_back(std::move(pass));
    }
  }
  return std::shared_ptr<const Convolution>(
      std::make_shared<PreparedConvolution>(std::move(shape), std::move(passes)));
}

}  // namespace braid::kernels
