#include "braid/serving/served_model.h"

#include <algorithm>
#include <future>
#include <utility>

namespace braid::serving {
namespace {

// How often the group's size is looked at, to hand the device as many executions as it has use for.
constexpr Duration kGroupInterval = std::chrono::milliseconds(250);
// With peers, the controller decides by the executions under way whether devices combine or work
// side by side (control::RuleOptions::pressure_on), so it must see more than that many for each.
constexpr int kWindowPerDevice = 12;

ServedModelOptions WithName(ServedModelOptions options, const cluster::Device& device) {
  if (options.name.empty()) options.name = device.model().network.name;
  if (options.version.empty()) options.version = "1";
  return options;
}

}  // namespace

ServedModel::ServedModel(cluster::Device* device, EventLoop* loop, ServedModelOptions options,
                         std::shared_ptr<void> owner)
    : options_(WithName(std::move(options), *device)),
      owner_(std::move(owner)),
      device_(device),
      loop_(loop),
      dispatcher_(std::make_shared<Dispatcher>(device, loop, statistics_, options_.dispatch)) {}

ServedModel::~ServedModel() {
  readiness_.reset();
  Stop();
}

void ServedModel::StartTesting(std::function<void()> changed) {
  readiness_ = std::make_unique<Readiness>(
      [this](std::function<void(Status)> done) { device_->SelfTest(std::move(done)); },
      [this, changed = std::move(changed)](bool ready, const Status& reason) {
        {
          const std::lock_guard lock(mutex_);
          reason_ = ready ? OkStatus() : reason;
          if (!ready && reason_.ok()) reason_ = Unavailable("not ready");
        }
        if (changed) changed();
      },
      options_.readiness);
  testing_ = true;
  FollowTheGroup();
}

void ServedModel::StopTesting() {
  readiness_.reset();
  if (!testing_.exchange(false)) return;
  std::promise<void> passed;  // a task of ours that the loop is in is over when this one runs
  loop_->Post([&passed] { passed.set_value(); });
  passed.get_future().wait();
}

bool ServedModel::ready() const { return reason().ok(); }

Status ServedModel::reason() const {
  const std::lock_guard lock(mutex_);
  return reason_;
}

void ServedModel::Drain() {
  if (readiness_ != nullptr) readiness_->Drain();
}

void ServedModel::Stop() { dispatcher_->Stop(); }

void ServedModel::FollowTheGroup() {
  loop_->PostAfter(kGroupInterval, [weak = weak_from_this()] {
    const std::shared_ptr<ServedModel> self = weak.lock();
    if (self == nullptr || !self->testing_) return;
    self->device_->Report([weak](const std::vector<cluster::Device::PeerReport>& peers) {
      const auto usable =
          std::ranges::count_if(peers, [](const auto& peer) { return peer.usable; });
      int64_t stalls = 0;
      for (const auto& peer : peers) stalls += peer.stalls;
      if (const auto model = weak.lock()) model->PeersCounted(static_cast<int>(usable), stalls);
    });
    self->FollowTheGroup();
  });
}

void ServedModel::PeersCounted(int usable, int64_t stalls) {
  peers_ = usable;
  peer_stalls_ = stalls;
  const int alone = options_.dispatch.window;
  dispatcher_->SetWindow(usable == 0 ? alone
                                     : std::max(alone, kWindowPerDevice * (1 + usable)));
}

}  // namespace braid::serving
