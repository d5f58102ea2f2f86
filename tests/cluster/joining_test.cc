// Who may join a group over real sockets, and what becomes of those who may not.
#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "braid/cluster/link/address.h"
#include "braid/cluster/sim/braided_network.h"
#include "braid/runtime/testing/random_network.h"
#include "tcp_group.h"

namespace braid::cluster::testing {
namespace {

class JoiningTest : public ::testing::Test {
 protected:
  const model::ModelFile model_ = sim::BraidedModel(21);
  const model::ModelFile other_model_ = sim::BraidedModel(22);
  TcpDevice first_{model_, PatientOptions("first", GroupSet(0b0011))};

  DeviceOptions Second() const {
    DeviceOptions options = PatientOptions("second", GroupSet(0b1100));
    options.incarnation = 2;
    options.peers = {first_.address()};
    return options;
  }
  void ExpectRefused(const model::ModelFile& model, const DeviceOptions& options,
                     const std::string& reason) {
    TcpDevice second(model, options);
    EXPECT_TRUE(Eventually([&] { return first_.Log().find(reason) != std::string::npos; }))
        << first_.Log();
    EXPECT_TRUE(Eventually([&] { return second.Log().find(reason) != std::string::npos; }))
        << second.Log();
    EXPECT_TRUE(first_.Peers().empty());
    EXPECT_TRUE(second.Peers().empty());
  }
  bool Sees(TcpDevice& device, const std::string& name) {
    for (const auto& peer : device.Peers()) {
      if (peer.name == name && peer.usable) return true;
    }
    return false;
  }
};

TEST_F(JoiningTest, ADeviceOfAnotherGroupIsRefusedWithTheReason) {
  DeviceOptions options = Second();
  options.group = "other";
  ExpectRefused(model_, options, "another group");
}

TEST_F(JoiningTest, ADeviceWithAnotherModelIsRefusedWithTheReason) {
  ExpectRefused(other_model_, Second(), "another model");
}

TEST_F(JoiningTest, ADeviceOfTheSameNameIsRefusedWithTheReason) {
  DeviceOptions options = Second();
  options.name = "first";
  ExpectRefused(model_, options, "the name 'first' is taken");
}

TEST_F(JoiningTest, AStrangerThatSpeaksAnotherProtocolIsCutAndTheLogSaysWhy) {
  const auto address = ParseAddress(first_.address());
  ASSERT_TRUE(address.ok());
  const int stranger = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(address->port);
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  ASSERT_EQ(::connect(stranger, reinterpret_cast<const sockaddr*>(&to), sizeof(to)), 0);
  const std::string words = "GET / HTTP/1.1\r\n\r\n";
  ASSERT_EQ(::send(stranger, words.data(), words.size(), MSG_NOSIGNAL),
            static_cast<ssize_t>(words.size()));
  EXPECT_TRUE(Eventually([&] {
    return first_.Log().find("does not begin with the magic") != std::string::npos;
  })) << first_.Log();
  ::close(stranger);
}

TEST_F(JoiningTest, TwoDevicesThatDialEachOtherKeepOneConnectionAndAnswer) {
  TcpDevice second(model_, Second());
  DeviceOptions options = PatientOptions("third", GroupSet(0b1111));
  options.incarnation = 3;
  options.peers = {first_.address(), second.address(), first_.address()};
  TcpDevice third(model_, options);
  EXPECT_TRUE(Eventually(
      [&] { return Sees(first_, "second") && Sees(first_, "third") && Sees(second, "third"); }));
}

TEST_F(JoiningTest, ARestartedDeviceIsUsedAgain) {
  sim::Oracle oracle(model_.network);
  const int whole = model::FindPoint(model_.network, "g0-3");
  InferRequest request;
  request.pixels = runtime::testing::RandomPixels(1, model_.network, 1);
  request.constraints.point = whole;
  // The address must be the same in each life, so the restarted device dials.
  for (uint64_t life = 2; life < 5; ++life) {
    DeviceOptions options = Second();
    options.incarnation = life;
    TcpDevice second(model_, options);
    ASSERT_TRUE(Eventually([&] { return Sees(first_, "second"); }));
    const auto result = first_.Submit(request).get();
    ASSERT_TRUE(result.ok()) << result.status().ToString();
    EXPECT_EQ(result->devices.size(), 2u);
    EXPECT_EQ(result->logits, oracle.Logits(whole, request.pixels, 1));
  }
  EXPECT_TRUE(Eventually([&] { return !Sees(first_, "second"); }));
}

TEST_F(JoiningTest, WithoutTheOtherHalfItAnswersWithItsOwn) {
  sim::Oracle oracle(model_.network);
  InferRequest request;
  request.pixels = runtime::testing::RandomPixels(1, model_.network, 1);
  const auto alone = first_.Submit(request).get();
  ASSERT_TRUE(alone.ok()) << alone.status().ToString();
  EXPECT_EQ(model_.network.points[static_cast<size_t>(alone->point)].name, "g0+1");
  EXPECT_EQ(alone->devices, std::vector<std::string>{"first"});
  EXPECT_EQ(alone->logits, oracle.Logits(alone->point, request.pixels, 1));
  request.pixels.pop_back();
  EXPECT_EQ(first_.Submit(request).get().status().code(), StatusCode::kInvalidArgument);
}

TEST_F(JoiningTest, ADeviceThatStopsAnswersWhatIsOpen) {
  std::future<Result<InferResult>> open;
  {
    TcpDevice second(model_, Second());
    InferRequest request;
    request.pixels = runtime::testing::RandomPixels(1, model_.network, 1);
    request.constraints.point = model::FindPoint(model_.network, "g0-3");
    open = second.Submit(request);
  }
  const auto result = open.get();  // answered or refused, but not forgotten
  if (!result.ok()) {
    EXPECT_EQ(result.status().code(), StatusCode::kUnavailable);
  }
}

}  // namespace
}  // namespace braid::cluster::testing
