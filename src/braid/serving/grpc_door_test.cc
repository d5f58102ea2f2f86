// The door over loopback gRPC, by generated stubs, as any client of the protocol sees it.
#include "braid/serving/grpc_door.h"

#include <gmock/gmock.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <condition_variable>
#include <future>
#include <stdexcept>
#include <thread>

#include "braid/protocol/health.grpc.pb.h"
#include "braid/protocol/open_inference.grpc.pb.h"
#include "braid/serving/serving_testing.h"

namespace braid::serving {
namespace {

using grpc::health::v1::HealthCheckRequest;
using grpc::health::v1::HealthCheckResponse;
using ::testing::HasSubstr;

class DoorTest : public ::testing::Test {
 protected:
  void Open() {
    ServedModelOptions model;
    model.readiness.interval = model.readiness.retry_interval = std::chrono::milliseconds(2);
    ASSERT_TRUE(catalog_.Add(std::make_shared<ServedModel>(&device_, &loop_, model)).ok());
    GrpcDoorOptions options;
    options.version = "1.2.3";
    auto door = GrpcDoor::Open(&catalog_, &access_, options);
    ASSERT_TRUE(door.ok()) << door.status().ToString();
    door_ = std::move(door).value();
    Connect();
  }
  void Connect() {
    grpc::ChannelArguments arguments;
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    channel_ =
        grpc::CreateCustomChannel(door_->address(), grpc::InsecureChannelCredentials(), arguments);
    stub_ = inference::GRPCInferenceService::NewStub(channel_);
    health_ = grpc::health::v1::Health::NewStub(channel_);
  }
  void OpenReady() {
    Open();
    while (!catalog_.ready()) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }

  static inference::ModelInferRequest Request(int images = 1) {
    inference::ModelInferRequest request;
    request.set_model_name("test_model");
    request.set_id("42");
    auto* input = request.add_inputs();
    input->set_name("input");
    input->set_datatype("UINT8");
    for (const int dimension : {images, 2, 3, 1}) input->add_shape(dimension);
    request.add_raw_input_contents(std::string(static_cast<size_t>(images) * 6, '\2'));
    return request;
  }
  grpc::Status Infer(const inference::ModelInferRequest& request,
                     inference::ModelInferResponse* response) {
    grpc::ClientContext context;
    return stub_->ModelInfer(&context, request, response);
  }
  HealthCheckResponse::ServingStatus Health(const std::string& name) {
    grpc::ClientContext context;
    HealthCheckRequest request;
    request.set_service(name);
    HealthCheckResponse response;
    const grpc::Status status = health_->Check(&context, request, &response);
    return status.ok() ? response.status() : HealthCheckResponse::SERVICE_UNKNOWN;
  }

