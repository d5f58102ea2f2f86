// Round trips of one frame between two transports of this process, on loopback: plain, TLS, and
// through the link emulator without delay. Prints one JSON document; not a test.
//   transport_bench [rounds]
#include <fmt/core.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <future>

#include "braid/cluster/link/link_emulator.h"
#include "braid/cluster/link/tcp_transport.h"

namespace braid::cluster {
namespace {

constexpr size_t kWarmUp = 200;

class Echo final : public TransportHandler {
 public:
  explicit Echo(Transport* transport) : transport_(transport) {}
  void OnConnected(ConnectionId, bool, const std::string&) override {}
  void OnFrame(ConnectionId id, Frame frame) override { transport_->Send(id, std::move(frame)); }
  void OnClosed(ConnectionId, const Status&) override {}
  void OnDialFailed(const std::string&, const Status&) override {}

 private:
  Transport* transport_;
};

// Sends the next frame when the last one is back.
class Pinger final : public TransportHandler {
 public:
  Pinger(Transport* transport, size_t payload_bytes, size_t rounds)
      : transport_(transport), rounds_(rounds) {
    frame_.kind = FrameKind::kMap;
    frame_.payload.resize(payload_bytes, 7);
    times_.reserve(rounds);
  }
  void OnConnected(ConnectionId id, bool, const std::string&) override { Ping(id); }
  void OnFrame(ConnectionId id, Frame frame) override {
    const TimePoint now = SystemClock().Now();
    BRAID_CHECK(frame.payload == frame_.payload);
    if (++done_ > kWarmUp) times_.push_back(now - sent_);
    if (times_.size() == rounds_) return finished_.set_value();
    Ping(id);
  }
  void OnClosed(ConnectionId, const Status& s) override { BRAID_CHECK(false) << s.ToString(); }
  void OnDialFailed(const std::string&, const Status& s) override {
    BRAID_CHECK(false) << s.ToString();
  }
  std::vector<Duration> Times() {
    finished_.get_future().wait();
    return times_;
  }

 private:
  void Ping(ConnectionId id) {
    sent_ = SystemClock().Now();
    transport_->Send(id, frame_);
  }
  Transport* transport_;
  size_t rounds_;
  Frame frame_;
  TimePoint sent_{};
  size_t done_ = 0;
  std::vector<Duration> times_;
  std::promise<void> finished_;
};

void Measure(const char* name, const std::optional<KeyRing>& keys, bool through_link,
             size_t payload_bytes, size_t rounds, bool last) {
  auto server = std::move(*TcpTransport::Create({.keys = keys, .limits = {}}));
  auto client = std::move(*TcpTransport::Create({.keys = keys, .limits = {}}));
  Echo echo(server.get());
  Pinger pinger(client.get(), payload_bytes, rounds);
  server->SetHandler(&echo);
  client->SetHandler(&pinger);
  std::string address = *server->Listen("127.0.0.1:0");
  std::unique_ptr<LinkEmulator> link;
  if (through_link) {
    link = std::move(*LinkEmulator::Create(address));
    address = link->address();
  }
  client->Dial(address);
  std::vector<Duration> times = pinger.Times();
  client->SetHandler(nullptr);
  server->SetHandler(nullptr);
  std::sort(times.begin(), times.end());
  const auto micros = [&times](double quantile) {
    const auto index = static_cast<size_t>(quantile * static_cast<double>(times.size() - 1));
    return static_cast<double>(times[index].count()) / 1000;
  };
  fmt::print(
      "    {{\"name\": \"{}\", \"payload_bytes\": {}, \"rounds\": {}, \"min_us\": {:.1f}, "
      "\"median_us\": {:.1f}, \"p99_us\": {:.1f}}}{}\n",
      name, payload_bytes, rounds, micros(0), micros(0.5), micros(0.99), last ? "" : ",");
}

int Main(int argc, char** argv) {
  const size_t rounds = argc > 1 ? std::strtoul(argv[1], nullptr, 10) : 2000;
  if (rounds == 0) {
    fmt::print(stderr, "usage: transport_bench [rounds]\n");
    return 2;
  }
  const std::string path = std::filesystem::temp_directory_path() /
                           ("braid_transport_bench_" + std::to_string(::getpid()));
  BRAID_CHECK(PreSharedKey::CreateFile(path).ok());
  const std::optional<KeyRing> keys = *KeyRing::Load("bench", path);
  std::filesystem::remove(path);
  fmt::print("{{\n  \"cases\": [\n");
  for (const size_t bytes : {size_t{8}, size_t{1024}, size_t{65536}}) {
    Measure("plain", std::nullopt, false, bytes, rounds, false);
    Measure("tls", keys, false, bytes, rounds, false);
    Measure("plain through link emulator", std::nullopt, true, bytes, rounds, bytes == 65536);
  }
  fmt::print("  ]\n}}\n");
  return 0;
}

}  // namespace
}  // namespace braid::cluster

int main(int argc, char** argv) { return braid::cluster::Main(argc, argv); }
