// The REST door by plain sockets, as any client of the protocol sees it.
#include "braid/serving/rest_door.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <future>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <thread>

#include "braid/serving/http_testing.h"
#include "braid/serving/serving_testing.h"

namespace braid::serving {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;

constexpr char kInfer[] = "/v2/models/test_model/infer";

class RestDoorTest : public ::testing::Test {
 protected:
  void Open() {
    ServedModelOptions model;
    model.readiness.interval = model.readiness.retry_interval = std::chrono::milliseconds(2);
    ASSERT_TRUE(catalog_.Add(std::make_shared<ServedModel>(&device_, &loop_, model)).ok());
    options_.version = "1.2.3";
    auto door = RestDoor::Open(&loop_, &catalog_, &access_, options_);
    ASSERT_TRUE(door.ok()) << door.status().ToString();
    door_ = std::move(door).value();
    client_.emplace(door_->address());
  }
  void OpenReady() {
    Open();
    while (!catalog_.ready()) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  void SetUp() override { options_.http.limits.body_bytes = 0; }

  json GetJson(const std::string& path, int status = 200) {
    const RawResponse response = client_->Get(path);
    EXPECT_EQ(response.status, status) << path << ": " << response.body;
    EXPECT_EQ(response.headers.at("content-type"), "application/json");
    return json::parse(response.body, nullptr, false);
  }
  // One image of pixels 1 to 6, whose sum is 21: class 0, logits 21, -1, -1.
  static json Request() {
    return {{"id", "42"},
            {"inputs",
             {{{"name", "input"},
               {"shape", {1, 2, 3, 1}},
               {"datatype", "UINT8"},
               {"data", {1, 2, 3, 4, 5, 6}}}}}};
  }
  json Infer(const json& request, int status = 200) {
    const RawResponse response = client_->Post(kInfer, request.dump());
    EXPECT_EQ(response.status, status) << response.body;
    return json::parse(response.body, nullptr, false);
  }
  void ExpectError(const json& request, int status, const std::string& part) {
    const json answer = Infer(request, status);
    ASSERT_TRUE(answer.contains("error")) << answer;
    EXPECT_THAT(answer.at("error").get<std::string>(), HasSubstr(part));
  }
  // A request with a binary input; `json_length` overrides the header.
  RawResponse PostBinary(const json& head, const std::string& tail,
                         std::optional<std::string> json_length = std::nullopt) {
    const std::string text = head.dump();
    return client_->Post(kInfer, text + tail,
                         "Inference-Header-Content-Length: " +
                             json_length.value_or(std::to_string(text.size())) + "\r\n");
  }
  static json BinaryRequest(int bytes) {
    json request = Request();
    request["inputs"][0].erase("data");
    request["inputs"][0]["parameters"] = {{"binary_data_size", bytes}};
    return request;
  }

  EventLoop loop_;
  FakeDevice device_;
  Access access_;
  Catalog catalog_;
  RestDoorOptions options_;
  std::unique_ptr<RestDoor> door_;
  std::optional<RawClient> client_;
};

TEST_F(RestDoorTest, AnswersAboutTheServer) {
  OpenReady();
  EXPECT_EQ(GetJson("/v2/health/live"), json({{"live", true}}));
  EXPECT_EQ(GetJson("/v2/health/ready"), json({{"ready", true}}));
  for (const char* path : {"/v2", "/v2/", "/v2?verbose=1"}) {
    const json metadata = GetJson(path);
    EXPECT_EQ(metadata.at("name"), "braid");
    EXPECT_EQ(metadata.at("version"), "1.2.3");
    EXPECT_THAT(metadata.at("extensions").get<std::vector<std::string>>(),
                ::testing::IsSupersetOf({"binary_tensor_data", "statistics", "model_repository",
                                         "model_configuration"}));
  }
  EXPECT_EQ(GetJson("/v2/models"), json({{"models", {"test_model"}}}));
}

TEST_F(RestDoorTest, AnswersAboutTheModel) {
  OpenReady();
  for (const std::string path : {"/v2/models/test_model", "/v2/models/test_model/versions/1"}) {
    const json metadata = GetJson(path);
    EXPECT_EQ(metadata.at("name"), "test_model");
    EXPECT_EQ(metadata.at("versions"), json({"1"}));
    EXPECT_EQ(metadata.at("platform"), "braid_braidv1");
    EXPECT_EQ(metadata.at("inputs")[0], json({{"name", "input"},
                                              {"datatype", "UINT8"},
                                              {"shape", {-1, 2, 3, 1}}}));
    EXPECT_EQ(metadata.at("outputs")[1].at("shape"), json({-1}));
    EXPECT_EQ(GetJson(path + "/ready"), json({{"name", "test_model"}, {"ready", true}}));
    const json config = GetJson(path + "/config");
    EXPECT_EQ(config.at("max_batch_size"), 4);
    EXPECT_EQ(config.at("input")[0].at("data_type"), "TYPE_UINT8");
    EXPECT_EQ(config.at("input")[0].at("dims"), json({2, 3, 1}));
  }
  EXPECT_THAT(GetJson("/v2/models/other", 404).at("error").get<std::string>(),
              HasSubstr("this device serves \"test_model\""));
  EXPECT_THAT(GetJson("/v2/models/test_model/versions/7/ready", 404).at("error").get<std::string>(),
              HasSubstr("no version \"7\""));
}

TEST_F(RestDoorTest, InfersInJson) {
  OpenReady();
  const json answer = Infer(Request());
  EXPECT_EQ(answer.at("model_name"), "test_model");
  EXPECT_EQ(answer.at("model_version"), "1");
  EXPECT_EQ(answer.at("id"), "42");
  EXPECT_EQ(answer.at("parameters"), json({{"braid_operating_point", "g0+1"},
                                           {"braid_devices", "fake,peer"},
                                           {"braid_macs", 1234},
                                           {"braid_exit", 1},
                                           {"braid_failovers", 2}}));
  EXPECT_EQ(answer.at("outputs"), json({{{"name", "logits"},
                                         {"datatype", "INT32"},
                                         {"shape", {1, 3}},
                                         {"data", {21, -1, -1}}},
                                        {{"name", "class"},
                                         {"datatype", "INT64"},
                                         {"shape", {1}},
                                         {"data", {0}}}}));
}

TEST_F(RestDoorTest, TakesNestedDataAVersionAndAskedOutputs) {
  OpenReady();
  json request = Request();
  request["inputs"][0]["data"] = {{{{1}, {2}, {3}}, {{4}, {5}, {6}}}};
  request["outputs"] = {{{"name", "class"}}};
  request["unknown_member"] = {{"a", {1, nullptr, "x"}}};
  request.erase("id");
  const RawResponse response =
      client_->Post("/v2/models/test_model/versions/1/infer", request.dump());
  ASSERT_EQ(response.status, 200) << response.body;
  const json answer = json::parse(response.body);
  EXPECT_FALSE(answer.contains("id"));
  ASSERT_EQ(answer.at("outputs").size(), 1u);
  EXPECT_EQ(answer.at("outputs")[0].at("name"), "class");
}

TEST_F(RestDoorTest, TakesAndGivesBinaryTensors) {
  OpenReady();
  json request = BinaryRequest(6);
  request["parameters"] = {{"binary_data_output", true}};
  request["outputs"] = {{{"name", "class"}},
                        {{"name", "logits"}, {"parameters", {{"binary_data", false}}}}};
  const RawResponse response = PostBinary(request, std::string("\1\2\3\4\5\6", 6));
  ASSERT_EQ(response.status, 200) << response.body;
  EXPECT_EQ(response.headers.at("content-type"), "application/octet-stream");
  const size_t length = std::stoul(response.headers.at("inference-header-content-length"));
  const json answer = json::parse(response.body.substr(0, length));
  EXPECT_EQ(answer.at("outputs")[0].at("parameters").at("binary_data_size"), 8);
  EXPECT_FALSE(answer.at("outputs")[0].contains("data"));
  EXPECT_EQ(answer.at("outputs")[1].at("data"), json({21, -1, -1}));
  EXPECT_EQ(response.body.substr(length), std::string(8, '\0'));

  request.erase("parameters");
  request["outputs"] = {{{"name", "logits"}, {"parameters", {{"binary_data", true}}}}};
  const RawResponse logits = PostBinary(request, std::string("\1\2\3\4\5\6", 6));
  ASSERT_EQ(logits.status, 200) << logits.body;
  EXPECT_EQ(logits.body.substr(logits.body.size() - 12),
            std::string("\x15\0\0\0\xff\xff\xff\xff\xff\xff\xff\xff", 12));
}

TEST_F(RestDoorTest, TakesARawBody) {
  OpenReady();
  const RawResponse response = client_->Post(kInfer, std::string("\1\2\3\4\5\6\1\1\1\1\1\1", 12),
                                             "Inference-Header-Content-Length: 0\r\n");
  ASSERT_EQ(response.status, 200) << response.body;
  const size_t length = std::stoul(response.headers.at("inference-header-content-length"));
  const json answer = json::parse(response.body.substr(0, length));
  EXPECT_EQ(answer.at("outputs")[0].at("shape"), json({2, 3}));
  EXPECT_EQ(response.body.size() - length, 2u * 3 * 4 + 2 * 8);
  EXPECT_EQ(client_->Post(kInfer, "12345", "Inference-Header-Content-Length: 0\r\n").status, 400);
}

TEST_F(RestDoorTest, RefusesWrongBinaryRequests) {
  OpenReady();
  const auto refused = [&](const json& head, const std::string& tail, const std::string& part,
                           std::optional<std::string> length = std::nullopt) {
    const RawResponse response = PostBinary(head, tail, length);
    EXPECT_EQ(response.status, 400) << response.body;
    EXPECT_THAT(response.body, HasSubstr(part));
  };
  const std::string pixels(6, '\1');
  refused(BinaryRequest(7), pixels, "binary_data_size must be a number up to the 6 bytes");
  refused(BinaryRequest(-1), pixels, "binary_data_size must be");
  refused(BinaryRequest(5), pixels, "1 bytes after the last binary tensor");
  refused(BinaryRequest(6), pixels, "must be a number up to the body's", "100000");
  refused(BinaryRequest(6), pixels, "must be a number up to", "x");
  refused(BinaryRequest(6), pixels, "not JSON", "10");
  json both = BinaryRequest(6);
  both["inputs"][0]["data"] = {1, 2, 3, 4, 5, 6};
  refused(both, pixels, "both data and binary_data_size");
  ExpectError(BinaryRequest(6), 400, "needs Inference-Header-Content-Length");
  json text = BinaryRequest(6);
  text["inputs"][0]["parameters"]["binary_data_size"] = "six";
  refused(text, pixels, "binary_data_size must be");
  json flag = BinaryRequest(6);
  flag["parameters"] = {{"binary_data_output", 1}};
  refused(flag, pixels, "\\\"binary_data_output\\\" must be true or false");
}

TEST_F(RestDoorTest, RefusesWrongRequests) {
  OpenReady();
  json request = Request();
  const auto input = [&]() -> json& { return request["inputs"][0]; };
  input()["shape"] = {1, 2, 4, 1};
  ExpectError(request, 400, "shape is [1,2,4,1], must be [N,2,3,1]");
  request = Request();
  input()["shape"] = {1.5, 2, 3, 1};
  ExpectError(request, 400, "inputs[0].shape: a fraction is not allowed");
  request = Request();
  input()["datatype"] = "FP32";
  ExpectError(request, 400, "must be UINT8");
  input()["datatype"] = "FLOAT";
  ExpectError(request, 400, "not one of the protocol's");
  request = Request();
  input()["data"] = {1, 2, 3, 4, 5, 256};
  ExpectError(request, 400, "element 5 is 256, UINT8 goes from 0 to 255");
  input()["data"] = {1, 2, 3, 4, 5};
  ExpectError(request, 400, "5 elements, its shape says 6");
  input()["data"] = {1, 2, 3, 4, 5, 0.5};
  ExpectError(request, 400, "fractions");
  input()["data"] = {1, 2, 3, 4, 5, "6"};
  ExpectError(request, 400, "numbers and texts");
  input()["data"] = 7;
  ExpectError(request, 400, "a number is not allowed here");
  input().erase("data");
  ExpectError(request, 400, "neither data nor binary_data_size");
  request = Request();
  request["outputs"] = {{{"name", "embedding"}}};
  ExpectError(request, 400, "output tensor \"embedding\"");
  request["outputs"] = {{{"name", "class"}, {"parameters", {{"classification", 3}}}}};
  ExpectError(request, 400, "classification");
  request = Request();
  request["parameters"] = {{"braid_speed", 3}};
  ExpectError(request, 400, "braid_speed");
  request["parameters"] = {{"braid_max_energy_mj", 3}};
  ExpectError(request, 400, "no energy profile");
  request["id"] = 42;
  ExpectError(request, 400, "request.id");
  ExpectError(json::array(), 400, "must be an object");
  ExpectError(json(), 400, "request");
  for (const char* bare : {"\"text\"", "7", "0.5", "true", "[]", "null"}) {
    EXPECT_EQ(client_->Post(kInfer, bare).status, 400) << bare;
  }
  ExpectError(json::object(), 400, "inputs: 0 tensors");
  EXPECT_EQ(client_->Post(kInfer, "{\"inputs\":[").status, 400);
  EXPECT_EQ(client_->Post(kInfer, "").status, 400);
  EXPECT_EQ(client_->Post(kInfer, "{\"id\":\"\xff\"}").status, 400);
  const std::string deep(100, '[');
  const RawResponse nested = client_->Post(kInfer, "{\"inputs\":[{\"data\":" + deep);
  EXPECT_EQ(nested.status, 400);
  EXPECT_THAT(nested.body, HasSubstr("deeper than 32"));
  EXPECT_EQ(client_->Post("/v2/models/other/infer", Request().dump()).status, 404);
  EXPECT_EQ(client_->Post(kInfer, Request().dump(), "Content-Encoding: gzip\r\n").status, 400);
  EXPECT_EQ(device_.submitted(), 0);
  EXPECT_EQ(GetJson("/v2/models/test_model/stats")
                .at("model_stats")[0]
                .at("inference_stats")
                .at("success")
                .at("count"),
            0);
}

TEST_F(RestDoorTest, PassesBudgetsOnAndTheDevicesErrorsBack) {
  OpenReady();
  json request = Request();
  request["parameters"] = {{"braid_deadline_ms", 20000.5},
                           {"braid_max_macs", 99},
                           {"braid_min_accuracy", 0.5},
                           {"braid_strict", true},
                           {"braid_operating_point", "g0"},
                           {"somebody_elses", "x"}};
  EXPECT_EQ(Infer(request).at("parameters").at("braid_operating_point"), "g0");
  const control::Constraints asked = device_.last();
  EXPECT_EQ(asked.max_macs, 99);
  EXPECT_TRUE(asked.strict);
  EXPECT_LE(*asked.remaining, std::chrono::seconds(21));
  const std::pair<StatusCode, int> kMap[] = {
      {StatusCode::kOutOfRange, 400},  {StatusCode::kFailedPrecondition, 400},
      {StatusCode::kUnavailable, 503}, {StatusCode::kDeadlineExceeded, 504},
      {StatusCode::kInternal, 500},    {StatusCode::kResourceExhausted, 429},
      {StatusCode::kUnimplemented, 501}};
  for (const auto& [code, status] : kMap) {
    device_.SetHandler(
        [code = code](const auto&, const auto& done) { done(Status(code, "on purpose")); });
    const RawResponse response = client_->Post(kInfer, Request().dump());
    EXPECT_EQ(response.status, status);
    EXPECT_EQ(json::parse(response.body), json({{"error", "on purpose"}}));
    EXPECT_EQ(response.headers.contains("retry-after"), status == 429 || status == 503) << status;
  }
  device_.SetHandler([](const auto&, const auto&) { throw std::runtime_error("thrown"); });
  ExpectError(Request(), 500, "thrown");
}

TEST_F(RestDoorTest, KnowsPathsAndMethods) {
  OpenReady();
  for (const char* path :
       {"/", "/v1/models/x", "/v2/nothing", "/v2/models/test_model/nothing",
        "/v2/models/test_model/versions", "/v2/models/test_model/ready/more", "/v2/health"}) {
    EXPECT_EQ(client_->Get(path).status, 404) << path;
  }
  EXPECT_EQ(client_->Get("/v2/models/%zz").status, 400);
  EXPECT_EQ(client_->Get("/v2/models/test%5Fmodel").status, 200);
  const RawResponse wrong = client_->Get(kInfer);
  EXPECT_EQ(wrong.status, 405);
  EXPECT_EQ(wrong.headers.at("allow"), "POST");
  EXPECT_EQ(client_->Post("/v2/health/live", "").status, 405);
  client_->Send("HEAD /v2/health/ready HTTP/1.1\r\nHost: b\r\n\r\n");
  const RawResponse head = client_->Read(false);
  EXPECT_EQ(head.status, 200);
  EXPECT_EQ(head.headers.at("content-length"), "14");
  EXPECT_EQ(client_->Get("/v2/health/live").status, 200);  // nothing of a body came in between
}

TEST_F(RestDoorTest, CountsAndListsModels) {
  OpenReady();
  Infer(Request());
  for (const char* path : {"/v2/models/stats", "/v2/models/test_model/stats",
                           "/v2/models/test_model/versions/1/stats"}) {
    const json model = GetJson(path).at("model_stats").at(0);
    EXPECT_EQ(model.at("name"), "test_model");
    EXPECT_EQ(model.at("inference_count"), 1);
    EXPECT_EQ(model.at("execution_count"), 1);
    EXPECT_EQ(model.at("inference_stats").at("success").at("count"), 1);
    EXPECT_EQ(model.at("inference_stats").at("compute_infer").at("count"), 1);
    EXPECT_EQ(model.at("batch_stats")[0].at("batch_size"), 1);
  }
  EXPECT_EQ(client_->Get("/v2/models/other/stats").status, 404);
  const RawResponse index = client_->Post("/v2/repository/index", "{\"ready\":true}");
  EXPECT_EQ(json::parse(index.body),
            json({{{"name", "test_model"}, {"version", "1"}, {"state", "READY"}}}));
  EXPECT_EQ(client_->Post("/v2/repository/index", "").status, 200);
  EXPECT_EQ(client_->Post("/v2/repository/index", "[]").status, 400);
  EXPECT_EQ(client_->Post("/v2/repository/index", "{\"ready\":1}").status, 400);
  EXPECT_EQ(client_->Get("/v2/repository/index").status, 405);
  EXPECT_EQ(client_->Post("/v2/repository/models/test_model/load", "").status, 403);
  EXPECT_EQ(client_->Post("/v2/repository/models/test_model/unload", "").status, 403);
}

TEST_F(RestDoorTest, IsNotReadyUntilTheSelfTestPasses) {
  device_.SetHealthy(false);
  Open();
  const RawResponse response = client_->Get("/v2/health/ready");
  EXPECT_EQ(response.status, 503);
  EXPECT_EQ(response.body, "{\"ready\":false}");
  EXPECT_EQ(client_->Get("/v2/health/live").status, 200);
  EXPECT_EQ(client_->Get("/v2/models/test_model/ready").status, 503);
  const RawResponse index = client_->Post("/v2/repository/index", "");
  EXPECT_EQ(json::parse(index.body).at(0).at("state"), "UNAVAILABLE");
  device_.SetHealthy(true);
  while (client_->Get("/v2/health/ready").status != 200) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
}

TEST_F(RestDoorTest, CancelsTheRequestOfAClientThatIsGone) {
  OpenReady();
  std::promise<cluster::Device::Done> submitted;
  device_.SetHandler([&](const auto&, const auto& done) { submitted.set_value(done); });
  RawClient gone(door_->address());
  gone.Send(RawClient::PostText(kInfer, Request().dump()));
  const cluster::Device::Done done = submitted.get_future().get();
  gone.Close();
  const auto cancelled = [&] {
    return (*catalog_.Find("", ""))->statistics().Snapshot().refused[size_t(Refusal::kCancelled)];
  };
  while (cancelled() == 0) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  cluster::InferRequest request;
  request.pixels.resize(6);
  done(FakeDevice::Answer(request));  // too late for anybody
  device_.SetHandler({});
  Infer(Request());
}

TEST_F(RestDoorTest, DrainingFinishesWhatIsInFlight) {
  OpenReady();
  std::promise<cluster::Device::Done> submitted;
  device_.SetHandler([&](const auto&, const auto& done) { submitted.set_value(done); });
  RawClient idle(door_->address());
  EXPECT_EQ(idle.Get("/v2/health/live").status, 200);
  client_->Send(RawClient::PostText(kInfer, Request().dump()));
  const cluster::Device::Done done = submitted.get_future().get();
  auto drain = std::async(std::launch::async, [&] {
    catalog_.Drain();
    door_->Drain(std::chrono::seconds(60));
  });
  EXPECT_TRUE(idle.Closed());
  cluster::InferRequest request;
  request.pixels.assign(6, 2);
  done(FakeDevice::Answer(request));
  const RawResponse last = client_->Read();
  EXPECT_EQ(last.status, 200);
  EXPECT_EQ(last.headers.at("connection"), "close");
  drain.get();
}

TEST_F(RestDoorTest, OpensOnLoopbackOnlyUnlessTold) {
  RestDoorOptions options;
  options.http.address = "0.0.0.0:0";
  EXPECT_EQ(RestDoor::Open(&loop_, &catalog_, &access_, options).status().code(),
            StatusCode::kFailedPrecondition);
  options.allow_any_address = true;
  EXPECT_TRUE(RestDoor::Open(&loop_, &catalog_, &access_, options).ok());
  Open();
  options.http.address = door_->address();
  EXPECT_EQ(RestDoor::Open(&loop_, &catalog_, &access_, options).status().code(),
            StatusCode::kUnavailable);
  options.http.address = "nonsense";
  EXPECT_EQ(RestDoor::Open(&loop_, &catalog_, &access_, options).status().code(),
            StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace braid::serving
