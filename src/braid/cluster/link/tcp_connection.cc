#include "braid/cluster/link/tcp_connection.h"

#include <netinet/tcp.h>
#include <sys/socket.h>

#include <boost/asio/buffer.hpp>
#include <utility>

namespace braid::cluster {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

namespace {

// One read takes many small frames or a good part of a large map; larger ones stop paying.
constexpr size_t kReadBytes = 64 << 10;

// A buffer that one large frame has grown is given back when it is larger than this.
constexpr size_t kKeptBufferBytes = 1 << 20;

void ClearBuffer(std::vector<uint8_t>* buffer) {
  if (buffer->capacity() > kKeptBufferBytes) {
    *buffer = {};
  } else {
    buffer->clear();
  }
}

std::string Milliseconds(Duration duration) {
  return std::to_string(std::chrono::duration_cast<std::chrono::milliseconds>(duration).count()) +
         " ms";
}

}  // namespace

TcpConnection::TcpConnection(Owner* owner, TcpLoop* loop, tcp::socket socket, ConnectionId id,
                             bool dialed, std::string address, std::unique_ptr<TlsChannel> tls,
                             const TransportLimits& limits)
    : owner_(owner),
      loop_(loop),
      socket_(std::move(socket)),
      id_(id),
      dialed_(dialed),
      address_(std::move(address)),
      tls_(std::move(tls)),
      limits_(limits),
      deadline_(loop->io()),
      read_buffer_(kReadBytes) {}

void TcpConnection::Start() {
  error_code ignored;  // a socket that has failed already says so at the first read
  socket_.set_option(tcp::no_delay(true), ignored);
  socket_.non_blocking(true, ignored);
  const auto acknowledged_ms = static_cast<unsigned>(
      std::chrono::duration_cast<std::chrono::milliseconds>(limits_.acknowledged).count());
  (void)::setsockopt(socket_.native_handle(), IPPROTO_TCP, TCP_USER_TIMEOUT, &acknowledged_ms,
                     sizeof(acknowledged_ms));
  SetDeadline(limits_.first_frame);
  if (tls_ == nullptr) {
    Open();
  } else if (const Status started = tls_->Start(&queued_); !started.ok()) {
    return Fail(started);
  }
  QueueWrite();
  Read();
}

void TcpConnection::Open() {
  state_ = State::kOpen;
  opened_ = true;
  owner_->Opened(*this);
}

// ---- reading ----

void TcpConnection::Read() {
  socket_.async_read_some(asio::buffer(read_buffer_),
                          [this, self = shared_from_this()](const error_code& error, size_t size) {
                            const TcpLoop::Turn turn(loop_);
                            if (state_ == State::kClosed) return;
                            if (error == asio::error::eof) return ReachedEnd();
                            if (error)
                              return Fail(Unavailable("connection lost: " + error.message()));
                            loop_->CountReceived(size);
                            // While draining, what comes is thrown away: reading on lets the other
                            // side take our last bytes, where closing over unread ones would reset
                            // the connection.
                            if (state_ != State::kDraining) Process({read_buffer_.data(), size});
                            if (state_ != State::kClosed) Read();
                          });
}

void TcpConnection::Process(std::span<const uint8_t> bytes) {
  if (tls_ == nullptr) return Deliver(bytes);
  plain_.clear();
  const Status status = tls_->Receive(bytes, &plain_, &queued_);
  QueueWrite();  // handshake answers, alerts
  if (state_ == State::kHandshake && tls_->established()) Open();
  if (!plain_.empty() && state_ == State::kOpen) Deliver(plain_);
  if (state_ != State::kOpen && state_ != State::kHandshake) return;
  if (!status.ok()) return Fail(status);
  if (tls_->ended_by_peer()) ReachedEnd();
}

void TcpConnection::Deliver(std::span<const uint8_t> bytes) {
  received_.clear();
  const Status status = decoder_.Feed(bytes, &received_);
  if (!received_.empty() && !heard_) {
    heard_ = true;
    deadline_.cancel();
  }
  for (Frame& frame : received_) {
    if (state_ != State::kOpen) return;
    owner_->Received(*this, std::move(frame));
  }
  if (!status.ok() && state_ == State::kOpen) Fail(status);
}

void TcpConnection::ReachedEnd() {
  if (state_ == State::kDraining) return Fail(OkStatus());
  if (state_ == State::kHandshake) return Fail(Unavailable("closed before the handshake ended"));
  if (!decoder_.AtFrameBoundary()) return Fail(DataLoss("closed in the middle of a frame"));
  if (tls_ != nullptr && !tls_->ended_by_peer()) {
    return Fail(Unavailable("connection ended without the closing notice of TLS"));
  }
  if (tls_ == nullptr && dialed_ && !heard_) {
    // A listener with a key cannot tell a plain dialer, in words that it understands, to go away.
    return Fail(Unavailable("closed before its first frame (does the other side use a key?)"));
  }
  Fail(OkStatus());
}

// ---- writing ----

void TcpConnection::Send(const Frame& frame) {
  if (state_ != State::kOpen) return;
  if (tls_ == nullptr) {
    AppendFrame(frame, &queued_);
  } else {
    ClearBuffer(&frame_bytes_);
    AppendFrame(frame, &frame_bytes_);
    if (const Status status = tls_->Encrypt(frame_bytes_, &queued_); !status.ok()) {
      return Fail(status);
    }
  }
  if (QueuedBytes() > limits_.pending_bytes) {
    return Fail(ResourceExhausted(
        "the other side does not take its bytes: " + std::to_string(QueuedBytes()) +
        " waiting, the limit is " + std::to_string(limits_.pending_bytes)));
  }
  QueueWrite();
}

void TcpConnection::QueueWrite() {
  if (write_queued_ || write_waits_ || queued_.empty()) return;
  write_queued_ = true;
  loop_->WriteAtEndOfTurn(shared_from_this());
}

// Tries the socket directly, which nearly always takes everything: an asynchronous write would cost
// another round of the event loop for its completion.
void TcpConnection::WriteQueued() {
  write_queued_ = false;
  if (write_waits_ || state_ == State::kClosed) return;
  if (written_ == writing_.size()) {
    ClearBuffer(&writing_);
    written_ = 0;
    writing_.swap(queued_);
  }
  error_code error;
  const size_t size = socket_.write_some(
      asio::buffer(writing_.data() + written_, writing_.size() - written_), error);
  if (error == asio::error::would_block) error = {};
  AfterWrite(error, size);
}

void TcpConnection::AfterWrite(const error_code& error, size_t size) {
  if (error) return Fail(Unavailable("connection lost: " + error.message()));
  written_ += size;
  loop_->CountSent(size);
  if (written_ < writing_.size()) {
    write_waits_ = true;
    socket_.async_write_some(
        asio::buffer(writing_.data() + written_, writing_.size() - written_),
        [this, self = shared_from_this()](const error_code& wait_error, size_t wait_size) {
          const TcpLoop::Turn turn(loop_);
          write_waits_ = false;
          if (state_ != State::kClosed) AfterWrite(wait_error, wait_size);
        });
    return;
  }
  if (!queued_.empty()) {
    QueueWrite();
  } else if (state_ == State::kDraining) {
    FinishDraining();
  }
}

// ---- ending ----

void TcpConnection::Close(const std::string& reason) {
  if (state_ == State::kHandshake) return Fail(Status(StatusCode::kCancelled, reason));
  if (state_ != State::kOpen) return;
  state_ = State::kDraining;
  End(Status(StatusCode::kCancelled, reason));
  if (tls_ != nullptr) tls_->End(&queued_);
  SetDeadline(limits_.linger);
  if (QueuedBytes() == 0) {
    FinishDraining();
  } else {
    QueueWrite();
  }
}

void TcpConnection::FinishDraining() {
  if (write_end_sent_) return;
  write_end_sent_ = true;
  error_code error;
  socket_.shutdown(tcp::socket::shutdown_send, error);
  if (error) Fail(OkStatus());  // ended already, nothing to wait for
}

void TcpConnection::Abandon() {
  if (state_ == State::kClosed) return;
  if (state_ == State::kOpen && tls_ != nullptr) tls_->End(&queued_);
  ended_ = true;
  WriteQueued();
  if (state_ == State::kClosed) return;  // the write failed
  error_code ignored;
  socket_.shutdown(tcp::socket::shutdown_send, ignored);
  Fail(OkStatus());
}

void TcpConnection::SetDeadline(Duration after) {
  deadline_.expires_after(after);
  deadline_.async_wait([this, self = shared_from_this()](const error_code& error) {
    if (error) return;
    const TcpLoop::Turn turn(loop_);
    DeadlinePassed();
  });
}

void TcpConnection::DeadlinePassed() {
  // The wait may have ended just before it was cancelled or set anew: judge by what is so now.
  if (deadline_.expiry() > std::chrono::steady_clock::now()) return;
  if (state_ == State::kHandshake) {
    Fail(DeadlineExceeded("no handshake within " + Milliseconds(limits_.first_frame)));
  } else if (state_ == State::kOpen && !heard_) {
    Fail(DeadlineExceeded("no frame within " + Milliseconds(limits_.first_frame)));
  } else if (state_ == State::kDraining) {
    Fail(OkStatus());
  }
}

void TcpConnection::End(const Status& reason) {
  if (std::exchange(ended_, true)) return;
  owner_->Ended(*this, reason);
}

void TcpConnection::Fail(const Status& reason) {
  if (state_ == State::kClosed) return;
  const std::shared_ptr<TcpConnection> self = shared_from_this();
  state_ = State::kClosed;
  error_code ignored;
  if (tls_ != nullptr && !queued_.empty() && !write_waits_ && written_ == writing_.size()) {
    // The alert that tells the other side why, if the socket takes it.
    socket_.write_some(asio::buffer(queued_), ignored);
  }
  deadline_.cancel();
  socket_.close(ignored);
  End(reason);
  owner_->Released(*this);
}

}  // namespace braid::cluster
