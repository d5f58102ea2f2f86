#include "braid/cli/demo_setup.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <utility>
#include <vector>

#include "braid/cli/child_process.h"

namespace braid::cli {
namespace {

namespace fs = std::filesystem;

// Fluid models are named fluidG_DATA_sSEED.braid; of several for one data set the one with the
// most groups, then the first seed.
std::string FindModel(const std::string& dataset) {
  for (const std::string& folder : ModelFolders()) {
    std::vector<std::string> found;
    std::error_code error;
    for (const auto& entry : fs::directory_iterator(folder, error)) {
      const std::string name = entry.path().filename().string();
      if (name.starts_with("fluid") && entry.path().extension() == ".braid" &&
          (name.find("_" + dataset + "_") != std::string::npos ||
           name.ends_with("_" + dataset + ".braid"))) {
        found.push_back(name);
      }
    }
    const auto groups = [](const std::string& name) { return std::atoi(name.c_str() + 5); };
    const auto best = std::min_element(found.begin(), found.end(), [&](auto& a, auto& b) {
      return groups(a) != groups(b) ? groups(a) > groups(b) : a < b;
    });
    if (best != found.end()) return folder + "/" + *best;
  }
  return "";
}

Status NoModel(const std::string& dataset) {
  std::string folders;
  for (const std::string& folder : ModelFolders())
    folders += (folders.empty() ? "" : ", ") + folder;
  return NotFound("no fluid model for " + dataset + " in " + folders + "; give --model");
}

Status CheckFits(const DemoSetup& setup) {
  const model::Network& network = setup.model.network;
  if (network.input_h != setup.dataset.height || network.input_w != setup.dataset.width ||
      network.input_c != setup.dataset.channels) {
    return InvalidArgument(setup.model_path + ": does not take images of the size of " +
                           setup.dataset.name);
  }
  if (network.groups < 2) {
    return InvalidArgument(setup.model_path + ": has one channel group, two devices need two");
  }
  return OkStatus();
}

Result<DemoSetup> Load(std::string model_path, const DataOptions& data) {
  if (model_path.empty()) model_path = FindModel(data.name);
  if (model_path.empty()) return NoModel(data.name);
  DemoSetup setup;
  BRAID_ASSIGN_OR_RETURN(setup.model, model::ReadModelFile(model_path));
  setup.model_path = std::move(model_path);
  BRAID_ASSIGN_OR_RETURN(setup.dataset, LoadData(data));
  BRAID_RETURN_IF_ERROR(CheckFits(setup));
  return setup;
}

GroupSet GroupsOf(const model::Network& network, const model::OperatingPoint& point) {
  GroupSet groups;
  for (const int term : point.terms) {
    groups = groups | network.sub_networks[static_cast<size_t>(term)].groups;
  }
  return groups;
}

}  // namespace

std::vector<std::string> ModelFolders() {
  std::vector<std::string> folders;
  if (const char* given = std::getenv("BRAID_MODELS"); given != nullptr && *given != '\0') {
    folders.emplace_back(given);
  }
  // build/PRESET/bin/braid of a source tree; PREFIX/bin/braid of an installation.
  const fs::path program = SelfPath();
  if (!program.empty()) {
    const fs::path bin = program.parent_path();
    folders.push_back((bin / "../../../models").lexically_normal().string());
    folders.push_back((bin / "../share/braid/models").lexically_normal().string());
  }
  folders.emplace_back("models");
  return folders;
}

Result<DemoSetup> ChooseDemoSetup(const std::string& model_path, const DataOptions& data) {
  if (!data.name.empty()) return Load(model_path, data);
  DataOptions choice = data;
  choice.name = "mnist";
  Result<DemoSetup> mnist = Load(model_path, choice);
  if (mnist.ok()) return mnist;
  choice.name = "digits";
  Result<DemoSetup> digits = Load(model_path, choice);
  if (digits.ok()) {
    digits->note = "not MNIST but generated digits, since: " + mnist.status().message();
  }
  return digits;
}

int CombinedPoint(const model::Network& network) {
  int best = -1;
  for (int i = 0; i < static_cast<int>(network.points.size()); ++i) {
    const model::OperatingPoint& point = network.points[static_cast<size_t>(i)];
    if (point.terms.size() == 1 && GroupsOf(network, point) == GroupSet::First(network.groups)) {
      return i;
    }
    if (best < 0 || point.accuracy > network.points[static_cast<size_t>(best)].accuracy) best = i;
  }
  return best;
}

int LocalPoint(const model::Network& network, GroupSet share) {
  int best = -1;
  for (int i = 0; i < static_cast<int>(network.points.size()); ++i) {
    const model::OperatingPoint& point = network.points[static_cast<size_t>(i)];
    if (!share.ContainsAll(GroupsOf(network, point))) continue;
    if (best < 0 || point.accuracy > network.points[static_cast<size_t>(best)].accuracy) best = i;
  }
  return best;
}

}  // namespace braid::cli
