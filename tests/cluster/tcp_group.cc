#include "tcp_group.h"

#include <algorithm>
#include <thread>

#include "braid/base/check.h"

namespace braid::cluster::testing {

TcpDevice::TcpDevice(const model::ModelFile& model, DeviceOptions options,
                     const control::RuleOptions& rules) {
  auto made_transport = TcpTransport::Create({});
  BRAID_CHECK(made_transport.ok()) << made_transport.status().ToString();
  transport_ = std::move(made_transport).value();
  executor_ = MakeThreadExecutor();
  controller_ = std::make_unique<control::RuleController>(&model.network, rules);
  if (options.listen.empty()) options.listen = "127.0.0.1:0";
  options.log = [this](const std::string& line) {
    const std::lock_guard lock(log_mutex_);
    log_ += line + "\n";
  };
  auto made = Device::Create(model, options, transport_.get(), executor_.get(), controller_.get());
  BRAID_CHECK(made.ok()) << made.status().ToString();
  device_ = std::move(made).value();
  const auto bound = device_->Start();
  BRAID_CHECK(bound.ok()) << bound.status().ToString();
  address_ = *bound;
}

TcpDevice::~TcpDevice() {
  device_.reset();
  executor_->Stop();
}

std::future<Result<InferResult>> TcpDevice::Submit(InferRequest request) {
  auto promise = std::make_shared<std::promise<Result<InferResult>>>();
  device_->Submit(std::move(request),
                  [promise](Result<InferResult> result) { promise->set_value(std::move(result)); });
  return promise->get_future();
}

std::vector<Device::PeerReport> TcpDevice::Peers() {
  auto promise = std::make_shared<std::promise<std::vector<Device::PeerReport>>>();
  device_->Report(
      [promise](std::vector<Device::PeerReport> peers) { promise->set_value(std::move(peers)); });
  return promise->get_future().get();
}

std::string TcpDevice::Log() const {
  const std::lock_guard lock(log_mutex_);
  return log_;
}

DeviceOptions PatientOptions(const std::string& name, GroupSet share) {
  DeviceOptions options;
  options.name = name;
  options.share = share;
  options.incarnation = 1;
  options.silence_limit = std::chrono::seconds(60);
  options.exchange_limit = std::chrono::seconds(60);
  options.coordinator.default_deadline = std::chrono::seconds(60);
  return options;
}

bool Eventually(const std::function<bool()>& done) {
  for (int i = 0; i < 6000; ++i) {
    if (done()) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  return false;
}

std::vector<std::unique_ptr<TcpDevice>> MakeGroup(const model::ModelFile& model,
                                                  const std::vector<GroupSet>& shares) {
  std::vector<std::unique_ptr<TcpDevice>> group;
  for (size_t i = 0; i < shares.size(); ++i) {
    DeviceOptions options = PatientOptions("d" + std::to_string(i), shares[i]);
    for (const auto& earlier : group) options.peers.push_back(earlier->address());
    group.push_back(std::make_unique<TcpDevice>(model, options));
  }
  BRAID_CHECK(Eventually([&group] {
    return std::ranges::all_of(group, [&group](auto& device) {
      const auto peers = device->Peers();
      return std::ranges::count_if(peers, &Device::PeerReport::usable) + 1 ==
             static_cast<ptrdiff_t>(group.size());
    });
  })) << "the devices do not find each other";
  return group;
}

}  // namespace braid::cluster::testing
