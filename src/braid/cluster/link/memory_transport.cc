// The calls of one transport of a MemoryNetwork, which does the work.
#include <utility>

#include "braid/cluster/link/memory_network.h"

namespace braid::cluster {

MemoryTransport::MemoryTransport(MemoryNetwork* network, std::string name)
    : network_(network), name_(std::move(name)) {}

MemoryTransport::~MemoryTransport() { network_->Forget(this); }

Result<std::string> MemoryTransport::Listen(const std::string& address) {
  return network_->Listen(this, address);
}

void MemoryTransport::Dial(const std::string& address) { network_->Dial(this, address); }

void MemoryTransport::Send(ConnectionId connection, Frame frame) {
  network_->Send(this, connection, frame);
}

void MemoryTransport::Close(ConnectionId connection, const std::string& reason) {
  network_->Close(this, connection, reason);
}

void MemoryTransport::Post(std::function<void()> task) { PostAfter(Duration{0}, std::move(task)); }

void MemoryTransport::PostAfter(Duration delay, std::function<void()> task) {
  network_->PostAfter(this, delay, std::move(task));
}

}  // namespace braid::cluster
