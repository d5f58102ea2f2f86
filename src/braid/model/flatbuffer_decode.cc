#include <flatbuffers/flatbuffers.h>
#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "braid/base/digest.h"
#include "braid/model/braid_generated.h"
#include "braid/model/flatbuffer_codec.h"
#include "braid/model/limits.h"
#include "braid/model/test_vectors.h"
#include "braid/model/validate.h"

namespace braid::model {
namespace {

using flatbuffers::Offset;
using flatbuffers::Vector;

// More tables than any file within the limits has.
constexpr flatbuffers::uoffset_t kMaxTables = static_cast<flatbuffers::uoffset_t>(kMaxTableSets) +
                                              3 * kMaxLayers + kMaxSubNetworks + kMaxPoints + 16;
constexpr flatbuffers::uoffset_t kMaxDepth = 8;

// The root, or nullptr where the structure is broken. `body` is aligned to 8.
const fb::Network* VerifiedRoot(std::span<const uint8_t> body) {
  if (body.size() < 8 || body.size() > kMaxFileBytes) return nullptr;
  flatbuffers::Verifier::Options options;
  options.max_depth = kMaxDepth;
  options.max_tables = kMaxTables;
  flatbuffers::Verifier verifier(body.data(), body.size(), options);
  return fb::VerifyNetworkBuffer(verifier) ? fb::GetNetwork(body.data()) : nullptr;
}

// The library reads integers in place; a body at an odd address is copied first.
class AlignedBody {
 public:
  explicit AlignedBody(std::span<const uint8_t> body) : body_(body) {
    if (reinterpret_cast<uintptr_t>(body.data()) % alignof(uint64_t) == 0) return;
    copy_.resize((body.size() + sizeof(uint64_t) - 1) / sizeof(uint64_t));
    std::memcpy(copy_.data(), body.data(), body.size());
    body_ = {reinterpret_cast<const uint8_t*>(copy_.data()), body.size()};
  }
  AlignedBody(const AlignedBody&) = delete;
  AlignedBody& operator=(const AlignedBody&) = delete;
  std::span<const uint8_t> bytes() const { return body_; }

 private:
  std::span<const uint8_t> body_;
  std::vector<uint64_t> copy_;
};

bool FitsDigest(const fb::Weights& weights) {
  const Vector<int8_t>* values = weights.values();
  const Vector<uint8_t>* stated = weights.sha256();
  if (values == nullptr || stated == nullptr) return false;
  const Sha256Digest digest =
      Sha256({reinterpret_cast<const uint8_t*>(values->data()), values->size()});
  return std::equal(digest.begin(), digest.end(), stated->data(), stated->data() + stated->size());
}

template <typename T>
size_t SizeOf(const Vector<T>* vector) {
  return vector == nullptr ? 0 : vector->size();
}

flatbuffers::uoffset_t Index(size_t i) { return static_cast<flatbuffers::uoffset_t>(i); }

// Copies a verified body. Offsets of a hostile file may all point to one big vector, so that a
// small file would fill the memory: what is copied is paid for out of the size of the body, which
// an honest file never exceeds.
class Decoder {
 public:
  explicit Decoder(size_t budget_bytes) : budget_bytes_(budget_bytes) {}

