// TLS and tokens at the doors, and their rotation while the doors are open.
#include <gmock/gmock.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>
#include <thread>

#include "braid/protocol/open_inference.grpc.pb.h"
#include "braid/serving/access.h"
#include "braid/serving/grpc_door.h"
#include "braid/serving/http_testing.h"
#include "braid/serving/rest_door.h"
#include "braid/serving/serving_testing.h"
#include "braid/serving/tls_testing.h"

namespace braid::serving {
namespace {

using std::chrono::milliseconds;
using ::testing::HasSubstr;

constexpr char kOld[] = "the-former-token-0001";
constexpr char kNew[] = "the-later-token-00002";

std::string Bearer(const std::string& token) { return "Bearer " + token; }

class SecurityTest : public ::testing::Test {
 protected:
  void SetUp() override {
    WritePrivateFile(Tokens(), std::string(kOld) + "\n");
    MakeCertificate(tls_.certificate, tls_.key, 1);
    auto access = Access::FromFile(Tokens());
    ASSERT_TRUE(access.ok()) << access.status().ToString();
    access_ = std::move(access).value();
    ASSERT_TRUE(catalog_.Add(std::make_shared<ServedModel>(&device_, &loop_, ServedModelOptions{}))
                    .ok());
  }
  std::string Tokens() const { return folder_.In("tokens"); }
  std::unique_ptr<RestDoor> OpenRest(const TlsFiles& tls) {
    RestDoorOptions options;
    options.http.tls = tls;
    auto door = RestDoor::Open(&loop_, &catalog_, access_.get(), options);
    EXPECT_TRUE(door.ok()) << door.status().ToString();
    return std::move(door).value();
  }
  static std::string Get(const std::string& path, const std::string& token) {
    return "GET " + path + " HTTP/1.1\r\nHost: b\r\nAuthorization: " + Bearer(token) + "\r\n\r\n";
  }
  std::string CertificateText() const {
    std::ifstream file(tls_.certificate);
    std::stringstream text;
    text << file.rdbuf();
    return text.str();
  }

