#include <fmt/format.h>
#include <sched.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <map>
#include <random>
#include <utility>

#include "braid/base/check.h"
#include "braid/cli/chaos/chaos_links.h"
#include "braid/cli/child_process.h"

namespace braid::cli {
namespace {

constexpr Duration kToolTimeout = std::chrono::seconds(10);

// Runs `line` by the shell, which finds the tools; its complaints are in the error.
Status Shell(const std::string& line) {
  BRAID_ASSIGN_OR_RETURN(auto child, ChildProcess::Start({"/bin/sh", "-c", line + " 2>&1"}));
  std::string said;
  while (true) {
    const Result<std::string> more = child->ReadLine(kToolTimeout);
    if (!more.ok()) break;
    said += (said.empty() ? "" : "; ") + *more;
  }
  BRAID_ASSIGN_OR_RETURN(const int status, child->Wait(kToolTimeout));
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return OkStatus();
  return FailedPrecondition(line + ": " + (said.empty() ? "failed" : said));
}

class NamespaceLinks final : public ChaosLinks {
 public:
  explicit NamespaceLinks(std::string key_file) : key_file_(std::move(key_file)) {}

  Result<Place> Add(int device) override {
    // It holds the namespace while the device is down, and ends with its standard input.
    BRAID_ASSIGN_OR_RETURN(auto holder, ChildProcess::Start({"/bin/sh", "-c",
                                                             "exec unshare --net /bin/sh -c "
                                                             "'ip link set lo up && echo up && exec cat'"}));
    BRAID_ASSIGN_OR_RETURN(const std::string up, holder->ReadLine(kToolTimeout));
    if (up != "up") return FailedPrecondition("a namespace for a device: " + up);
    holders_.push_back(std::move(holder));
    BRAID_CHECK(static_cast<size_t>(device) + 1 == holders_.size());
    const std::string inside = fmt::format("door{}", device);
    BRAID_RETURN_IF_ERROR(Shell(fmt::format(
        "ip link add {0} type veth peer name door netns {1} && "
        "ip addr add 10.89.{2}.1/30 dev {0} && ip link set {0} up && "
        "{3} ip addr add 10.89.{2}.2/30 dev door && {3} ip link set door up",
        inside, Pid(device), device, Enter(device))));
    Place place;
    place.door = fmt::format("10.89.{}.2", device);
    place.listen = "0.0.0.0";
    place.wrapper = {"/usr/bin/nsenter", fmt::format("--net=/proc/{}/ns/net", Pid(device)), "--"};
    place.more = {"--key-file", key_file_, "--any-address"};
    return place;
  }

  Result<std::string> Connect(int dialer, int target, int port) override {
    BRAID_CHECK(dialer > target);
    BRAID_RETURN_IF_ERROR(Shell(fmt::format(
        "ip link add {0} netns {1} type veth peer name {2} netns {3} && "
        "{4} ip addr add {6}/30 dev {0} && {4} ip link set {0} up && "
        "{5} ip addr add {7}/30 dev {2} && {5} ip link set {2} up",
        Cable(target), Pid(dialer), Cable(dialer), Pid(target), Enter(dialer), Enter(target),
        Address(dialer, target), Address(target, dialer))));
    return fmt::format("{}:{}", Address(target, dialer), port);
  }

  Status Begin(const PlannedFault& fault) override {
    const std::string there = Address(fault.to, fault.on), here = Address(fault.on, fault.to);
    switch (fault.kind) {
      case FaultKind::kSlowLink: {
        const double ms = std::chrono::duration<double, std::milli>(fault.delay).count();
        std::string how = fmt::format("delay {:.3f}ms", ms);
        if (fault.bits_per_second > 0) how += fmt::format(" rate {}bit", fault.bits_per_second);
        return Netem(fault, how);
      }
      case FaultKind::kLossyLink:
        return Netem(fault, fmt::format("loss {:.3f}%", fault.loss * 100));
      case FaultKind::kOneWayPartition:
        return Shell(fmt::format("{} ip route add blackhole {}/32", Enter(fault.on), there));
      case FaultKind::kPartition:
        return Shell(fmt::format(
            "{} ip route add blackhole {}/32 && {} ip route add blackhole {}/32", Enter(fault.on),
            there, Enter(fault.to), here));
      case FaultKind::kCutLink:
        return Shell(fmt::format("{} ip link set {} down", Enter(fault.on), Cable(fault.to)));
      case FaultKind::kKill:
      case FaultKind::kFreeze:
      case FaultKind::kRestart:
      case FaultKind::kClockJump:
      case FaultKind::kFullDisk:
      case FaultKind::kMemoryLimit:
      case FaultKind::kWrongModel:
      case FaultKind::kRollingUpgrade:
        break;
    }
    return Internal(std::string(FaultName(fault.kind)) + " is no fault of a link");
  }

