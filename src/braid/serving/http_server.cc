#include "braid/serving/http_server.h"

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <condition_variable>
#include <filesystem>
#include <future>
#include <mutex>
#include <utility>
#include <vector>

#include "braid/serving/event_loop_impl.h"
#include "braid/serving/http_connection.h"
#include "braid/serving/rest_status.h"

namespace braid::serving {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

// How exactly limits of time are kept.
constexpr Duration kTick = std::chrono::milliseconds(250);
constexpr Duration kDrainTick = std::chrono::milliseconds(10);
constexpr int kTicksBetweenTlsLooks = 8;

Result<tcp::endpoint> Resolve(asio::io_context& context, const std::string& address) {
  const size_t colon = address.rfind(':');
  if (colon == std::string::npos) {
    return InvalidArgument("address \"" + address + "\": must be host:port");
  }
  std::string host = address.substr(0, colon);
  if (host.size() >= 2 && host.front() == '[' && host.back() == ']') {
    host = host.substr(1, host.size() - 2);
  }
  error_code error;
  tcp::resolver resolver(context);
  const auto found = resolver.resolve(host, address.substr(colon + 1), tcp::resolver::passive, error);
  if (error || found.empty()) {
    return InvalidArgument("address " + address + ": " + error.message());
  }
  return found.begin()->endpoint();
}

// The time of the last change of either file; nothing when one is missing.
std::optional<std::filesystem::file_time_type> ChangeTime(const TlsFiles& tls) {
  std::error_code error;
  const auto certificate = std::filesystem::last_write_time(tls.certificate, error);
  if (error) return std::nullopt;
  const auto key = std::filesystem::last_write_time(tls.key, error);
  if (error) return std::nullopt;
  return std::max(certificate, key);
}

Result<std::shared_ptr<asio::ssl::context>> MakeTlsContext(const TlsFiles& tls) {
  BRAID_RETURN_IF_ERROR(CheckTlsFiles(tls));
  try {
    auto context = std::make_shared<asio::ssl::context>(asio::ssl::context::tls_server);
    context->set_options(asio::ssl::context::default_workarounds | asio::ssl::context::no_sslv2 |
                         asio::ssl::context::no_sslv3 | asio::ssl::context::no_tlsv1 |
                         asio::ssl::context::no_tlsv1_1);
    context->use_certificate_chain_file(tls.certificate);
    context->use_private_key_file(tls.key, asio::ssl::context::pem);
    return context;
  } catch (const boost::system::system_error& error) {
    return InvalidArgument(std::string("TLS: ") + error.what());
  }
}

class HttpServerImpl final : public HttpServer {
 public:
  HttpServerImpl(EventLoop* loop, HttpServerOptions options, HttpHandler handler)
      : loop_(loop), options_(std::move(options)), listener_(std::make_shared<Listener>(loop)) {
    listener_->shared->loop = loop;
    listener_->shared->limits = options_.limits;
    listener_->shared->handler = std::move(handler);
    listener_->tls_files = options_.tls;
  }

  Status Start() {
    BRAID_ASSIGN_OR_RETURN(const tcp::endpoint endpoint,
                           Resolve(loop_->impl().context, options_.address));
    if (!options_.tls.empty()) {
      listener_->tls_time = ChangeTime(options_.tls);
      BRAID_ASSIGN_OR_RETURN(listener_->tls, MakeTlsContext(options_.tls));
    }
    error_code error;
    auto& acceptor = listener_->acceptor;
    acceptor.open(endpoint.protocol(), error);
    if (!error) acceptor.set_option(tcp::acceptor::reuse_address(true), error);
    if (!error) acceptor.bind(endpoint, error);
    if (!error) acceptor.listen(asio::socket_base::max_listen_connections, error);
    if (error) return Unavailable("address " + options_.address + ": " + error.message());
    const size_t colon = options_.address.rfind(':');
    address_ = options_.address.substr(0, colon + 1) +
               std::to_string(acceptor.local_endpoint(error).port());
    asio::post(loop_->impl().context, [listener = listener_] {
      listener->Accept();
      listener->Tick();
    });
    return OkStatus();
  }

  ~HttpServerImpl() override {
    OnLoopAndWait([this] { listener_->Close(); });
  }

  const std::string& address() const override { return address_; }

  int connections() const override {
    int count = 0;
    OnLoopAndWait([&] { count = static_cast<int>(listener_->shared->connections.size()); });
    return count;
  }

  void Drain(Duration grace) override {
    const TimePoint end = std::chrono::steady_clock::now() + grace;
    OnLoopAndWait([this] { listener_->Drain(); });
    std::unique_lock lock(listener_->mutex);
    listener_->changed.wait_until(lock, end, [this] { return listener_->drained; });
  }

