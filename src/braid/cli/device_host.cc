#include "braid/cli/device_host.h"

#include <charconv>
#include <random>
#include <sstream>
#include <utility>

#include "braid/model/layer_map.h"

namespace braid::cli {
namespace {

std::optional<int> ParseGroup(std::string_view text, int groups) {
  int group = -1;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), group);
  const bool whole = error == std::errc() && end == text.data() + text.size();
  if (!whole || group < 0 || group >= groups) return std::nullopt;
  return group;
}

uint64_t RandomIncarnation() {
  std::random_device device;
  uint64_t value = 0;
  while (value == 0) value = (uint64_t{device()} << 32) | device();
  return value;
}

}  // namespace

Result<std::unique_ptr<DeviceHost>> DeviceHost::Start(model::ModelFile model,
                                                      cluster::DeviceOptions options,
                                                      std::optional<cluster::KeyRing> keys,
                                                      std::shared_ptr<cluster::Executor> executor) {
  if (model::HasMapHead(model.network)) {
    return InvalidArgument(
        model.network.name +
        ": answers with maps; devices serve classes (braid enlarge or restore runs it here)");
  }
  std::unique_ptr<DeviceHost> host(new DeviceHost(std::move(model)));
  if (options.share.empty()) options.share = GroupSet::First(host->model_.network.groups);
  if (options.incarnation == 0) options.incarnation = RandomIncarnation();
  cluster::TcpOptions tcp;
  tcp.keys = std::move(keys);
  BRAID_ASSIGN_OR_RETURN(host->transport_, cluster::TcpTransport::Create(std::move(tcp)));
  host->executor_ = executor != nullptr ? std::move(executor) : cluster::MakeThreadExecutor();
  host->controller_ = std::make_unique<control::RuleController>(&host->model_.network);
  BRAID_ASSIGN_OR_RETURN(host->device_,
                         cluster::Device::Create(host->model_, options, host->transport_.get(),
                                                 host->executor_.get(), host->controller_.get()));
  BRAID_ASSIGN_OR_RETURN(host->address_, host->device_->Start());
  return host;
}

Result<GroupSet> ParseShare(const std::string& text, int groups) {
  if (text == "all") return GroupSet::First(groups);
  const Status bad =
      InvalidArgument("share \"" + text + "\": must be \"all\" or groups between 0 and " +
                      std::to_string(groups - 1) + " as in \"0,1\" or \"0-1\"");
  GroupSet share;
  std::istringstream parts(text);
  for (std::string part; std::getline(parts, part, ',');) {
    const size_t dash = part.find('-');
    const std::optional<int> first = ParseGroup(std::string_view(part).substr(0, dash), groups);
    const std::optional<int> last =
        dash == std::string::npos ? first
                                  : ParseGroup(std::string_view(part).substr(dash + 1), groups);
    if (!first || !last || *first > *last) return bad;
    for (int group = *first; group <= *last; ++group) share = share.With(group);
  }
  if (share.empty()) return bad;
  return share;
}

std::string ShareText(GroupSet share) {
  std::string text;
  for (const int group : share) text += (text.empty() ? "" : ",") + std::to_string(group);
  return text;
}

}  // namespace braid::cli
