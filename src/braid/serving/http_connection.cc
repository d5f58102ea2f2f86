#include "braid/serving/http_connection.h"

#include <sys/socket.h>
#include <sys/uio.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <boost/asio/buffer.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/status.hpp>
#include <boost/beast/http/string_body.hpp>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <optional>
#include <type_traits>
#include <utility>
#include <vector>

#include "braid/serving/event_loop_impl.h"
#include "braid/serving/http_head.h"
#include "braid/serving/rest_status.h"

namespace braid::serving {
namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using boost::system::error_code;
using PlainStream = asio::ip::tcp::socket;
using TlsStream = asio::ssl::stream<asio::ip::tcp::socket>;

constexpr size_t kReadBytes = 16 << 10;
// While a request is under way, so much of the next ones is read ahead and no more.
constexpr size_t kMaxAheadBytes = 64 << 10;
// After a refusal the rest of what was sent is read and thrown away, up to this, so that the client
// gets to read our answer instead of a reset.
constexpr size_t kMaxDiscardBytes = 1 << 20;
constexpr Duration kLinger = std::chrono::seconds(2);

TimePoint Now() { return std::chrono::steady_clock::now(); }

HttpMethod MethodOf(http::verb verb) {
  if (verb == http::verb::get) return HttpMethod::kGet;
  if (verb == http::verb::head) return HttpMethod::kHead;
  if (verb == http::verb::post) return HttpMethod::kPost;
  return HttpMethod::kOther;
}

std::string_view View(boost::string_view text) { return {text.data(), text.size()}; }

template <typename Stream>
class Connection final : public HttpConnection,
                         public std::enable_shared_from_this<Connection<Stream>> {
 public:
  static constexpr bool kTls = std::is_same_v<Stream, TlsStream>;

  template <typename... StreamArguments>
  Connection(std::shared_ptr<HttpShared> shared, std::shared_ptr<asio::ssl::context> context,
             StreamArguments&&... arguments)
      : shared_(std::move(shared)),
        context_(std::move(context)),
        stream_(std::forward<StreamArguments>(arguments)...) {
    error_code ignored;
    Socket().set_option(asio::ip::tcp::no_delay(true), ignored);
    Socket().non_blocking(true, ignored);
    if constexpr (!kTls) {  // see ReadPlain
      const int on = 1;
      ::setsockopt(Socket().native_handle(), SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof(on));
    }
  }

  void Begin() override {
    limit_ = Now() + shared_->limits.header_time;
    if constexpr (kTls) {
      stream_.async_handshake(
          asio::ssl::stream_base::server,
          [self = this->shared_from_this()](const error_code& error) {
            if (error) return self->Cut();
            self->NextRequest();
          });
    } else {
      NextRequest();
    }
  }

  void Refuse(const HttpResponse& response) override {
    if constexpr (kTls) {
      Cut();  // no words before a handshake
    } else {
      RefuseRequest(response);
    }
  }

  void CheckTime(TimePoint now) override {
    const bool idle = state_ == State::kReading && !began_;
    if (idle && !kTls) {  // thousands of idle connections shall not hold a buffer each
      buffer_ = {};
      begin_ = end_ = 0;
    }
    if (now < limit_) return;
    if (state_ == State::kReading && began_) {
      RefuseRequest(ErrorResponse(408, "the request takes too long to come"));
    } else if (state_ != State::kHandling) {
      Cut();
    }
  }

  void CloseWhenIdle() override {
    last_ = true;
    if (state_ == State::kReading && !began_) Cut();
  }

  void Cut() override {
    if (state_ == State::kClosed) return;
    state_ = State::kClosed;
    ++request_number_;  // a late reply finds nobody
    ReleaseBody();
    if (auto gone = std::exchange(gone_, nullptr)) gone();
    error_code ignored;
    Socket().shutdown(asio::ip::tcp::socket::shutdown_both, ignored);
    Socket().close(ignored);
    shared_->connections.erase(this);  // may end this object's last owner but the caller's
  }

 private:
  enum class State : uint8_t { kReading, kHandling, kWriting, kDiscarding, kClosed };

  // One request's way back. Replies come from any thread and are carried to the loop.
  class Exchange final : public HttpExchange {
   public:
    Exchange(std::shared_ptr<Connection> connection, uint64_t number)
        : connection_(std::move(connection)), number_(number) {}
    ~Exchange() override {
      if (replied_.exchange(true)) return;
      asio::post(connection_->shared_->loop->impl().context,
                 [connection = connection_, number = number_] {
                   if (connection->request_number_ == number) connection->Cut();
                 });
    }
    void Reply(HttpResponse response) override {
      if (replied_.exchange(true)) return;
      if (connection_->shared_->loop->OnLoop()) {
        connection_->OnReply(number_, std::move(response));
      } else {
        asio::post(connection_->shared_->loop->impl().context,
                   [connection = connection_, number = number_,
                    response = std::move(response)]() mutable {
                     connection->OnReply(number, std::move(response));
                   });
      }
    }
    void OnGone(std::function<void()> gone) override {
      if (connection_->request_number_ == number_ && connection_->state_ == State::kHandling) {
        connection_->gone_ = std::move(gone);
      }
    }

   private:
    const std::shared_ptr<Connection> connection_;
    const uint64_t number_;
    std::atomic<bool> replied_ = false;
  };

  asio::ip::tcp::socket& Socket() {
    if constexpr (kTls) {
      return stream_.next_layer();
    } else {
      return stream_;
    }
  }

  void ReleaseBody() { shared_->bodies_bytes -= std::exchange(reserved_bytes_, 0); }

  void NextRequest() {
    ReleaseBody();
    state_ = State::kReading;
    began_ = false;
    continue_sent_ = false;
    parser_.reset();
    limit_ = Now() + shared_->limits.idle_time;
    if (last_) return Cut();
    Parse();
  }

  void MakeParser() {
    parser_.emplace();
    parser_->eager(true);
    parser_->header_limit(static_cast<uint32_t>(shared_->limits.header_bytes));
    parser_->body_limit(shared_->limits.body_bytes);
  }

  // Feeds the parser with what was read; asks for more, or hands the request on.
  void Parse() {
    while (state_ == State::kReading && begin_ < end_) {
      if (!began_) {
        began_ = true;
        if (!parser_) MakeParser();
        limit_ = Now() + shared_->limits.header_time;
      }
      error_code error;
      const size_t used =
          parser_->put(asio::const_buffer(buffer_.data() + begin_, end_ - begin_), error);
      begin_ += used;
      if (error && error != http::error::need_more) return RefuseMalformed(error);
      if (parser_->is_done()) return Handle();
      if (parser_->is_header_done() && !continue_sent_ && !OnHeader()) return;
      if (used == 0) break;
    }
    if (state_ == State::kReading) Read();
  }

  // The header is there, the body is not. False when the request was refused.
  bool OnHeader() {
    continue_sent_ = true;
    // Who sends in chunks does not say how much it will be: the most is set aside.
    const auto length = parser_->content_length();
    const uint64_t body = length ? *length : shared_->limits.body_bytes;
    if (shared_->bodies_bytes + body > shared_->limits.bodies_bytes) {
      RefuseRequest(ErrorResponse(503, "too many large requests at a time"));
      return false;
    }
    reserved_bytes_ = body;
    shared_->bodies_bytes += body;
    const uint64_t seconds = body / std::max<size_t>(1, shared_->limits.slowest_bytes_per_second);
    limit_ = Now() + shared_->limits.header_time +
             std::chrono::seconds(static_cast<int64_t>(seconds));
    const bool expects =
        boost::beast::iequals(parser_->get()[http::field::expect], "100-continue");
    if (expects && !kTls) {
      static constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";
      error_code ignored;  // a client that cannot take 25 bytes waits and sends the body anyway
      Socket().write_some(asio::buffer(kContinue.data(), kContinue.size()), ignored);
    } else if (expects) {
      auto text = std::make_shared<std::string>("HTTP/1.1 100 Continue\r\n\r\n");
      writing_continue_ = true;
      asio::async_write(stream_, asio::buffer(*text),
                        [self = this->shared_from_this(), text](const error_code&, size_t) {
                          self->writing_continue_ = false;
                          if (auto held = std::exchange(self->held_, std::nullopt)) {
                            self->Write(std::move(*held));
                          }
                        });
    }
    return true;
  }

  void Read() {
    if (reading_ || state_ == State::kClosed) return;
    if (begin_ > 0) {  // what is left moves to the front
      std::copy(buffer_.begin() + static_cast<ptrdiff_t>(begin_),
                buffer_.begin() + static_cast<ptrdiff_t>(end_), buffer_.begin());
      end_ -= begin_;
      begin_ = 0;
    }
    const bool ahead = state_ != State::kReading && state_ != State::kDiscarding;
    if (ahead && end_ >= kMaxAheadBytes) return;
    reading_ = true;
    if constexpr (!kTls) {
      // Waiting first saves the attempt to read that the library would make in vain.
      Socket().async_wait(asio::ip::tcp::socket::wait_read,
                          [self = this->shared_from_this()](error_code error) {
                            size_t bytes = 0;
                            if (!error) {
                              bytes = self->ReadPlain(&error);
                              if (error == asio::error::would_block) error = {};
                            }
                            self->OnRead(error, bytes);
                          });
    } else {
      stream_.async_read_some(
          Free(), [self = this->shared_from_this()](const error_code& error, size_t bytes) {
            self->OnRead(error, bytes);
          });
    }
  }

  // Reads what is there and learns when the system got the last of it: under load that is long
  // before this loop comes to it, and a deadline runs from there.
  size_t ReadPlain(error_code* error) {
    const asio::mutable_buffer free = Free();
    iovec part{.iov_base = free.data(), .iov_len = free.size()};
    alignas(cmsghdr) std::array<char, 128> control;
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    const ssize_t bytes = ::recvmsg(Socket().native_handle(), &message, MSG_DONTWAIT);
    read_at_ = Now();
    if (bytes == 0) *error = asio::error::eof;
    if (bytes < 0) *error = {errno, boost::system::system_category()};
    if (bytes <= 0) return 0;
    for (cmsghdr* c = CMSG_FIRSTHDR(&message); c != nullptr; c = CMSG_NXTHDR(&message, c)) {
      if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SO_TIMESTAMPNS) continue;
      timespec got{}, now{};
      std::memcpy(&got, CMSG_DATA(c), sizeof(got));
      ::clock_gettime(CLOCK_REALTIME, &now);
      const Duration waited = std::chrono::seconds(now.tv_sec - got.tv_sec) +
                              std::chrono::nanoseconds(now.tv_nsec - got.tv_nsec);
      // The wall clock may have been set in between: only what can be true is believed.
      if (waited > Duration{} && waited < std::chrono::seconds(10)) read_at_ -= waited;
    }
    return static_cast<size_t>(bytes);
  }

