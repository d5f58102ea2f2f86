#include "process_group.h"

#include <filesystem>

#include "braid/base/check.h"
#include "braid/runtime/testing/random_network.h"

namespace braid::cluster::testing {
namespace {

std::unique_ptr<LinkEmulator> LinkTo(const std::string& address) {
  auto link = LinkEmulator::Create(address);
  BRAID_CHECK(link.ok()) << link.status().ToString();
  return std::move(link).value();
}

}  // namespace

ProcessGroup::ProcessGroup(sim::Preferred preferred)
    : preferred_(preferred), model_(sim::BraidedModel(kModelSeed, preferred)) {
  children_[0].name = "b";
  children_[0].share = GroupSet(0b0010);
  Launch(children_[0]);
  between_ = LinkTo(children_[0].address);
  children_[1].name = "c";
  children_[1].share = GroupSet(0b1100);
  children_[1].peers = {between_->address()};
  Launch(children_[1]);

  DeviceOptions options;
  options.name = "a";
  options.share = GroupSet(0b0001);
  options.incarnation = 1;
  for (size_t i = 0; i < kChildren; ++i) {
    to_child_[i] = LinkTo(children_[i].address);
    options.peers.push_back(to_child_[i]->address());
  }
  // Load must not turn the group to side-by-side work: the point is to lose combined answers.
  requester_ = std::make_unique<TcpDevice>(
      model_, options, control::RuleOptions{.pressure_on = 1 << 20, .pressure_off = 1 << 19});
}

void ProcessGroup::Launch(Child& child) {
  const std::string program =
      std::filesystem::path(cli::SelfPath()).replace_filename("device_process");
  std::vector<std::string> argv = {program,
                                   child.name,
                                   std::to_string(child.share.mask()),
                                   child.address,
                                   std::to_string(next_incarnation_++),
                                   std::to_string(kModelSeed),
                                   preferred_ == sim::Preferred::kAdded ? "added" : "combined"};
  argv.insert(argv.end(), child.peers.begin(), child.peers.end());
  auto process = cli::ChildProcess::Start(argv);
  BRAID_CHECK(process.ok()) << process.status().ToString();
  child.process = std::move(process).value();
  const auto address = child.process->ReadLine(std::chrono::seconds(60));
  BRAID_CHECK(address.ok()) << address.status().ToString();
  child.address = *address;
}

void ProcessGroup::Kill(int i) { children_[static_cast<size_t>(i)].process.reset(); }
void ProcessGroup::Restart(int i) { Launch(children_[static_cast<size_t>(i)]); }

InferRequest ProcessGroup::Request(uint64_t seed) const {
  InferRequest request;
  request.pixels = runtime::testing::RandomPixels(seed, model_.network, 1);
  return request;
}

bool ProcessGroup::AllAnswer() {
  return Eventually([this] {
    const auto result = requester_->Submit(Request(1)).get();
    return result.ok() && result->devices.size() == kChildren + 1;
  });
}

}  // namespace braid::cluster::testing
