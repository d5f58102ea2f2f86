#include "braid/cluster/device/handshake.h"

#include <gtest/gtest.h>

namespace braid::cluster {
namespace {

Hello Ours() {
  return {.version = kWireVersion,
          .group = "kitchen",
          .device = "a",
          .model_digest = "00ff",
          .incarnation = 1,
          .share = GroupSet(0b0011),
          .credit = 8};
}
Hello Theirs() {
  Hello hello = Ours();
  hello.device = "b";
  hello.incarnation = 2;
  hello.share = GroupSet(0b1100);
  return hello;
}

TEST(HandshakeTest, TakesADeviceOfTheSameGroupAndModel) {
  EXPECT_TRUE(JudgeHello(Ours(), Theirs(), 4).ok());
}

TEST(HandshakeTest, RefusesWhateverDiffersAndSaysWhat) {
  const auto refusal = [](auto change, int groups = 4) {
    Hello hello = Theirs();
    change(hello);
    return JudgeHello(Ours(), hello, groups).ToString();
  };
  const auto expect = [&](auto change, const std::string& part) {
    EXPECT_NE(refusal(change).find(part), std::string::npos) << refusal(change);
  };
  expect([](Hello& h) { h.version = 9; }, "FAILED_PRECONDITION: wire version 9, here 1");
  expect([](Hello& h) { h.group = "cellar"; }, "FAILED_PRECONDITION: another group");
  expect([](Hello& h) { h.model_digest = "11ee"; }, "another model: 11ee, here 00ff");
  expect([](Hello& h) { h.device = "a"; }, "the name 'a' is taken");
  expect([](Hello& h) { h.device = "a", h.incarnation = 1; }, "this is the device itself");
  expect([](Hello& h) { h.device = ""; }, "hello.device");
  expect([](Hello& h) { h.share = GroupSet(); }, "hello.share");
  expect([](Hello& h) { h.share = GroupSet(0b10000); }, "hello.share");
  expect([](Hello& h) { h.credit = 0; }, "hello.credit");
}

TEST(HandshakeTest, DerivesTheIdFromTheNameLittleEndian) {
  // SHA-256("a") = ca978112ca1bbdca...
  EXPECT_EQ(static_cast<uint64_t>(DeviceIdOf("a")), 0xcabd1bca128197caull);
  EXPECT_NE(DeviceIdOf("a"), DeviceIdOf("b"));
}

}  // namespace
}  // namespace braid::cluster
