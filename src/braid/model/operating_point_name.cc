#include "braid/model/operating_point_name.h"

#include <algorithm>
#include <bit>

#include "braid/base/check.h"
#include "braid/model/limits.h"
#include "braid/model/text.h"

namespace braid::model {
namespace {

int LowestGroup(GroupSet set) { return std::countr_zero(set.mask()); }

// "0-2+5" for {0,1,2,5}.
std::string FormatTerm(GroupSet term) {
  std::string text;
  const auto append = [&text](int group) {
    if (!text.empty()) text += '+';
    text += std::to_string(group);
  };
  for (int group = 0; group < kMaxGroups; ++group) {
    if (!term.Contains(group)) continue;
    int last = group;
    while (last + 1 < kMaxGroups && term.Contains(last + 1)) ++last;
    append(group);
    if (last - group >= 2) {
      text += '-' + std::to_string(last);
      group = last;
    }
  }
  return text;
}

// Reads a name from left to right; every error says at which character.
class Reader {
 public:
  explicit Reader(std::string_view text) : text_(text) {}

  bool AtEnd() const { return position_ == text_.size(); }

  bool Take(char expected) {
    if (AtEnd() || text_[position_] != expected) return false;
    ++position_;
    return true;
  }

  // A number in 0..limit.
  Result<int> Number(const char* what, int limit) {
    const size_t start = position_;
    int value = 0;
    while (!AtEnd() && text_[position_] >= '0' && text_[position_] <= '9') {
      value = value * 10 + (text_[position_++] - '0');
      if (value > limit) {
        position_ = start;
        return Error(std::string(what) + " above " + std::to_string(limit));
      }
    }
    if (position_ == start) return Error(std::string("expected ") + what);
    if (text_[start] == '0' && position_ - start > 1) {
      position_ = start;
      return Error("leading zero");
    }
    return value;
  }

  Status Error(const std::string& what) const {
    return InvalidArgument("operating point '" + std::string(text_) + "': character " +
                           std::to_string(position_ + 1) + ": " + what);
  }

 private:
  std::string_view text_;
  size_t position_ = 0;
};

Result<GroupSet> ParseTerm(Reader& reader) {
  GroupSet term;
  do {
    BRAID_ASSIGN_OR_RETURN(const int first, reader.Number("a channel group", kMaxGroups - 1));
    int last = first;
    if (reader.Take('-')) {
      BRAID_ASSIGN_OR_RETURN(last, reader.Number("a channel group", kMaxGroups - 1));
      if (last <= first) return reader.Error("the range does not ascend");
    }
    for (int group = first; group <= last; ++group) {
      if (term.Contains(group)) {
        return reader.Error("group " + std::to_string(group) + " twice in a term");
      }
      term = term.With(group);
    }
  } while (reader.Take('+'));
  return term;
}

}  // namespace

std::string FormatPointName(std::vector<GroupSet> terms, std::optional<int> exit) {
  BRAID_CHECK(!terms.empty());
  std::sort(terms.begin(), terms.end(),
            [](GroupSet a, GroupSet b) { return LowestGroup(a) < LowestGroup(b); });
  std::string name = "g";
  GroupSet seen;
  for (const GroupSet term : terms) {
    BRAID_CHECK(!term.empty() && (seen & term).empty()) << "terms are non-empty and disjoint";
    if (!seen.empty()) name += ',';
    seen = seen | term;
    name += FormatTerm(term);
  }
  if (exit.has_value()) name += "/e" + std::to_string(*exit);
  return name;
}

Result<PointName> ParsePointName(std::string_view name) {
  if (name.size() > static_cast<size_t>(kMaxNameBytes)) {
    return InvalidArgument("operating point: a name of " + std::to_string(name.size()) +
                           " bytes, at most " + std::to_string(kMaxNameBytes));
  }
  if (!IsPlainText(name)) {  // it is quoted in the errors below
    return InvalidArgument("operating point: the name is no UTF-8 text");
  }
  Reader reader(name);
  if (!reader.Take('g')) return reader.Error("expected 'g'");
  PointName result;
  GroupSet seen;
  do {
    BRAID_ASSIGN_OR_RETURN(const GroupSet term, ParseTerm(reader));
    if (const GroupSet again = seen & term; !again.empty()) {
      return reader.Error("group " + std::to_string(LowestGroup(again)) + " in two terms");
    }
    seen = seen | term;
    result.terms.push_back(term);
  } while (reader.Take(','));
  if (reader.Take('/')) {
    if (!reader.Take('e')) return reader.Error("expected 'e'");
    BRAID_ASSIGN_OR_RETURN(result.exit, reader.Number("an exit number", kMaxLayers - 1));
  }
  if (!reader.AtEnd()) return reader.Error("expected '+', '-', ',', '/' or the end");
  if (const std::string canonical = FormatPointName(result.terms, result.exit); canonical != name) {
    return InvalidArgument("operating point '" + std::string(name) + "': write it as '" +
                           canonical + "'");
  }
  return result;
}

std::optional<int> ExitOfHead(const Network& network, LayerIndex head) {
  int exit = 0;
  int heads = 0;
  for (size_t i = 0; i < network.layers.size(); ++i) {
    if (network.layers[i].op != Op::kLinear) continue;
    if (static_cast<LayerIndex>(i) == head) exit = heads;
    ++heads;
  }
  if (exit == heads - 1) return std::nullopt;
  return exit;
}

LayerIndex HeadOfExit(const Network& network, std::optional<int> exit) {
  LayerIndex last = kNoLayer;
  int heads = 0;
  for (size_t i = 0; i < network.layers.size(); ++i) {
    if (network.layers[i].op != Op::kLinear) continue;
    last = static_cast<LayerIndex>(i);
    if (exit.has_value() && heads == *exit) return last;
    ++heads;
  }
  return exit.has_value() ? kNoLayer : last;
}

}  // namespace braid::model
