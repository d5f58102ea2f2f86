#include "braid/cli/bench_serve/rest_port.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <charconv>
#include <cerrno>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "braid/cli/report.h"

namespace braid::cli {
namespace {

class RestPort final : public LoadPort {
 public:
  explicit RestPort(const RestPortOptions& options) {
    Json head = {{"inputs",
                  {{{"name", "input"},
                    {"shape", {1, options.height, options.width, options.channels}},
                    {"datatype", "UINT8"},
                    {"parameters",
                     {{"binary_data_size",
                       options.height * options.width * options.channels}}}}}},
                 {"parameters", {{"binary_data_output", true}}}};
    if (options.deadline_ms > 0) head["parameters"]["braid_deadline_ms"] = options.deadline_ms;
    const std::string json = head.dump();
    const size_t pixels = static_cast<size_t>(options.height) *
                          static_cast<size_t>(options.width) *
                          static_cast<size_t>(options.channels);
    request_ = "POST /v2/models/" + options.model +
               "/infer HTTP/1.1\r\nHost: braid\r\nContent-Type: application/octet-stream\r\n"
               "Inference-Header-Content-Length: " +
               std::to_string(json.size()) +
               "\r\nContent-Length: " + std::to_string(json.size() + pixels) + "\r\n\r\n" + json;
    for (size_t i = 0; i < pixels; ++i) request_ += static_cast<char>(i * 37 % 256);
  }

  Status Start(const RestPortOptions& options) {
    epoll_ = ::epoll_create1(EPOLL_CLOEXEC);
    end_ = ::eventfd(0, EFD_CLOEXEC);
    if (epoll_ < 0 || end_ < 0) return Unavailable("epoll");
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    to.sin_port = htons(static_cast<uint16_t>(
        std::stoi(options.address.substr(options.address.rfind(':') + 1))));
    connections_.resize(static_cast<size_t>(options.connections));
    for (size_t i = 0; i < connections_.size(); ++i) {
      const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
      connections_[i].fd = fd;
      if (fd < 0 || ::connect(fd, reinterpret_cast<sockaddr*>(&to), sizeof(to)) != 0) {
        return Unavailable(options.address + ": cannot connect");
      }
      const int on = 1;
      ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
      epoll_event event{};
      event.events = EPOLLIN;
      event.data.u64 = i;
      ::epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event);
      free_.push_back(i);
    }
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.u64 = kEnd;
    ::epoll_ctl(epoll_, EPOLL_CTL_ADD, end_, &event);
    thread_ = std::thread([this] { Read(); });
    return OkStatus();
  }

  ~RestPort() override {
    if (thread_.joinable()) {
      const uint64_t one = 1;
      if (::write(end_, &one, sizeof(one)) == sizeof(one)) thread_.join();
    }
    for (const Connection& connection : connections_) {
      if (connection.fd >= 0) ::close(connection.fd);
    }
    if (end_ >= 0) ::close(end_);
    if (epoll_ >= 0) ::close(epoll_);
  }

  void Send(std::function<void(const Status&)> done) override {
    Connection* connection = nullptr;
    {
      const std::lock_guard lock(mutex_);
      if (!free_.empty()) {
        connection = &connections_[free_.back()];
        free_.pop_back();
        connection->done = std::move(done);
      }
    }
    if (connection == nullptr) {
      done(Status(StatusCode::kCancelled, "no connection is free"));
      return;
    }
    const ssize_t sent = ::send(connection->fd, request_.data(), request_.size(), MSG_NOSIGNAL);
    if (sent != static_cast<ssize_t>(request_.size())) ::shutdown(connection->fd, SHUT_RDWR);
  }

 private:
  struct Connection {
    int fd = -1;
    std::string got;                          // reading thread
    std::function<void(const Status&)> done;  // set while not in free_
  };
  static constexpr uint64_t kEnd = ~uint64_t{0};

  void Read() {
    std::array<epoll_event, 256> events;
    while (true) {
      const int count = ::epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), -1);
      for (int i = 0; i < count; ++i) {
        const uint64_t index = events[static_cast<size_t>(i)].data.u64;
        if (index == kEnd) return;
        ReadOne(index);
      }
    }
  }

  void ReadOne(size_t index) {
    Connection& connection = connections_[index];
    std::array<char, 16384> buffer;
    const ssize_t bytes = ::recv(connection.fd, buffer.data(), buffer.size(), MSG_DONTWAIT);
    if (bytes < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (bytes <= 0) {
      ::epoll_ctl(epoll_, EPOLL_CTL_DEL, connection.fd, nullptr);
      if (auto done = std::exchange(connection.done, nullptr)) done(Unavailable("closed"));
      return;  // never free again
    }
    connection.got.append(buffer.data(), static_cast<size_t>(bytes));
    const size_t end = connection.got.find("\r\n\r\n");
    if (end == std::string::npos) return;
    constexpr std::string_view kLength = "Content-Length: ";
    size_t length = 0;
    // The first of the two headers that end so; the other one has a prefix before the name.
    const size_t at = connection.got.find("\r\n" + std::string(kLength)) + 2 + kLength.size();
    std::from_chars(connection.got.data() + at, connection.got.data() + end, length);
    if (connection.got.size() < end + 4 + length) return;
    int status = 0;
    std::from_chars(connection.got.data() + 9, connection.got.data() + 12, status);
    connection.got.clear();
    auto done = std::exchange(connection.done, nullptr);
    {
      const std::lock_guard lock(mutex_);
      free_.push_back(index);
    }
    if (!done) return;
    switch (status) {
      case 200:
        return done(OkStatus());
      case 429:
        return done(ResourceExhausted("429"));
      case 504:
        return done(DeadlineExceeded("504"));
      default:
        return done(Internal("HTTP status " + std::to_string(status)));
    }
  }

  std::string request_;
  std::vector<Connection> connections_;
  int epoll_ = -1, end_ = -1;
  std::mutex mutex_;  // guards free_
  std::vector<size_t> free_;
  std::thread thread_;
};

}  // namespace

Result<std::unique_ptr<LoadPort>> OpenRestPort(const RestPortOptions& options) {
  auto port = std::make_unique<RestPort>(options);
  BRAID_RETURN_IF_ERROR(port->Start(options));
  return std::unique_ptr<LoadPort>(std::move(port));
}

}  // namespace braid::cli
