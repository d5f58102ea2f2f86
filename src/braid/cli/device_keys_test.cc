// The key of a group as operators meet it: who stays out of a running group and what its log says,
// and a change of the key under load. What the handshake does below is tested in cluster/link.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>

#include <fstream>
#include <sstream>
#include <thread>

#include "braid/cli/answer_check.h"
#include "braid/cli/image_stream.h"
#include "braid/cli/process_testing.h"
#include "braid/cluster/link/keys.h"

namespace braid::cli {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

class DeviceKeysTest : public ProcessTest {
 protected:
  DeviceKeysTest() {
    // What a device logs goes to NAME.log.
    std::ofstream script(In("logged"));
    script << "#!/bin/sh\n"
           << "for name; do [ \"$previous\" = --name ] && break; previous=$name; done\n"
           << "exec '" << BRAID_PROGRAM << "' \"$@\" 2>>'" << In("") << "'\"$name.log\"\n";
    script.close();
    ::chmod(In("logged").c_str(), 0700);
  }

  std::string NewKey(const std::string& name) const {
    EXPECT_TRUE(cluster::PreSharedKey::CreateFile(In(name)).ok());
    return In(name);
  }
  DeviceProcessOptions Keyed(const std::string& name, const std::string& share,
                             const std::string& key, const std::string& previous = "") const {
    DeviceProcessOptions options = Device(name, share);
    options.program = In("logged");
    if (!key.empty()) options.more = {"--key-file", key};
    if (!previous.empty()) {
      options.more.insert(options.more.end(), {"--previous-key-file", previous});
    }
    return options;
  }
  static std::unique_ptr<DeviceProcess> Start(const DeviceProcessOptions& options) {
    auto device = DeviceProcess::Start(options, seconds(60));
    EXPECT_TRUE(device.ok()) << device.status().ToString();
    return device.ok() ? std::move(device).value() : nullptr;
  }
  std::string Log(const std::string& name) const {
    std::ifstream file(In(name + ".log"));
    std::stringstream text;
    text << file.rdbuf();
    return text.str();
  }
  bool Logs(const std::string& name, const std::string& text) const {
    for (const TimePoint limit = std::chrono::steady_clock::now() + seconds(60);
         std::chrono::steady_clock::now() < limit; std::this_thread::sleep_for(milliseconds(20))) {
      if (Log(name).find(text) != std::string::npos) return true;
    }
    return false;
  }
};

TEST_F(DeviceKeysTest, WhoHasNotTheKeyAndTheNameStaysOutAndTheLogSaysWhy) {
  const std::string key = NewKey("key"), other = NewKey("other");
  const auto device = Start(Keyed("a", "0,1", key));
  ASSERT_NE(device, nullptr);
  struct Stranger {
    std::string name, key, group, reason;
  };
  for (const auto& [name, its_key, group, reason] :
       {Stranger{"keyless", "", "", "does not speak TLS"},
        Stranger{"wrongkey", other, "", "the other side has another key than group"},
        Stranger{"wronggroup", key, "elsewhere", "the other side is not of group"}}) {
    SCOPED_TRACE(name);
    DeviceProcessOptions options = Keyed(name, "2,3", its_key);
    if (!group.empty()) options.group = group;
    options.peers = {device->listen()};
    const auto stranger = Start(options);
    ASSERT_NE(stranger, nullptr);
    EXPECT_TRUE(Logs("a", reason)) << Log("a");
    // Neither side uses the other: what needs both halves is refused, the own half is answered.
    for (const DeviceProcess* one : {device.get(), stranger.get()}) {
      client::ClientOptions client_options;
      client_options.endpoints = {one->grpc()};
      const auto client = client::Client::Create(client_options);
      ASSERT_TRUE(client.ok());
      client::InferRequest request;
      request.pixels = runtime::testing::RandomPixels(1, network_, 1);
      request.height = network_.input_h;
      request.width = network_.input_w;
      request.channels = network_.input_c;
      request.deadline = milliseconds(300);
      request.operating_point = "g0-3";
      EXPECT_FALSE((*client)->Infer(request).ok());
      request.operating_point = one == device.get() ? "g0+1" : "g2+3";
      request.deadline = seconds(60);
      const auto reply = (*client)->Infer(request);
      EXPECT_TRUE(reply.ok()) << reply.status().ToString();
    }
  }
}

// docs/security.md, "Changing the key": twice around the group, a device at a time.
TEST_F(DeviceKeysTest, AKeyIsChangedUnderLoadAndNoRequestIsLost) {
  const std::string old_key = NewKey("old"), new_key = NewKey("new");
  data::LoadOptions load;
  load.count = 200;
  const auto dataset = data::Load("digits", "test", load);
  ASSERT_TRUE(dataset.ok()) << dataset.status().ToString();
  auto a = Start(Keyed("a", "0,1", old_key));
  ASSERT_NE(a, nullptr);
  DeviceProcessOptions b_options = Keyed("b", "2,3", old_key);
  b_options.peers = {a->listen()};
  auto b = Start(b_options);
  ASSERT_NE(b, nullptr);
  client::ClientOptions options;
  options.endpoints = {a->grpc(), b->grpc()};
  auto client = client::Client::Create(options);
  ASSERT_TRUE(client.ok());
  ImageStream stream(client->get(), &*dataset, {4, 4, seconds(1), "", 0});
  stream.Start();
  ASSERT_TRUE(BothAnswer(stream));

  const auto restart = [&](std::unique_ptr<DeviceProcess>* device, const std::string& key,
                           const std::string& previous) {
    DeviceProcessOptions next =
        Keyed((*device)->options().name, (*device)->options().share, key, previous);
    next.peers = (*device)->options().peers;
    next.grpc = (*device)->grpc();
    next.listen = (*device)->listen();
    (*device)->Signal(SIGTERM);
    const auto ended = (*device)->Wait(seconds(60));
    ASSERT_TRUE(ended.ok()) << ended.status().ToString();
    *device = Start(next);
    ASSERT_NE(*device, nullptr);
    ASSERT_TRUE(BothAnswer(stream)) << Log("a") << Log("b");
  };
  for (const std::string& previous : {old_key, std::string()}) {
    restart(&a, new_key, previous);
    restart(&b, new_key, previous);
  }
  // Who has the old key only is a stranger now.
  DeviceProcessOptions late = Keyed("late", "2,3", old_key);
  late.peers = {a->listen()};
  const auto holder = Start(late);
  ASSERT_NE(holder, nullptr);
  EXPECT_TRUE(Logs("a", "the other side has another key than group")) << Log("a");
  stream.Stop();

  AnswerCheck check(network_, *dataset);
  int wrong = 0, both = 0;
  for (const StreamAnswer& answer : stream.Answers()) {
    ASSERT_TRUE(answer.status.ok()) << answer.status.ToString() << "\n" << Log("a") << Log("b");
    const auto equal = check.Equals(answer);
    ASSERT_TRUE(equal.ok()) << equal.status().ToString();
    wrong += *equal ? 0 : 1;
    both += answer.reply.devices.size() == 2 ? 1 : 0;
  }
  EXPECT_EQ(wrong, 0);
  EXPECT_GT(both, 0);
}

}  // namespace
}  // namespace braid::cli
