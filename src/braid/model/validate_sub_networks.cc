// Sub-networks: group sets, tables, and the proof of docs/numerics.md, section 5.
#include <fmt/format.h>

#include <cstdlib>
#include <set>
#include <string_view>

#include "braid/model/accumulator_bounds.h"
#include "braid/model/integer_bounds.h"
#include "braid/model/limits.h"
#include "braid/model/validate.h"

namespace braid::model {
namespace {

// Checks the tables of one layer in one sub-network.
class TablesValidator {
 public:
  TablesValidator(const Network& network, size_t sub_network, size_t layer)
      : layer_(network.layers[layer]),
        groups_(network.sub_networks[sub_network].groups),
        tables_(network.sub_networks[sub_network].tables[layer]),
        sub_network_(sub_network),
        index_(layer) {}

  // Layers without arithmetic of their own.
  Status Empty() const {
    const bool empty = tables_.bias.empty() && tables_.mul.empty() && tables_.clamp == 0 &&
                       tables_.shift == 0 && tables_.shortcut_mul.empty() &&
                       tables_.shortcut_clamp == 0 && tables_.shortcut_shift == 0;
    return empty ? OkStatus() : Error("", "an input or a maximum has no tables");
  }

  Status Run(const AccumulatorBounds& products) const {
    BRAID_RETURN_IF_ERROR(Length("bias", tables_.bias));
    BRAID_RETURN_IF_ERROR(Length("mul", tables_.mul));
    BRAID_RETURN_IF_ERROR(Scalars());
    int offset = 0;
    for (size_t group = 0; group < layer_.group_channels.size(); ++group) {
      const int end = offset + layer_.group_channels[group];
      const bool present = !layer_.Divided() || groups_.Contains(static_cast<int>(group));
      for (; offset < end; ++offset) {
        BRAID_RETURN_IF_ERROR(present ? Channel(offset, products) : Absent(offset));
      }
    }
    return OkStatus();
  }

 private:
  bool HasShortcut() const { return layer_.shortcut != kNoLayer; }

  Status Error(std::string_view field, const std::string& what) const {
    return FieldError(fmt::format("sub_networks[{}].tables[{}]{}{}", sub_network_, index_,
                                  field.empty() ? "" : ".", field),
                      what);
  }
  Status ChannelError(std::string_view field, int c, const std::string& what) const {
    return Error(fmt::format("{}[{}]", field, c), what);
  }

  Status Length(const char* field, const std::vector<int32_t>& values) const {
    const auto expected = static_cast<size_t>(layer_.Channels());
    if (values.size() == expected) return OkStatus();
    return Error(field, fmt::format("{} values, expected {}", values.size(), expected));
  }

  Status Scalars() const {
    if (layer_.activation == Activation::kLogits) {
      BRAID_RETURN_IF_ERROR(Rescale("clamp", tables_.clamp, "shift", tables_.shift));
    } else if (tables_.clamp != 0 || tables_.shift != 0) {
      return Error("clamp", "only logits have clamp and shift");
    }
    if (HasShortcut()) {
      BRAID_RETURN_IF_ERROR(Length("shortcut_mul", tables_.shortcut_mul));
      return Rescale("shortcut_clamp", tables_.shortcut_clamp, "shortcut_shift",
                     tables_.shortcut_shift);
    }
    if (!tables_.shortcut_mul.empty() || tables_.shortcut_clamp != 0 ||
        tables_.shortcut_shift != 0) {
      return Error("shortcut_mul", "the layer has no shortcut");
    }
    return OkStatus();
  }

  Status Rescale(const char* clamp_field, int32_t clamp, const char* shift_field,
                 int32_t shift) const {
    if (clamp < 1) return Error(clamp_field, fmt::format("{}, expected at least 1", clamp));
    if (shift < kMinRescaleShift || shift > kMaxRescaleShift) {
      return Error(shift_field,
                   fmt::format("{}, expected {}..{}", shift, kMinRescaleShift, kMaxRescaleShift));
    }
    return OkStatus();
  }

