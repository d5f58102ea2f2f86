#include "braid/cluster/link/link_emulator.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <boost/asio/buffer.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <deque>
#include <set>
#include <utility>
#include <vector>

#include "braid/base/rng.h"
#include "braid/cluster/link/tcp_dialer.h"
#include "braid/cluster/link/tcp_listener.h"
#include "braid/cluster/link/tcp_loop.h"

namespace braid::cluster {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

namespace {

constexpr size_t kLargestChunkBytes = 64 << 10;
constexpr size_t kSmallestChunkBytes = 512;
constexpr Duration kDialLimit = std::chrono::seconds(2);
// On a line with a rate, a chunk takes about this long to pass: small enough that connections take
// turns, large enough that a timer's lateness (tens of microseconds) does not add up.
constexpr Duration kChunkTime = std::chrono::milliseconds(1);
// Beyond what is on its way, so much may wait before the line; then the sender feels it.
constexpr Duration kBacklogTime = std::chrono::milliseconds(20);
constexpr size_t kLeastBacklogBytes = 64 << 10;
constexpr size_t kUnlimitedBacklogBytes = 16 << 20;
constexpr size_t kSegmentBytes = 1460;  // Ethernet's

struct Line {
  LinkSettings settings;
  bool frozen = false;
  Rng rng{1};           // of losses
  TimePoint free_at{};  // when the last byte that was given to it has left
  std::atomic<int64_t> delivered_bytes{0};

  double BytesWithin(Duration time) const {
    return static_cast<double>(settings.bits_per_second) / 8 *
           std::chrono::duration<double>(time).count();
  }
  size_t ChunkBytes() const {
    if (settings.bits_per_second == 0) return kLargestChunkBytes;
    return std::clamp(static_cast<size_t>(BytesWithin(kChunkTime)), kSmallestChunkBytes,
                      kLargestChunkBytes);
  }
  size_t BacklogBytes() const {
    if (settings.bits_per_second == 0) return kUnlimitedBacklogBytes;
    return std::max(kLeastBacklogBytes,
                    static_cast<size_t>(BytesWithin(settings.delay + kBacklogTime)));
  }
  // When `bytes` given to the line now will have arrived.
  TimePoint Pass(size_t bytes, TimePoint now) {
    TimePoint left = std::max(now, free_at);
    if (settings.bits_per_second > 0) {
      left += Duration(static_cast<Duration::rep>(static_cast<double>(bytes) * 8e9 /
                                                  static_cast<double>(settings.bits_per_second)));
      free_at = left;
    }
    return left + settings.delay + (Loses(bytes) ? kRetransmission : Duration{});
  }
  // Whether one of the segments of `bytes` is lost.
  bool Loses(size_t bytes) {
    if (settings.loss <= 0) return false;
    for (size_t sent = 0; sent < bytes; sent += kSegmentBytes) {
      if (rng.Uniform() < settings.loss) return true;
    }
    return false;
  }
};

// One connection through the link: two sockets and a queue each way. Shared because operations
// under way keep it alive.
class Relay final : public std::enable_shared_from_this<Relay> {
 public:
  Relay(TcpLoop* loop, std::array<Line*, 2> lines, tcp::socket client)
      : client_(std::move(client)), target_(loop->io()) {
    for (size_t way = 0; way < 2; ++way) {
      pipes_[way] = std::make_unique<Pipe>(loop, lines[way]);
    }
    pipes_[0]->from = pipes_[1]->to = &client_;
    pipes_[0]->to = pipes_[1]->from = &target_;
  }

  void Start(tcp::socket target) {
    target_ = std::move(target);
    if (closed_) return Reset();  // cut while the target was dialed: it hears of a reset too
    for (tcp::socket* socket : {&client_, &target_}) {
      error_code ignored;  // a socket that has failed already says so at the first read
      socket->set_option(tcp::no_delay(true), ignored);
      socket->non_blocking(true, ignored);
    }
    for (const auto& pipe : pipes_) Read(pipe.get());
  }

  void Flush() {
    for (const auto& pipe : pipes_) Flush(pipe.get());
  }

