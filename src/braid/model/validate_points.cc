// Operating points: names, terms, heads, stated costs, and sums of logits.
#include <fmt/format.h>

#include <set>
#include <string_view>

#include "braid/model/integer_bounds.h"
#include "braid/model/limits.h"
#include "braid/model/operating_point_name.h"
#include "braid/model/validate.h"

namespace braid::model {
namespace {

class PointValidator {
 public:
  PointValidator(const Network& network, size_t index)
      : network_(network), index_(index), point_(network.points[index]) {}

  Status Run() const {
    BRAID_RETURN_IF_ERROR(HeadAndTerms());
    BRAID_RETURN_IF_ERROR(Name());
    BRAID_RETURN_IF_ERROR(Figures());
    return SummedLogits();
  }

 private:
  Status Error(std::string_view field, const std::string& what) const {
    return FieldError(fmt::format("points[{}].{}", index_, field), what);
  }
  const SubNetwork& Term(int term) const {
    return network_.sub_networks[static_cast<size_t>(term)];
  }

  Status HeadAndTerms() const {
    if (point_.head < 0 || static_cast<size_t>(point_.head) >= network_.layers.size() ||
        network_.layers[static_cast<size_t>(point_.head)].op != Op::kLinear) {
      return Error("head", fmt::format("layer {} is no linear layer", point_.head));
    }
    if (point_.terms.empty()) return Error("terms", "none");
    GroupSet seen;
    for (size_t t = 0; t < point_.terms.size(); ++t) {
      const std::string field = fmt::format("terms[{}]", t);
      const int term = point_.terms[t];
      if (term < 0 || static_cast<size_t>(term) >= network_.sub_networks.size()) {
        return Error(field, fmt::format("there is no sub-network {}", term));
      }
      const GroupSet groups = Term(term).groups;
      if (!(seen & groups).empty()) return Error(field, "shares groups with an earlier term");
      seen = seen | groups;
    }
    return OkStatus();
  }

  Status Name() const {
    const Result<PointName> name = ParsePointName(point_.name);
    if (!name.ok()) return Error("name", name.status().message());
    PointName stated{.terms = {}, .exit = ExitOfHead(network_, point_.head)};
    for (const int term : point_.terms) stated.terms.push_back(Term(term).groups);
    if (*name == stated) return OkStatus();
    return Error("name", fmt::format("'{}', but its terms and head are those of '{}', in the "
                                     "order of that name",
                                     point_.name, FormatPointName(stated.terms, stated.exit)));
  }

  Status Figures() const {
    // Written so that a NaN fails.
    if (!(point_.accuracy >= 0 && point_.accuracy <= 1)) {
      return Error("accuracy", fmt::format("{}, expected a fraction", point_.accuracy));
    }
    if (point_.macs_mean < 0 || point_.macs_mean > point_.macs_worst) {
      return Error("macs_mean", fmt::format("{}, expected 0..macs_worst ({})", point_.macs_mean,
                                            point_.macs_worst));
    }
    if (point_.weight_bytes < 0) {
      return Error("weight_bytes", fmt::format("{}, expected at least 0", point_.weight_bytes));
    }
    return OkStatus();
  }

  Status SummedLogits() const {
    const auto head = static_cast<size_t>(point_.head);
    for (size_t c = 0; c < network_.labels.size(); ++c) {
      int64_t bound = 0;
      for (const int term : point_.terms) {
        const LayerTables& tables = Term(term).tables[head];
        bound += RescaleBound(tables.clamp, tables.mul[c], tables.shift);
      }
      if (bound > kMaxS32) {
        return Error("terms", fmt::format("logit {} can reach {}, which leaves s32", c, bound));
      }
    }
    return OkStatus();
  }

  const Network& network_;
  size_t index_;
  const OperatingPoint& point_;
};

}  // namespace

Status ValidatePoints(const Network& network) {
  const size_t count = network.points.size();
  if (count == 0 || count > static_cast<size_t>(kMaxPoints)) {
    return FieldError("points",
                      fmt::format("{} operating points, expected 1..{}", count, kMaxPoints));
  }
  std::set<std::string_view> names;
  for (size_t i = 0; i < count; ++i) {
    BRAID_RETURN_IF_ERROR(PointValidator(network, i).Run());
    if (!names.insert(network.points[i].name).second) {
      return FieldError(fmt::format("points[{}].name", i),
                        fmt::format("'{}' again", network.points[i].name));
    }
  }
  return OkStatus();
}

}  // namespace braid::model
