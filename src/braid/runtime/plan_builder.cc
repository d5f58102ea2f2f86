// Plan::Make: checks the specification, then turns layers into kernel calls. Layer: runtime.
#include <algorithm>
#include <new>
#include <string>

#include "braid/kernels/geometry.h"
#include "braid/model/layer_map.h"
#include "braid/runtime/activation_memory.h"
#include "braid/runtime/channel_tables.h"
#include "braid/runtime/execution_plan.h"
#include "braid/runtime/layer_geometry.h"
#include "braid/runtime/plan_memory.h"

namespace braid::runtime {

using model::InputBlock;
using model::Layer;
using model::LayerIndex;
using model::LayerTables;
using model::Op;

namespace {

// Far above any real batch; keeps every size below in 64 bits.
constexpr int kMaxBatch = 1 << 16;
// A model file may describe maps that no machine can hold: refuse before asking for the memory.
constexpr int64_t kMaxArenaBytes = int64_t{1} << 36;

LayerIndex LastHead(const model::Network& network) {
  for (auto i = static_cast<LayerIndex>(network.layers.size()) - 1; i >= 0; --i) {
    if (LayerAt(network, i).op == Op::kLinear) return i;
  }
  return model::kNoLayer;
}

// `spec` with its head filled in.
Result<PlanSpec> CheckedSpec(const PreparedNetwork& model, PlanSpec spec) {
  const model::Network& network = model.network();
  if (model::FindSubNetwork(network, spec.groups) < 0) {
    return InvalidArgument("plan.groups: the model has no such sub-network");
  }
  if (spec.local.empty() || !spec.groups.ContainsAll(spec.local)) {
    return InvalidArgument("plan.local: expected some of the sub-network's groups");
  }
  if (!model.share().ContainsAll(spec.local)) {
    return InvalidArgument("plan.local: this device does not carry these groups' weights");
  }
  if (spec.head == model::kNoLayer) spec.head = LastHead(network);
  if (spec.head < 0 || spec.head >= static_cast<LayerIndex>(network.layers.size()) ||
      LayerAt(network, spec.head).op != Op::kLinear) {
    return InvalidArgument("plan.head: layer " + std::to_string(spec.head) + " is no head");
  }
  if (spec.max_batch < 1 || spec.max_batch > kMaxBatch) {
    return InvalidArgument("plan.max_batch: expected 1.." + std::to_string(kMaxBatch));
  }
  return spec;
}

}  // namespace

class PlanBuilder {
 public:
  PlanBuilder(const PreparedNetwork& model, const PlanSpec& spec)
      : network_(model.network()),
        model_(model),
        spec_(spec),
        remote_(spec.groups - spec.local),
        tables_(
            network_.sub_networks[static_cast<size_t>(model::FindSubNetwork(network_, spec.groups))]
                .tables),
        // A decision to stop must be the same on every participant, who each hold partial sums
        // only; so plans that span devices run to their head.
        schedule_(
            MakeSchedule(network_, spec.head, !remote_.empty(), spec.exits && remote_.empty())),
        memory_(LayOutPlan(model, spec, schedule_)),
        plan_(new ExecutionPlan(model, spec)) {}

  Result<std::unique_ptr<Plan>> Build() {
    if (memory_.arena_bytes > kMaxArenaBytes) {
      return ResourceExhausted("plan: needs " + std::to_string(memory_.arena_bytes) +
                               " bytes for its maps");
    }
    plan_->arena_bytes_ = memory_.arena_bytes;
    for (size_t step = 0; step < schedule_.order.size(); ++step) {
      const LayerIndex i = schedule_.order[step];
      AddRings(i);
      if (schedule_.exchanged[static_cast<size_t>(i)]) AddSlot(i);
      if (LayerAt(network_, i).op == Op::kInput) {
        plan_->input_ = Memory(i).maps[0];
      } else {
        BRAID_RETURN_IF_ERROR(AddLayer(i, static_cast<int>(step)));
      }
    }
    return std::unique_ptr<Plan>(std::move(plan_));
  }

