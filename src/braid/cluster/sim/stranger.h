// A peer without a device: says whatever a test wants to a simulated device. Layer: cluster/sim,
// tests.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "braid/base/check.h"
#include "braid/cluster/link/memory_network.h"

namespace braid::cluster::sim {

// Dials the device under test and says what the test wants.
class Stranger final : public TransportHandler {
 public:
  Stranger(MemoryNetwork* network, const std::string& name) : name(name) {
    transport_ = network->MakeTransport(name);
    transport_->SetHandler(this);
    transport_->Dial("d0:1");
  }
  ~Stranger() override { transport_->SetHandler(nullptr); }

  void OnConnected(ConnectionId connection, bool, const std::string&) override {
    connection_ = connection;
    open = true;
  }
  void OnFrame(ConnectionId, Frame frame) override {
    if (frame.kind == FrameKind::kPing) {  // an honest peer that has something to do
      Pong pong{.echo = 0, .requests_queued = 1, .macs_per_second = 0};
      for (size_t i = 0; i < 8; ++i) pong.echo |= uint64_t{frame.payload[i]} << (8 * i);
      Say(FrameKind::kPong, EncodePong(pong));
      return;
    }
    heard.push_back(std::move(frame));
  }
  void OnClosed(ConnectionId, const Status&) override { open = false; }
  void OnDialFailed(const std::string& address, const Status& reason) override {
    BRAID_CHECK(false) << address << ": " << reason.ToString();
  }

  void Say(Frame frame) { transport_->Send(connection_, std::move(frame)); }
  void Say(FrameKind kind, std::vector<uint8_t> payload) {
    Frame frame;
    frame.kind = kind;
    frame.payload = std::move(payload);
    Say(std::move(frame));
  }
  const Frame* Heard(FrameKind kind) const {
    for (const Frame& frame : heard) {
      if (frame.kind == kind) return &frame;
    }
    return nullptr;
  }

  const std::string name;
  bool open = false;
  std::vector<Frame> heard;

 private:
  std::unique_ptr<MemoryTransport> transport_;
  ConnectionId connection_{};
};

}  // namespace braid::cluster::sim
