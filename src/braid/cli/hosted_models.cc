#include "braid/cli/hosted_models.h"

#include <spdlog/spdlog.h>

#include <charconv>
#include <utility>

#include "braid/serving/model_repository.h"

namespace braid::cli {
namespace {

Result<std::optional<cluster::KeyRing>> LoadKeys(const HostedModelOptions& options) {
  if (options.key_file.empty()) {
    if (options.previous_key_file.empty()) return std::optional<cluster::KeyRing>();
    return InvalidArgument("--previous-key-file needs --key-file");
  }
  BRAID_ASSIGN_OR_RETURN(cluster::KeyRing ring,
                         cluster::KeyRing::Load(options.device.group, options.key_file,
                                                options.previous_key_file));
  return std::optional(std::move(ring));
}

Result<HostedModel> HostOne(const HostedModelOptions& options, const std::string& path, int index,
                            serving::ServedModelOptions served,
                            const std::shared_ptr<cluster::Executor>& executor,
                            FrontDoors* doors) {
  BRAID_ASSIGN_OR_RETURN(model::ModelFile file, model::ReadModelFile(path));
  cluster::DeviceOptions device = options.device;
  BRAID_ASSIGN_OR_RETURN(device.share, ParseShare(options.share, file.network.groups));
  BRAID_ASSIGN_OR_RETURN(device.listen, PortAfter(device.listen, index));
  for (std::string& peer : device.peers) {
    BRAID_ASSIGN_OR_RETURN(peer, PortAfter(peer, index));
  }
  BRAID_ASSIGN_OR_RETURN(auto keys, LoadKeys(options));
  BRAID_ASSIGN_OR_RETURN(
      std::unique_ptr<DeviceHost> started,
      DeviceHost::Start(std::move(file), std::move(device), std::move(keys), executor));
  std::shared_ptr<DeviceHost> host = std::move(started);
  served.dispatch = doors->dispatch();
  auto model =
      std::make_shared<serving::ServedModel>(&host->device(), &doors->loop(), served, host);
  HostedModel hosted{model->name(), model->version(), host};
  BRAID_RETURN_IF_ERROR(doors->catalog().Add(std::move(model)));
  return hosted;
}

}  // namespace

Result<std::string> PortAfter(const std::string& address, int n) {
  const size_t colon = address.rfind(':');
  int port = 0;
  const char* const end = address.data() + address.size();
  if (address.empty() || n == 0) return address;
  if (colon == std::string::npos) return InvalidArgument("address " + address + ": no port");
  const auto [last, error] = std::from_chars(address.data() + colon + 1, end, port);
  if (error != std::errc() || last != end || port < 0 || port + n > 65535) {
    return InvalidArgument("address " + address + ": no port for model number " +
                           std::to_string(n + 1));
  }
  return address.substr(0, colon + 1) + std::to_string(port == 0 ? 0 : port + n);
}

Result<std::vector<HostedModel>> HostModels(const HostedModelOptions& options, FrontDoors* doors) {
  // One compute thread for all: versions share the processor rather than fight for it.
  const std::shared_ptr<cluster::Executor> executor = cluster::MakeThreadExecutor();
  std::vector<HostedModel> hosted;
  if (options.repository.empty()) {
    BRAID_ASSIGN_OR_RETURN(HostedModel one,
                           HostOne(options, options.model, 0, {}, executor, doors));
    hosted.push_back(std::move(one));
    return hosted;
  }
  BRAID_ASSIGN_OR_RETURN(const auto entries, serving::ScanRepository(options.repository));
  Status first_error;
  for (size_t i = 0; i < entries.size(); ++i) {
    const auto& entry = entries[i];
    serving::ServedModelOptions served;
    served.name = entry.name;
    served.version = entry.version;
    auto one = HostOne(options, entry.path, static_cast<int>(i), served, executor, doors);
    if (one.ok()) {
      hosted.push_back(std::move(one).value());
      continue;
    }
    if (first_error.ok()) first_error = one.status();
    spdlog::warn("model {} version {}: {}", entry.name, entry.version, one.status().ToString());
    doors->catalog().AddFailed(entry.name, entry.version, one.status());
  }
  if (hosted.empty()) return first_error;
  return hosted;
}

}  // namespace braid::cli