 private:
  const LayerMemory& Memory(LayerIndex i) const { return memory_.layers[static_cast<size_t>(i)]; }

  // The arena starts as zeros; rings of other bytes are to be filled.
  void AddRings(LayerIndex i) {
    for (const MapMemory& map : Memory(i).maps) {
      if (map.bytes_per_image == 0 || map.ring.Empty()) continue;
      std::vector<uint8_t> pixel = map.ring_pixel;
      if (pixel.empty()) pixel = {kernels::ZeroByte(map.encoding)};
      if (pixel == std::vector<uint8_t>{0}) continue;
      plan_->rings_.push_back({map.offset, map.bytes_per_image * spec_.max_batch, pixel});
    }
  }

  void AddSlot(LayerIndex i) {
    const Layer& layer = LayerAt(network_, i);
    plan_->exchanges_.push_back(i);
    plan_->slots_.push_back(
        {i, model::MapKind(layer.op, layer.activation), Memory(i).maps, Memory(i).wire});
  }

  Status AddLayer(LayerIndex i, int step) {
    const Layer& layer = LayerAt(network_, i);
    PlannedLayer planned;
    planned.layer = i;
    planned.op = layer.op;
    planned.exchanged = schedule_.exchanged[static_cast<size_t>(i)];
    planned.is_exit = schedule_.is_exit[static_cast<size_t>(i)];
    switch (layer.op) {
      case Op::kInput:
        break;
      case Op::kConv:
        BRAID_RETURN_IF_ERROR(AddConvolutions(i, planned));
        break;
      case Op::kMaxPool:
      case Op::kSumPool:
        for (const int group : spec_.local) planned.pools.push_back(PoolOf(i, group));
        break;
      case Op::kLinear:
        BRAID_RETURN_IF_ERROR(AddHead(i, planned));
        break;
    }
    if (layer.op != Op::kLinear) {
      for (const int group : spec_.local) {
        planned.maps.push_back({group, Memory(i).maps[static_cast<size_t>(group)]});
      }
    }
    if (planned.is_exit) planned.survive = Survivors(step);
    plan_->layers_.push_back(std::move(planned));
    return OkStatus();
  }

  // Blocks of the layer's input channels for which `wanted(block)` holds, by index.
  template <typename Wanted>
  std::vector<int> BlocksWhere(const std::vector<InputBlock>& blocks, Wanted wanted) const {
    std::vector<int> found;
    for (size_t b = 0; b < blocks.size(); ++b) {
      if (wanted(blocks[b])) found.push_back(static_cast<int>(b));
    }
    return found;
  }

  Status AddConvolutions(LayerIndex i, PlannedLayer& planned) {
    const Layer& layer = LayerAt(network_, i);
    if (layer.filter_channels > 0) return AddFilters(i, planned);
    const std::vector<InputBlock> blocks = model::InputBlocksOf(network_, layer);
    const bool divided = std::any_of(blocks.begin(), blocks.end(),
                                     [](const InputBlock& block) { return block.divided; });
    if (divided && !layer.dense) {
      for (const int group : spec_.local) {
        BRAID_RETURN_IF_ERROR(AddConvolution(
            i, BlocksWhere(blocks, [&](const auto& b) { return model::Reads(layer, group, b); }),
            GroupSet::Single(group), kernels::Start::kZero, kernels::Finish::kBytes, planned.own));
      }
      return OkStatus();
    }
    const std::vector<int> own = BlocksWhere(
        blocks, [&](const auto& b) { return !b.divided || spec_.local.Contains(b.group); });
    const std::vector<int> peers = BlocksWhere(
        blocks, [&](const auto& b) { return b.divided && remote_.Contains(b.group); });
    if (peers.empty()) {
      return AddConvolution(i, own, spec_.local, kernels::Start::kZero, kernels::Finish::kBytes,
                            planned.own);
    }
    // The own part is computed while the peers' maps travel.
    for (const LayerIndex input : layer.Inputs()) {
      if (const int slot = plan_->SlotOf(input); slot != kNoSlot) planned.awaits.push_back(slot);
    }
    BRAID_RETURN_IF_ERROR(AddConvolution(i, own, spec_.local, kernels::Start::kZero,
                                         kernels::Finish::kWide, planned.own));
    return AddConvolution(i, peers, spec_.local, kernels::Start::kWide, kernels::Finish::kBytes,
                          planned.peers);
  }

