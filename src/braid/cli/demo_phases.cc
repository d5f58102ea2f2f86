#include "braid/cli/demo_phases.h"

#include <fmt/format.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <iterator>
#include <thread>
#include <utility>

#include "braid/cli/device_host.h"

namespace braid::cli {
namespace {

constexpr Duration kStartTimeout = std::chrono::seconds(10);
// For the group to form, and to form again after the restart.
constexpr Duration kJoinTimeout = std::chrono::seconds(10);

double Milliseconds(Duration duration) {
  return std::chrono::duration<double, std::milli>(duration).count();
}

TimePoint Now() { return std::chrono::steady_clock::now(); }

bool TookPart(const StreamAnswer& answer, const std::string& device) {
  const auto& devices = answer.reply.devices;
  return answer.status.ok() && std::find(devices.begin(), devices.end(), device) != devices.end();
}

}  // namespace

Demo::Demo(const DemoSetup& setup, const DemoOptions& options, std::function<void(std::string)> say)
    : setup_(setup), options_(options), say_(std::move(say)) {
  const int groups = setup.model.network.groups;
  const GroupSet first = GroupSet::First(groups / 2);
  shares_ = {first, GroupSet::First(groups) - first};
}

DeviceProcessOptions Demo::DeviceAt(size_t index) const {
  DeviceProcessOptions options;
  options.model = setup_.model_path;
  options.name = index == 0 ? "device-a" : "device-b";
  options.group = fmt::format("demo-{}", ::getpid());
  options.share = ShareText(shares_[index]);
  options.kernels = options_.kernels;
  options.more = {"--quiet"};  // who comes and goes is the demo's own story
  if (index > 0) options.peers = {devices_[0]->listen()};
  return options;
}

Result<std::unique_ptr<client::Client>> Demo::Connect(
    const std::vector<std::string>& endpoints) const {
  client::ClientOptions options;
  options.endpoints = endpoints;
  options.model = setup_.model.network.name;
  return client::Client::Create(options);
}

Status Demo::StartDevices() {
  for (size_t i = 0; i < shares_.size(); ++i) {
    BRAID_ASSIGN_OR_RETURN(auto process, DeviceProcess::Start(DeviceAt(i), kStartTimeout));
    devices_.push_back(std::move(process));
    const DeviceProcess& device = *devices_.back();
    story_.devices.push_back({device.options().name, device.options().share, device.grpc(),
                              Milliseconds(device.startup()), 0});
    say_(fmt::format("{}: groups {}, ready {:.0f} ms after its start, gRPC on {}",
                     device.options().name, device.options().share, Milliseconds(device.startup()),
                     device.grpc()));
  }
  return OkStatus();
}

Result<DemoStory> Demo::Run() {
  BRAID_RETURN_IF_ERROR(StartDevices());
  BRAID_RETURN_IF_ERROR(RunCombined());
  BRAID_RETURN_IF_ERROR(RunSideBySide());
  BRAID_RETURN_IF_ERROR(RunKill());
  return story_;
}

Status Demo::RunCombined() {
  const model::Network& network = setup_.model.network;
  const std::string point = network.points[static_cast<size_t>(CombinedPoint(network))].name;
  BRAID_ASSIGN_OR_RETURN(const auto client, Connect({devices_[0]->grpc(), devices_[1]->grpc()}));
  {
    // One request with time to wait until the devices have found each other.
    StreamOptions first{1, 1, kJoinTimeout, point, 0};
    ImageStream stream(client.get(), &setup_.dataset, first);
    stream.Start();
    while (stream.answered() == 0) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    stream.Stop();
    const StreamAnswer answer = stream.Answers().front();
    if (!answer.status.ok()) return answer.status.WithContext("the devices do not combine");
  }
  say_(fmt::format("combined: both devices together, point {}", point));
  StreamOptions options{options_.batch, options_.in_flight, std::chrono::seconds(1), point, 0};
  ImageStream stream(client.get(), &setup_.dataset, options);
  DemoPhase phase{"combined", Now(), {}, {}};
  stream.Start();
  std::this_thread::sleep_for(options_.phase);
  stream.Stop();
  phase.end = Now();
  phase.answers = stream.Answers();
  story_.phases.push_back(std::move(phase));
  for (size_t i = 0; i < devices_.size(); ++i) {
    story_.devices[i].resident_bytes = devices_[i]->ResidentBytes();
  }
  return OkStatus();
}

Status Demo::RunSideBySide() {
  const model::Network& network = setup_.model.network;
  std::vector<std::unique_ptr<client::Client>> clients;
  std::vector<std::unique_ptr<ImageStream>> streams;
  std::string points;
  for (size_t i = 0; i < devices_.size(); ++i) {
    const int point = LocalPoint(network, shares_[i]);
    if (point < 0) {
      return InvalidArgument("the model has no point for groups " + ShareText(shares_[i]) +
                             " alone");
    }
    const std::string& name = network.points[static_cast<size_t>(point)].name;
    points += (points.empty() ? "" : " and ") + name;
    BRAID_ASSIGN_OR_RETURN(auto client, Connect({devices_[i]->grpc()}));
    clients.push_back(std::move(client));
    // Each device has its own source of images.
    const int first_image = setup_.dataset.count / 2 * static_cast<int>(i);
    StreamOptions options{options_.batch, std::max(1, options_.in_flight / 2),
                          std::chrono::seconds(1), name, first_image};
    streams.push_back(
        std::make_unique<ImageStream>(clients.back().get(), &setup_.dataset, options));
  }
  say_(fmt::format("side by side: each device alone, points {}", points));
  DemoPhase phase{"side-by-side", Now(), {}, {}};
  for (const auto& stream : streams) stream->Start();
  std::this_thread::sleep_for(options_.phase);
  for (const auto& stream : streams) stream->Stop();
  phase.end = Now();
  for (const auto& stream : streams) {
    std::vector<StreamAnswer> answers = stream->Answers();
    std::move(answers.begin(), answers.end(), std::back_inserter(phase.answers));
  }
  streams.clear();  // before their clients
  story_.phases.push_back(std::move(phase));
  return OkStatus();
}

Status Demo::RunKill() {
  DeviceProcess& victim = *devices_[1];
  const DeviceProcessOptions before = victim.options();
  const std::string address = victim.grpc();
  BRAID_ASSIGN_OR_RETURN(const auto client, Connect({devices_[0]->grpc(), address}));
  // No point is named: the group takes the best that it can run, whoever is alive.
  StreamOptions options{options_.batch, options_.in_flight, std::chrono::seconds(1), "", 0};
  ImageStream stream(client.get(), &setup_.dataset, options);
  DemoPhase whole{"before-kill", Now(), {}, {}};
  stream.Start();
  std::this_thread::sleep_for(options_.phase);

  story_.killed = before.name;
  const TimePoint killed = Now();
  victim.Signal(SIGKILL);
  say_(fmt::format("{} killed (SIGKILL) in mid-stream", story_.killed));
  BRAID_RETURN_IF_ERROR(victim.Wait(kStartTimeout).status());
  std::this_thread::sleep_for(options_.phase);

  DeviceProcessOptions again = before;
  again.grpc = address;  // where clients know it
  BRAID_ASSIGN_OR_RETURN(devices_[1], DeviceProcess::Start(again, kStartTimeout));
  const TimePoint restarted = Now();
  story_.restart_ms = Milliseconds(devices_[1]->startup());
  say_(fmt::format("{} started again, ready after {:.0f} ms", story_.killed, story_.restart_ms));

  std::optional<TimePoint> rejoined;
  for (size_t seen = stream.answered(); !rejoined && Now() < restarted + kJoinTimeout;) {
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
    const std::vector<StreamAnswer> answers = stream.Answers(seen);
    seen += answers.size();
    for (const StreamAnswer& answer : answers) {
      if (TookPart(answer, story_.killed) && answer.reply.devices.size() > 1) {
        rejoined = answer.answered;
        break;
      }
    }
  }
  if (rejoined) {
    story_.rejoin_ms = Milliseconds(std::max(Duration::zero(), Duration(*rejoined - restarted)));
    say_(fmt::format("combined again {:.0f} ms later", *story_.rejoin_ms));
    std::this_thread::sleep_for(options_.phase);
  }
  stream.Stop();

  DemoPhase alone{"after-kill", killed, rejoined.value_or(Now()), {}};
  DemoPhase after{"after-restart", rejoined.value_or(Now()), Now(), {}};
  whole.end = killed;
  std::optional<TimePoint> first;
  for (StreamAnswer& answer : stream.Answers()) {
    const bool survivor = answer.status.ok() && !TookPart(answer, story_.killed);
    if (survivor && answer.answered > killed && (!first || answer.answered < *first)) {
      first = answer.answered;
    }
    DemoPhase& phase = answer.answered <= killed     ? whole
                       : answer.answered < alone.end ? alone
                                                     : after;
    phase.answers.push_back(std::move(answer));
  }
  if (first) story_.first_answer_after_kill_ms = Milliseconds(*first - killed);
  story_.phases.push_back(std::move(whole));
  story_.phases.push_back(std::move(alone));
  if (rejoined) story_.phases.push_back(std::move(after));
  return OkStatus();
}

}  // namespace braid::cli
