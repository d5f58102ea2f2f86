// `braid device` as scripts and operators see it.
#include "braid/cli/device_process.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>

#include <atomic>
#include <fstream>
#include <thread>

#include "braid/cli/process_testing.h"
#include "braid/client/client.h"

namespace braid::cli {
namespace {

using std::chrono::seconds;

std::unique_ptr<DeviceProcess> Started(const DeviceProcessOptions& options) {
  auto device = DeviceProcess::Start(options, seconds(60));
  EXPECT_TRUE(device.ok()) << device.status().ToString();
  return device.ok() ? std::move(device).value() : nullptr;
}

client::InferRequest Image(const model::Network& network, uint64_t seed, const std::string& point) {
  client::InferRequest request;
  request.pixels = runtime::testing::RandomPixels(seed, network, 1);
  request.height = network.input_h;
  request.width = network.input_w;
  request.channels = network.input_c;
  request.deadline = seconds(60);
  request.operating_point = point;
  return request;
}

std::unique_ptr<client::Client> Connected(const std::vector<std::string>& endpoints) {
  client::ClientOptions options;
  options.endpoints = endpoints;
  auto client = client::Client::Create(options);
  EXPECT_TRUE(client.ok());
  return std::move(client).value();
}

using DeviceProcessTest = ProcessTest;

TEST_F(DeviceProcessTest, AnswersWhenItSaysReadyAndEndsInOrder) {
  const auto device = Started(Device("a", "all"));
  ASSERT_NE(device, nullptr);
  EXPECT_GT(device->ResidentBytes(), 0);
  const auto client = Connected({device->grpc()});
  EXPECT_TRUE(client->WaitReady(1, seconds(60)).ok());
  const auto reply = client->Infer(Image(network_, 1, "g0-3"));
  ASSERT_TRUE(reply.ok()) << reply.status().ToString();
  EXPECT_THAT(reply->devices, testing::ElementsAre("a"));
  device->Signal(SIGTERM);
  const auto status = device->Wait(seconds(60));
  ASSERT_TRUE(status.ok());
  EXPECT_TRUE(WIFEXITED(*status));
  EXPECT_EQ(WEXITSTATUS(*status), 0);
}

// The answer is there before gRPC has left the callback that brought it. Here and not with the
// client's own tests, whose servers in the same process keep gRPC's threads alive.
TEST_F(DeviceProcessTest, AClientMayCloseAsSoonAsItHasItsAnswer) {
  const auto device = Started(Device("a", "all"));
  ASSERT_NE(device, nullptr);
  for (uint64_t i = 0; i < 200; ++i) {
    ASSERT_TRUE(Connected({device->grpc()})->Infer(Image(network_, i, "g0")).ok());
  }
}

TEST_F(DeviceProcessTest, TwoDevicesCombineFromEitherDoor) {
  const auto a = Started(Device("a", "0,1"));
  ASSERT_NE(a, nullptr);
  DeviceProcessOptions second = Device("b", "2-3");
  second.peers = {a->listen()};
  const auto b = Started(second);
  ASSERT_NE(b, nullptr);
  std::vector<int32_t> logits;
  for (const auto& door : {a->grpc(), b->grpc()}) {
    const auto reply = Connected({door})->Infer(Image(network_, 1, "g0-3"));
    ASSERT_TRUE(reply.ok()) << reply.status().ToString();
    EXPECT_THAT(reply->devices, testing::UnorderedElementsAre("a", "b"));
    if (!logits.empty()) {
      EXPECT_EQ(reply->logits, logits);
    }
    logits = reply->logits;
  }
}

TEST_F(DeviceProcessTest, ADrainedDeviceFailsNoRequest) {
  const auto a = Started(Device("a", "all"));
  const auto b = Started(Device("b", "all"));
  ASSERT_TRUE(a != nullptr && b != nullptr);
  const auto client = Connected({a->grpc(), b->grpc()});
  std::atomic<bool> stop = false;
  std::atomic<int> failed = 0, answered = 0;
  std::thread load([&] {
    for (uint64_t i = 0; !stop; ++i) {
      if (!client->Infer(Image(network_, i % 8, "g0")).ok()) ++failed;
      ++answered;
    }
  });
  while (answered < 10) std::this_thread::yield();
  a->Signal(SIGTERM);
  EXPECT_TRUE(a->Wait(seconds(60)).ok());
  const int at_end = answered;
  while (answered < at_end + 10) std::this_thread::yield();
  stop = true;
  load.join();
  EXPECT_EQ(failed, 0);
}

TEST_F(DeviceProcessTest, GroupsOfOtherNamesDoNotMix) {
  const auto a = Started(Device("a", "0,1"));
  ASSERT_NE(a, nullptr);
  DeviceProcessOptions stranger = Device("b", "2,3");
  stranger.group = "others";
  stranger.peers = {a->listen()};
  const auto b = Started(stranger);
  ASSERT_NE(b, nullptr);
  client::InferRequest request = Image(network_, 1, "g0-3");
  request.deadline = std::chrono::milliseconds(500);
  EXPECT_FALSE(Connected({a->grpc()})->Infer(request).ok());
  request.operating_point = "g0+1";
  request.deadline = seconds(60);
  EXPECT_TRUE(Connected({a->grpc()})->Infer(request).ok());
}

TEST_F(DeviceProcessTest, WhatCannotStartSaysSoAndEnds) {
  const auto fails = [&](DeviceProcessOptions options) {
    const auto device = DeviceProcess::Start(options, seconds(60));
    // The end of its output, not a timeout: the process ended by itself.
    EXPECT_EQ(device.status().code(), StatusCode::kUnavailable) << device.status().ToString();
  };
  const DeviceProcessOptions good = Device("a", "0,1");
  DeviceProcessOptions bad = good;
  bad.share = "4";
  fails(bad);
  bad = good;
  bad.model = In("missing.braid");
  fails(bad);
  bad = good;
  bad.name = "a,b";
  fails(bad);
  bad = good;
  bad.grpc = "0.0.0.0:0";
  fails(bad);
  bad = good;
  bad.listen = "0.0.0.0:0";
  fails(bad);
  { std::ofstream(In("damaged.braid")) << "not a model"; }
  bad = good;
  bad.model = In("damaged.braid");
  fails(bad);
}

}  // namespace
}  // namespace braid::cli