  Status AddConvolution(LayerIndex i, const std::vector<int>& blocks, GroupSet targets,
                        kernels::Start start, kernels::Finish finish,
                        std::vector<PlannedConvolution>& to) {
    PlannedConvolution planned;
    kernels::ConvolutionShape shape = ShapeOf(i, start, finish, planned);
    for (const int group : targets) {
      const MapMemory& map = Memory(i).maps[static_cast<size_t>(group)];
      AddTarget(i, group, {0, map.channels}, shape, planned);
    }
    AddSources(i, blocks, targets, shape, planned);
    return Finish(std::move(shape), std::move(planned), to);
  }

  // What does not depend on the layer's channels.
  kernels::ConvolutionShape ShapeOf(LayerIndex i, kernels::Start start, kernels::Finish finish,
                                    PlannedConvolution& planned) const {
    const Layer& layer = LayerAt(network_, i);
    const LayerTables& tables = TablesAt(i);
    kernels::ConvolutionShape shape;
    shape.path = model_.path();
    shape.columns = layer.out_w;
    shape.start = start;
    shape.finish = finish;
    planned.rows = layer.out_h;
    if (finish == kernels::Finish::kBytes) {
      shape.shortcut = layer.shortcut != model::kNoLayer;
      if (shape.shortcut) {
        shape.shortcut_shift = tables.shortcut_shift;
        planned.shortcut_clamp = tables.shortcut_clamp;
      }
      shape.keep_wide = Memory(i).wide_last_step != kNever;
    }
    return shape;
  }

  void AddTarget(LayerIndex i, int group, ChannelRun run, kernels::ConvolutionShape& shape,
                 PlannedConvolution& planned) {
    const Layer& layer = LayerAt(network_, i);
    const auto at = static_cast<size_t>(group);
    const MapMemory& map = Memory(i).maps[at];
    const int64_t wide_offset = int64_t{run.first} * static_cast<int64_t>(sizeof(int32_t));
    shape.output_encoding = map.encoding;
    shape.outputs.push_back(OutputOf(map));
    shape.outputs.back().channels = run.channels;
    planned.outputs.push_back(map.offset + map.PixelOffset(0, 0) + run.first);
    planned.wide.push_back(Memory(i).wide[at].offset + wide_offset);
    if (shape.shortcut) {
      planned.shortcuts.push_back(Memory(layer.shortcut).wide[at].offset + wide_offset);
    }
    if (shape.finish == kernels::Finish::kBytes) {
      planned.tables.push_back(KernelTable(i, group, run));
    }
  }

  static Status Finish(kernels::ConvolutionShape shape, PlannedConvolution planned,
                       std::vector<PlannedConvolution>& to) {
    planned.products = ProductsOf(shape, planned.rows);
    BRAID_ASSIGN_OR_RETURN(planned.convolution, kernels::Convolution::Make(shape));
    to.push_back(std::move(planned));
    return OkStatus();
  }

  void AddSources(LayerIndex i, const std::vector<int>& blocks, GroupSet targets,
                  kernels::ConvolutionShape& shape, PlannedConvolution& planned) {
    const std::vector<InputBlock> all = model::InputBlocksOf(network_, LayerAt(network_, i));
    for (const int b : blocks) {
      const InputBlock& block = all[static_cast<size_t>(b)];
      const MapMemory& map = Memory(block.map).maps[static_cast<size_t>(block.group)];
      const MapWindow window = WindowOf(network_, i, map);
      shape.sources.push_back(window.source);
      planned.maps.push_back(map.offset + window.first);
      for (const int target : targets) planned.tiles.push_back(model_.Tile(i, target, b));
    }
  }