  Result<Network> Run(const fb::Network& from) {
    Network to;
    BRAID_ASSIGN_OR_RETURN(to.name, String("name", from.name()));
    to.groups = from.groups();
    BRAID_RETURN_IF_ERROR(Ports(from, to));
    BRAID_RETURN_IF_ERROR(Count("layers", SizeOf(from.layers()), kMaxLayers));
    for (size_t i = 0; i < SizeOf(from.layers()); ++i) {
      BRAID_ASSIGN_OR_RETURN(
          Layer layer, ReadLayer(fmt::format("layers[{}]", i), *from.layers()->Get(Index(i))));
      to.layers.push_back(std::move(layer));
    }
    BRAID_RETURN_IF_ERROR(Count("sub_networks", SizeOf(from.sub_networks()), kMaxSubNetworks));
    for (size_t i = 0; i < SizeOf(from.sub_networks()); ++i) {
      BRAID_ASSIGN_OR_RETURN(
          SubNetwork sub_network,
          ReadSubNetwork(fmt::format("sub_networks[{}]", i), *from.sub_networks()->Get(Index(i))));
      to.sub_networks.push_back(std::move(sub_network));
    }
    BRAID_RETURN_IF_ERROR(Count("points", SizeOf(from.points()), kMaxPoints));
    for (size_t i = 0; i < SizeOf(from.points()); ++i) {
      BRAID_ASSIGN_OR_RETURN(OperatingPoint point, ReadPoint(fmt::format("points[{}]", i),
                                                             *from.points()->Get(Index(i))));
      to.points.push_back(std::move(point));
    }
    BRAID_RETURN_IF_ERROR(Count("labels", SizeOf(from.labels()), kMaxClasses));
    for (size_t i = 0; i < SizeOf(from.labels()); ++i) {
      BRAID_ASSIGN_OR_RETURN(std::string label,
                             String(fmt::format("labels[{}]", i), from.labels()->Get(Index(i))));
      to.labels.push_back(std::move(label));
    }
    BRAID_ASSIGN_OR_RETURN(to.card, String("card", from.card()));
    BRAID_ASSIGN_OR_RETURN(to.test_images, Numbers("test_images", from.test_images()));
    BRAID_ASSIGN_OR_RETURN(to.input_padding, Numbers("input_padding", from.input_padding()));
    return CheckOutputs(from, to);
  }

  // Pays before it takes the digest: overlapping tensors must not cost time either.
  Result<std::vector<int8_t>> ReadWeights(const std::string& field, const fb::Weights& from) {
    BRAID_ASSIGN_OR_RETURN(std::vector<int8_t> weights, Numbers(field, from.values()));
    if (!FitsDigest(from)) return DataLoss(field + ": the values do not fit their SHA-256");
    return weights;
  }

  Result<LayerTables> ReadTables(const std::string& field, const fb::SubNetwork& sub_network,
                                 flatbuffers::uoffset_t index) {
    const fb::LayerTables& from = *sub_network.tables()->Get(index);
    LayerTables to;
    BRAID_ASSIGN_OR_RETURN(to.bias, Numbers(field + ".bias", from.bias()));
    BRAID_ASSIGN_OR_RETURN(to.mul, Numbers(field + ".mul", from.mul()));
    to.clamp = from.clamp();
    to.shift = from.shift();
    BRAID_ASSIGN_OR_RETURN(to.shortcut_mul, Numbers(field + ".shortcut_mul", from.shortcut_mul()));
    to.shortcut_clamp = from.shortcut_clamp();
    to.shortcut_shift = from.shortcut_shift();
    // Files made before there were digests of tables have none.
    const Vector<uint8_t>* digests = sub_network.table_digests();
    if (digests == nullptr) return to;
    const size_t at = index * kShortDigestBytes;
    if (digests->size() != sub_network.tables()->size() * kShortDigestBytes) {
      return FieldError(field, "the sub-network has digests for another number of tables");
    }
    const ShortDigest digest = DigestOf(to);
    if (!std::equal(digest.begin(), digest.end(), digests->data() + at)) {
      return DataLoss(field + ": the values do not fit their digest");
    }
    return to;
  }

 private:

  static Status Count(const char* field, size_t count, int limit) {
    if (count <= static_cast<size_t>(limit)) return OkStatus();
    return FieldError(field, fmt::format("{} entries, at most {}", count, limit));
  }

  Status Pay(const std::string& field, size_t bytes) {
    if (bytes > budget_bytes_) {
      return FieldError(field, "the parts of the file overlap");
    }
    budget_bytes_ -= bytes;
    return OkStatus();
  }

