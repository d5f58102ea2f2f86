#include "braid/cluster/device/joined_device.h"

#include <algorithm>

#include "braid/cluster/device/handshake.h"

namespace braid::cluster {
namespace {

// The self test runs on whatever machine there is, under whatever load.
constexpr Duration kSelfTestLimit = std::chrono::seconds(30);

EarlyMapsLimits EarlyLimits(const DeviceOptions& options) {
  EarlyMapsLimits limits;
  limits.attempts_per_sender = options.credit;
  limits.age = options.coordinator.default_deadline;
  return limits;
}

}  // namespace

Result<std::unique_ptr<Device>> Device::Create(const model::ModelFile& model,
                                               const DeviceOptions& options, Transport* transport,
                                               Executor* executor,
                                               control::Controller* controller) {
  if (options.name.empty()) return InvalidArgument("name: a device needs one");
  if (options.credit < 1) return InvalidArgument("credit: must be at least 1");
  if (options.max_batch < 1) return InvalidArgument("max_batch: must be at least 1");
  if (options.ping_interval <= Duration{} || options.silence_limit <= options.ping_interval) {
    return InvalidArgument(
        "silence_limit: must be longer than the ping interval, which must be "
        "longer than nothing");
  }
  BRAID_ASSIGN_OR_RETURN(
      auto prepared, runtime::PreparedModel::Prepare(model.network, options.share, options.path,
                                                    {.count = options.threads}));
  return std::unique_ptr<Device>(std::make_unique<JoinedDevice>(
      model, options, std::shared_ptr<const runtime::PreparedModel>(std::move(prepared)), transport,
      executor, controller));
}

JoinedDevice::JoinedDevice(const model::ModelFile& model, const DeviceOptions& options,
                           std::shared_ptr<const runtime::PreparedModel> prepared,
                           Transport* transport, Executor* executor,
                           control::Controller* controller)
    : model_(model),
      options_(options),
      self_(DeviceIdOf(options.name)),
      hello_{.version = kWireVersion,
             .group = options.group,
             .device = options.name,
             .model_digest = model.digest,
             .incarnation = options.incarnation,
             .share = options.share,
             .credit = static_cast<uint32_t>(options.credit)},
      transport_(transport),
      prepared_(std::move(prepared)),
      pool_(*prepared_),
      compute_gate_(std::make_shared<Gate<PlanPool>>(&pool_)),
      event_gate_(std::make_shared<Gate<SessionEvents>>(this)),
      loop_gate_(std::make_shared<Gate<JoinedDevice>>(this)),
      membership_(options_, hello_, model.network.groups, transport, this),
      sessions_(model.network, self_,
                {.transport = transport,
                 .executor = executor,
                 .model = prepared_,
                 .compute = compute_gate_,
                 .loop = event_gate_,
                 .brief_work = options_.brief_work},
                EarlyLimits(options)),
      requester_(model.network, options_, self_, controller, &membership_, &sessions_, transport,
                 [this](TimePoint at) { WakeAt(at); }) {
  transport_->SetHandler(this);
}

JoinedDevice::~JoinedDevice() {
  transport_->SetHandler(nullptr);  // before the gates: a call that is running may wait for one
  loop_gate_->Close();
  event_gate_->Close();
  compute_gate_->Close();
  // Nothing runs in here any more, neither on the loop nor on the compute thread.
  membership_.Leave();
  requester_.RejectAll(Unavailable("device '" + options_.name + "' stops"));
}

Result<std::string> JoinedDevice::Start() {
  std::string bound;
  if (!options_.listen.empty()) {
    BRAID_ASSIGN_OR_RETURN(bound, transport_->Listen(options_.listen));
  }
  PostToLoop([](JoinedDevice& device) {
    device.membership_.Start(device.transport_->clock().Now());
    device.Housekeep();
  });
  return bound;
}

void JoinedDevice::Submit(InferRequest request, Done done) {
  // The deadline runs from here, however long the loop takes to come to it.
  const TimePoint submitted = transport_->clock().Now();
  auto held = std::make_shared<InferRequest>(std::move(request));
  transport_->PostOrRun([gate = loop_gate_, held, submitted, done = std::move(done)] {
    gate->Enter([&](JoinedDevice& device) {
      device.requester_.Submit(std::move(*held), submitted, done);
    });
  });
}

void JoinedDevice::SelfTest(std::function<void(Status)> done) {
  const auto point = BestLocalPoint();
  if (!point) {
    PostToLoop([done = std::move(done)](JoinedDevice&) {
      done(FailedPrecondition("share: no operating point runs on this device alone"));
    });
    return;
  }
  const model::Network& network = model_.network;
  InferRequest request;
  request.pixels.assign(static_cast<size_t>(network.input_h) *
                            static_cast<size_t>(network.input_w) *
                            static_cast<size_t>(network.input_c),
                        0);
  request.constraints.point = *point;
  request.constraints.remaining = kSelfTestLimit;
  Submit(std::move(request),
         [done = std::move(done)](const Result<InferResult>& result) { done(result.status()); });
}

std::optional<int> JoinedDevice::BestLocalPoint() const {
  std::optional<int> best;
  const model::Network& network = model_.network;
  for (size_t p = 0; p < network.points.size(); ++p) {
    const bool local = std::ranges::all_of(network.points[p].terms, [&](int term) {
      return options_.share.ContainsAll(network.sub_networks[static_cast<size_t>(term)].groups);
    });
    if (!local) continue;
    if (!best || network.points[p].accuracy > network.points[static_cast<size_t>(*best)].accuracy) {
      best = static_cast<int>(p);
    }
  }
  return best;
}

void JoinedDevice::Report(std::function<void(std::vector<PeerReport>)> done) {
  PostToLoop([done = std::move(done)](JoinedDevice& device) {
    std::vector<PeerReport> reports;
    for (const auto& [id, peer] : device.membership_.peers()) {
      reports.push_back({.name = peer.name,
                         .share = peer.info.share,
                         .usable = device.requester_.Uses(id),
                         .round_trip = peer.liveness.round_trip(),
                         .stalls = device.requester_.StallsOf(id)});
    }
    done(std::move(reports));
  });
}

void JoinedDevice::PostToLoop(std::function<void(JoinedDevice&)> task, Duration delay) {
  auto guarded = [gate = loop_gate_, task = std::move(task)] { gate->Enter(task); };
  if (delay <= Duration{}) {
    transport_->Post(std::move(guarded));
  } else {
    transport_->PostAfter(delay, std::move(guarded));
  }
}

void JoinedDevice::WakeAt(TimePoint at) {
  if (wake_ && *wake_ <= at) return;
  wake_ = at;
  const Duration delay = std::max(Duration{1}, at - transport_->clock().Now());
  PostToLoop(
      [at](JoinedDevice& device) {
        if (device.wake_ == at) device.wake_.reset();  // an earlier wake may have replaced it
        device.requester_.Tick();
      },
      delay);
}

void JoinedDevice::Housekeep() {
  const TimePoint now = transport_->clock().Now();
  membership_.Tick();
  requester_.SelfMeasured(macs_per_second_, sessions_.open_for_peers());
  sessions_.DropExpired(now);  // after the requester has seen whom its own parts waited for
  for (const MissingMap& missing :
       sessions_.FindMissing(membership_, options_.exchange_limit, now)) {
    ReportMissing(missing, "a map does not come");
  }
  requester_.JudgeStalls();
  PostToLoop([](JoinedDevice& device) { device.Housekeep(); }, options_.ping_interval);
}

}  // namespace braid::cluster