  // As a broken link: the ends hear of a reset.
  void Reset() {
    closed_ = true;
    for (tcp::socket* socket : {&client_, &target_}) {
      error_code ignored;
      socket->set_option(asio::socket_base::linger(true, 0), ignored);
      socket->close(ignored);
    }
    for (const auto& pipe : pipes_) pipe->timer.cancel();
  }

  bool closed() const { return closed_; }

 private:
  struct Chunk {
    TimePoint due;
    std::vector<uint8_t> bytes;  // empty: the end
  };
  struct Pipe {
    Pipe(TcpLoop* loop, Line* used) : line(used), timer(loop->io()), buffer(kLargestChunkBytes) {}
    Line* line;
    tcp::socket* from = nullptr;
    tcp::socket* to = nullptr;
    asio::steady_timer timer;
    std::vector<uint8_t> buffer;
    std::deque<Chunk> queue;
    size_t queued_bytes = 0;
    size_t written = 0;  // of the first chunk
    TimePoint last_due{};
    bool reading = false;
    bool waiting = false;  // for the first chunk's time, or for room in the socket
    bool ended = false;    // the end was read
    bool end_passed = false;
  };

  void Read(Pipe* pipe) {
    if (closed_ || pipe->reading || pipe->ended) return;
    if (pipe->queued_bytes >= pipe->line->BacklogBytes()) return;  // Flush comes back here
    pipe->reading = true;
    pipe->from->async_read_some(
        asio::buffer(pipe->buffer.data(), pipe->line->ChunkBytes()),
        [this, self = shared_from_this(), pipe](const error_code& error, size_t size) {
          pipe->reading = false;
          if (closed_) return;
          if (error && error != asio::error::eof) return Reset();
          pipe->ended = error == asio::error::eof;
          const auto first = pipe->buffer.begin();
          Push(pipe, {first, first + static_cast<ptrdiff_t>(size)});
          Read(pipe);
        });
  }

  void Push(Pipe* pipe, std::vector<uint8_t> bytes) {
    pipe->last_due = std::max(pipe->last_due, pipe->line->Pass(bytes.size(), SystemClock().Now()));
    pipe->queued_bytes += bytes.size();
    pipe->queue.push_back({pipe->last_due, std::move(bytes)});
    Flush(pipe);
  }

  // Writes what is due, then waits for the next.
  void Flush(Pipe* pipe) {
    while (!closed_ && !pipe->line->frozen && !pipe->waiting && !pipe->queue.empty()) {
      const Chunk& chunk = pipe->queue.front();
      if (chunk.due > SystemClock().Now()) {
        pipe->waiting = true;
        pipe->timer.expires_at(chunk.due);
        pipe->timer.async_wait([this, self = shared_from_this(), pipe](const error_code& error) {
          pipe->waiting = false;
          if (!error) Flush(pipe);
        });
        return;
      }
      if (chunk.bytes.empty()) {
        pipe->queue.pop_front();
        EndPassed(pipe);
        return;
      }
      if (!Write(pipe, chunk)) return;
      Read(pipe);
    }
  }

  // False when the socket takes no more now, or has failed.
  bool Write(Pipe* pipe, const Chunk& chunk) {
    error_code error;
    const size_t size = pipe->to->write_some(
        asio::buffer(chunk.bytes.data() + pipe->written, chunk.bytes.size() - pipe->written),
        error);
    if (error == asio::error::would_block) {
      pipe->waiting = true;
      pipe->to->async_wait(tcp::socket::wait_write,
                           [this, self = shared_from_this(), pipe](const error_code& wait_error) {
                             pipe->waiting = false;
                             if (!wait_error) Flush(pipe);
                           });
      return false;
    }
    if (error) {
      Reset();
      return false;
    }
    pipe->line->delivered_bytes += static_cast<int64_t>(size);
    pipe->queued_bytes -= size;
    pipe->written += size;
    if (pipe->written == chunk.bytes.size()) {
      pipe->written = 0;
      pipe->queue.pop_front();
    }
    return true;
  }

