#include "braid/runtime/plan_memory.h"

#include <algorithm>

#include "braid/kernels/geometry.h"
#include "braid/runtime/layer_geometry.h"
#include "braid/runtime/memory_layout.h"

namespace braid::runtime {
namespace {

using model::Layer;
using model::LayerIndex;
using model::Op;

// Collects buffers; each is the memory of one layer's groups, which live and die together.
class Collector {
 public:
  Collector(const PreparedNetwork& model, const PlanSpec& spec, const Schedule& schedule,
            int map_value_bytes)
      : map_value_bytes_(map_value_bytes),
        network_(model.network()),
        path_(model.path()),
        spec_(spec),
        schedule_(schedule),
        last_step_(static_cast<int>(schedule.order.size()) - 1) {
    memory_.layers.resize(network_.layers.size());
  }

  PlanMemory Run() {
    for (int step = 0; step <= last_step_; ++step) AddLayer(step);
    const MemoryLayout layout = LayOut(buffers_);
    for (const Use& use : uses_) use.memory->offset += layout.offsets[use.buffer];
    memory_.arena_bytes = layout.total_bytes;
    return std::move(memory_);
  }

 private:
  struct Use {
    ImageMemory* memory;  // its offset is relative to the buffer until the layout is known
    size_t buffer;
  };
  // A buffer whose rings are written once: maps of the same form take turns in it.
  struct RingBuffer {
    std::vector<MapMemory> form;
    size_t buffer;
    int last_step;
  };

  size_t Add(int64_t bytes, int first_step, int last_step) {
    buffers_.push_back({bytes, first_step, last_step});
    return buffers_.size() - 1;
  }

  // Lays `parts` out one after another, for `images` images each; returns their bytes.
  template <typename Memory>
  int64_t Line(const std::vector<Memory*>& parts, int images) {
    int64_t bytes = 0;
    for (Memory* part : parts) {
      part->offset = bytes;
      bytes +=
          AlignUp(part->bytes_per_image * images + static_cast<int64_t>(kernels::kReadSlackBytes));
    }
    return bytes;
  }
  template <typename Memory>
  void Assign(const std::vector<Memory*>& parts, size_t buffer) {
    for (Memory* part : parts) uses_.push_back({part, buffer});
  }
  template <typename Memory>
  void Place(const std::vector<Memory*>& parts, int images, int first_step, int last_step) {
    if (parts.empty()) return;
    const int64_t bytes = Line(parts, images);
    Assign(parts, Add(bytes, first_step, last_step));
  }

  // Like Place, for maps with a ring: their memory is theirs for the whole run.
  void PlaceRinged(const std::vector<MapMemory*>& parts, int first_step, int last_step) {
    const auto fits = [&](const RingBuffer& ring) {
      return ring.last_step < first_step &&
             std::equal(parts.begin(), parts.end(), ring.form.begin(), ring.form.end(),
                        [](const MapMemory* a, const MapMemory& b) { return a->SameForm(b); });
    };
    auto ring = std::find_if(rings_.begin(), rings_.end(), fits);
    const int64_t bytes = Line(parts, spec_.max_batch);
    if (ring == rings_.end()) {
      RingBuffer made{{}, Add(bytes, 0, last_step_), 0};
      for (const MapMemory* part : parts) made.form.push_back(*part);
      ring = rings_.insert(rings_.end(), std::move(made));
    }
    ring->last_step = last_step;
    Assign(parts, ring->buffer);
  }

  // Groups that this device computes at `layer`; a map that is not divided counts as group 0.
  GroupSet Computed(const Layer& layer) const {
    return layer.Divided() ? spec_.local : GroupSet::Single(0);
  }

  void AddLayer(int step) {
    const LayerIndex i = schedule_.order[static_cast<size_t>(step)];
    const auto at = static_cast<size_t>(i);
    const Layer& layer = LayerAt(network_, i);
    LayerMemory& memory = memory_.layers[at];
    const auto groups = static_cast<size_t>(network_.groups);
    memory.maps.resize(groups);
    memory.wire.resize(groups);
    memory.wide.resize(groups);
    memory.map_last_step = std::max(step, schedule_.last_map_read[at]);
    memory.wide_last_step = schedule_.last_wide_read[at];
    if (layer.op == Op::kLinear) {
      AddHead(step, layer, memory);
      return;
    }
    AddMaps(step, i, layer, memory);
    if (layer.op != Op::kInput && layer.op != Op::kMaxPool) AddWide(step, layer, memory);
  }