  Result<std::string> String(const std::string& field, const flatbuffers::String* from) {
    if (from == nullptr) return std::string();
    BRAID_RETURN_IF_ERROR(Pay(field, from->size()));
    return from->str();
  }

  template <typename T>
  Result<std::vector<T>> Numbers(const std::string& field, const Vector<T>* from) {
    if (from == nullptr) return std::vector<T>();
    BRAID_RETURN_IF_ERROR(Pay(field, from->size() * sizeof(T)));
    return std::vector<T>(from->begin(), from->end());
  }

  static Window ReadWindow(const fb::Window* from) {
    if (from == nullptr) return Window{};
    return {.kernel_h = from->kernel_h(),
            .kernel_w = from->kernel_w(),
            .stride_h = from->stride_h(),
            .stride_w = from->stride_w(),
            .pad_top = from->pad_top(),
            .pad_left = from->pad_left(),
            .pad_bottom = from->pad_bottom(),
            .pad_right = from->pad_right()};
  }

  // Enumerations are copied as they are: Validate refuses unknown values.
  Result<Layer> ReadLayer(const std::string& field, const fb::Layer& from) {
    Layer to;
    BRAID_ASSIGN_OR_RETURN(to.name, String(field + ".name", from.name()));
    to.op = static_cast<Op>(from.op());
    to.input = from.input();
    to.shortcut = from.shortcut();
    to.window = ReadWindow(from.window());
    to.activation = static_cast<Activation>(from.activation());
    to.dense = from.dense();
    to.out_h = from.out_h();
    to.out_w = from.out_w();
    BRAID_ASSIGN_OR_RETURN(to.group_channels,
                           Numbers(field + ".group_channels", from.group_channels()));
    if (const fb::Weights* weights = from.weights(); weights != nullptr) {
      BRAID_ASSIGN_OR_RETURN(to.weights, ReadWeights(field + ".weights", *weights));
    }
    BRAID_ASSIGN_OR_RETURN(to.more_inputs, Numbers(field + ".more_inputs", from.more_inputs()));
    to.filter_channels = from.filter_channels();
    return to;
  }

  Result<SubNetwork> ReadSubNetwork(const std::string& field, const fb::SubNetwork& from) {
    SubNetwork to;
    to.groups = GroupSet(from.groups());
    const size_t count = SizeOf(from.tables());
    table_sets_ += static_cast<int64_t>(count);
    if (table_sets_ > kMaxTableSets) {
      return FieldError(field + ".tables", fmt::format("more than {} in the file", kMaxTableSets));
    }
    to.tables.resize(count);
    for (size_t i = 0; i < count; ++i) {
      BRAID_ASSIGN_OR_RETURN(to.tables[i], ReadTables(fmt::format("{}.tables[{}]", field, i), from,
                                                      Index(i)));
    }
    BRAID_ASSIGN_OR_RETURN(to.map_digests, Numbers(field + ".map_digests", from.map_digests()));
    return to;
  }

  Result<OperatingPoint> ReadPoint(const std::string& field, const fb::OperatingPoint& from) {
    OperatingPoint to;
    BRAID_ASSIGN_OR_RETURN(to.name, String(field + ".name", from.name()));
    BRAID_ASSIGN_OR_RETURN(to.terms, Numbers(field + ".terms", from.terms()));
    to.head = from.head();
    to.accuracy = from.accuracy();
    to.macs_mean = from.macs_mean();
    to.macs_worst = from.macs_worst();
    to.weight_bytes = from.weight_bytes();
    return to;
  }

  // Whether `port` is called `name`, holds `type`, and has `shape` (where `shape` has 0, any
  // extent).
  static bool IsPort(const fb::Port& port, std::string_view name, fb::ElementType type,
                     const std::vector<int>& shape) {
    if (port.name() == nullptr || port.name()->string_view() != name || port.type() != type ||
        SizeOf(port.shape()) != shape.size()) {
      return false;
    }
    return std::equal(shape.begin(), shape.end(), port.shape()->begin(),
                      [](int expected, int extent) { return expected == 0 || expected == extent; });
  }