  void EndPassed(Pipe* pipe) {
    pipe->end_passed = true;
    error_code ignored;
    pipe->to->shutdown(tcp::socket::shutdown_send, ignored);
    if (!pipes_[0]->end_passed || !pipes_[1]->end_passed) return;
    closed_ = true;
    client_.close(ignored);
    target_.close(ignored);
  }

  tcp::socket client_;
  tcp::socket target_;
  std::array<std::unique_ptr<Pipe>, 2> pipes_;  // towards the target, and back
  bool closed_ = false;
};

}  // namespace

class LinkEmulator::Impl {
 public:
  Impl(std::string target, LinkSettings forward, LinkSettings back) : target_(std::move(target)) {
    forward_.settings = forward;
    back_.settings = back;
  }

  ~Impl() {
    loop_.Stop([this] {
      for (const auto& relay : relays_) relay->Reset();
      relays_.clear();
    });
  }

  Status Listen() {
    BRAID_ASSIGN_OR_RETURN(
        listener_, TcpListener::Open(&loop_, "127.0.0.1:0", /*loopback_only=*/true,
                                     [this](tcp::socket socket) { Accept(std::move(socket)); }));
    loop_.Post([this] { listener_->Start(); });
    return OkStatus();
  }

  const std::string& address() const { return listener_->bound(); }

  void Set(LinkSettings forward, LinkSettings back) {
    loop_.Post([this, forward, back] {
      forward_.settings = forward;
      back_.settings = back;
    });
  }
  void SetFrozen(bool forward, bool back) {
    loop_.Post([this, forward, back] {
      forward_.frozen = forward;
      back_.frozen = back;
      for (const auto& relay : relays_) relay->Flush();
    });
  }
  void SetCut(bool cut) {
    loop_.Post([this, cut] {
      cut_ = cut;
      if (!cut) return;
      for (const auto& relay : relays_) relay->Reset();
      relays_.clear();
    });
  }
  Traffic traffic() const { return {forward_.delivered_bytes, back_.delivered_bytes}; }

 private:
  void Accept(tcp::socket socket) {
    std::erase_if(relays_, [](const auto& relay) { return relay->closed(); });
    const auto relay = std::make_shared<Relay>(
        &loop_, std::array<Line*, 2>{&forward_, &back_}, std::move(socket));
    if (cut_) return relay->Reset();
    relays_.insert(relay);
    TcpDialer::Dial(&loop_, target_, /*loopback_only=*/true, kDialLimit,
                    [relay](Result<tcp::socket> target) {
                      if (!target.ok()) return relay->Reset();
                      relay->Start(std::move(*target));
                    });
  }

  const std::string target_;
  // On the loop only, but for the counters.
  Line forward_;
  Line back_;
  bool cut_ = false;
  std::set<std::shared_ptr<Relay>> relays_;

  TcpLoop loop_;  // stopped before anything above or below is destroyed
  std::unique_ptr<TcpListener> listener_;
};

Result<std::unique_ptr<LinkEmulator>> LinkEmulator::Create(const std::string& target,
                                                           LinkSettings forward,
                                                           LinkSettings back) {
  for (const LinkSettings& settings : {forward, back}) {
    if (settings.delay < Duration{0} || settings.bits_per_second < 0 || settings.loss < 0) {
      return InvalidArgument("link emulator: negative delay, rate or loss");
    }
  }
  auto impl = std::make_unique<Impl>(target, forward, back);
  BRAID_RETURN_IF_ERROR(impl->Listen());
  return std::unique_ptr<LinkEmulator>(new LinkEmulator(std::move(impl)));
}

LinkEmulator::LinkEmulator(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
LinkEmulator::~LinkEmulator() = default;

const std::string& LinkEmulator::address() const { return impl_->address(); }
void LinkEmulator::Set(LinkSettings forward, LinkSettings back) { impl_->Set(forward, back); }
void LinkEmulator::SetFrozen(bool forward, bool back) { impl_->SetFrozen(forward, back); }
void LinkEmulator::Cut() { impl_->SetCut(true); }
void LinkEmulator::Restore() { impl_->SetCut(false); }
LinkEmulator::Traffic LinkEmulator::traffic() const { return impl_->traffic(); }

}  // namespace braid::cluster
