// What each file of targets offers to targets.cc.
#pragma once

#include "fuzz/target.h"

namespace braid::fuzz {

extern const Target kModelFile;    // model_file.cc
extern const Target kFrames;       // frames.cc
extern const Target kTlsChannel;   // tls_channel.cc
extern const Target kPeer;         // peer.cc
extern const Target kHttp;         // http.cc
extern const Target kRestJson;     // rest_body.cc
extern const Target kRestBinary;   // rest_body.cc
extern const Target kGrpcInfer;    // grpc_infer.cc
extern const Target kNames;        // names.cc
extern const Target kRepository;   // repository.cc
extern const Target kSecretFiles;  // secret_files.cc
extern const Target kOnnx;         // onnx.cc
extern const Target kImage;        // image.cc
extern const Target kDataFiles;    // data_files.cc
extern const Target kScenario;     // scenario.cc

}  // namespace braid::fuzz
