#include "braid/runtime/plan_memory.h"

#include <algorithm>

#include "braid/runtime/layer_geometry.h"
#include "braid/runtime/memory_layout.h"

namespace braid::runtime {
namespace {

using model::Layer;
using model::LayerIndex;
using model::Op;

// Accumulators of one block of images: half of a small second-level cache (256 KiB), so that the
// epilogue finds them there.
constexpr int64_t kBlockBytes = 128 * 1024;

// Collects buffers; each is the memory of one layer's groups, which live and die together.
class Collector {
 public:
  Collector(const PreparedNetwork& model, const PlanSpec& spec, const Schedule& schedule)
      : network_(model.network()), model_(model), spec_(spec), schedule_(schedule) {
    memory_.layers.resize(network_.layers.size());
  }

  PlanMemory Run() {
    const int last_step = static_cast<int>(schedule_.order.size()) - 1;
    for (int step = 0; step <= last_step; ++step) AddLayer(step, last_step);
    int64_t scratch_bytes = 0;
    for (const LayerIndex i : schedule_.order) {
      scratch_bytes = std::max(scratch_bytes, ScratchBytes(i));
    }
    const size_t scratch = Add(scratch_bytes, 0, last_step);

    const MemoryLayout layout = LayOut(buffers_);
    for (const Use& use : uses_) use.memory->offset += layout.offsets[use.buffer];
    memory_.scratch_offset = layout.offsets[scratch];
    memory_.arena_bytes = layout.total_bytes;
    return std::move(memory_);
  }

 private:
  struct Use {
    ImageMemory* memory;  // its offset is relative to the buffer until the layout is known
    size_t buffer;
  };

  size_t Add(int64_t bytes, int first_step, int last_step) {
    buffers_.push_back({bytes, first_step, last_step});
    return buffers_.size() - 1;
  }

  // One buffer that holds `images` images of each of `parts`.
  void Place(const std::vector<ImageMemory*>& parts, int images, int first_step, int last_step) {
    int64_t bytes = 0;
    for (ImageMemory* part : parts) {
      part->offset = bytes;
      bytes +=
          AlignUp(part->bytes_per_image * images + static_cast<int64_t>(kernels::kReadSlackBytes));
      uses_.push_back({part, buffers_.size()});
    }
    Add(bytes, first_step, last_step);
  }

  // Groups that this device computes at `layer`; a map that is not divided counts as group 0.
  GroupSet Computed(const Layer& layer) const {
    return layer.Divided() ? spec_.local : GroupSet::Single(0);
  }

  void AddLayer(int step, int last_step) {
    const LayerIndex i = schedule_.order[static_cast<size_t>(step)];
    const auto at = static_cast<size_t>(i);
    const Layer& layer = LayerAt(network_, i);
    LayerMemory& memory = memory_.layers[at];
    memory.maps.resize(static_cast<size_t>(network_.groups));
    memory.accumulators.resize(static_cast<size_t>(network_.groups));
    memory.map_last_step = std::max(step, schedule_.last_map_read[at]);
    memory.wide_last_step = schedule_.last_wide_read[at];

    if (layer.op == Op::kLinear) {
      memory.logits.bytes_per_image =
          int64_t{layer.Channels()} * static_cast<int64_t>(sizeof(int32_t));
      // Read at the checkpoint, which lies between this step and the next.
      Place({&memory.logits}, spec_.max_batch, step, std::min(step + 1, last_step));
    } else {
      AddMaps(step, last_step, layer, memory);
    }
    if (layer.op != Op::kInput && layer.op != Op::kMaxPool) AddAccumulators(step, layer, memory);
  }

  // Exchanged maps keep their memory for the whole run: peers' maps may come early, and an own map
  // may still be on its way out when the layers that read it are done.
  void AddMaps(int step, int last_step, const Layer& layer, LayerMemory& memory) {
    const bool exchanged =
        schedule_.exchanged[static_cast<size_t>(schedule_.order[static_cast<size_t>(step)])];
    std::vector<ImageMemory*> parts;
    for (const int group : exchanged ? spec_.groups : Computed(layer)) {
      ImageMemory& map = memory.maps[static_cast<size_t>(group)];
      map.bytes_per_image = GroupMapBytes(layer, group);
      parts.push_back(&map);
    }
    Place(parts, spec_.max_batch, exchanged ? 0 : step,
          exchanged ? last_step : memory.map_last_step);
  }

  bool AwaitsPeers(const Layer& layer) const {
    return layer.op == Op::kConv && layer.dense &&
           schedule_.exchanged[static_cast<size_t>(layer.input)];
  }

  void AddAccumulators(int step, const Layer& layer, LayerMemory& memory) {
    std::vector<ImageMemory*> parts;
    int64_t bytes_per_image = 0;
    for (const int group : Computed(layer)) {
      ImageMemory& part = memory.accumulators[static_cast<size_t>(group)];
      part.bytes_per_image = GroupAccumulatorBytes(layer, group);
      bytes_per_image += part.bytes_per_image;
      parts.push_back(&part);
    }
    const bool whole_batch = memory.wide_last_step != kNever || AwaitsPeers(layer);
    memory.images_per_block = whole_batch ? spec_.max_batch
                                          : static_cast<int>(std::clamp<int64_t>(
                                                kBlockBytes / bytes_per_image, 1, spec_.max_batch));
    Place(parts, memory.images_per_block, step, std::max(step, memory.wide_last_step));
  }

  int64_t ScratchBytes(LayerIndex i) const {
    const Layer& layer = LayerAt(network_, i);
    if (layer.op != Op::kConv && layer.op != Op::kLinear) return 0;
    const bool divided = LayerAt(network_, layer.input).Divided();
    int64_t bytes = 0;
    for (const int in_group : divided ? spec_.groups : GroupSet::Single(0)) {
      bytes = std::max(
          bytes,
          static_cast<int64_t>(model_.kernels().scratch_bytes(GeometryOf(network_, i, in_group))));
    }
    return bytes;
  }

  const model::Network& network_;
  const PreparedNetwork& model_;
  const PlanSpec& spec_;
  const Schedule& schedule_;
  std::vector<BufferLifetime> buffers_;
  std::vector<Use> uses_;
  PlanMemory memory_;
};

}  // namespace

PlanMemory LayOutPlan(const PreparedNetwork& model, const PlanSpec& spec,
                      const Schedule& schedule) {
  return Collector(model, spec, schedule).Run();
}

}  // namespace braid::runtime
