// Thousands of clients that connect and then say nothing: both doors go on answering others, and
// each silent connection costs a bounded piece of memory.
#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <string_view>
#include <vector>

#include "braid/cli/process_testing.h"
#include "braid/client/client.h"

namespace braid::cli {
namespace {

using std::chrono::seconds;

// Closes what it opened.
class Connections {
 public:
  ~Connections() {
    for (const int fd : fds_) ::close(fd);
  }
  // Connects to `address`, sends `hello` and waits for some answer to it; the file, or -1.
  int Open(const std::string& address, std::string_view hello) {
    const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) return -1;
    fds_.push_back(fd);
    const timeval limit{60, 0};
    ::setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    to.sin_port = htons(static_cast<uint16_t>(std::stoi(address.substr(address.rfind(':') + 1))));
    if (::connect(fd, reinterpret_cast<sockaddr*>(&to), sizeof(to)) != 0) return -1;
    if (::send(fd, hello.data(), hello.size(), MSG_NOSIGNAL) !=
        static_cast<ssize_t>(hello.size())) {
      return -1;
    }
    std::array<char, 1024> answer;
    return ::recv(fd, answer.data(), answer.size(), 0) > 0 ? fd : -1;
  }
  size_t size() const { return fds_.size(); }

 private:
  std::vector<int> fds_;
};

constexpr std::string_view kRestHello = "GET /v2/health/live HTTP/1.1\r\nHost: idle\r\n\r\n";
// HTTP/2's preface and an empty SETTINGS frame (RFC 9113, section 3.4).
constexpr std::string_view kGrpcHello("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0", 33);

class IdleConnectionsTest : public ProcessTest {};

TEST_F(IdleConnectionsTest, LeaveBothDoorsOpenAndMemoryBounded) {
  rlimit files{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &files), 0);
  files.rlim_cur = files.rlim_max;
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &files), 0);
  const int wanted =
      std::min<int>(2000, static_cast<int>(std::min<rlim_t>(files.rlim_max, 8192) / 2) - 200);
  ASSERT_GE(wanted, 300) << "too few files may be open";

  DeviceProcessOptions options = Device("idle", "all");
  options.rest = "127.0.0.1:0";
  options.more = {"--quiet"};
  auto device = DeviceProcess::Start(options, seconds(60));
  ASSERT_TRUE(device.ok()) << device.status().ToString();
  client::ClientOptions asking;
  asking.endpoints = {(*device)->grpc()};
  auto client = client::Client::Create(asking);
  ASSERT_TRUE(client.ok());
  const auto answers = [&] {
    client::InferRequest request;
    request.height = network_.input_h;
    request.width = network_.input_w;
    request.channels = network_.input_c;
    request.pixels.resize(static_cast<size_t>(request.height * request.width * request.channels),
                          1);
    request.deadline = seconds(30);
    const auto reply = (*client)->Infer(std::move(request));
    EXPECT_TRUE(reply.ok()) << reply.status().ToString();
    Connections one;
    EXPECT_GE(one.Open((*device)->rest(), kRestHello), 0);
  };
  answers();

  const int64_t before = (*device)->ResidentBytes();
  Connections rest, grpc;
  for (int i = 0; i < wanted; ++i) ASSERT_GE(rest.Open((*device)->rest(), kRestHello), 0) << i;
  answers();
  const int64_t with_rest = (*device)->ResidentBytes();
  for (int i = 0; i < wanted; ++i) ASSERT_GE(grpc.Open((*device)->grpc(), kGrpcHello), 0) << i;
  answers();
  const int64_t with_both = (*device)->ResidentBytes();
  const int64_t rest_each = (with_rest - before) / wanted;
  const int64_t grpc_each = (with_both - with_rest) / wanted;
  RecordProperty("connections", wanted);
  RecordProperty("rest_bytes_each", std::to_string(rest_each));
  RecordProperty("grpc_bytes_each", std::to_string(grpc_each));
  std::printf("%d connections each: REST %lld bytes, gRPC %lld bytes\n", wanted,
              static_cast<long long>(rest_each), static_cast<long long>(grpc_each));
  EXPECT_LT(rest_each, 32 << 10);
  EXPECT_LT(grpc_each, 128 << 10);
}

}  // namespace
}  // namespace braid::cli
