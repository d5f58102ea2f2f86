// Plan::Make: checks the specification, then turns layers into kernel calls. Layer: runtime.
#include <algorithm>
#include <new>
#include <string>

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
    plan_->scratch_offset_ = memory_.scratch_offset;
    for (size_t step = 0; step < schedule_.order.size(); ++step) {
      const LayerIndex i = schedule_.order[step];
      if (schedule_.exchanged[static_cast<size_t>(i)]) AddSlot(i);
      if (LayerAt(network_, i).op == Op::kInput) {
        plan_->input_ = Memory(i).maps[0];
      } else {
        AddLayer(i, static_cast<int>(step));
      }
    }
    return std::unique_ptr<Plan>(std::move(plan_));
  }

 private:
  const LayerMemory& Memory(LayerIndex i) const { return memory_.layers[static_cast<size_t>(i)]; }

  void AddSlot(LayerIndex i) {
    const Layer& layer = LayerAt(network_, i);
    plan_->exchanges_.push_back(i);
    plan_->slots_.push_back({i, model::MapKind(layer.op, layer.activation), Memory(i).maps});
  }

  void AddLayer(LayerIndex i, int step) {
    const Layer& layer = LayerAt(network_, i);
    PlannedLayer planned;
    planned.layer = i;
    planned.op = layer.op;
    planned.images_per_block = Memory(i).images_per_block;
    planned.pixels_per_image = int64_t{layer.out_h} * layer.out_w;
    planned.exchanged = schedule_.exchanged[static_cast<size_t>(i)];
    planned.is_exit = schedule_.is_exit[static_cast<size_t>(i)];
    planned.logits = Memory(i).logits;
    for (const int group : layer.Divided() ? spec_.local : GroupSet::Single(0)) {
      planned.targets.push_back(TargetOf(i, group));
    }
    AddSources(i, planned);
    if (planned.is_exit) planned.survive = Survivors(step);
    plan_->layers_.push_back(std::move(planned));
  }

  // Own groups first, so that their part is computed while the peers' maps travel.
  void AddSources(LayerIndex i, PlannedLayer& planned) {
    const Layer& layer = LayerAt(network_, i);
    if (layer.op == Op::kConv && !LayerAt(network_, layer.input).Divided()) {
      AddSource(i, 0, false, planned);
      return;
    }
    for (const int group : spec_.local) AddSource(i, group, false, planned);
    if (layer.op != Op::kConv || !layer.dense || remote_.empty()) return;
    for (const int group : remote_) AddSource(i, group, true, planned);
    planned.awaits_slot = plan_->SlotOf(layer.input);
  }

  void AddSource(LayerIndex i, int group, bool remote, PlannedLayer& planned) {
    const Layer& layer = LayerAt(network_, i);
    const bool divided = LayerAt(network_, layer.input).Divided();
    // A source that feeds its own group only, against one that feeds all.
    const bool alone = layer.op == Op::kMaxPool || layer.op == Op::kSumPool ||
                       (layer.op == Op::kConv && !layer.dense && divided);
    PlannedSource source;
    source.group = group;
    source.remote = remote;
    source.add = !alone && !planned.sources.empty();
    source.geometry = GeometryOf(network_, i, group);
    source.map = Memory(layer.input).maps[static_cast<size_t>(group)];
    for (size_t t = 0; t < planned.targets.size(); ++t) {
      const PlannedTarget& target = planned.targets[t];
      if (alone && target.group != group) continue;
      if (source.tiles.empty()) source.first_target = t;
      const bool pool = layer.op == Op::kMaxPool || layer.op == Op::kSumPool;
      source.tiles.push_back(pool ? nullptr : model_.Tile(i, target.group, group));
    }
    planned.sources.push_back(std::move(source));
  }

  PlannedTarget TargetOf(LayerIndex i, int group) {
    const Layer& layer = LayerAt(network_, i);
    const auto at = static_cast<size_t>(group);
    PlannedTarget target;
    target.group = group;
    target.channels = GroupChannels(layer, group);
    target.map = Memory(i).maps[at];
    target.accumulators = Memory(i).accumulators[at];
    if (layer.shortcut != model::kNoLayer)
      target.shortcut = Memory(layer.shortcut).accumulators[at];
    if (layer.op == Op::kConv || layer.op == Op::kSumPool) {
      target.epilogue = EpilogueOf(i, group);
      target.epilogue.keep_wide = Memory(i).wide_last_step != kNever;
    }
    return target;
  }

  // A channel table of one group, padded with zeros.
  const int32_t* Table(std::vector<int32_t> values) {
    values.resize(static_cast<size_t>(kernels::PaddedChannels(static_cast<int>(values.size()))));
    plan_->tables_.push_back(std::move(values));
    return plan_->tables_.back().data();
  }

  kernels::Epilogue EpilogueOf(LayerIndex i, int group) {
    const Layer& layer = LayerAt(network_, i);
    const LayerTables& tables = tables_[static_cast<size_t>(i)];
    const auto first = static_cast<ptrdiff_t>(layer.GroupOffset(group));
    const auto count = static_cast<ptrdiff_t>(GroupChannels(layer, group));
    const auto slice = [&](const std::vector<int32_t>& all) {
      return std::vector<int32_t>(all.begin() + first, all.begin() + first + count);
    };
    std::vector<int32_t> low, high;
    for (const int32_t mul : slice(tables.mul)) {
      const kernels::ClampInterval interval =
          kernels::ClampIntervalFor(mul, layer.activation == model::Activation::kRelu);
      low.push_back(interval.low);
      high.push_back(interval.high);
    }
    kernels::Epilogue epilogue;
    epilogue.channels = static_cast<int>(count);
    epilogue.bias = Table(slice(tables.bias));
    epilogue.mul = Table(slice(tables.mul));
    epilogue.low = Table(std::move(low));
    epilogue.high = Table(std::move(high));
    if (layer.shortcut != model::kNoLayer) {
      epilogue.shortcut_mul = Table(slice(tables.shortcut_mul));
      epilogue.shortcut_clamp = tables.shortcut_clamp;
      epilogue.shortcut_shift = tables.shortcut_shift;
    }
    return epilogue;
  }

  // What images that stay after the exit at `step` bring along: maps and wide values that a later
  // step reads.
  std::vector<ImageMemory> Survivors(int step) const {
    std::vector<ImageMemory> survive;
    const auto keep = [&](const std::vector<ImageMemory>& parts, int last_step) {
      if (last_step <= step) return;
      for (const ImageMemory& part : parts) {
        if (part.bytes_per_image != 0) survive.push_back(part);
      }
    };
    for (int earlier = 0; earlier < step; ++earlier) {
      const LayerMemory& memory = Memory(schedule_.order[static_cast<size_t>(earlier)]);
      keep(memory.maps, memory.map_last_step);
      keep(memory.accumulators, memory.wide_last_step);
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
