#include "braid/cli/model_options.h"

#include <optional>

namespace braid::cli {

void AddModelOptions(CLI::App& command, ModelOptions& options, bool required) {
  command.add_option("--model", options.model, "The .braid file")
      ->required(required)
      ->type_name("FILE");
  command.add_option("--kernels", options.kernels, "best, scalar, avx2 or avx512vnni")
      ->check(CLI::IsMember({"best", "scalar", "avx2", "avx512vnni"}))
      ->capture_default_str()
      ->type_name("PATH");
}

Result<kernels::Path> ChoosePath(const std::string& name) {
  if (name == "best") return kernels::BestPath();
  const std::optional<kernels::Path> path = kernels::PathFromName(name);
  if (!path.has_value()) return InvalidArgument("kernels '" + name + "' are unknown");
  if (!kernels::PathSupported(*path)) {
    return FailedPrecondition("this processor cannot run the kernels '" + name + "'");
  }
  return *path;
}

Result<std::vector<const model::OperatingPoint*>> ChoosePoints(
    const model::Network& network, const std::vector<std::string>& names) {
  std::vector<const model::OperatingPoint*> chosen;
  for (const std::string& name : names) {
    const int index = model::FindPoint(network, name);
    if (index < 0) {
      std::string known;
      for (const auto& point : network.points) known += (known.empty() ? "" : " ") + point.name;
      return NotFound("the model has no operating point '" + name + "'; it has " + known);
    }
    chosen.push_back(&network.points[static_cast<size_t>(index)]);
  }
  if (names.empty()) {
    for (const auto& point : network.points) chosen.push_back(&point);
  }
  return chosen;
}

}  // namespace braid::cli