  Status Absent(int c) const {
    const auto i = static_cast<size_t>(c);
    if (tables_.bias[i] != 0) return ChannelError("bias", c, "not 0 in an absent group");
    if (tables_.mul[i] != 0) return ChannelError("mul", c, "not 0 in an absent group");
    if (HasShortcut() && tables_.shortcut_mul[i] != 0) {
      return ChannelError("shortcut_mul", c, "not 0 in an absent group");
    }
    return OkStatus();
  }

  Status Channel(int c, const AccumulatorBounds& products) const {
    const auto i = static_cast<size_t>(c);
    const int32_t mul = tables_.mul[i];
    if (layer_.activation == Activation::kLogits) {
      if (!RescaleFits(tables_.clamp, mul, tables_.shift)) {
        return ChannelError("mul", c,
                            fmt::format("{} times the clamp of {} leaves s32", mul, tables_.clamp));
      }
    } else if (mul < -kMaxMul || mul > kMaxMul) {
      return ChannelError("mul", c, fmt::format("{}, expected -2^24..2^24", mul));
    }
    int64_t bound = std::abs(int64_t{tables_.bias[i]}) + products.Products(c, groups_);
    if (HasShortcut()) {
      const int32_t shortcut_mul = tables_.shortcut_mul[i];
      if (!RescaleFits(tables_.shortcut_clamp, shortcut_mul, tables_.shortcut_shift)) {
        return ChannelError("shortcut_mul", c,
                            fmt::format("{} times the clamp of {} leaves s32", shortcut_mul,
                                        tables_.shortcut_clamp));
      }
      bound += RescaleBound(tables_.shortcut_clamp, shortcut_mul, tables_.shortcut_shift);
    }
    if (bound > kMaxS32) {
      return ChannelError("bias", c,
                          fmt::format("the accumulator can reach {}, which leaves s32", bound));
    }
    return OkStatus();
  }

  const Layer& layer_;
  GroupSet groups_;
  const LayerTables& tables_;
  size_t sub_network_;
  size_t index_;
};

Status ValidateGroups(const Network& network) {
  const GroupSet all = GroupSet::First(network.groups);
  std::set<GroupSet> seen;
  for (size_t s = 0; s < network.sub_networks.size(); ++s) {
    const SubNetwork& sub_network = network.sub_networks[s];
    const std::string field = fmt::format("sub_networks[{}]", s);
    if (sub_network.groups.empty() || !all.ContainsAll(sub_network.groups)) {
      return FieldError(field + ".groups", fmt::format("mask {:#x}, expected some of {} groups",
                                                       sub_network.groups.mask(), network.groups));
    }
    if (!seen.insert(sub_network.groups).second) {
      return FieldError(field + ".groups", "the same groups as an earlier sub-network");
    }
    if (sub_network.tables.size() != network.layers.size()) {
      return FieldError(field + ".tables",
                        fmt::format("{} entries, expected one for each of {} layers",
                                    sub_network.tables.size(), network.layers.size()));
    }
  }
  return OkStatus();
}

}  // namespace

Status ValidateSubNetworks(const Network& network) {
  const size_t count = network.sub_networks.size();
  if (count == 0 || count > static_cast<size_t>(kMaxSubNetworks)) {
    return FieldError("sub_networks",
                      fmt::format("{} sub-networks, expected 1..{}", count, kMaxSubNetworks));
  }
  if (static_cast<int64_t>(count * network.layers.size()) > kMaxTableSets) {
    return FieldError("sub_networks", fmt::format("{} of {} layers, at most {} tables in all",
                                                  count, network.layers.size(), kMaxTableSets));
  }
  BRAID_RETURN_IF_ERROR(ValidateGroups(network));
  for (size_t l = 0; l < network.layers.size(); ++l) {
    const Layer& layer = network.layers[l];
    if (layer.op == Op::kInput || layer.op == Op::kMaxPool) {
      for (size_t s = 0; s < count; ++s) {
        BRAID_RETURN_IF_ERROR(TablesValidator(network, s, l).Empty());
      }
      continue;
    }
    const AccumulatorBounds products(network, layer);
    for (size_t s = 0; s < count; ++s) {
      BRAID_RETURN_IF_ERROR(TablesValidator(network, s, l).Run(products));
    }
  }
  return OkStatus();
}

}  // namespace braid::model