  asio::mutable_buffer Free() {
    if (buffer_.size() < end_ + kReadBytes) buffer_.resize(end_ + kReadBytes);
    return {buffer_.data() + end_, buffer_.size() - end_};
  }

  void OnRead(const error_code& error, size_t bytes) {
    reading_ = false;
    if (state_ == State::kClosed) return;
    if (error) return Cut();  // gone, in order or not: nobody waits for the reply
    if (state_ == State::kDiscarding) {
      discarded_ += bytes;
      if (discarded_ > kMaxDiscardBytes) return Cut();
      return Read();
    }
    end_ += bytes;
    if (state_ == State::kReading) {
      Parse();
    } else {
      Read();  // ahead, and to notice when the client goes away
    }
  }

  void Handle() {
    const auto& message = parser_->get();
    keep_alive_ = message.keep_alive() && !last_ && !shared_->draining;
    HttpRequest request;
    request.method = MethodOf(message.method());
    request.target = View(message.target());
    request.authorization = View(message[http::field::authorization]);
    request.content_type = View(message[http::field::content_type]);
    request.content_encoding = View(message[http::field::content_encoding]);
    const auto json_length = message.find("Inference-Header-Content-Length");
    if (json_length != message.end()) request.inference_header_length = View(json_length->value());
    request.body = message.body();
    request.arrived = read_at_ == TimePoint{} ? Now() : read_at_;
    head_only_ = request.method == HttpMethod::kHead;
    state_ = State::kHandling;
    auto exchange = std::make_shared<Exchange>(this->shared_from_this(), ++request_number_);
    if (!shared_->handler) return Cut();
    shared_->handler(request, std::move(exchange));
    if (state_ == State::kHandling) Read();
  }