  Status End(const PlannedFault& fault) override {
    const std::string there = Address(fault.to, fault.on), here = Address(fault.on, fault.to);
    switch (fault.kind) {
      case FaultKind::kSlowLink:
      case FaultKind::kLossyLink:
        return Shell(fmt::format("{} tc qdisc del dev {} root && {} tc qdisc del dev {} root",
                                 Enter(fault.on), Cable(fault.to), Enter(fault.to),
                                 Cable(fault.on)));
      case FaultKind::kOneWayPartition:
        return Shell(fmt::format("{} ip route del blackhole {}/32", Enter(fault.on), there));
      case FaultKind::kPartition:
        return Shell(fmt::format(
            "{} ip route del blackhole {}/32 && {} ip route del blackhole {}/32", Enter(fault.on),
            there, Enter(fault.to), here));
      case FaultKind::kCutLink:
        return Shell(fmt::format("{} ip link set {} up", Enter(fault.on), Cable(fault.to)));
      case FaultKind::kKill:
      case FaultKind::kFreeze:
      case FaultKind::kRestart:
      case FaultKind::kClockJump:
      case FaultKind::kFullDisk:
      case FaultKind::kMemoryLimit:
      case FaultKind::kWrongModel:
      case FaultKind::kRollingUpgrade:
        break;
    }
    return Internal(std::string(FaultName(fault.kind)) + " is no fault of a link");
  }

 private:
  pid_t Pid(int device) const { return holders_[static_cast<size_t>(device)]->pid(); }
  std::string Enter(int device) const { return fmt::format("nsenter --net=/proc/{}/ns/net", Pid(device)); }
  // The end of the cable to `peer`, in the namespace of a device.
  static std::string Cable(int peer) { return fmt::format("to{}", peer); }
  // Of `device` on its cable to `peer`.
  static std::string Address(int device, int peer) {
    return fmt::format("10.88.{}.{}", std::max(device, peer) * 16 + std::min(device, peer),
                       device > peer ? 1 : 2);
  }
  // Both ways. The kernel may have been built without it.
  Status Netem(const PlannedFault& fault, const std::string& how) const {
    const Status status = Shell(fmt::format(
        "{} tc qdisc add dev {} root netem {} && {} tc qdisc add dev {} root netem {}",
        Enter(fault.on), Cable(fault.to), how, Enter(fault.to), Cable(fault.on), how));
    if (status.ok()) return status;
    return Unimplemented("the kernel's netem cannot be used: " + status.message());
  }

  const std::string key_file_;
  std::vector<std::unique_ptr<ChildProcess>> holders_;  // by device
};

}  // namespace

Result<std::unique_ptr<ChaosLinks>> MakeNamespaceLinks(const std::string& folder) {
  if (::unshare(CLONE_NEWNET) != 0) {
    return FailedPrecondition(std::string("a network namespace cannot be made here: ") +
                              std::strerror(errno));
  }
  BRAID_RETURN_IF_ERROR(Shell("ip link set lo up"));
  const std::string key_file = folder + "/key";
  std::random_device random;
  std::ofstream key(key_file, std::ios::binary);
  if (::chmod(key_file.c_str(), 0600) != 0) return Internal(key_file + ": cannot make it private");
  for (int i = 0; i < 32; ++i) key.put(static_cast<char>(random()));
  key.close();
  if (!key) return Internal(key_file + ": cannot write");
  return std::unique_ptr<ChaosLinks>(std::make_unique<NamespaceLinks>(key_file));
}

}  // namespace braid::cli