  void AddHead(int step, const Layer& layer, LayerMemory& memory) {
    constexpr int64_t kBytes = sizeof(int32_t);
    const int64_t positions = int64_t{layer.out_h} * layer.out_w;
    memory.logits.bytes_per_image = positions * layer.Channels() * kBytes;
    memory.wide[0].bytes_per_image = positions * kernels::PaddedChannels(layer.Channels()) * kBytes;
    // Read at the checkpoint, which lies between this step and the next.
    Place<ImageMemory>({&memory.logits}, spec_.max_batch, step, std::min(step + 1, last_step_));
    Place<ImageMemory>({&memory.wide[0]}, spec_.max_batch, step, step);
  }

  // Exchanged maps keep their memory for the whole run: peers' maps may come early, and an own map
  // may still be on its way out when the layers that read it are done.
  void AddMaps(int step, LayerIndex i, const Layer& layer, LayerMemory& memory) {
    const bool exchanged = schedule_.exchanged[static_cast<size_t>(i)];
    const Ring ring = RingOf(network_, schedule_, i);
    std::vector<MapMemory*> parts;
    std::vector<ImageMemory*> wires;
    for (const int group : exchanged ? spec_.groups : Computed(layer)) {
      MapMemory& map = memory.maps[static_cast<size_t>(group)];
      map = MapOf(network_, i, group, ring, path_);
      map.bytes_per_image *= map_value_bytes_;
      parts.push_back(&map);
      if (exchanged && spec_.local.Contains(group)) {
        ImageMemory& wire = memory.wire[static_cast<size_t>(group)];
        wire.bytes_per_image = map.WireBytes() * map_value_bytes_;
        wires.push_back(&wire);
      }
    }
    const int first_step = exchanged ? 0 : step;
    const int last_step = exchanged ? last_step_ : memory.map_last_step;
    if (ring.Empty()) {
      Place(parts, spec_.max_batch, first_step, last_step);
    } else {
      PlaceRinged(parts, first_step, last_step);
    }
    Place(wires, spec_.max_batch, step, last_step_);
  }

  bool AwaitsPeers(const Layer& layer) const {
    if (layer.op != Op::kConv || !layer.dense) return false;
    const std::vector<LayerIndex> inputs = layer.Inputs();
    return std::any_of(inputs.begin(), inputs.end(), [this](LayerIndex input) {
      return schedule_.exchanged[static_cast<size_t>(input)];
    });
  }

  void AddWide(int step, const Layer& layer, LayerMemory& memory) {
    const bool whole_batch = memory.wide_last_step != kNever || AwaitsPeers(layer);
    // Elsewhere a generated convolution's sums never leave the registers.
    const bool generated = layer.op == Op::kConv && !RunsAsFilterSums(network_, layer, path_);
    if (!whole_batch && generated) return;
    std::vector<ImageMemory*> parts;
    for (const int group : Computed(layer)) {
      ImageMemory& part = memory.wide[static_cast<size_t>(group)];
      part.bytes_per_image = WideBytes(memory.maps[static_cast<size_t>(group)]);
      parts.push_back(&part);
    }
    memory.wide_of_one_image = !whole_batch;
    Place(parts, whole_batch ? spec_.max_batch : 1, step, std::max(step, memory.wide_last_step));
  }

  const int map_value_bytes_;
  const model::Network& network_;
  const kernels::Path path_;
  const PlanSpec& spec_;
  const Schedule& schedule_;
  const int last_step_;
  std::vector<BufferLifetime> buffers_;
  std::vector<Use> uses_;
  std::vector<RingBuffer> rings_;
  PlanMemory memory_;
};

}  // namespace

PlanMemory LayOutPlan(const PreparedNetwork& model, const PlanSpec& spec,
                      const Schedule& schedule, int map_value_bytes) {
  return Collector(model, spec, schedule, map_value_bytes).Run();
}

}  // namespace braid::runtime
