#include "braid/model/network.h"

namespace braid::model {

int FindSubNetwork(const Network& network, GroupSet groups) {
  for (size_t i = 0; i < network.sub_networks.size(); ++i) {
    if (network.sub_networks[i].groups == groups) return static_cast<int>(i);
  }
  return -1;
}

int FindPoint(const Network& network, const std::string& name) {
  for (size_t i = 0; i < network.points.size(); ++i) {
    if (network.points[i].name == name) return static_cast<int>(i);
  }
  return -1;
}

}  // namespace braid::model