  // A convolution whose filters read few channels: where its steps are made, whatever computes
  // them. Channel groups keep to themselves, so nothing is awaited.
  Status AddFilters(LayerIndex i, PlannedLayer& planned) {
    const Layer& layer = LayerAt(network_, i);
    const bool depthwise = RunsAsDepthwise(network_, layer, model_.path());
    const bool sums = RunsAsFilterSums(network_, layer, model_.path());
    for (const int group : spec_.local) {
      if (depthwise) {
        BRAID_RETURN_IF_ERROR(AddDepthwise(i, group, planned.own));
      } else if (sums) {
        planned.filters.push_back(FilterSumsOf(i, group));
      } else {
        BRAID_RETURN_IF_ERROR(AddFilterConvolutions(i, group, planned.own));
      }
    }
    return OkStatus();
  }

  Status AddDepthwise(LayerIndex i, int group, std::vector<PlannedConvolution>& to) {
    const MapMemory& map = Memory(LayerAt(network_, i).input).maps[static_cast<size_t>(group)];
    const MapWindow window = WindowOf(network_, i, map);
    PlannedConvolution planned;
    kernels::ConvolutionShape shape =
        ShapeOf(i, kernels::Start::kZero, kernels::Finish::kBytes, planned);
    AddTarget(i, group, {0, map.channels}, shape, planned);
    shape.sources.push_back(window.source);
    shape.sources.back().depthwise = true;
    planned.maps.push_back(map.offset + window.first);
    planned.tiles.push_back(model_.Tile(i, group, 0));
    return Finish(std::move(shape), std::move(planned), to);
  }

  // One convolution a filter block, over its channels of the group's map.
  Status AddFilterConvolutions(LayerIndex i, int group, std::vector<PlannedConvolution>& to) {
    const Layer& layer = LayerAt(network_, i);
    const MapMemory& map = Memory(layer.input).maps[static_cast<size_t>(group)];
    const MapWindow window = WindowOf(network_, i, map);
    const model::FilterBlocks blocks = model::FilterBlocksOf(network_, layer, group);
    for (int b = 0; b < blocks.count; ++b) {
      PlannedConvolution planned;
      kernels::ConvolutionShape shape =
          ShapeOf(i, kernels::Start::kZero, kernels::Finish::kBytes, planned);
      AddTarget(i, group, {b * blocks.outputs, blocks.outputs}, shape, planned);
      shape.sources.push_back(window.source);
      shape.sources.back().channels = layer.filter_channels;
      planned.maps.push_back(map.offset + window.first + b * layer.filter_channels);
      planned.tiles.push_back(model_.Tile(i, group, b));
      BRAID_RETURN_IF_ERROR(Finish(std::move(shape), std::move(planned), to));
    }
    return OkStatus();
  }

  PlannedFilters FilterSumsOf(LayerIndex i, int group) {
    const Layer& layer = LayerAt(network_, i);
    const auto at = static_cast<size_t>(group);
    const MapMemory& from = Memory(layer.input).maps[at];
    const MapMemory& to = Memory(i).maps[at];
    const MapWindow window = WindowOf(network_, i, from);
    PlannedFilters planned;
    planned.shape = {window.source, OutputOf(to), layer.out_w, layer.filter_channels};
    planned.rows = layer.out_h;
    planned.input = from.offset + window.first;
    planned.output = to.offset + to.PixelOffset(0, 0);
    planned.weights = model_.FilterWeights(i, group);
    planned.wide = Memory(i).wide[at];
    planned.one_image = Memory(i).wide_of_one_image;
    if (layer.shortcut != model::kNoLayer) planned.shortcut = Memory(layer.shortcut).wide[at];
    planned.epilogue = Epilogue(i, group);
    planned.epilogue.keep_wide = Memory(i).wide_last_step != kNever;
    planned.epilogue.output_offset = kernels::ZeroByte(to.encoding);
    planned.products = int64_t{window.source.kernel_h} * window.source.kernel_w *
                       layer.filter_channels * to.channels * layer.out_w * layer.out_h;
    return planned;
  }

