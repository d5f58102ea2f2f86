#include "braid/cluster/device/start_check.h"

#include <set>
#include <utility>
#include <vector>

namespace braid::cluster {

int64_t ImageBytes(const model::Network& network) {
  return int64_t{network.input_h} * network.input_w * network.input_c;
}

Status CheckPlacement(const model::Network& network, int point,
                      const control::Placement& placement) {
  const auto& terms = network.points[static_cast<size_t>(point)].terms;
  std::vector<GroupSet> placed(terms.size());
  std::set<std::pair<control::DeviceId, int>> parts;
  for (const control::Assignment& part : placement) {
    if (part.term < 0 || static_cast<size_t>(part.term) >= terms.size()) {
      return InvalidArgument("start.placement: no such term");
    }
    const size_t term = static_cast<size_t>(part.term);
    const GroupSet groups = network.sub_networks[static_cast<size_t>(terms[term])].groups;
    if (part.local.empty() || !groups.ContainsAll(part.local)) {
      return InvalidArgument("start.placement: groups outside their term");
    }
    if (!(placed[term] & part.local).empty()) {
      return InvalidArgument("start.placement: a group is placed twice");
    }
    if (!parts.emplace(part.device, part.term).second) {
      return InvalidArgument("start.placement: two parts of a term on one device");
    }
    placed[term] = placed[term] | part.local;
  }
  for (size_t term = 0; term < terms.size(); ++term) {
    if (placed[term] != network.sub_networks[static_cast<size_t>(terms[term])].groups) {
      return InvalidArgument("start.placement: a group of a term is not placed");
    }
  }
  return OkStatus();
}

Status CheckStart(const model::Network& network, const Start& start, control::DeviceId self,
                  GroupSet share) {
  if (start.point >= network.points.size()) return InvalidArgument("start.point: no such point");
  if (start.images == 0) return InvalidArgument("start.images: none");
  if (start.pixels.size() != uint64_t{start.images} * static_cast<uint64_t>(ImageBytes(network))) {
    return InvalidArgument("start.pixels: not the size of the images");
  }
  BRAID_RETURN_IF_ERROR(CheckPlacement(network, static_cast<int>(start.point), start.placement));
  bool part_here = false;
  for (const control::Assignment& part : start.placement) {
    if (part.device != self) continue;
    part_here = true;
    if (!share.ContainsAll(part.local)) {
      return InvalidArgument("start.placement: groups outside this device's share");
    }
  }
  return part_here ? OkStatus() : InvalidArgument("start.placement: no part for this device");
}

}  // namespace braid::cluster
