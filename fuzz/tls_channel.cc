// What a stranger can send before it has proved that it knows the key: the listening side of the
// TLS handshake. A seed's first message has a random of its own, so nothing here replays a session.
#include "braid/cluster/link/tls_channel.h"

#include <array>
#include <memory>

#include "braid/base/check.h"
#include "fuzz/targets.h"

namespace braid::fuzz {
namespace {

using cluster::TlsChannel;

const cluster::TlsContext* Context() {
  static const auto context = [] {
    std::array<uint8_t, cluster::PreSharedKey::kBytes> key{};
    key[0] = 1;
    auto made = cluster::TlsContext::Create(
        {.group = "braid", .primary = cluster::PreSharedKey(key), .previous = std::nullopt});
    BRAID_CHECK(made.ok()) << made.status().ToString();
    return std::move(made).value();
  }();
  return context.get();
}

// First byte: 0 for all at once, else so many bytes at a time; its top bit: to the dialing side.
void Run(std::span<const uint8_t> input) {
  Reader reader(input);
  const uint8_t form = reader.Byte();
  const bool dialed = (form & 0x80) != 0;
  TlsChannel channel(Context(), dialed ? TlsChannel::Side::kDialed : TlsChannel::Side::kAccepted,
                     false);
  std::vector<uint8_t> plain, wire;
  if (!channel.Start(&wire).ok()) return;
  const size_t piece = (form & 0x7f) == 0 ? input.size() + 1 : form & 0x7fu;
  while (!reader.empty()) {
    if (!channel.Receive(reader.Take(piece), &plain, &wire).ok()) break;
  }
  BRAID_CHECK(!channel.established() && plain.empty()) << "a stranger got in";
}

std::vector<Bytes> Seeds() {
  TlsChannel dialer(Context(), TlsChannel::Side::kDialed, false);
  TlsChannel listener(Context(), TlsChannel::Side::kAccepted, false);
  std::vector<uint8_t> hello, answer, plain;
  BRAID_CHECK(dialer.Start(&hello).ok() && listener.Start(&answer).ok());
  BRAID_CHECK(listener.Receive(hello, &plain, &answer).ok());
  return {Headed(0, hello), Headed(32, hello), Headed(0x80, answer)};
}

}  // namespace

const Target kTlsChannel = {"tls_channel", Run, Seeds};

}  // namespace braid::fuzz
