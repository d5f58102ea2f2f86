// What the HTTP server does with clients that are slow, greedy, wrong or in a hurry.
#include "braid/serving/http_server.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <thread>
#include <vector>

#include "braid/serving/http_testing.h"

namespace braid::serving {
namespace {

using std::chrono::milliseconds;
using ::testing::HasSubstr;

class HttpServerTest : public ::testing::Test {
 protected:
  void Open() {
    auto server = HttpServer::Open(
        &loop_, options_, [this](const HttpRequest& request, std::shared_ptr<HttpExchange> exchange) {
          ++handled_;
          if (request.target == "/hold") {
            held_ = std::move(exchange);
            return;
          }
          if (request.target == "/drop") return;
          HttpResponse response;
          response.content_type = "text/plain";
          response.body = std::string(request.target) + ":" + std::string(request.body);
          exchange->Reply(std::move(response));
        });
    ASSERT_TRUE(server.ok()) << server.status().ToString();
    server_ = std::move(server).value();
  }
  const std::string& address() { return server_->address(); }

  EventLoop loop_;
  HttpServerOptions options_;
  std::atomic<int> handled_ = 0;
  std::shared_ptr<HttpExchange> held_;  // set on the loop
  std::unique_ptr<HttpServer> server_;
};

TEST_F(HttpServerTest, AnswersPipelinedRequestsInOrder) {
  Open();
  RawClient client(address());
  std::string text;
  for (int i = 0; i < 300; ++i) text += RawClient::PostText("/" + std::to_string(i), "body");
  client.Send(text);
  for (int i = 0; i < 300; ++i) {
    ASSERT_EQ(client.Read().body, "/" + std::to_string(i) + ":body");
  }
}

TEST_F(HttpServerTest, TakesRequestsInPieces) {
  Open();
  RawClient client(address());
  for (const char c : RawClient::PostText("/pieces", "0123456789")) client.Send({&c, 1});
  EXPECT_EQ(client.Read().body, "/pieces:0123456789");
}

TEST_F(HttpServerTest, TakesChunksAndExpectations) {
  Open();
  RawClient client(address());
  client.Send("POST /c HTTP/1.1\r\nHost: b\r\nTransfer-Encoding: chunked\r\n\r\n");
  client.Send("4\r\nabcd\r\n3\r\nefg\r\n0\r\n\r\n");
  EXPECT_EQ(client.Read().body, "/c:abcdefg");
  client.Send("POST /e HTTP/1.1\r\nHost: b\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n");
  EXPECT_EQ(client.Read().status, 100);
  client.Send("xyz");
  EXPECT_EQ(client.Read().body, "/e:xyz");
}

TEST_F(HttpServerTest, ClosesWhenAsked) {
  Open();
  RawClient client(address());
  client.Send("GET /a HTTP/1.1\r\nHost: b\r\nConnection: close\r\n\r\n");
  EXPECT_EQ(client.Read().headers.at("connection"), "close");
  EXPECT_TRUE(client.Closed());
  RawClient old(address());
  old.Send("GET /a HTTP/1.0\r\n\r\n");
  EXPECT_EQ(old.Read().status, 200);
  EXPECT_TRUE(old.Closed());
}

TEST_F(HttpServerTest, RefusesWhatIsNotHttp) {
  Open();
  for (const std::string text :
       {"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 this is TLS\r\n\r\n", "GET\r\n\r\n",
        "GET / HTTP/9.9\r\n\r\n", "GET / HTTP/1.1\r\nbad header\r\n\r\n",
        "POST / HTTP/1.1\r\nContent-Length: x\r\n\r\n",
        "POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"}) {
    RawClient client(address());
    client.Send(text);
    const RawResponse response = client.Read();
    EXPECT_EQ(response.status, 400) << text;
    EXPECT_THAT(response.body, HasSubstr("{\"error\":\"not HTTP/1.1"));
    EXPECT_TRUE(client.Closed());
  }
  EXPECT_EQ(handled_, 0);
}

TEST_F(HttpServerTest, BoundsHeaderAndBody) {
  options_.limits.header_bytes = 1000;
  options_.limits.body_bytes = 1000;
  Open();
  RawClient header(address());
  header.Send("GET / HTTP/1.1\r\nX: " + std::string(2000, 'x') + "\r\n\r\n");
  EXPECT_EQ(header.Read().status, 431);
  RawClient body(address());
  body.Send("POST / HTTP/1.1\r\nContent-Length: 1001\r\n\r\n");  // refused before it is sent
  EXPECT_EQ(body.Read().status, 413);
  RawClient chunked(address());
  chunked.Send("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n7d0\r\n" +
               std::string(2000, 'x') + "\r\n0\r\n\r\n");
  EXPECT_EQ(chunked.Read().status, 413);
  RawClient fits(address());
  EXPECT_EQ(fits.Post("/", std::string(1000, 'x')).status, 200);
}

TEST_F(HttpServerTest, BoundsTheBodiesOfAllTogether) {
  options_.limits.body_bytes = 1000;
  options_.limits.bodies_bytes = 1500;
  Open();
  const std::string head = " HTTP/1.1\r\nContent-Length: 1000\r\nExpect: 100-continue\r\n\r\n";
  RawClient first(address());
  first.Send("POST /1" + head);
  EXPECT_EQ(first.Read().status, 100);  // its header is read, its place is taken
  RawClient second(address());
  second.Send("POST /2" + head);
  const RawResponse refused = second.Read();
  EXPECT_EQ(refused.status, 503);
  EXPECT_EQ(refused.headers.at("retry-after"), "1");
  first.Send(std::string(1000, 'x'));
  EXPECT_EQ(first.Read().status, 200);
  RawClient later(address());
  EXPECT_EQ(later.Post("/4", std::string(1000, 'x')).status, 200);
}

TEST_F(HttpServerTest, EndsSlowRequests) {
  options_.limits.header_time = milliseconds(50);
  Open();
  RawClient header(address());
  header.Send("GET / HTTP/1.1\r\nX: ");
  EXPECT_EQ(header.Read().status, 408);
  EXPECT_TRUE(header.Closed());
  RawClient body(address());
  body.Send("POST / HTTP/1.1\r\nContent-Length: 10\r\n\r\nx");
  EXPECT_EQ(body.Read().status, 408);
}

TEST_F(HttpServerTest, EndsIdleConnections) {
  options_.limits.idle_time = milliseconds(50);
  Open();
  RawClient idle(address());
  EXPECT_TRUE(idle.Closed());
}

TEST_F(HttpServerTest, ARequestUnderWayIsNotIdle) {
  options_.limits.idle_time = options_.limits.header_time = milliseconds(1000);
  Open();
  RawClient client(address());
  client.Send("GET /hold HTTP/1.1\r\n\r\n");
  while (handled_ == 0) std::this_thread::sleep_for(milliseconds(1));
  std::this_thread::sleep_for(milliseconds(1600));  // the limit, and two looks at it
  loop_.Post([this] { std::exchange(held_, nullptr)->Reply({}); });
  EXPECT_EQ(client.Read().status, 200);
}

TEST_F(HttpServerTest, BoundsConnections) {
  options_.limits.connections = 2;
  Open();
  RawClient first(address()), second(address());
  EXPECT_EQ(first.Get("/").status, 200);
  EXPECT_EQ(second.Get("/").status, 200);
  {
    RawClient third(address());
    const RawResponse refused = third.Read();
    EXPECT_EQ(refused.status, 503);
    EXPECT_TRUE(third.Closed());
  }
  first.Close();
  while (server_->connections() > 1) std::this_thread::sleep_for(milliseconds(1));
  RawClient again(address());
  EXPECT_EQ(again.Get("/").status, 200);
}

TEST_F(HttpServerTest, HoldsManyIdleConnections) {
  Open();
  std::vector<std::unique_ptr<RawClient>> clients;
  for (int i = 0; i < 400; ++i) {
    clients.push_back(std::make_unique<RawClient>(address()));
    ASSERT_EQ(clients.back()->Get("/x").status, 200);
  }
  EXPECT_EQ(server_->connections(), 400);
  std::this_thread::sleep_for(milliseconds(300));  // their buffers are let go
  for (const auto& client : clients) ASSERT_EQ(client->Get("/y").body, "/y:");
}

TEST_F(HttpServerTest, ForgetsClientsThatCrash) {
  Open();
  for (int i = 0; i < 20; ++i) {
    RawClient header(address()), body(address()), waiting(address());
    header.Send("GET / HT");
    body.Send("POST / HTTP/1.1\r\nContent-Length: 100\r\n\r\nx");
    waiting.Send("GET /a HTTP/1.1\r\n\r\n");
  }
  while (server_->connections() > 0) std::this_thread::sleep_for(milliseconds(1));
}

TEST_F(HttpServerTest, ARequestThatNobodyAnswersEndsItsConnection) {
  Open();
  RawClient client(address());
  client.Send("GET /drop HTTP/1.1\r\n\r\n");
  EXPECT_TRUE(client.Closed());
}

TEST_F(HttpServerTest, ALateReplyFindsNobody) {
  Open();
  {
    RawClient client(address());
    client.Send("GET /hold HTTP/1.1\r\n\r\n");
    while (handled_ == 0) std::this_thread::sleep_for(milliseconds(1));
  }
  while (server_->connections() > 0) std::this_thread::sleep_for(milliseconds(1));
  server_.reset();
  held_->Reply({});
  held_.reset();
}

}  // namespace
}  // namespace braid::serving