  // The blocks of a head's input that this device computes: the peers send partial sums.
  std::vector<int> HeadBlocks(LayerIndex i) const {
    return BlocksWhere(model::InputBlocksOf(network_, LayerAt(network_, i)),
                       [this](const InputBlock& b) { return spec_.local.Contains(b.group); });
  }

  Status AddHead(LayerIndex i, PlannedLayer& planned) {
    const Layer& layer = LayerAt(network_, i);
    planned.classes = layer.Channels();
    planned.positions = int64_t{layer.out_h} * layer.out_w;
    planned.sums = Memory(i).wide[0];
    planned.logits = Memory(i).logits;
    if (planned.positions > 1) return AddMapHead(i, planned.own);
    if (spec_.max_batch >= kHeadImages) {
      BRAID_RETURN_IF_ERROR(AddHeadOver(i, kHeadImages, planned.own));
    }
    return AddHeadOver(i, 1, planned.own);
  }

  // Multiplications of one image.
  static int64_t ProductsOf(const kernels::ConvolutionShape& shape, int64_t rows) {
    int64_t depth = 0, channels = 0;
    for (const auto& s : shape.sources) {
      depth += int64_t{s.kernel_h} * s.kernel_w * (s.depthwise ? 1 : s.channels);
    }
    for (const auto& o : shape.outputs) channels += o.channels;
    return depth * channels * shape.columns * rows;
  }

  // A head whose pixels of a row are `images` images, and whose rows follow each other.
  Status AddHeadOver(LayerIndex i, int images, std::vector<PlannedConvolution>& to) {
    const int classes = LayerAt(network_, i).Channels();
    const int64_t wide = kernels::PaddedChannels(classes);
    PlannedConvolution planned;
    kernels::ConvolutionShape shape;
    shape.path = model_.path();
    shape.columns = images;
    shape.finish = kernels::Finish::kWide;
    shape.outputs.push_back({.channels = classes,
                             .wide_column_stride = wide,
                             .wide_row_stride = wide * images});
    planned.wide.push_back(Memory(i).wide[0].offset);
    AddSources(i, HeadBlocks(i), GroupSet::Single(0), shape, planned);
    for (kernels::SourceShape& source : shape.sources) {
      source.column_stride = source.image_stride;
      source.row_stride = source.image_stride * images;
      source.image_stride = 0;
      source.edges = {};  // columns are images
    }
    planned.products = ProductsOf(shape, 1) / images;
    BRAID_ASSIGN_OR_RETURN(planned.convolution, kernels::Convolution::Make(shape));
    to.push_back(std::move(planned));
    return OkStatus();
  }

  // A head that answers at every position: rows and columns are those of its window.
  Status AddMapHead(LayerIndex i, std::vector<PlannedConvolution>& to) {
    const Layer& layer = LayerAt(network_, i);
    const int64_t wide = kernels::PaddedChannels(layer.Channels());
    PlannedConvolution planned;
    kernels::ConvolutionShape shape;
    shape.path = model_.path();
    shape.columns = layer.out_w;
    shape.finish = kernels::Finish::kWide;
    shape.outputs.push_back({.channels = layer.Channels(),
                             .wide_column_stride = wide,
                             .wide_row_stride = wide * layer.out_w,
                             .wide_image_stride = wide * layer.out_w * layer.out_h});
    planned.rows = layer.out_h;
    planned.wide.push_back(Memory(i).wide[0].offset);
    AddSources(i, HeadBlocks(i), GroupSet::Single(0), shape, planned);
    return Finish(std::move(shape), std::move(planned), to);
  }

