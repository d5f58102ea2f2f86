#include "braid/cli/chaos/chaos_run.h"

#include <fmt/format.h>
#include <sched.h>
#include <spdlog/spdlog.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <thread>
#include <utility>

#include "braid/base/rng.h"
#include "braid/cli/answer_check.h"
#include "braid/cli/child_process.h"
#include "braid/cli/demo_setup.h"
#include "braid/cli/device_host.h"

namespace braid::cli {
namespace {

namespace fs = std::filesystem;
using std::chrono::milliseconds;
using std::chrono::seconds;

// A fault that does not show within a second will not.
constexpr Duration kLongestWindow = seconds(1);
constexpr Duration kCalm = milliseconds(300);
constexpr Duration kWholeTimeout = seconds(15);
constexpr size_t kMostViolations = 50;
constexpr int64_t kLogEndBytes = 4096;
constexpr const char* kClockLibrary = "libbraid_clock_jump.so";
constexpr const char* kCalmName = "none";

TimePoint Now() { return std::chrono::steady_clock::now(); }
double Milliseconds(Duration duration) {
  return std::chrono::duration<double, std::milli>(duration).count();
}

std::string ClockLibrary() {
  const fs::path path = fs::path(SelfPath()).replace_filename(kClockLibrary);
  std::error_code error;
  return fs::exists(path, error) ? path.string() : std::string();
}

}  // namespace

std::string ReportName(const Scenario& scenario, FaultKind kind) {
  const std::string fault(FaultName(kind));
  return scenario.faults.size() == 1 ? fault : scenario.name + "/" + fault;
}

ChaosRun::ChaosRun(const ChaosOptions& options, std::vector<ChaosModel> models,
                   const data::Dataset& dataset, std::function<void(const std::string&)> say)
    : options_(options), models_(std::move(models)), dataset_(dataset), say_(std::move(say)) {
  const int groups = models_.front().file->network.groups;
  shares_.resize(static_cast<size_t>(options.devices));
  for (int group = 0; group < groups; ++group) {
    GroupSet& share = shares_[static_cast<size_t>(group * options.devices / groups)];
    share = share.With(group);
  }
}

ChaosRun::~ChaosRun() {
  if (load_ != nullptr) load_->Stop();
  client_.reset();
  load_.reset();
  probes_.clear();
  devices_.clear();
  std::error_code ignored;
  if (!folder_.empty()) fs::remove_all(folder_, ignored);
}

Status ChaosRun::PrepareFolder() {
  std::string pattern = (fs::temp_directory_path() / "braid-chaos-XXXXXX").string();
  if (::mkdtemp(pattern.data()) == nullptr) {
    return Internal(pattern + ": " + std::strerror(errno));
  }
  folder_ = pattern;
  SelfPath();  // known before the mounts change
  // File systems that only this program and its children see, and that go with the last of them.
  const std::string trial = folder_ + "/trial";
  small_disks_ = ::unshare(CLONE_NEWNS) == 0 &&
                 ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 &&
                 ::mkdir(trial.c_str(), 0700) == 0 &&
                 ::mount("braid-chaos", trial.c_str(), "tmpfs", 0, "size=4096") == 0 &&
                 ::umount(trial.c_str()) == 0;
  outcome_.disk = small_disks_ ? "a small file system is filled"
                               : fmt::format("RLIMIT_FSIZE: no file system can be mounted here ({})",
                                             std::strerror(errno));
  return OkStatus();
}

Status ChaosRun::StartDevices() {
  links_ = MakeEmulatedLinks();
  if (options_.namespaces) {
    BRAID_ASSIGN_OR_RETURN(links_, MakeNamespaceLinks(folder_));
  }
  BRAID_ASSIGN_OR_RETURN(
      const std::vector<int> ports,
      PickPorts(2 * options_.devices, options_.seed ^ static_cast<uint64_t>(::getpid()) << 32));
  for (int i = 0; i < options_.devices; ++i) {
    const auto index = static_cast<size_t>(i);
    const std::string name = fmt::format("device-{}", static_cast<char>('a' + i));
    BRAID_ASSIGN_OR_RETURN(const ChaosLinks::Place place, links_->Add(i));
    ChaosDeviceOptions device;
    device.folder = folder_ + "/" + name;
    device.model_name = models_.front().file->network.name;
    device.clock_library = ClockLibrary();
    device.small_disk = small_disks_;
    device.process.name = name;
    device.process.group = fmt::format("chaos-{}", ::getpid());
    device.process.share = ShareText(shares_[index]);
    device.process.kernels = options_.kernels;
    device.process.grpc = fmt::format("{}:{}", place.door, ports[2 * index]);
    device.process.listen = fmt::format("{}:{}", place.listen, ports[2 * index + 1]);
    device.process.wrapper = place.wrapper;
    device.process.more = place.more;
    for (int target = 0; target < i; ++target) {
      BRAID_ASSIGN_OR_RETURN(
          std::string dial, links_->Connect(i, target, ports[2 * static_cast<size_t>(target) + 1]));
      device.process.peers.push_back(std::move(dial));
    }
    std::error_code error;
    fs::create_directory(device.folder, error);
    if (error) return Internal(device.folder + ": " + error.message());
    BRAID_ASSIGN_OR_RETURN(auto made, ChaosDevice::Create(std::move(device)));
    devices_.push_back(std::move(made));
    BRAID_RETURN_IF_ERROR(Start(devices_.back().get(), version_));
  }
  return OkStatus();
}

Status ChaosRun::ConnectClients() {
  client::ClientOptions options;
  options.model = models_.front().file->network.name;
  options.deadline = options_.load.deadline;
  for (const auto& device : devices_) {
    options.endpoints = {device->grpc()};
    BRAID_ASSIGN_OR_RETURN(auto probe, client::Client::Create(options));
    probes_.push_back(std::move(probe));
  }
  options.endpoints.clear();
  for (const auto& device : devices_) options.endpoints.push_back(device->grpc());
  BRAID_ASSIGN_OR_RETURN(client_, client::Client::Create(options));
  return OkStatus();
}

Result<ChaosOutcome> ChaosRun::Run() {
  BRAID_ASSIGN_OR_RETURN(
      Schedule schedule, Schedule::Make(&options_.scenarios, options_.devices, options_.seed));
  std::vector<std::unique_ptr<AnswerCheck>> checks;
  for (const ChaosModel& model : models_) {
    checks.push_back(std::make_unique<AnswerCheck>(model.file->network, dataset_));
    BRAID_RETURN_IF_ERROR(checks.back()->Prepare());
  }
  const auto check_of = [&checks](const std::string& version) {
    const int number = std::atoi(version.c_str());
    return number < 1 ? nullptr : checks[static_cast<size_t>(number - 1) % checks.size()].get();
  };
  judge_ = std::make_unique<Judge>(
      Judge::Checks{
          .equals = [&](const StreamAnswer& answer) -> Result<bool> {
            AnswerCheck* check = check_of(answer.reply.version);
            if (check == nullptr) return false;
            return check->Equals(answer);
          },
          .correct = [&](const StreamAnswer& answer) { return checks.front()->Correct(answer); }},
      options_.load.deadline);
  BRAID_RETURN_IF_ERROR(PrepareFolder());
  BRAID_RETURN_IF_ERROR(StartDevices());
  BRAID_RETURN_IF_ERROR(ConnectClients());
  MakeWhole("start", Now());
  outcome_.whole_again_ms.clear();
  if (broken_) return Unavailable(outcome_.violations.front());

  load_ = std::make_unique<SteadyLoad>(client_.get(), &dataset_, options_.load,
                                       [this](const StreamAnswer& answer) { judge_->Take(answer); });
  load_->Start();
  const TimePoint begin = Now();
  while (Now() < begin + options_.length && !broken_) {
    judge_->OpenWindow(kCalmName, Now(), kCalm);
    std::this_thread::sleep_for(kCalm);
    RunRound(schedule.Next());
  }
  load_->Stop();
  outcome_.seconds = std::chrono::duration<double>(Now() - begin).count();
  outcome_.sent = load_->sent();
  outcome_.lost = load_->lost();
  outcome_.longest_late = load_->longest_late();
  client_.reset();  // what is still open comes back now; it has been counted as lost
  load_.reset();
  outcome_.totals = judge_->Finish();
  outcome_.versions = version_;
  for (const auto& device : devices_) outcome_.resident_bytes.push_back(device->ResidentBytes());
  return std::move(outcome_);
}

void ChaosRun::RunRound(const Round& round) {
  const Scenario& scenario = options_.scenarios[static_cast<size_t>(round.scenario)];
  struct Event {
    Duration at;
    bool begin;
    const PlannedFault* fault;
  };
  std::vector<Event> events;
  for (const PlannedFault& fault : round.faults) {
    events.push_back({fault.at, true, &fault});
    events.push_back({fault.at + fault.lasts, false, &fault});
  }
  std::stable_sort(events.begin(), events.end(),
                   [](const Event& a, const Event& b) { return a.at < b.at; });
  std::string what;
  for (const PlannedFault& fault : round.faults) {
    what += fmt::format("{}{}", what.empty() ? "" : ", ", FaultName(fault.kind));
    if (fault.kind == FaultKind::kRollingUpgrade) continue;
    what += " of " + device(fault.on).name();
    if (IsLinkFault(fault.kind)) what += " to " + device(fault.to).name();
  }
  say_(fmt::format("{}: {}", scenario.name, what));
  std::vector<const PlannedFault*> under_way;
  const TimePoint start = Now();
  for (const Event& event : events) {
    std::this_thread::sleep_until(start + event.at);  // later when what came before took longer
    const std::string name = ReportName(scenario, event.fault->kind);
    if (event.begin) {
      const Status begun = Begin(name, *event.fault);
      if (begun.code() == StatusCode::kUnimplemented) {
        if (outcome_.skipped.emplace(name, begun.message()).second) {
          spdlog::warn("{} is skipped: {}", name, begun.message());
        }
        continue;
      }
      ++outcome_.faults[name];
      if (!begun.ok()) Violation(name + ": " + begun.ToString());
      under_way.push_back(event.fault);
    } else if (std::erase(under_way, event.fault) > 0) {
      const Status ended = End(*event.fault);
      if (!ended.ok()) Violation(name + ": " + ended.ToString());
    }
  }
  MakeWhole(scenario.name, Now());
}

Status ChaosRun::Begin(const std::string& name, const PlannedFault& fault) {
  ChaosDevice& target = device(fault.on);
  // A restart and an upgrade take as long as they take.
  const Duration length =
      fault.lasts > Duration{} ? std::min(fault.lasts, kLongestWindow) : kLongestWindow;
  const auto open = [&] { judge_->OpenWindow(name, Now(), length); };
  if (IsLinkFault(fault.kind)) {
    open();
    return links_->Begin(fault);
  }
  switch (fault.kind) {
    case FaultKind::kKill:
      open();
      target.Kill();
      return OkStatus();
    case FaultKind::kFreeze:
      open();
      target.Freeze();
      return OkStatus();
    case FaultKind::kRestart:
      open();
      BRAID_RETURN_IF_ERROR(target.Stop());
      return Start(&target, version_);
    case FaultKind::kClockJump:
      BRAID_RETURN_IF_ERROR(target.JumpClock(fault.jump));
      open();
      return OkStatus();
    case FaultKind::kFullDisk:
      open();
      return target.FillDisk();
    case FaultKind::kMemoryLimit:
      open();
      return target.LimitMemory(fault.spare_bytes);
    case FaultKind::kWrongModel:
      open();
      target.Kill();
      log_before_[fault.on] = target.LogBytes();
      return Start(&target, version_ + 1);
    case FaultKind::kRollingUpgrade:
      return Upgrade(name, fault.on);
    case FaultKind::kSlowLink:
    case FaultKind::kLossyLink:
    case FaultKind::kOneWayPartition:
    case FaultKind::kPartition:
    case FaultKind::kCutLink:
      break;
  }
  return Internal("no such fault");
}

Status ChaosRun::End(const PlannedFault& fault) {
  ChaosDevice& target = device(fault.on);
  if (IsLinkFault(fault.kind)) return links_->End(fault);
  switch (fault.kind) {
    case FaultKind::kKill:
      return Start(&target, version_);
    case FaultKind::kFreeze:
      target.Thaw();
      return OkStatus();
    case FaultKind::kClockJump:
      return target.JumpClock({});
    case FaultKind::kFullDisk:
      return target.FreeDisk();
    case FaultKind::kMemoryLimit:
      if (target.Alive()) return target.FreeMemory();
      ++outcome_.memory_deaths;
      return Start(&target, version_);
    case FaultKind::kWrongModel: {
      const std::string log = target.LogSince(log_before_[fault.on]);
      target.Kill();
      const Status started = Start(&target, version_);
      if (log.find("another model") == std::string::npos) {
        return Internal(target.name() + "'s log does not say that its model is another one");
      }
      return started;
    }
    case FaultKind::kRestart:
    case FaultKind::kRollingUpgrade:
      return OkStatus();
    case FaultKind::kSlowLink:
    case FaultKind::kLossyLink:
    case FaultKind::kOneWayPartition:
    case FaultKind::kPartition:
    case FaultKind::kCutLink:
      break;
  }
  return Internal("no such fault");
}

Status ChaosRun::Upgrade(const std::string& name, int first) {
  for (int i = 0; i < options_.devices; ++i) {
    ChaosDevice& target = device((first + i) % options_.devices);
    judge_->OpenWindow(name, Now(), kLongestWindow);
    BRAID_RETURN_IF_ERROR(target.Stop());
    BRAID_RETURN_IF_ERROR(Start(&target, version_ + 1));
  }
  ++version_;
  return OkStatus();
}

Status ChaosRun::Start(ChaosDevice* device, int version) {
  return device->Start(models_[static_cast<size_t>(version - 1) % models_.size()].path, version);
}

void ChaosRun::MakeWhole(const std::string& scenario, TimePoint healed) {
  const model::Network& network = models_.front().file->network;
  for (const auto& device : devices_) {
    if (!device->Alive()) {
      Violation(device->name() + " ended by itself in " + scenario);
      const Status started = Start(device.get(), version_);
      if (!started.ok()) Violation(started.ToString());
    }
    outcome_.resident_bytes_most = std::max(outcome_.resident_bytes_most, device->ResidentBytes());
    device->Tidy();
  }
  client::InferRequest request = RequestFor(dataset_, 0, 1);
  // All groups together: the point needs every device and every link between them.
  request.operating_point =
      network.points[static_cast<size_t>(CombinedPoint(network))].name;
  request.deadline = kWholeTimeout;
  for (size_t i = 0; i < probes_.size(); ++i) {
    const Result<client::InferReply> reply = probes_[i]->Infer(request);
    std::string what;
    if (!reply.ok()) {
      what = reply.status().ToString();
    } else if (reply->version != std::to_string(version_)) {
      what = "answers with version " + reply->version + " of the model, not " +
             std::to_string(version_);
    } else if (reply->devices.size() != devices_.size()) {
      what = fmt::format("answers with {} devices", reply->devices.size());
    } else {
      continue;
    }
    broken_ = true;
    Violation(fmt::format("after {} the devices do not combine at the door of {}: {}", scenario,
                          devices_[i]->name(), what));
    // The logs go with the run; what they end with says who does not hear whom.
    for (const auto& device : devices_) {
      spdlog::error("the log of {} ends:\n{}", device->name(),
                    device->LogSince(std::max<int64_t>(0, device->LogBytes() - kLogEndBytes)));
    }
    return;
  }
  outcome_.whole_again_ms[scenario].push_back(Milliseconds(Now() - healed));
}

void ChaosRun::Violation(const std::string& what) {
  spdlog::error("{}", what);
  if (outcome_.violations.size() < kMostViolations) outcome_.violations.push_back(what);
}

model::Network NextVersion(model::Network network, uint64_t seed) {
  Rng rng(seed);
  network.test_images.clear();  // what they leave in each layer changes
  for (model::SubNetwork& sub_network : network.sub_networks) sub_network.map_digests.clear();
  for (size_t layer = 0; layer < network.layers.size(); ++layer) {
    if (network.layers[layer].op != model::Op::kConv) continue;
    for (model::SubNetwork& sub_network : network.sub_networks) {
      for (int32_t& bias : sub_network.tables[layer].bias) {
        if (bias != 0) bias += static_cast<int32_t>(rng.Between(-1, 1)) * (1 + std::abs(bias) / 16);
      }
    }
    break;
  }
  return network;
}

}  // namespace braid::cli
