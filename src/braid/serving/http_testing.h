// A client of plain sockets, written from the protocol's description alone. For tests of this
// module only.
#pragma once

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <map>
#include <string>

namespace braid::serving {

struct RawResponse {
  int status = 0;  // 0: the connection ended before a whole response
  std::map<std::string, std::string> headers;  // names in lower case
  std::string body;
};

class RawClient {
 public:
  // "127.0.0.1:port"
  explicit RawClient(const std::string& address) {
    fd_ = ::socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(static_cast<uint16_t>(std::stoi(address.substr(address.rfind(':') + 1))));
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(::connect(fd_, reinterpret_cast<sockaddr*>(&to), sizeof(to)), 0);
    const timeval limit{.tv_sec = 60, .tv_usec = 0};  // a test that hangs fails instead
    ::setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
  }
  ~RawClient() { Close(); }
  RawClient(const RawClient&) = delete;
  RawClient& operator=(const RawClient&) = delete;

  void Close() {
    if (fd_ >= 0) ::close(fd_);
    fd_ = -1;
  }
  // False when the server has closed.
  bool Send(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t sent = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent <= 0) return false;
      bytes.remove_prefix(static_cast<size_t>(sent));
    }
    return true;
  }
  // `has_body`: false for the response to HEAD.
  RawResponse Read(bool has_body = true) {
    RawResponse response;
    size_t end;
    while ((end = read_.find("\r\n\r\n")) == std::string::npos) {
      if (!More()) return response;
    }
    std::string head = read_.substr(0, end + 2);
    read_.erase(0, end + 4);
    const int status = std::stoi(head.substr(9, 3));
    for (size_t at = head.find("\r\n") + 2; at < head.size();) {
      const size_t line_end = head.find("\r\n", at);
      const std::string line = head.substr(at, line_end - at);
      std::string name = line.substr(0, line.find(':'));
      std::transform(name.begin(), name.end(), name.begin(),
                     [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
      response.headers[name] = line.substr(std::min(line.size(), line.find(':') + 2));
      at = line_end + 2;
    }
    if (status == 100) {  // the real one follows
      response.status = 100;
      return response;
    }
    const auto length = response.headers.find("content-length");
    const size_t bytes =
        length == response.headers.end() || !has_body ? 0 : std::stoul(length->second);
    while (read_.size() < bytes) {
      if (!More()) return response;
    }
    response.body = read_.substr(0, bytes);
    read_.erase(0, bytes);
    response.status = status;
    return response;
  }
  // Whether the server closes without another byte.
  bool Closed() {
    return read_.empty() && !More() && !timed_out_;
  }

  RawResponse Get(const std::string& path, const std::string& headers = "") {
    Send("GET " + path + " HTTP/1.1\r\nHost: braid\r\n" + headers + "\r\n");
    return Read();
  }
  static std::string PostText(const std::string& path, const std::string& body,
                              const std::string& headers = "") {
    return "POST " + path + " HTTP/1.1\r\nHost: braid\r\nContent-Length: " +
           std::to_string(body.size()) + "\r\n" + headers + "\r\n" + body;
  }
  RawResponse Post(const std::string& path, const std::string& body,
                   const std::string& headers = "") {
    Send(PostText(path, body, headers));
    return Read();
  }

 private:
  bool More() {
    char buffer[16384];
    const ssize_t got = ::recv(fd_, buffer, sizeof(buffer), 0);
    timed_out_ = got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
    if (got <= 0) return false;
    read_.append(buffer, static_cast<size_t>(got));
    return true;
  }

  int fd_ = -1;
  bool timed_out_ = false;
  std::string read_;
};

}  // namespace braid::serving