  void OnReply(uint64_t number, HttpResponse response) {
    if (number != request_number_ || state_ != State::kHandling) return;
    gone_ = nullptr;
    keep_alive_ = keep_alive_ && !last_ && !shared_->draining;
    state_ = State::kWriting;
    Write(std::move(response));
  }

  void Write(HttpResponse response) {
    if (writing_continue_) {
      held_ = std::move(response);
      return;
    }
    limit_ = Now() + shared_->limits.write_time;
    head_ = HttpHead(response, keep_alive_);
    body_ = head_only_ ? std::string() : std::move(response.body);
    const std::array<asio::const_buffer, 2> out = {asio::buffer(head_), asio::buffer(body_)};
    if constexpr (!kTls) {
      // Almost always the system takes all at once, without a detour over the loop.
      error_code error;
      const size_t written = Socket().write_some(out, error);
      if (error && error != asio::error::would_block) return Cut();
      if (written == head_.size() + body_.size()) return OnWritten();
      const size_t head = std::min(written, head_.size());
      const std::array<asio::const_buffer, 2> rest = {
          asio::buffer(head_) + head, asio::buffer(body_) + (written - head)};
      asio::async_write(stream_, rest,
                        [self = this->shared_from_this()](const error_code& failed, size_t) {
                          if (failed) return self->Cut();
                          self->OnWritten();
                        });
    } else {
      asio::async_write(stream_, out,
                        [self = this->shared_from_this()](const error_code& failed, size_t) {
                          if (failed) return self->Cut();
                          self->OnWritten();
                        });
    }
  }