  static Status Ports(const fb::Network& from, Network& to) {
    if (SizeOf(from.inputs()) != 1 ||
        !IsPort(*from.inputs()->Get(0), "input", fb::ElementType::UInt8, {-1, 0, 0, 0})) {
      return Unimplemented("inputs: expected one, 'input', UINT8 [-1,H,W,C]");
    }
    const Vector<int>& shape = *from.inputs()->Get(0)->shape();
    to.input_h = shape.Get(1);
    to.input_w = shape.Get(2);
    to.input_c = shape.Get(3);
    return OkStatus();
  }

  static Result<Network> CheckOutputs(const fb::Network& from, Network& to) {
    const int classes = static_cast<int>(to.labels.size());
    const fb::Port* first = SizeOf(from.outputs()) == 1 ? from.outputs()->Get(0) : nullptr;
    if (first != nullptr && IsPort(*first, "map", fb::ElementType::Int32, {-1, 0, 0, classes})) {
      return std::move(to);
    }
    if (SizeOf(from.outputs()) != 2 ||
        !IsPort(*from.outputs()->Get(0), "logits", fb::ElementType::Int32, {-1, classes}) ||
        !IsPort(*from.outputs()->Get(1), "class", fb::ElementType::Int64, {-1})) {
      return Unimplemented(
          fmt::format("outputs: expected two, 'logits', INT32 [-1,{0}], and 'class', INT64 [-1], "
                      "or one, 'map', "
                      "INT32 [-1,H,W,{0}]",
                      classes));
    }
    return std::move(to);
  }

  size_t budget_bytes_;
  int64_t table_sets_ = 0;
};

}  // namespace

Result<Network> DecodeBody(std::span<const uint8_t> body) {
  const AlignedBody aligned(body);
  const fb::Network* root = VerifiedRoot(aligned.bytes());
  if (root == nullptr) return DataLoss("the structure of the file is broken");
  return Decoder(body.size()).Run(*root);
}

std::vector<std::string> DamagedTensors(std::span<const uint8_t> body) {
  std::vector<std::string> damaged;
  const AlignedBody aligned(body);
  const fb::Network* root = VerifiedRoot(aligned.bytes());
  if (root == nullptr) return damaged;
  Decoder decoder(body.size());
  // Whether `status` leaves something to look at: false once the file proves to be a forgery.
  const auto note = [&](const Status& status, const std::string& field) {
    if (status.code() == StatusCode::kDataLoss) damaged.push_back(field);
    return status.ok() || status.code() == StatusCode::kDataLoss;
  };
  for (size_t i = 0; i < std::min<size_t>(SizeOf(root->layers()), kMaxLayers); ++i) {
    const fb::Weights* weights = root->layers()->Get(Index(i))->weights();
    const std::string field = fmt::format("layers[{}].weights", i);
    if (weights == nullptr) continue;
    if (!note(decoder.ReadWeights(field, *weights).status(), field)) return damaged;
  }
  int64_t table_sets = 0;
  for (size_t s = 0; s < std::min<size_t>(SizeOf(root->sub_networks()), kMaxSubNetworks); ++s) {
    const fb::SubNetwork& sub_network = *root->sub_networks()->Get(Index(s));
    for (size_t i = 0; i < SizeOf(sub_network.tables()); ++i) {
      const std::string field = fmt::format("sub_networks[{}].tables[{}]", s, i);
      if (++table_sets > kMaxTableSets) return damaged;
      if (!note(decoder.ReadTables(field, sub_network, Index(i)).status(), field)) return damaged;
    }
  }
  return damaged;
}

}  // namespace braid::model