  PlannedPool PoolOf(LayerIndex i, int group) {
    const Layer& layer = LayerAt(network_, i);
    const auto at = static_cast<size_t>(group);
    const MapMemory& from = Memory(layer.input).maps[at];
    const MapMemory& to = Memory(i).maps[at];
    const MapWindow window = WindowOf(network_, i, from);
    PlannedPool pool;
    pool.shape = {window.source, OutputOf(to), layer.out_h, layer.out_w};
    pool.input = from.offset + window.first;
    pool.output = to.offset + to.PixelOffset(0, 0);
    if (layer.op == Op::kSumPool) {
      pool.wide = Memory(i).wide[at];
      pool.one_image = Memory(i).wide_of_one_image;
      pool.epilogue = Epilogue(i, group);
      pool.epilogue.keep_wide = Memory(i).wide_last_step != kNever;
      pool.epilogue.output_offset = kernels::ZeroByte(to.encoding);
    }
    return pool;
  }

  const LayerTables& TablesAt(LayerIndex i) const { return tables_[static_cast<size_t>(i)]; }

  const int32_t* KernelTable(LayerIndex i, int group, ChannelRun run) {
    plan_->tables_.push_back(KernelTableOf(LayerAt(network_, i), TablesAt(i), group, run));
    return plan_->tables_.back().data();
  }

  kernels::Epilogue Epilogue(LayerIndex i, int group) {
    return EpilogueOf(LayerAt(network_, i), TablesAt(i), group, plan_->tables_);
  }

  // What images that stay after the exit at `step` bring along: maps and wide values that a later
  // step reads.
  std::vector<ImageMemory> Survivors(int step) const {
    std::vector<ImageMemory> survive;
    const auto keep = [&](const auto& parts, int last_step) {
      if (last_step <= step) return;
      for (const ImageMemory& part : parts) {
        if (part.bytes_per_image != 0) survive.push_back(part);
      }
    };
    for (int earlier = 0; earlier < step; ++earlier) {
      const LayerMemory& memory = Memory(schedule_.order[static_cast<size_t>(earlier)]);
      keep(memory.maps, memory.map_last_step);
      keep(memory.wide, memory.wide_last_step);
    }
    return survive;
  }

  const model::Network& network_;
  const PreparedNetwork& model_;
  const PlanSpec spec_;
  const GroupSet remote_;
  const std::vector<LayerTables>& tables_;
  const Schedule schedule_;
  const PlanMemory memory_;
  std::unique_ptr<ExecutionPlan> plan_;
};

Result<ActivationMemory> MeasureActivationMemory(const PreparedModel& model,
                                                 const PlanSpec& spec) {
  const auto& prepared = static_cast<const PreparedNetwork&>(model);
  BRAID_ASSIGN_OR_RETURN(const PlanSpec checked, CheckedSpec(prepared, spec));
  const bool remote = checked.groups != checked.local;
  const Schedule schedule =
      MakeSchedule(prepared.network(), checked.head, remote, checked.exits && !remote);
  return ActivationMemory{
      .integer_maps = LayOutPlan(prepared, checked, schedule).arena_bytes,
      .float_maps = LayOutPlan(prepared, checked, schedule, sizeof(float)).arena_bytes};
}

Result<std::unique_ptr<Plan>> Plan::Make(const PreparedModel& model, const PlanSpec& spec) {
  // PreparedNetwork is the only implementation, and Prepare the only way to one.
  const auto& prepared = static_cast<const PreparedNetwork&>(model);
  BRAID_ASSIGN_OR_RETURN(const PlanSpec checked, CheckedSpec(prepared, spec));
  try {
    return PlanBuilder(prepared, checked).Build();
  } catch (const std::bad_alloc&) {
    return ResourceExhausted("plan: no memory for it");
  }
}

}  // namespace braid::runtime