  EventLoop loop_;  // outlives all that replies
  FakeDevice device_;
  Access access_;
  Catalog catalog_;
  std::unique_ptr<GrpcDoor> door_;
  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<inference::GRPCInferenceService::Stub> stub_;
  std::unique_ptr<grpc::health::v1::Health::Stub> health_;
};

TEST_F(DoorTest, AnswersTheCallsAboutTheServer) {
  OpenReady();
  grpc::ClientContext live_context, ready_context, metadata_context;
  inference::ServerLiveResponse live;
  ASSERT_TRUE(stub_->ServerLive(&live_context, {}, &live).ok());
  EXPECT_TRUE(live.live());
  inference::ServerReadyResponse ready;
  ASSERT_TRUE(stub_->ServerReady(&ready_context, {}, &ready).ok());
  EXPECT_TRUE(ready.ready());
  inference::ServerMetadataResponse metadata;
  ASSERT_TRUE(stub_->ServerMetadata(&metadata_context, {}, &metadata).ok());
  EXPECT_EQ(metadata.name(), "braid");
  EXPECT_EQ(metadata.version(), "1.2.3");
}

TEST_F(DoorTest, AnswersTheCallsAboutTheModel) {
  OpenReady();
  inference::ModelMetadataRequest request;
  request.set_name("test_model");
  inference::ModelMetadataResponse metadata;
  {
    grpc::ClientContext context;
    ASSERT_TRUE(stub_->ModelMetadata(&context, request, &metadata).ok());
  }
  EXPECT_EQ(metadata.name(), "test_model");
  EXPECT_THAT(metadata.versions(), ::testing::ElementsAre("1"));
  ASSERT_EQ(metadata.inputs_size(), 1);
  EXPECT_EQ(metadata.inputs(0).datatype(), "UINT8");
  EXPECT_THAT(metadata.inputs(0).shape(), ::testing::ElementsAre(-1, 2, 3, 1));
  ASSERT_EQ(metadata.outputs_size(), 2);
  EXPECT_THAT(metadata.outputs(0).shape(), ::testing::ElementsAre(-1, 3));
  EXPECT_THAT(metadata.outputs(1).shape(), ::testing::ElementsAre(-1));

  request.set_name("other");
  {
    grpc::ClientContext context;
    EXPECT_EQ(stub_->ModelMetadata(&context, request, &metadata).error_code(),
              grpc::StatusCode::NOT_FOUND);
  }
  inference::ModelReadyRequest ready_request;
  inference::ModelReadyResponse ready;
  ready_request.set_name("test_model");
  {
    grpc::ClientContext context;
    ASSERT_TRUE(stub_->ModelReady(&context, ready_request, &ready).ok());
  }
  EXPECT_TRUE(ready.ready());
  ready_request.set_version("9");
  grpc::ClientContext context;
  EXPECT_EQ(stub_->ModelReady(&context, ready_request, &ready).error_code(),
            grpc::StatusCode::NOT_FOUND);
}

TEST_F(DoorTest, AnswersTheExtensions) {
  OpenReady();
  inference::ModelInferResponse answer;
  ASSERT_TRUE(Infer(Request(2), &answer).ok());
  ASSERT_FALSE(Infer(inference::ModelInferRequest(), &answer).ok());
  {
    grpc::ClientContext context;
    inference::ModelStatisticsResponse statistics;
    ASSERT_TRUE(stub_->ModelStatistics(&context, {}, &statistics).ok());
    ASSERT_EQ(statistics.model_stats_size(), 1);
    const auto& model = statistics.model_stats(0);
    EXPECT_EQ(model.name(), "test_model");
    EXPECT_EQ(model.version(), "1");
    EXPECT_EQ(model.inference_count(), 2u);
    EXPECT_EQ(model.execution_count(), 1u);
    EXPECT_GT(model.last_inference(), 0u);
    EXPECT_EQ(model.inference_stats().success().count(), 1u);
    EXPECT_EQ(model.inference_stats().fail().count(), 1u);
    EXPECT_GT(model.inference_stats().success().ns(), 0u);
    ASSERT_EQ(model.batch_stats_size(), 1);
    EXPECT_EQ(model.batch_stats(0).batch_size(), 2u);
  }
  {
    grpc::ClientContext context;
    inference::ModelConfigRequest request;
    request.set_name("test_model");
    inference::ModelConfigResponse response;
    ASSERT_TRUE(stub_->ModelConfig(&context, request, &response).ok());
    EXPECT_EQ(response.config().max_batch_size(), 4);
    EXPECT_EQ(response.config().input(0).data_type(), inference::TYPE_UINT8);
    EXPECT_THAT(response.config().input(0).dims(), ::testing::ElementsAre(2, 3, 1));
    EXPECT_THAT(response.config().output(0).dims(), ::testing::ElementsAre(3));
  }
  {
    grpc::ClientContext context;
    inference::RepositoryIndexResponse index;
    ASSERT_TRUE(stub_->RepositoryIndex(&context, {}, &index).ok());
    ASSERT_EQ(index.models_size(), 1);
    EXPECT_EQ(index.models(0).state(), "READY");
  }
  grpc::ClientContext load_context, unload_context;
  inference::RepositoryModelLoadResponse loaded;
  EXPECT_EQ(stub_->RepositoryModelLoad(&load_context, {}, &loaded).error_code(),
            grpc::StatusCode::PERMISSION_DENIED);
  inference::RepositoryModelUnloadResponse unloaded;
  EXPECT_EQ(stub_->RepositoryModelUnload(&unload_context, {}, &unloaded).error_code(),
            grpc::StatusCode::PERMISSION_DENIED);
}

TEST_F(DoorTest, Infers) {
  OpenReady();
  inference::ModelInferResponse response;
  const grpc::Status status = Infer(Request(2), &response);
  ASSERT_TRUE(status.ok()) << status.error_message();
  EXPECT_EQ(response.id(), "42");
  EXPECT_EQ(response.outputs_size(), 2);
  EXPECT_EQ(response.raw_output_contents(1), std::string(16, '\0'));  // 12 % 3
  EXPECT_EQ(response.parameters().at("braid_devices").string_param(), "fake,peer");
}

TEST_F(DoorTest, PassesOnTheErrorsOfRequestAndDevice) {
  OpenReady();
  inference::ModelInferResponse response;
  inference::ModelInferRequest bad = Request();
  (*bad.mutable_parameters())["braid_speed"].set_int64_param(1);
  const grpc::Status invalid = Infer(bad, &response);
  EXPECT_EQ(invalid.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_THAT(invalid.error_message(), HasSubstr("braid_speed"));
  EXPECT_EQ(device_.submitted(), 0);

  device_.SetHandler(
      [](const auto&, const auto& done) { done(OutOfRange("no point is so cheap")); });
  const grpc::Status refused = Infer(Request(), &response);
  EXPECT_EQ(refused.error_code(), grpc::StatusCode::OUT_OF_RANGE);
  EXPECT_EQ(refused.error_message(), "no point is so cheap");
}

TEST_F(DoorTest, AnExceptionEndsItsOwnCallOnly) {
  OpenReady();
  inference::ModelInferResponse response;
  device_.SetHandler([](const auto&, const auto&) { throw std::runtime_error("thrown"); });
  EXPECT_EQ(Infer(Request(), &response).error_code(), grpc::StatusCode::INTERNAL);
  device_.SetHandler({});
  EXPECT_TRUE(Infer(Request(), &response).ok());
}

TEST_F(DoorTest, TheCallsDeadlineBoundsTheRequest) {
  OpenReady();
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(20));
  inference::ModelInferResponse response;
  ASSERT_TRUE(stub_->ModelInfer(&context, Request(), &response).ok());
  ASSERT_TRUE(device_.last().remaining.has_value());
  // gRPC rounds up what it sends: two or three digits.
  EXPECT_LE(*device_.last().remaining, std::chrono::seconds(21));
  EXPECT_GT(*device_.last().remaining, std::chrono::seconds(0));
  ASSERT_TRUE(Infer(Request(), &response).ok());  // without one, the device's default holds
  ASSERT_TRUE(device_.last().remaining.has_value());
  EXPECT_LE(*device_.last().remaining, device_.options().coordinator.default_deadline);
}

TEST_F(DoorTest, ACancelledCallEndsAndALateAnswerIsDropped) {
  OpenReady();
  std::promise<cluster::Device::Done> submitted;
  device_.SetHandler([&](const auto&, const auto& done) { submitted.set_value(done); });
  grpc::ClientContext context;
  inference::ModelInferResponse response;
  auto call = std::async(std::launch::async,
                         [&] { return stub_->ModelInfer(&context, Request(), &response); });
  const cluster::Device::Done done = submitted.get_future().get();
  context.TryCancel();
  EXPECT_EQ(call.get().error_code(), grpc::StatusCode::CANCELLED);
  cluster::InferRequest request;
  request.pixels.resize(6);
  done(FakeDevice::Answer(request));
  device_.SetHandler({});
  EXPECT_TRUE(Infer(Request(), &response).ok());
}

TEST_F(DoorTest, ARefusalSaysWhenToComeAgain) {
  OpenReady();
  device_.SetHandler([](const auto&, const auto& done) { done(ResourceExhausted("full")); });
  grpc::ClientContext context;
  inference::ModelInferResponse response;
  EXPECT_EQ(stub_->ModelInfer(&context, Request(), &response).error_code(),
            grpc::StatusCode::RESOURCE_EXHAUSTED);
  const auto& trailers = context.GetServerTrailingMetadata();
  const auto hint = trailers.find("grpc-retry-pushback-ms");
  ASSERT_NE(hint, trailers.end());
  EXPECT_GE(std::stoi(std::string(hint->second.data(), hint->second.size())), 1);
}

TEST_F(DoorTest, RefusesAMessageLargerThanAnyBatch) {
  OpenReady();
  inference::ModelInferRequest request = Request();
  request.set_raw_input_contents(0, std::string(1 << 20, 'x'));
  inference::ModelInferResponse response;
  EXPECT_EQ(Infer(request, &response).error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
}

TEST_F(DoorTest, IsNotServingUntilTheSelfTestPasses) {
  device_.SetHealthy(false);
  Open();
  while (device_.self_tests() < 2) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  for (const std::string name : {"", "inference.GRPCInferenceService", "test_model"}) {
    EXPECT_EQ(Health(name), HealthCheckResponse::NOT_SERVING) << name;
  }
  grpc::ClientContext context;
  inference::ServerReadyResponse ready;
  ASSERT_TRUE(stub_->ServerReady(&context, {}, &ready).ok());
  EXPECT_FALSE(ready.ready());
  device_.SetHealthy(true);
  while (!catalog_.ready()) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  for (const std::string name : {"", "inference.GRPCInferenceService", "test_model"}) {
    while (Health(name) != HealthCheckResponse::SERVING) std::this_thread::yield();
  }
}

TEST_F(DoorTest, CheckOfAnUnknownServiceIsNotFound) {
  OpenReady();
  grpc::ClientContext context;
  HealthCheckRequest request;
  request.set_service("nothing");
  HealthCheckResponse response;
  EXPECT_EQ(health_->Check(&context, request, &response).error_code(), grpc::StatusCode::NOT_FOUND);
}

TEST_F(DoorTest, WatchFollowsTheHealthUntilTheEnd) {
  device_.SetHealthy(false);
  Open();
  grpc::ClientContext context, unknown_context;
  auto watch = health_->Watch(&context, {});
  HealthCheckRequest unknown;
  unknown.set_service("nothing");
  auto unknown_watch = health_->Watch(&unknown_context, unknown);
  HealthCheckResponse response;
  ASSERT_TRUE(unknown_watch->Read(&response));
  EXPECT_EQ(response.status(), HealthCheckResponse::SERVICE_UNKNOWN);
  ASSERT_TRUE(watch->Read(&response));
  EXPECT_EQ(response.status(), HealthCheckResponse::NOT_SERVING);
  device_.SetHealthy(true);
  ASSERT_TRUE(watch->Read(&response));
  EXPECT_EQ(response.status(), HealthCheckResponse::SERVING);
  catalog_.Drain();
  door_->Drain(std::chrono::seconds(20));
  ASSERT_TRUE(watch->Read(&response));
  EXPECT_EQ(response.status(), HealthCheckResponse::NOT_SERVING);
  EXPECT_FALSE(watch->Read(&response));
  EXPECT_EQ(watch->Finish().error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_FALSE(unknown_watch->Read(&response));
  unknown_watch->Finish();
}

TEST_F(DoorTest, ACancelledWatchIsForgotten) {
  OpenReady();
  for (int i = 0; i < 3; ++i) {
    grpc::ClientContext context;
    auto watch = health_->Watch(&context, {});
    HealthCheckResponse response;
    ASSERT_TRUE(watch->Read(&response));
    context.TryCancel();
    EXPECT_EQ(watch->Finish().error_code(), grpc::StatusCode::CANCELLED);
  }
  device_.SetHealthy(false);
  while (catalog_.ready()) std::this_thread::sleep_for(std::chrono::milliseconds(1));
}

TEST_F(DoorTest, DrainingFinishesWhatIsInFlight) {
  OpenReady();
  std::promise<cluster::Device::Done> submitted;
  device_.SetHandler([&](const auto&, const auto& done) { submitted.set_value(done); });
  inference::ModelInferResponse response;
  auto call = std::async(std::launch::async, [&] { return Infer(Request(), &response); });
  const cluster::Device::Done done = submitted.get_future().get();
  auto drain = std::async(std::launch::async,
                          [&] {
                            catalog_.Drain();
                            door_->Drain(std::chrono::seconds(60));
                          });
  while (catalog_.ready()) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  cluster::InferRequest request;
  request.pixels.assign(6, 2);
  done(FakeDevice::Answer(request));
  EXPECT_TRUE(call.get().ok());
  drain.get();
  inference::ModelInferResponse refused;
  EXPECT_EQ(Infer(Request(), &refused).error_code(), grpc::StatusCode::UNAVAILABLE);
}

TEST_F(DoorTest, DrainingCancelsWhatOutlastsTheGrace) {
  OpenReady();
  device_.SetHandler([](const auto&, const auto&) {});  // never answers
  inference::ModelInferResponse response;
  auto call = std::async(std::launch::async, [&] { return Infer(Request(), &response); });
  while (device_.submitted() == 0) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  door_->Drain(std::chrono::milliseconds(10));
  EXPECT_FALSE(call.get().ok());
}

TEST_F(DoorTest, ReflectionListsTheServices) {
  Open();
  // By bytes, since the library keeps the reflection messages to itself: field 7, list_services.
  grpc::GenericStub generic(channel_);
  grpc::ClientContext context;
  grpc::CompletionQueue queue;
  const auto next = [&queue] {
    void* tag = nullptr;
    bool ok = false;
    return queue.Next(&tag, &ok) && ok;
  };
  const auto call = generic.PrepareCall(
      &context, "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo", &queue);
  call->StartCall(nullptr);
  ASSERT_TRUE(next());
  const grpc::Slice list_services(std::string("\x3a\0", 2));
  call->Write(grpc::ByteBuffer(&list_services, 1), nullptr);
  ASSERT_TRUE(next());
  grpc::ByteBuffer answer;
  call->Read(&answer, nullptr);
  ASSERT_TRUE(next());
  std::vector<grpc::Slice> slices;
  ASSERT_TRUE(answer.Dump(&slices).ok());
  std::string bytes;
  for (const grpc::Slice& slice : slices) {
    bytes.append(reinterpret_cast<const char*>(slice.begin()), slice.size());
  }
  EXPECT_THAT(bytes, HasSubstr("inference.GRPCInferenceService"));
  EXPECT_THAT(bytes, HasSubstr("grpc.health.v1.Health"));
  grpc::Status status;
  call->WritesDone(nullptr);
  ASSERT_TRUE(next());
  call->Finish(&status, nullptr);
  ASSERT_TRUE(next());
  EXPECT_TRUE(status.ok()) << status.error_message();
}

TEST_F(DoorTest, OpensOnLoopbackOnlyUnlessTold) {
  GrpcDoorOptions options;
  options.address = "0.0.0.0:0";
  EXPECT_EQ(GrpcDoor::Open(&catalog_, &access_, options).status().code(), StatusCode::kFailedPrecondition);
  options.allow_any_address = true;
  EXPECT_TRUE(GrpcDoor::Open(&catalog_, &access_, options).ok());
  EXPECT_TRUE(IsLoopback("127.3.2.1:1"));
  EXPECT_TRUE(IsLoopback("localhost:1"));
  EXPECT_TRUE(IsLoopback("[::1]:1"));
  EXPECT_FALSE(IsLoopback("[::]:1"));
  EXPECT_FALSE(IsLoopback("128.0.0.1:1"));
  EXPECT_FALSE(IsLoopback("localhost.example.org:1"));
}

TEST_F(DoorTest, RefusesAPortThatIsTaken) {
  Open();
  GrpcDoorOptions options;
  options.address = door_->address();
  EXPECT_EQ(GrpcDoor::Open(&catalog_, &access_, options).status().code(), StatusCode::kUnavailable);
  options.address = "nonsense";
  EXPECT_EQ(GrpcDoor::Open(&catalog_, &access_, options).status().code(), StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace braid::serving