  void OnWritten() {
    if (state_ != State::kWriting) return;
    if (refused_) return Discard();
    if (!keep_alive_) return Finish();
    // Through the loop, so that a row of pipelined requests neither recurses nor starves others.
    if (begin_ < end_) {
      state_ = State::kReading;
      began_ = false;
      asio::post(shared_->loop->impl().context, [self = this->shared_from_this()] {
        if (self->state_ != State::kClosed) self->NextRequest();
      });
    } else {
      NextRequest();
    }
  }

  // Everything is said: closes in order, so that the client gets all of it.
  void Finish() {
    if constexpr (kTls) {
      limit_ = Now() + kLinger;
      state_ = State::kDiscarding;
      stream_.async_shutdown(
          [self = this->shared_from_this()](const error_code&) { self->Cut(); });
    } else {
      Discard();
    }
  }

  void Discard() {
    if constexpr (kTls) return Cut();
    state_ = State::kDiscarding;
    limit_ = Now() + kLinger;
    begin_ = end_ = 0;
    error_code ignored;
    Socket().shutdown(asio::ip::tcp::socket::shutdown_send, ignored);
    Read();
  }

  void RefuseMalformed(const error_code& error) {
    if (error == http::error::header_limit) {
      return RefuseRequest(ErrorResponse(431, "the header is too large"));
    }
    if (error == http::error::body_limit) {
      return RefuseRequest(ErrorResponse(
          413, "the body is larger than " + std::to_string(shared_->limits.body_bytes) + " bytes"));
    }
    RefuseRequest(ErrorResponse(400, "not HTTP/1.1: " + error.message()));
  }

  // Answers without the handler and closes: what follows in the connection makes no sense.
  void RefuseRequest(HttpResponse response) {
    ++request_number_;
    refused_ = true;
    keep_alive_ = false;
    state_ = State::kWriting;
    Write(std::move(response));
  }

  const std::shared_ptr<HttpShared> shared_;
  const std::shared_ptr<asio::ssl::context> context_;  // outlives the stream
  Stream stream_;
  State state_ = State::kReading;
  std::vector<char> buffer_;
  size_t begin_ = 0, end_ = 0;  // of what was read and not yet parsed
  std::optional<http::request_parser<http::string_body>> parser_;
  TimePoint limit_{};        // when the present state has lasted too long; not for kHandling
  TimePoint read_at_{};      // when what was read last had come in; plain connections only
  bool reading_ = false;     // a read is under way
  bool began_ = false;       // the first byte of a request is there
  bool continue_sent_ = false;
  bool writing_continue_ = false;
  bool keep_alive_ = true;
  bool head_only_ = false;
  bool last_ = false;        // close after this request
  bool refused_ = false;
  size_t discarded_ = 0;
  uint64_t reserved_bytes_ = 0;  // of shared_->bodies_bytes
  uint64_t request_number_ = 0;
  std::function<void()> gone_;
  std::optional<HttpResponse> held_;
  std::string head_, body_;  // being written
};

}  // namespace

std::shared_ptr<HttpConnection> MakeHttpConnection(std::shared_ptr<HttpShared> shared,
                                                   asio::ip::tcp::socket socket) {
  return std::make_shared<Connection<PlainStream>>(std::move(shared), nullptr, std::move(socket));
}

std::shared_ptr<HttpConnection> MakeHttpsConnection(std::shared_ptr<HttpShared> shared,
                                                    asio::ip::tcp::socket socket,
                                                    std::shared_ptr<asio::ssl::context> context) {
  auto& held = *context;
  return std::make_shared<Connection<TlsStream>>(std::move(shared), std::move(context),
                                                 std::move(socket), held);
}

}  // namespace braid::serving
