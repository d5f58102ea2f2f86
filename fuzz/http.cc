// The REST door as a stranger on the network meets it: bytes on a connection, all the way through
// the HTTP head, the paths and the body to the reply. A real door on loopback.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <memory>
#include <string>
#include <thread>

#include "braid/base/check.h"
#include "braid/serving/rest_door.h"
#include "braid/serving/serving_testing.h"
#include "fuzz/targets.h"

namespace braid::fuzz {
namespace {

// Kept until the process ends, as a device's door is.
class Door {
 public:
  Door() {
    serving::ServedModelOptions model;
    BRAID_CHECK(catalog_.Add(std::make_shared<serving::ServedModel>(&device_, &loop_, model)).ok());
    serving::RestDoorOptions options;
    options.http.limits.body_bytes = 0;
    auto door = serving::RestDoor::Open(&loop_, &catalog_, &access_, options);
    BRAID_CHECK(door.ok()) << door.status().ToString();
    door_ = std::move(door).value();
    const std::string& address = door_->address();
    to_.sin_family = AF_INET;
    to_.sin_port = htons(static_cast<uint16_t>(std::stoi(address.substr(address.rfind(':') + 1))));
    to_.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  }

  // Sends and reads until the door closes. Our end says first that nothing more will come.
  void Talk(std::span<const uint8_t> bytes) {
    const int fd = ::socket(AF_INET, SOCK_STREAM, 0);
    BRAID_CHECK(fd >= 0);
    // Ends with a reset, so that thousands a second leave no ports behind.
    const linger reset{.l_onoff = 1, .l_linger = 0};
    ::setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
    const timeval limit{.tv_sec = 20, .tv_usec = 0};
    ::setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    // Where the door closes first, the system keeps our port for a minute: it may have none free.
    for (int tries = 0; ::connect(fd, reinterpret_cast<const sockaddr*>(&to_), sizeof(to_)) != 0;) {
      BRAID_CHECK(errno == EADDRNOTAVAIL && ++tries < 10000);
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    while (!bytes.empty()) {
      const ssize_t sent = ::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent <= 0) break;
      bytes = bytes.subspan(static_cast<size_t>(sent));
    }
    ::shutdown(fd, SHUT_WR);
    char buffer[4096];
    ssize_t got = 0;
    while ((got = ::recv(fd, buffer, sizeof(buffer), 0)) > 0) {
    }
    BRAID_CHECK(got == 0 || errno != EAGAIN) << "the door neither answers nor closes";
    ::close(fd);
  }

 private:
  serving::FakeDevice device_;
  serving::EventLoop loop_;
  serving::Catalog catalog_;
  serving::Access access_;
  std::unique_ptr<serving::RestDoor> door_;
  sockaddr_in to_{};
};

void Run(std::span<const uint8_t> input) {
  static Door door;
  door.Talk(input);
}

std::string Head(const std::string& line, const std::string& headers = "") {
  return line + " HTTP/1.1\r\nHost: braid\r\n" + headers + "\r\n";
}

std::vector<Bytes> Seeds() {
  std::vector<Bytes> seeds;
  for (const char* path : {"/v2", "/v2/health/live", "/v2/health/ready", "/v2/models",
                           "/v2/models/test_model", "/v2/models/test_model/versions/1/config",
                           "/v2/models/test%5fmodel/stats?a=b", "/nothing"}) {
    seeds.push_back(ToBytes(Head(std::string("GET ") + path)));
  }
  const std::string body =
      R"({"inputs":[{"name":"input","shape":[1,2,3,1],"datatype":"UINT8","data":[1,2,3,4,5,6]}]})";
  const std::string length = "Content-Length: " + std::to_string(body.size()) + "\r\n";
  seeds.push_back(ToBytes(Head("POST /v2/models/test_model/infer", length) + body));
  seeds.push_back(ToBytes(Head("POST /v2/models/test_model/infer",
                               "Expect: 100-continue\r\nConnection: close\r\n" + length) +
                          body));
  seeds.push_back(ToBytes(Head("POST /v2/models/test_model/infer",
                               "Content-Length: 6\r\nInference-Header-Content-Length: 0\r\n") +
                          "abcdef"));
  seeds.push_back(ToBytes(Head("POST /v2/repository/index", "Transfer-Encoding: chunked\r\n") +
                          "e\r\n{\"ready\":true}\r\n0\r\n\r\n" + Head("HEAD /v2")));
  return seeds;
}

}  // namespace

const Target kHttp = {"http", Run, Seeds};

}  // namespace braid::fuzz
