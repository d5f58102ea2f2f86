// The names that both ends of the front door must spell alike: tensors, datatypes, Braid's own
// parameters. Layer: protocol. Meanings: docs/protocol.md.
#pragma once

#include <string_view>

namespace braid::protocol {

inline constexpr std::string_view kServiceName = "inference.GRPCInferenceService";
inline constexpr std::string_view kPlatform = "braid_braidv1";  // <project>_<format>
inline constexpr std::string_view kModelVersion = "1";          // a device holds one version

inline constexpr std::string_view kInputTensor = "input";    // UINT8 [N,H,W,C] pixels
inline constexpr std::string_view kLogitsTensor = "logits";  // INT32 [N,classes]
inline constexpr std::string_view kClassTensor = "class";    // INT64 [N]
inline constexpr std::string_view kUint8 = "UINT8";
inline constexpr std::string_view kInt32 = "INT32";
inline constexpr std::string_view kInt64 = "INT64";

// Every parameter of ours starts so; one that is not in the lists below is an error.
inline constexpr std::string_view kParameterPrefix = "braid_";
// In.
inline constexpr std::string_view kDeadlineMs = "braid_deadline_ms";
inline constexpr std::string_view kMaxMacs = "braid_max_macs";
inline constexpr std::string_view kMaxEnergyMj = "braid_max_energy_mj";
inline constexpr std::string_view kMinAccuracy = "braid_min_accuracy";
inline constexpr std::string_view kStrict = "braid_strict";
// In (exactly this point) and out (the point that answered).
inline constexpr std::string_view kOperatingPoint = "braid_operating_point";
// Out.
inline constexpr std::string_view kDevices = "braid_devices";  // names, comma-separated
inline constexpr std::string_view kMacs = "braid_macs";        // for one image
inline constexpr std::string_view kExit = "braid_exit";        // index of the head that answered
inline constexpr std::string_view kFailovers = "braid_failovers";  // attempts given up in the group

// In the trailing metadata of a gRPC refusal: milliseconds before which a retry is of no use
// (gRFC A6).
inline constexpr std::string_view kRetryPushback = "grpc-retry-pushback-ms";

}  // namespace braid::protocol
