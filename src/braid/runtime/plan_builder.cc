// Plan::Make: checks the specification, then turns layers into kernel calls. Layer: runtime.
#include <algorithm>
#include <new>
#include <string>

#include "braid/kernels/geometry.h"
#include "braid/model/layer_map.h"
#include "braid/runtime/execution_plan.h"
#include "braid/runtime/layer_geometry.h"
#include "braid/runtime/plan_memory.h"

namespace braid::runtime {

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
      const uint8_t zero = kernels::ZeroByte(map.encoding);
      if (map.bytes_per_image == 0 || map.ring.Empty() || zero == 0) continue;
      plan_->rings_.push_back({map.offset, map.bytes_per_image * spec_.max_batch, zero});
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

  Status AddConvolutions(LayerIndex i, PlannedLayer& planned) {
    const Layer& layer = LayerAt(network_, i);
    if (LayerAt(network_, layer.input).Divided() && !layer.dense) {
      for (const int group : spec_.local) {
        BRAID_RETURN_IF_ERROR(AddConvolution(i, GroupSet::Single(group), GroupSet::Single(group),
                                             kernels::Start::kZero, kernels::Finish::kBytes,
                                             planned.own));
      }
      return OkStatus();
    }
    if (!LayerAt(network_, layer.input).Divided()) {
      return AddConvolution(i, GroupSet::Single(0), spec_.local, kernels::Start::kZero,
                            kernels::Finish::kBytes, planned.own);
    }
    if (remote_.empty()) {
      return AddConvolution(i, spec_.local, spec_.local, kernels::Start::kZero,
                            kernels::Finish::kBytes, planned.own);
    }
    // The own part is computed while the peers' maps travel.
    planned.awaits_slot = plan_->SlotOf(layer.input);
    BRAID_RETURN_IF_ERROR(AddConvolution(i, spec_.local, spec_.local, kernels::Start::kZero,
                                         kernels::Finish::kWide, planned.own));
    return AddConvolution(i, remote_, spec_.local, kernels::Start::kWide, kernels::Finish::kBytes,
                          planned.peers);
  }

  Status AddConvolution(LayerIndex i, GroupSet sources, GroupSet targets, kernels::Start start,
                        kernels::Finish finish, std::vector<PlannedConvolution>& to) {
    const Layer& layer = LayerAt(network_, i);
    const LayerTables& tables = tables_[static_cast<size_t>(i)];
    PlannedConvolution planned;
    kernels::ConvolutionShape shape;
    shape.path = model_.path();
    shape.columns = layer.out_w;
    shape.start = start;
    shape.finish = finish;
    planned.rows = layer.out_h;
    const bool bytes = finish == kernels::Finish::kBytes;
    if (bytes) {
      shape.shortcut = layer.shortcut != model::kNoLayer;
      if (shape.shortcut) {
        shape.shortcut_shift = tables.shortcut_shift;
        planned.shortcut_clamp = tables.shortcut_clamp;
      }
      shape.keep_wide = Memory(i).wide_last_step != kNever;
    }
    for (const int group : targets) {
      const MapMemory& map = Memory(i).maps[static_cast<size_t>(group)];
      shape.output_encoding = map.encoding;
      shape.outputs.push_back(OutputOf(map));
      planned.outputs.push_back(map.offset + map.PixelOffset(0, 0));
      planned.wide.push_back(Memory(i).wide[static_cast<size_t>(group)].offset);
      if (shape.shortcut) {
        planned.shortcuts.push_back(Memory(layer.shortcut).wide[static_cast<size_t>(group)].offset);
      }
      if (bytes) planned.tables.push_back(KernelTable(i, group));
    }
    AddSources(i, sources, targets, shape, planned);
    planned.products = ProductsOf(shape, planned.rows);
    BRAID_ASSIGN_OR_RETURN(planned.convolution, kernels::Convolution::Make(shape));
    to.push_back(std::move(planned));
    return OkStatus();
  }

