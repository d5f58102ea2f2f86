// Files that no writer of ours makes: right digests and structure, meant to do harm.
#include <flatbuffers/flatbuffers.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>

#include "braid/base/digest.h"
#include "braid/model/braid_generated.h"
#include "braid/model/file.h"
#include "braid/model/limits.h"
#include "braid/model/test_network.h"

namespace braid::model {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

constexpr size_t kHeaderBytes = 40;  // docs/model-format.md

std::vector<uint8_t> Frame(flatbuffers::FlatBufferBuilder& builder) {
  std::vector<uint8_t> bytes = {'B', 'R', 'A', 'I', 'D', 0x1a, 1, 0};
  bytes.resize(kHeaderBytes + builder.GetSize());
  std::copy_n(builder.GetBufferPointer(), builder.GetSize(), bytes.begin() + kHeaderBytes);
  const Sha256Digest digest = Sha256(std::span(bytes).subspan(kHeaderBytes));
  std::copy(digest.begin(), digest.end(), bytes.begin() + 8);
  return bytes;
}

// The test network as the schema's objects, changed, as a file.
std::vector<uint8_t> Forge(const std::function<void(fb::NetworkT&)>& change) {
  const std::vector<uint8_t> bytes = *Serialize(MakeTestNetwork());
  const std::vector<uint8_t> body(bytes.begin() + kHeaderBytes, bytes.end());
  fb::NetworkT network;
  fb::GetNetwork(body.data())->UnPackTo(&network);
  change(network);
  flatbuffers::FlatBufferBuilder builder;
  fb::FinishNetworkBuffer(builder, fb::CreateNetwork(builder, &network));
  return Frame(builder);
}

// A file that holds only what `fill` adds, and ports.
template <typename Fill>
std::vector<uint8_t> ForgeSparse(const Fill& fill) {
  flatbuffers::FlatBufferBuilder builder;
  const std::vector<int> shape = {-1, 6, 6, 1};
  const auto port = fb::CreatePortDirect(builder, "input", fb::ElementType::UInt8, &shape);
  const auto inputs = builder.CreateVector(&port, 1);
  const auto finish = fill(builder);
  fb::NetworkBuilder network(builder);
  network.add_inputs(inputs);
  finish(network);
  fb::FinishNetworkBuffer(builder, network.Finish());
  return Frame(builder);
}

TEST(HostileFileTest, ForgingWorks) {
  EXPECT_TRUE(Parse(Forge([](fb::NetworkT&) {})).ok());
}

TEST(HostileFileTest, DoesNotCopyOneStringManyTimes) {
  const std::vector<uint8_t> bytes = ForgeSparse([](flatbuffers::FlatBufferBuilder& builder) {
    const auto label = builder.CreateString(std::string(1 << 20, 'x'));
    const auto labels = builder.CreateVector(std::vector(60000, label));  // 60 GB, if copied
    return [labels](fb::NetworkBuilder& network) { network.add_labels(labels); };
  });
  EXPECT_EQ(Parse(bytes).status().message(), "labels[1]: the parts of the file overlap");
}

TEST(HostileFileTest, DoesNotCopyOneTableManyTimes) {
  const std::vector<uint8_t> bytes = ForgeSparse([](flatbuffers::FlatBufferBuilder& builder) {
    const auto bias = builder.CreateVector(std::vector<int32_t>(1 << 18, 1));
    const auto tables = fb::CreateLayerTables(builder, bias);
    const auto all = builder.CreateVector(std::vector(1000, tables));
    const auto sub_network = fb::CreateSubNetwork(builder, 1, all);
    const auto sub_networks = builder.CreateVector(std::vector(200, sub_network));
    return [=](fb::NetworkBuilder& network) { network.add_sub_networks(sub_networks); };
  });
  EXPECT_EQ(Parse(bytes).status().message(),
            "sub_networks[0].tables[1].bias: the parts of the file overlap");
}

TEST(HostileFileTest, LimitsEmptyTablesToo) {
  const std::vector<uint8_t> bytes = ForgeSparse([](flatbuffers::FlatBufferBuilder& builder) {
    const auto tables = fb::CreateLayerTables(builder);
    const auto all = builder.CreateVector(std::vector(4096, tables));
    const auto sub_network = fb::CreateSubNetwork(builder, 1, all);
    const auto sub_networks = builder.CreateVector(std::vector(65, sub_network));
    return [=](fb::NetworkBuilder& network) { network.add_sub_networks(sub_networks); };
  });
  EXPECT_THAT(Parse(bytes).status().message(), HasSubstr("more than 262144 in the file"));
}

TEST(HostileFileTest, StopsTheVerifierBeforeItWalksForEver) {
  const std::vector<uint8_t> bytes = ForgeSparse([](flatbuffers::FlatBufferBuilder& builder) {
    const auto tables = fb::CreateLayerTables(builder);
    const auto all = builder.CreateVector(std::vector(1 << 16, tables));
    const auto sub_network = fb::CreateSubNetwork(builder, 1, all);
    // 2^32 visits, were there no limit.
    const auto sub_networks = builder.CreateVector(std::vector(1 << 16, sub_network));
    return [=](fb::NetworkBuilder& network) { network.add_sub_networks(sub_networks); };
  });
  EXPECT_EQ(Parse(bytes).status().message(), "the structure of the file is broken");
}

TEST(HostileFileTest, LimitsWhatItCounts) {
  EXPECT_EQ(Parse(ForgeSparse([](flatbuffers::FlatBufferBuilder& builder) {
              const auto layer = fb::CreateLayer(builder);
              const auto layers = builder.CreateVector(std::vector(kMaxLayers + 1, layer));
              return [=](fb::NetworkBuilder& network) { network.add_layers(layers); };
            }))
                .status()
                .message(),
            "layers: 4097 entries, at most 4096");
  EXPECT_EQ(Parse(ForgeSparse([](flatbuffers::FlatBufferBuilder& builder) {
              const auto label = builder.CreateString("");
              const auto labels = builder.CreateVector(std::vector(kMaxClasses + 1, label));
              return [=](fb::NetworkBuilder& network) { network.add_labels(labels); };
            }))
                .status()
                .message(),
            "labels: 65537 entries, at most 65536");
}

TEST(HostileFileTest, RefusesPortsThatItDoesNotServe) {
  const auto error = [](const std::function<void(fb::NetworkT&)>& change) {
    const Status status = Parse(Forge(change)).status();
    EXPECT_EQ(status.code(), StatusCode::kUnimplemented);
    return status.message();
  };
  EXPECT_THAT(error([](fb::NetworkT& n) { n.inputs[0]->name = "image"; }), StartsWith("inputs"));
  EXPECT_THAT(error([](fb::NetworkT& n) {
                n.inputs[0]->shape = {-1, 6, 6};
              }),
              StartsWith("inputs"));
  EXPECT_THAT(error([](fb::NetworkT& n) { n.inputs.clear(); }), StartsWith("inputs"));
  EXPECT_THAT(error([](fb::NetworkT& n) { n.inputs[0]->shape[0] = 1; }), StartsWith("inputs"));
  EXPECT_THAT(error([](fb::NetworkT& n) { n.outputs[0]->type = fb::ElementType::UInt8; }),
              StartsWith("outputs"));
  EXPECT_THAT(error([](fb::NetworkT& n) { n.outputs[0]->shape[1] = 4; }), StartsWith("outputs"));
  EXPECT_THAT(error([](fb::NetworkT& n) { n.outputs.pop_back(); }), StartsWith("outputs"));
  EXPECT_THAT(error([](fb::NetworkT& n) { std::swap(n.outputs[0], n.outputs[1]); }),
              StartsWith("outputs"));
}

TEST(HostileFileTest, DoesNotCopyOneListOfInputsManyTimes) {
  const std::vector<uint8_t> bytes = ForgeSparse([](flatbuffers::FlatBufferBuilder& builder) {
    const auto inputs = builder.CreateVector(std::vector<int32_t>(1 << 20, 0));
    fb::LayerBuilder layer(builder);
    layer.add_more_inputs(inputs);
    const auto layers = builder.CreateVector(std::vector(4096, layer.Finish()));  // 16 GB, if copied
    return [=](fb::NetworkBuilder& network) { network.add_layers(layers); };
  });
  EXPECT_EQ(Parse(bytes).status().message(), "layers[1].more_inputs: the parts of the file overlap");
}

TEST(HostileFileTest, RefusesUnknownOperators) {
  EXPECT_EQ(Parse(Forge([](fb::NetworkT& n) { n.layers[1]->op = static_cast<fb::Op>(200); }))
                .status()
                .message(),
            "layers[1].op: unknown operator 200");
}

TEST(HostileFileTest, RefusesAnAbsentOrShortDigest) {
  for (const size_t size : {0, 31, 33}) {
    EXPECT_EQ(Parse(Forge([size](fb::NetworkT& n) { n.layers[1]->weights->sha256.resize(size); }))
                  .status()
                  .message(),
              "layers[1].weights: the values do not fit their SHA-256");
  }
}

TEST(HostileFileTest, ReadsFilesWithoutDigestsOfTables) {
  const Result<ModelFile> file = Parse(Forge([](fb::NetworkT& n) {
    for (auto& sub_network : n.sub_networks) sub_network->table_digests.clear();
  }));
  EXPECT_TRUE(file.ok()) << file.status().ToString();
}

TEST(HostileFileTest, RefusesDigestsOfAnotherNumberOfTables) {
  for (const size_t size : {1, 16, 127, 129, 160}) {
    EXPECT_THAT(Parse(Forge([size](fb::NetworkT& n) {
                  n.sub_networks[1]->table_digests.resize(size);
                })).status().message(),
                StartsWith("sub_networks[1].tables[0]: the sub-network has digests for another"));
  }
}

TEST(HostileFileTest, RefusesTestVectorsThatDoNotFitTheNetwork) {
  const auto error = [](const std::function<void(fb::NetworkT&)>& change) {
    return Parse(Forge(change)).status().message();
  };
  EXPECT_EQ(error([](fb::NetworkT& n) { n.test_images.resize(35); }),
            "test_images: 35 bytes, expected 0..64 images of 36 bytes");
  EXPECT_EQ(error([](fb::NetworkT& n) { n.test_images.resize(65 * 36); }),
            "test_images: 2340 bytes, expected 0..64 images of 36 bytes");
  // Seven layers but the input, five of which are divided.
  EXPECT_EQ(error([](fb::NetworkT& n) { n.test_images.resize(36); }),
            "sub_networks[0].map_digests: 0 bytes, expected 112");
  EXPECT_EQ(error([](fb::NetworkT& n) { n.sub_networks[2]->map_digests.resize(16); }),
            "sub_networks[2].map_digests: 16 bytes, expected 0");
}

// Digests are taken of what has been paid for only: 60 GB of hashing otherwise.
TEST(HostileFileTest, DoesNotHashOneTensorManyTimes) {
  std::vector<uint8_t> bytes = ForgeSparse([](flatbuffers::FlatBufferBuilder& builder) {
    const std::vector<int8_t> values(1 << 24, 1);
    const std::vector<uint8_t> sha256(32, 0);
    const auto weights = fb::CreateWeightsDirect(builder, &values, &sha256);
    fb::LayerBuilder layer(builder);
    layer.add_weights(weights);
    const auto layers = builder.CreateVector(std::vector(4096, layer.Finish()));
    return [=](fb::NetworkBuilder& network) { network.add_layers(layers); };
  });
  bytes[8] ^= 1;  // the digest of the file, so that the damage is looked for
  EXPECT_THAT(LocateDamage(bytes), testing::ElementsAre("layers[0].weights"));
}

TEST(HostileFileTest, TakesMissingVectorsAsEmpty) {
  EXPECT_EQ(Parse(Forge([](fb::NetworkT& n) { n.layers[1]->weights.reset(); })).status().message(),
            "layers[1].weights: 0 values, expected 72");
  EXPECT_EQ(Parse(Forge([](fb::NetworkT& n) { n.points.clear(); })).status().message(),
            "points: 0 operating points, expected 1..4096");
}

}  // namespace
}  // namespace braid::model
