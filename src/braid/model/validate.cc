#include "braid/model/validate.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "braid/model/file.h"
#include "braid/model/limits.h"
#include "braid/model/text.h"

namespace braid::model {
namespace {

Status ValidateInput(const Network& network) {
  const auto check = [](const char* field, int value, int limit) {
    if (value >= 1 && value <= limit) return OkStatus();
    return FieldError(field, fmt::format("{}, expected 1..{}", value, limit));
  };
  BRAID_RETURN_IF_ERROR(check("input_h", network.input_h, kMaxMapSide));
  BRAID_RETURN_IF_ERROR(check("input_w", network.input_w, kMaxMapSide));
  return check("input_c", network.input_c, kMaxChannels);
}

// Absent where it would say nothing, so that a network has one form.
Status ValidatePadding(const Network& network) {
  const std::vector<uint8_t>& padding = network.input_padding;
  if (padding.empty()) return OkStatus();
  if (padding.size() != static_cast<size_t>(network.input_c)) {
    return FieldError("input_padding", fmt::format("{} pixels, expected none or {}, one a channel",
                                                   padding.size(), network.input_c));
  }
  if (std::ranges::all_of(padding, [](uint8_t pixel) { return pixel == 128; })) {
    return FieldError("input_padding", "128 in every channel is what none stands for");
  }
  return OkStatus();
}

Status ValidateLabels(const Network& network) {
  const size_t count = network.labels.size();
  if (count == 0 || count > static_cast<size_t>(kMaxClasses)) {
    return FieldError("labels", fmt::format("{} labels, expected 1..{}", count, kMaxClasses));
  }
  for (size_t i = 0; i < count; ++i) {
    const std::string& label = network.labels[i];
    const std::string field = fmt::format("labels[{}]", i);
    if (label.size() > static_cast<size_t>(kMaxNameBytes)) {
      return FieldError(field, fmt::format("{} bytes, at most {}", label.size(), kMaxNameBytes));
    }
    if (!IsPlainText(label)) return FieldError(field, "not UTF-8 text without control characters");
  }
  return OkStatus();
}

Status ValidateCard(const Network& network) {
  const std::string& card = network.card;
  if (card.empty()) return OkStatus();
  if (card.size() > static_cast<size_t>(kMaxCardBytes)) {
    return FieldError("card", fmt::format("{} bytes, at most {}", card.size(), kMaxCardBytes));
  }
  // accept() neither throws nor builds the document nor recurses.
  const size_t first = card.find_first_not_of(" \t\r\n");
  if (!nlohmann::json::accept(card) || card[first] != '{') {
    return FieldError("card", "not a JSON object");
  }
  return OkStatus();
}

}  // namespace

Status Validate(const Network& network) {
  if (network.name.size() > static_cast<size_t>(kMaxNameBytes) || !IsModelName(network.name)) {
    return FieldError("name",
                      fmt::format("expected 1..{} letters, digits, '.', '_' or '-', beginning with "
                                  "a letter, digit or '_'",
                                  kMaxNameBytes));
  }
  if (network.groups < 1 || network.groups > kMaxGroups) {
    return FieldError("groups", fmt::format("{}, expected 1..{}", network.groups, kMaxGroups));
  }
  BRAID_RETURN_IF_ERROR(ValidateInput(network));
  BRAID_RETURN_IF_ERROR(ValidatePadding(network));
  BRAID_RETURN_IF_ERROR(ValidateLabels(network));
  BRAID_RETURN_IF_ERROR(ValidateCard(network));
  BRAID_RETURN_IF_ERROR(ValidateLayers(network));
  BRAID_RETURN_IF_ERROR(ValidateSubNetworks(network));
  BRAID_RETURN_IF_ERROR(ValidatePoints(network));
  return ValidateTestVectors(network);
}

}  // namespace braid::model