  void AddSources(LayerIndex i, GroupSet sources, GroupSet targets,
                  kernels::ConvolutionShape& shape, PlannedConvolution& planned) {
    for (const int source : sources) {
      const MapMemory& map =
          Memory(LayerAt(network_, i).input).maps[static_cast<size_t>(source)];
      const MapWindow window = WindowOf(network_, i, map);
      shape.sources.push_back(window.source);
      planned.maps.push_back(map.offset + window.first);
      for (const int target : targets) planned.tiles.push_back(model_.Tile(i, target, source));
    }
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
    for (const auto& s : shape.sources) depth += int64_t{s.kernel_h} * s.kernel_w * s.channels;
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
    AddSources(i, spec_.local, GroupSet::Single(0), shape, planned);
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
    AddSources(i, spec_.local, GroupSet::Single(0), shape, planned);
    planned.products = ProductsOf(shape, planned.rows);
    BRAID_ASSIGN_OR_RETURN(planned.convolution, kernels::Convolution::Make(shape));
    to.push_back(std::move(planned));
    return OkStatus();
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
      pool.epilogue = EpilogueOf(i, group);
      pool.epilogue.keep_wide = Memory(i).wide_last_step != kNever;
      pool.epilogue.output_offset = kernels::ZeroByte(to.encoding);
    }
    return pool;
  }

  // Integers of one group's channels in this sub-network, and what follows from them.
  struct ChannelTables {
    std::vector<int32_t> bias, mul, low, high, shortcut_mul;
  };
  ChannelTables TablesOf(LayerIndex i, int group) const {
    const Layer& layer = LayerAt(network_, i);
    const LayerTables& tables = tables_[static_cast<size_t>(i)];
    const auto first = static_cast<ptrdiff_t>(layer.GroupOffset(group));
    const auto count = static_cast<ptrdiff_t>(GroupChannels(layer, group));
    const auto slice = [&](const std::vector<int32_t>& all) {
      return std::vector<int32_t>(all.begin() + first, all.begin() + first + count);
    };
    ChannelTables t;
    t.bias = slice(tables.bias);
    t.mul = slice(tables.mul);
    if (layer.shortcut != model::kNoLayer) t.shortcut_mul = slice(tables.shortcut_mul);
    for (const int32_t mul : t.mul) {
      const kernels::ClampInterval interval =
          kernels::ClampIntervalFor(mul, layer.activation == model::Activation::kRelu);
      t.low.push_back(interval.low);
      t.high.push_back(interval.high);
    }
    return t;
  }

  const int32_t* Keep(std::vector<int32_t> table) {
    plan_->tables_.push_back(std::move(table));
    return plan_->tables_.back().data();
  }

  // In the form of generated kernels.
  const int32_t* KernelTable(LayerIndex i, int group) {
    const ChannelTables t = TablesOf(i, group);
    std::vector<int32_t> table(kernels::TableElements(static_cast<int>(t.bias.size())));
    const auto fill = [&](kernels::TableRow row, const std::vector<int32_t>& values) {
      for (size_t c = 0; c < values.size(); ++c) {
        table[kernels::TableIndex(row, static_cast<int>(c))] = values[c];
      }
    };
    fill(kernels::TableRow::kBias, t.bias);
    fill(kernels::TableRow::kMul, t.mul);
    fill(kernels::TableRow::kLow, t.low);
    fill(kernels::TableRow::kHigh, t.high);
    fill(kernels::TableRow::kShortcutMul, t.shortcut_mul);
    return Keep(std::move(table));
  }

  // In the form of KernelSet::requantize. Only a convolution has a shortcut.
  kernels::Epilogue EpilogueOf(LayerIndex i, int group) {
    ChannelTables t = TablesOf(i, group);
    kernels::Epilogue epilogue;
    epilogue.channels = static_cast<int>(t.bias.size());
    const auto padded = [&](std::vector<int32_t>& values) {
      values.resize(static_cast<size_t>(kernels::PaddedChannels(epilogue.channels)));
      return Keep(std::move(values));
    };
    epilogue.bias = padded(t.bias);
    epilogue.mul = padded(t.mul);
    epilogue.low = padded(t.low);
    epilogue.high = padded(t.high);
    return epilogue;
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
