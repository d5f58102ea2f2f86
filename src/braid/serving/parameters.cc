#include "braid/serving/parameters.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <limits>
#include <optional>
#include <vector>

#include "braid/protocol/names.h"
#include "braid/serving/job.h"

namespace braid::serving {
namespace {

using inference::InferParameter;

// Longer than any deadline that makes sense, and far from overflowing a Duration.
constexpr double kLongestDeadlineMs = 24.0 * 3600 * 1000;

Status Bad(const std::string& name, const std::string& what) {
  return InvalidArgument("parameter \"" + name + "\": " + what);
}

// Any of the protocol's number kinds; nullopt for a bool, a string or nothing.
std::optional<double> Number(const InferParameter& value) {
  switch (value.parameter_choice_case()) {
    case InferParameter::kInt64Param:
      return static_cast<double>(value.int64_param());
    case InferParameter::kUint64Param:
      return static_cast<double>(value.uint64_param());
    case InferParameter::kDoubleParam:
      return value.double_param();
    case InferParameter::kBoolParam:
    case InferParameter::kStringParam:
    case InferParameter::PARAMETER_CHOICE_NOT_SET:
      return std::nullopt;
  }
  return std::nullopt;
}

std::optional<uint64_t> NaturalNumber(const InferParameter& value) {
  if (value.has_uint64_param()) return value.uint64_param();
  if (value.has_int64_param() && value.int64_param() >= 0) {
    return static_cast<uint64_t>(value.int64_param());
  }
  return std::nullopt;
}

Status ReadDeadline(const std::string& name, const InferParameter& value,
                    control::Constraints* constraints) {
  const std::optional<double> ms = Number(value);
  if (!ms.has_value() || !(*ms > 0)) return Bad(name, "must be a number of milliseconds above 0");
  const double bounded = std::min(*ms, kLongestDeadlineMs);
  constraints->remaining =
      std::chrono::duration_cast<Duration>(std::chrono::duration<double, std::milli>(bounded));
  return OkStatus();
}

Status ReadMaxMacs(const std::string& name, const InferParameter& value,
                   control::Constraints* constraints) {
  if (value.has_int64_param() && value.int64_param() > 0) {
    constraints->max_macs = value.int64_param();
    return OkStatus();
  }
  if (value.has_uint64_param() && value.uint64_param() > 0) {
    constexpr auto kMost = static_cast<uint64_t>(std::numeric_limits<int64_t>::max());
    constraints->max_macs = static_cast<int64_t>(std::min(value.uint64_param(), kMost));
    return OkStatus();
  }
  return Bad(name, "must be an integer above 0 (multiply-adds for one image)");
}

Status ReadMinAccuracy(const std::string& name, const InferParameter& value,
                       control::Constraints* constraints) {
  const std::optional<double> fraction = Number(value);
  if (!fraction.has_value() || !(*fraction >= 0 && *fraction <= 1)) {
    return Bad(name, "must be a fraction between 0 and 1");
  }
  constraints->min_accuracy = *fraction;
  return OkStatus();
}

Status ReadPoint(const std::string& name, const InferParameter& value,
                 const model::Network& network, control::Constraints* constraints) {
  if (!value.has_string_param()) return Bad(name, "must be the name of an operating point");
  const int point = model::FindPoint(network, value.string_param());
  if (point < 0) {
    return Bad(name, "model \"" + network.name + "\" has no operating point \"" +
                         value.string_param() + "\"");
  }
  constraints->point = point;
  return OkStatus();
}

Status ReadOne(const std::string& name, const InferParameter& value, const model::Network& network,
               control::Constraints* constraints) {
  if (name == protocol::kDeadlineMs) return ReadDeadline(name, value, constraints);
  if (name == protocol::kMaxMacs) return ReadMaxMacs(name, value, constraints);
  if (name == protocol::kMinAccuracy) return ReadMinAccuracy(name, value, constraints);
  if (name == protocol::kOperatingPoint) return ReadPoint(name, value, network, constraints);
  if (name == protocol::kStrict) {
    if (!value.has_bool_param()) return Bad(name, "must be true or false");
    constraints->strict = value.bool_param();
    return OkStatus();
  }
  if (name == protocol::kMaxEnergyMj) {
    return FailedPrecondition("parameter \"" + name +
                              "\": this device has no energy profile of model \"" + network.name +
                              "\", so an energy limit cannot be kept");
  }
  return Bad(name, "is not a parameter of a request");
}

}  // namespace

Status ReadParameters(const ParameterMap& parameters, const model::Network& network,
                      control::Constraints* constraints) {
  // In order of name, so that of several errors always the same one is reported.
  std::vector<const ParameterMap::value_type*> ours;
  for (const auto& parameter : parameters) {
    if (parameter.first.starts_with(protocol::kParameterPrefix)) ours.push_back(&parameter);
  }
  std::sort(ours.begin(), ours.end(), [](auto* a, auto* b) { return a->first < b->first; });
  for (const auto* parameter : ours) {
    BRAID_RETURN_IF_ERROR(ReadOne(parameter->first, parameter->second, network, constraints));
  }
  if (constraints->strict && !constraints->min_accuracy.has_value()) {
    return Bad(std::string(protocol::kStrict),
               "needs \"" + std::string(protocol::kMinAccuracy) + "\" to be strict about");
  }
  return OkStatus();
}

Status ReadScheduling(const ParameterMap& parameters, int* priority,
                      std::optional<Duration>* remaining) {
  if (const auto found = parameters.find("priority"); found != parameters.end()) {
    const std::optional<uint64_t> wish = NaturalNumber(found->second);
    if (!wish.has_value()) return Bad("priority", "must be an integer, 0 or above");
    if (*wish > 0) {
      *priority = static_cast<int>(std::min<uint64_t>(*wish, kLowestPriority));
    }
  }
  if (const auto found = parameters.find("timeout"); found != parameters.end()) {
    const std::optional<uint64_t> us = NaturalNumber(found->second);
    if (!us.has_value()) return Bad("timeout", "must be an integer of microseconds, 0 or above");
    if (*us > 0) {
      const double bounded = std::min(static_cast<double>(*us), kLongestDeadlineMs * 1000);
      const auto timeout = std::chrono::duration_cast<Duration>(
          std::chrono::duration<double, std::micro>(bounded));
      *remaining = std::min(timeout, remaining->value_or(timeout));
    }
  }
  return OkStatus();
}

Status RefuseParameters(const ParameterMap& parameters, const std::string& where) {
  for (const auto& [name, value] : parameters) {
    if (name.starts_with(protocol::kParameterPrefix)) {
      return Bad(name, "belongs to the request, not to " + where);
    }
  }
  return OkStatus();
}

}  // namespace braid::serving