  TestFolder folder_;
  const TlsFiles tls_{.certificate = folder_.In("cert.pem"), .key = folder_.In("key.pem")};
  EventLoop loop_;
  FakeDevice device_;
  std::unique_ptr<Access> access_;
  Catalog catalog_;
};

TEST_F(SecurityTest, RestWantsAToken) {
  const auto door = OpenRest({});
  RawClient client(door->address());
  const RawResponse none = client.Get("/v2");
  EXPECT_EQ(none.status, 401);
  EXPECT_EQ(none.headers.at("www-authenticate"), "Bearer");
  for (const std::string header :
       {"Bearer wrong-token-0123456789", "Bearer ", "Basic dXNlcjpwYXNz", kOld}) {
    EXPECT_EQ(client.Get("/v2", "Authorization: " + header + "\r\n").status, 401) << header;
  }
  EXPECT_EQ(client.Get("/v2", "Authorization: bearer " + std::string(kOld) + "\r\n").status, 200);
  EXPECT_EQ(client.Post("/v2/models/test_model/infer", "{}").status, 401);
  EXPECT_EQ(client.Get("/v2/health/live").status, 200) << "probes have no token";
}

TEST_F(SecurityTest, ATokenIsChangedWhileTheDoorIsOpen) {
  EXPECT_TRUE(access_->Check(Bearer(kOld)).ok());
  EXPECT_FALSE(access_->Check(Bearer(kNew)).ok());
  WritePrivateFile(Tokens(), std::string(kOld) + "\n" + kNew + "\n");
  while (!access_->Check(Bearer(kNew)).ok()) std::this_thread::sleep_for(milliseconds(20));
  EXPECT_TRUE(access_->Check(Bearer(kOld)).ok());
  WritePrivateFile(Tokens(), std::string(kNew) + "\n");
  while (access_->Check(Bearer(kOld)).ok()) std::this_thread::sleep_for(milliseconds(20));
  EXPECT_TRUE(access_->Check(Bearer(kNew)).ok());
  WritePrivateFile(Tokens(), "short\n");  // goes bad: the former stay
  std::this_thread::sleep_for(milliseconds(1100));
  EXPECT_TRUE(access_->Check(Bearer(kNew)).ok());
}

TEST_F(SecurityTest, RefusesTokenFilesThatAreNone) {
  EXPECT_EQ(Access::FromFile(folder_.In("missing")).status().code(), StatusCode::kNotFound);
  const auto refused = [&](const std::string& text, mode_t mode) {
    WritePrivateFile(folder_.In("bad"), text, mode);
    return Access::FromFile(folder_.In("bad")).status().message();
  };
  EXPECT_THAT(refused(kOld, 0644), HasSubstr("others may read it"));
  EXPECT_THAT(refused("", 0600), HasSubstr("holds no token"));
  EXPECT_THAT(refused("too-short", 0600), HasSubstr("printable characters"));
  EXPECT_THAT(refused("with a space in the middle", 0600), HasSubstr("printable characters"));
}

TEST_F(SecurityTest, RefusesTlsFilesThatAreNone) {
  EXPECT_TRUE(CheckTlsFiles(tls_).ok());
  EXPECT_FALSE(CheckTlsFiles({.certificate = tls_.certificate, .key = ""}).ok());
  EXPECT_FALSE(CheckTlsFiles({.certificate = tls_.key, .key = tls_.key}).ok());
  MakeCertificate(folder_.In("cert2.pem"), folder_.In("key2.pem"), 2);
  EXPECT_FALSE(CheckTlsFiles({.certificate = tls_.certificate, .key = folder_.In("key2.pem")}).ok());
  ::chmod(tls_.key.c_str(), 0644);
  EXPECT_EQ(CheckTlsFiles(tls_).code(), StatusCode::kFailedPrecondition);
}

TEST_F(SecurityTest, BeyondLoopbackADoorNeedsTlsAndAToken) {
  const std::string any = "0.0.0.0:0";
  EXPECT_FALSE(CheckExposure("REST", any, {}, false, false).ok());
  EXPECT_FALSE(CheckExposure("REST", any, tls_, false, false).ok());
  EXPECT_FALSE(CheckExposure("REST", any, {}, true, false).ok());
  EXPECT_TRUE(CheckExposure("REST", any, tls_, true, false).ok());
  EXPECT_TRUE(CheckExposure("REST", any, {}, false, true).ok());
  EXPECT_TRUE(CheckExposure("REST", "127.0.0.1:0", {}, false, false).ok());
}

TEST_F(SecurityTest, RestOverTlsChangesItsCertificateWithoutACut) {
  const auto door = OpenRest(tls_);
  TlsClient early(door->address());
  ASSERT_TRUE(early.connected());
  EXPECT_EQ(early.serial(), 1);
  EXPECT_THAT(early.Ask(Get("/v2", kOld)), HasSubstr("200 OK"));
  std::string pipelined;
  for (int i = 0; i < 20; ++i) pipelined += Get("/v2/models", kOld);
  EXPECT_THAT(early.Ask(pipelined), HasSubstr("test_model"));
  const std::string body(
      R"({"inputs":[{"name":"input","shape":[1,2,3,1],"datatype":"UINT8","data":[1,2,3,4,5,6]}]})");
  TlsClient infers(door->address());
  EXPECT_THAT(infers.Ask(RawClient::PostText("/v2/models/test_model/infer", body,
                                             "Authorization: " + Bearer(kOld) + "\r\n")),
              HasSubstr("\"data\":[21,-1,-1]"));
  {
    RawClient plain(door->address());
    plain.Send("GET /v2 HTTP/1.1\r\n\r\n");
    EXPECT_EQ(plain.Read().status, 0);
  }
  MakeCertificate(tls_.certificate, tls_.key, 2);
  while (TlsClient(door->address()).serial() != 2) std::this_thread::sleep_for(milliseconds(50));
  EXPECT_THAT(infers.Ask(Get("/v2", kOld)), HasSubstr("200 OK")) << "an open connection goes on";
}

TEST_F(SecurityTest, GrpcWantsTlsAndATokenAndTakesNewFiles) {
  GrpcDoorOptions options;
  options.tls = tls_;
  auto door = GrpcDoor::Open(&catalog_, access_.get(), options);
  ASSERT_TRUE(door.ok()) << door.status().ToString();
  const auto ask = [&](const std::string& token) {
    grpc::SslCredentialsOptions ssl;
    ssl.pem_root_certs = CertificateText();
    grpc::ChannelArguments arguments;
    arguments.SetSslTargetNameOverride("localhost");
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    const auto stub = inference::GRPCInferenceService::NewStub(
        grpc::CreateCustomChannel((*door)->address(), grpc::SslCredentials(ssl), arguments));
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(30));
    if (!token.empty()) context.AddMetadata("authorization", Bearer(token));
    inference::ServerMetadataResponse response;
    return stub->ServerMetadata(&context, {}, &response).error_code();
  };
  EXPECT_EQ(ask(kOld), grpc::StatusCode::OK);
  EXPECT_EQ(ask(""), grpc::StatusCode::UNAUTHENTICATED);
  EXPECT_EQ(ask(kNew), grpc::StatusCode::UNAUTHENTICATED);
  MakeCertificate(tls_.certificate, tls_.key, 2);
  // Clients that trust the new certificate only get in as soon as the door has it.
  while (ask(kOld) != grpc::StatusCode::OK) std::this_thread::sleep_for(milliseconds(50));
}

}  // namespace
}  // namespace braid::serving
