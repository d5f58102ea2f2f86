// For tests: a handler that records, and the three kinds of transport behind one face, so that one
// suite runs on all of them. Layer: cluster/link, tests only.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <condition_variable>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "braid/cluster/link/memory_network.h"
#include "braid/cluster/link/tcp_transport.h"

namespace braid::cluster {

// Whoever waits for something that a loop's thread does waits here.
struct Signal {
  std::mutex mutex;
  std::condition_variable changed;
};

// Keeps everything it hears. All reads and writes under the signal's mutex.
class RecordingHandler : public TransportHandler {
 public:
  struct Connected {
    ConnectionId id;
    bool dialed;
    std::string address;
  };
  using Reported = std::pair<std::string, Status>;

  RecordingHandler(Transport* transport, Signal* signal) : transport_(transport), signal_(signal) {}

  void OnConnected(ConnectionId id, bool dialed, const std::string& address) override {
    const Entered entered(this);
    connected.push_back({id, dialed, address});
    if (greet) Later([this, id] { transport_->Send(id, *greet); });
  }
  void OnFrame(ConnectionId id, Frame frame) override {
    const Entered entered(this);
    if (echo) Later([this, id, frame] { transport_->Send(id, frame); });
    if (on_frame) Later([this, id, frame] { on_frame(id, frame); });
    frames.emplace_back(id, std::move(frame));
  }
  void OnClosed(ConnectionId id, const Status& reason) override {
    const Entered entered(this);
    closed.emplace_back(id, reason);
  }
  void OnDialFailed(const std::string& address, const Status& reason) override {
    const Entered entered(this);
    dial_failed.emplace_back(address, reason);
  }
  void OnRefused(const std::string& address, const Status& reason) override {
    const Entered entered(this);
    refused.emplace_back(address, reason);
  }

  // What to do; set before the first event.
  std::optional<Frame> greet;                                // sent on every new connection
  bool echo = false;                                         // frames go back
  std::function<void(ConnectionId, const Frame&)> on_frame;  // on the loop, in the handler

  std::vector<Connected> connected;
  std::vector<std::pair<ConnectionId, Frame>> frames;
  std::vector<std::pair<ConnectionId, Status>> closed;
  std::vector<Reported> dial_failed;
  std::vector<Reported> refused;
  bool entered_twice = false;  // called from inside a call of the transport, or concurrently

 private:
  // Notes re-entrance; then, still on the loop, runs what the handler does, outside the mutex.
  class Entered {
   public:
    explicit Entered(RecordingHandler* handler) : handler_(handler) {
      handler->signal_->mutex.lock();
      handler->entered_twice |= std::exchange(handler->inside_, true);
    }
    ~Entered() {
      const std::vector<std::function<void()>> later = std::exchange(handler_->later_, {});
      handler_->signal_->mutex.unlock();
      for (const auto& task : later) task();
      handler_->signal_->mutex.lock();
      handler_->inside_ = false;
      handler_->signal_->mutex.unlock();
      handler_->signal_->changed.notify_all();
    }

   private:
    RecordingHandler* handler_;
  };
  void Later(std::function<void()> task) { later_.push_back(std::move(task)); }

  Transport* transport_;
  Signal* signal_;
  bool inside_ = false;
  std::vector<std::function<void()>> later_;
};

// A transport with its recorder; the recorder outlives it.
struct Station {
  std::unique_ptr<RecordingHandler> handler;
  std::unique_ptr<Transport> transport;

  void Destroy() {
    transport = nullptr;
    handler = nullptr;
  }
};

class MemoryFabric {
 public:
  explicit MemoryFabric(TransportLimits limits = {}) : network_({.seed = 1, .limits = limits}) {}

  Station Make() {
    Station station;
    station.transport = network_.MakeTransport(std::string(1, static_cast<char>('a' + made_++)));
    station.handler = std::make_unique<RecordingHandler>(station.transport.get(), &signal_);
    station.transport->SetHandler(station.handler.get());
    return station;
  }
  // Lets things happen until `done`, which reads recorders. False when it never comes to be.
  bool Settle(const std::function<bool()>& done) {
    return network_.RunUntil(done, std::chrono::seconds(60));
  }
  // Reads recorders.
  template <typename Read>
  auto Look(Read read) {
    return read();
  }
  Signal* signal() { return &signal_; }

 private:
  Signal signal_;
  MemoryNetwork network_;
  int made_ = 0;
};

// Key files of a test, gone with it.
class KeyFolder {
 public:
  KeyFolder() {
    std::string pattern = std::filesystem::temp_directory_path() / "braid_keys_XXXXXX";
    EXPECT_NE(::mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
  }
  ~KeyFolder() { std::filesystem::remove_all(folder_); }
  KeyFolder(const KeyFolder&) = delete;
  KeyFolder& operator=(const KeyFolder&) = delete;

  std::string Path(const std::string& name) const { return folder_ / name; }
  // The path of a new key file.
  std::string NewKey(const std::string& name) const {
    EXPECT_TRUE(PreSharedKey::CreateFile(Path(name)).ok());
    return Path(name);
  }

 private:
  std::filesystem::path folder_;
};

class TcpFabric {
 public:
  explicit TcpFabric(TransportLimits limits = {}, std::optional<KeyRing> keys = std::nullopt)
      : limits_(limits), keys_(std::move(keys)) {}

  Station Make() { return MakeWith({.keys = keys_, .limits = limits_}); }
  Station MakeWith(TcpOptions options) {
    Result<std::unique_ptr<TcpTransport>> made = TcpTransport::Create(std::move(options));
    BRAID_CHECK(made.ok()) << made.status().ToString();
    Station station;
    station.transport = std::move(*made);
    station.handler = std::make_unique<RecordingHandler>(station.transport.get(), &signal_);
    station.transport->SetHandler(station.handler.get());
    return station;
  }
  // The limit only ends a test that would fail anyway.
  bool Settle(const std::function<bool()>& done) {
    std::unique_lock lock(signal_.mutex);
    return signal_.changed.wait_for(lock, std::chrono::seconds(60), done);
  }
  template <typename Read>
  auto Look(Read read) {
    const std::lock_guard lock(signal_.mutex);
    return read();
  }
  Signal* signal() { return &signal_; }

 private:
  Signal signal_;
  TransportLimits limits_;
  std::optional<KeyRing> keys_;
};

class TlsFabric : public TcpFabric {
 public:
  explicit TlsFabric(TransportLimits limits = {}) : TcpFabric(limits, NewRing()) {}

 private:
  static KeyRing NewRing() {
    const KeyFolder folder;
    Result<KeyRing> ring = KeyRing::Load("test", folder.NewKey("key"));
    BRAID_CHECK(ring.ok()) << ring.status().ToString();
    return *ring;
  }
};

inline Frame MapFrame(uint16_t layer, std::vector<uint8_t> payload) {
  Frame frame;
  frame.kind = FrameKind::kMap;
  frame.layer = layer;
  frame.payload = std::move(payload);
  return frame;
}

}  // namespace braid::cluster