 private:
  // What the loop works with; outlives the server until the loop has let go of it.
  struct Listener : std::enable_shared_from_this<Listener> {
    explicit Listener(EventLoop* event_loop)
        : acceptor(event_loop->impl().context), timer(event_loop->impl().context) {}

    void Accept() {
      acceptor.async_accept(
          [self = shared_from_this()](const error_code& error, tcp::socket socket) {
            if (!self->acceptor.is_open()) return;
            if (!error) {
              self->Take(std::move(socket));
              return self->Accept();
            }
            self->accept_again = true;  // at the next tick: descriptors may have run out
          });
    }

    void Take(tcp::socket socket) {
      auto& connections = shared->connections;
      const bool full = static_cast<int>(connections.size()) >= shared->limits.connections;
      const auto connection = tls == nullptr
                                  ? MakeHttpConnection(shared, std::move(socket))
                                  : MakeHttpsConnection(shared, std::move(socket), tls);
      if (full) {
        // Beyond the limit by a few that are told so; more are closed without a word.
        if (static_cast<int>(connections.size()) >= shared->limits.connections + kRefusals) return;
        connections.emplace(connection.get(), connection);
        return connection->Refuse(ErrorResponse(503, "too many connections"));
      }
      connections.emplace(connection.get(), connection);
      connection->Begin();
    }

    void Tick() {
      timer.expires_after(shared->draining ? kDrainTick : kTick);
      timer.async_wait([self = shared_from_this()](const error_code& error) {
        if (error || self->closed) return;
        const TimePoint now = std::chrono::steady_clock::now();
        for (const auto& connection : self->All()) connection->CheckTime(now);
        if (std::exchange(self->accept_again, false)) self->Accept();
        self->LookAtTls();
        self->CheckDrained();
        self->Tick();
      });
    }

    // New files serve new connections; bad ones leave the former in force.
    void LookAtTls() {
      if (tls == nullptr || ++ticks % kTicksBetweenTlsLooks != 0) return;
      const auto time = ChangeTime(tls_files);
      if (!time || time == tls_time) return;
      auto context = MakeTlsContext(tls_files);
      if (!context.ok()) return;  // half written, perhaps: looked at again
      tls = std::move(context).value();
      tls_time = time;
    }

    std::vector<std::shared_ptr<HttpConnection>> All() const {
      std::vector<std::shared_ptr<HttpConnection>> all;
      all.reserve(shared->connections.size());
      for (const auto& [key, connection] : shared->connections) all.push_back(connection);
      return all;
    }

    void Drain() {
      error_code ignored;
      acceptor.close(ignored);
      shared->draining = true;
      for (const auto& connection : All()) connection->CloseWhenIdle();
      CheckDrained();
      Tick();  // sooner than it was due
    }

    void CheckDrained() {
      if (!shared->draining || !shared->connections.empty()) return;
      const std::lock_guard lock(mutex);
      drained = true;
      changed.notify_all();
    }

    void Close() {
      closed = true;
      shared->handler = nullptr;
      error_code ignored;
      acceptor.close(ignored);
      timer.cancel(ignored);
      for (const auto& connection : All()) connection->Cut();
    }

    static constexpr int kRefusals = 64;
    const std::shared_ptr<HttpShared> shared = std::make_shared<HttpShared>();
    tcp::acceptor acceptor;
    asio::steady_timer timer;
    TlsFiles tls_files;
    std::shared_ptr<asio::ssl::context> tls;
    std::optional<std::filesystem::file_time_type> tls_time;
    int ticks = 0;
    bool accept_again = false;
    bool closed = false;
    std::mutex mutex;  // guards drained
    std::condition_variable changed;
    bool drained = false;
  };

  template <typename Task>
  void OnLoopAndWait(Task task) const {
    std::promise<void> done;
    asio::post(loop_->impl().context, [&] {
      task();
      done.set_value();
    });
    done.get_future().wait();
  }

  EventLoop* const loop_;
  const HttpServerOptions options_;
  const std::shared_ptr<Listener> listener_;
  std::string address_;
};

}  // namespace

Result<std::unique_ptr<HttpServer>> HttpServer::Open(EventLoop* loop, HttpServerOptions options,
                                                     HttpHandler handler) {
  auto server = std::make_unique<HttpServerImpl>(loop, std::move(options), std::move(handler));
  BRAID_RETURN_IF_ERROR(server->Start());
  return std::unique_ptr<HttpServer>(std::move(server));
}

}  // namespace braid::serving
