// TLS 1.3 with an external pre-shared key, as bytes in and bytes out: no socket, no thread.
// Layer: cluster/link, private to it. Cryptography: OpenSSL's. RFC 8446, section 4.2.11.
#pragma once

#include <openssl/ssl.h>

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "braid/base/status.h"
#include "braid/cluster/link/keys.h"

namespace braid::cluster {

// What all channels of a transport share: protocol settings and keys.
class TlsContext {
 public:
  // `records_per_key`: a sending key is replaced after so many records. RFC 8446, 5.5, allows
  // AES-GCM 2^24.5 full records; small frames stay far below with the default.
  static Result<std::unique_ptr<TlsContext>> Create(const KeyRing& keys,
                                                    uint64_t records_per_key = 1u << 22);
  ~TlsContext();
  TlsContext(const TlsContext&) = delete;
  TlsContext& operator=(const TlsContext&) = delete;

  const KeyRing& keys() const { return keys_; }

 private:
  friend class TlsChannel;
  TlsContext(const KeyRing& keys, uint64_t records_per_key, SSL_CTX* context);

  KeyRing keys_;
  uint64_t records_per_key_;
  SSL_CTX* context_;
};

class TlsChannel {
 public:
  enum class Side { kDialed, kAccepted };

  // A dialed channel offers the primary key, or the previous one with `offer_previous` (which the
  // ring must have). `context` must outlive the channel.
  TlsChannel(const TlsContext* context, Side side, bool offer_previous);
  ~TlsChannel();
  TlsChannel(const TlsChannel&) = delete;
  TlsChannel& operator=(const TlsChannel&) = delete;

  // Begins the handshake; bytes for the other side are appended to `wire`, here and below.
  Status Start(std::vector<uint8_t>* wire);
  // Takes bytes from the wire and appends what was in them to `plain`. UNAUTHENTICATED (no
  // agreement: other key, other group, no TLS) or DATA_LOSS (damaged record): the connection must
  // be closed, after `wire` (an alert) was sent.
  Status Receive(std::span<const uint8_t> bytes, std::vector<uint8_t>* plain,
                 std::vector<uint8_t>* wire);
  // Only when established.
  Status Encrypt(std::span<const uint8_t> plain, std::vector<uint8_t>* wire);
  // Says that nothing more will be sent.
  void End(std::vector<uint8_t>* wire);

  // Both sides have proved that they know the key.
  bool established() const { return established_; }
  // The other side said that nothing more will come.
  bool ended_by_peer() const { return ended_by_peer_; }

 private:
  friend class TlsContext;
  static int OfferKey(SSL* ssl, const EVP_MD* digest, const unsigned char** identity,
                      size_t* identity_size, SSL_SESSION** session);
  static int FindKey(SSL* ssl, const unsigned char* identity, size_t identity_size,
                     SSL_SESSION** session);

  Status Handshake();
  Status Refusal(const char* when);
  void TakeWire(std::vector<uint8_t>* wire);

  const TlsContext* context_;
  Side side_;
  SSL* ssl_;
  BIO* from_wire_;  // owned by ssl_, as the next
  BIO* to_wire_;
  std::string offered_identity_;
  std::string key_fault_;  // why FindKey found none
  bool established_ = false;
  bool ended_by_peer_ = false;
  uint64_t records_ = 0;  // sent with the present key
};

}  // namespace braid::cluster
