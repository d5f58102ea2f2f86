// A requester in this process and two devices in processes of their own, every pair joined by a
// link that can be cut.
#pragma once

#include <array>
#include <memory>
#include <string>
#include <vector>

#include "braid/cli/child_process.h"
#include "braid/cluster/link/link_emulator.h"
#include "braid/cluster/sim/braided_network.h"
#include "tcp_group.h"

namespace braid::cluster::testing {

class ProcessGroup {
 public:
  static constexpr uint64_t kModelSeed = 21;
  static constexpr int kChildren = 2;

  explicit ProcessGroup(sim::Preferred preferred);

  const model::ModelFile& model() const { return model_; }
  TcpDevice& requester() { return *requester_; }
  cli::ChildProcess& child(int i) { return *children_[static_cast<size_t>(i)].process; }
  // The link between the two children; between the requester and child `i`.
  LinkEmulator& link_of_children() { return *between_; }
  LinkEmulator& link_to(int i) { return *to_child_[static_cast<size_t>(i)]; }

  // SIGKILL, and a new process with the same name, share and address.
  void Kill(int i);
  void Restart(int i);
  // Until an answer comes from all devices. False after a minute.
  bool AllAnswer();
  // Requests that leave the choice to the controller.
  InferRequest Request(uint64_t seed) const;

 private:
  struct Child {
    std::string name;
    GroupSet share;
    std::string address = "127.0.0.1:0";  // the port of its first life
    std::vector<std::string> peers;
    std::unique_ptr<cli::ChildProcess> process;
  };
  void Launch(Child& child);

  const sim::Preferred preferred_;
  const model::ModelFile model_;
  uint64_t next_incarnation_ = 100;
  std::array<Child, kChildren> children_;
  std::unique_ptr<LinkEmulator> between_;
  std::array<std::unique_ptr<LinkEmulator>, kChildren> to_child_;
  std::unique_ptr<TcpDevice> requester_;
};

}  // namespace braid::cluster::testing
