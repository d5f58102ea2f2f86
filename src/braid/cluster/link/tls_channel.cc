#include "braid/cluster/link/tls_channel.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

#include <algorithm>
#include <string_view>

namespace braid::cluster {
namespace {

// The cipher that a pre-shared key is bound to; it stands for its hash (SHA-256), which both
// allowed ciphers share. {0x13, 0x01} is TLS_AES_128_GCM_SHA256 (RFC 8446, B.4).
constexpr unsigned char kKeyCipher[] = {0x13, 0x01};
constexpr char kCiphers[] = "TLS_AES_128_GCM_SHA256:TLS_CHACHA20_POLY1305_SHA256";
// A fresh agreement for every connection: a key that leaks later opens no recorded traffic.
constexpr char kAgreementGroups[] = "X25519:P-256";

// OpenSSL demands that sessions, which is how it holds external keys, say what they are for.
constexpr unsigned char kSessionPurpose[] = "braid";

constexpr size_t kRecordBytes = 16 << 10;  // most plaintext of a TLS record

// OpenSSL's own words for the error that it noted last in this thread.
std::string LastReason() {
  const unsigned long error = ERR_peek_last_error();
  const char* reason = error != 0 ? ERR_reason_error_string(error) : nullptr;
  return reason != nullptr ? reason : "no reason given";
}

// A session that holds nothing but the key, as OpenSSL wants external keys. Null without memory.
SSL_SESSION* MakeKeySession(SSL* ssl, const PreSharedKey& key) {
  const SSL_CIPHER* cipher = SSL_CIPHER_find(ssl, kKeyCipher);
  SSL_SESSION* session = SSL_SESSION_new();
  if (cipher == nullptr || session == nullptr ||
      SSL_SESSION_set1_master_key(session, key.bytes().data(), key.bytes().size()) != 1 ||
      SSL_SESSION_set_cipher(session, cipher) != 1 ||
      SSL_SESSION_set1_id_context(session, kSessionPurpose, sizeof(kSessionPurpose)) != 1 ||
      SSL_SESSION_set_protocol_version(session, TLS1_3_VERSION) != 1) {
    SSL_SESSION_free(session);
    return nullptr;
  }
  return session;
}

// Words of a stranger, for our log.
std::string Quoted(std::string_view text) {
  std::string quoted = "'";
  for (const char c : text.substr(0, 120)) quoted += (c < 0x20 || c > 0x7e) ? '?' : c;
  return quoted + "'";
}

}  // namespace

TlsContext::TlsContext(const KeyRing& keys, uint64_t records_per_key, SSL_CTX* context)
    : keys_(keys), records_per_key_(records_per_key), context_(context) {}

TlsContext::~TlsContext() { SSL_CTX_free(context_); }

Result<std::unique_ptr<TlsContext>> TlsContext::Create(const KeyRing& keys,
                                                       uint64_t records_per_key) {
  SSL_CTX* context = SSL_CTX_new(TLS_method());
  if (context == nullptr) return Internal("TLS: " + LastReason());
  std::unique_ptr<TlsContext> made(new TlsContext(keys, records_per_key, context));
  if (SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION) != 1 ||
      SSL_CTX_set_max_proto_version(context, TLS1_3_VERSION) != 1 ||
      SSL_CTX_set_ciphersuites(context, kCiphers) != 1 ||
      SSL_CTX_set1_groups_list(context, kAgreementGroups) != 1 ||
      SSL_CTX_set_session_id_context(context, kSessionPurpose, sizeof(kSessionPurpose)) != 1 ||
      SSL_CTX_set_num_tickets(context, 0) != 1 || SSL_CTX_set_max_early_data(context, 0) != 1 ||
      SSL_CTX_set_recv_max_early_data(context, 0) != 1) {
    return Internal("TLS: " + LastReason());
  }
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
  // No certificate is trusted, so a side that answers with one instead of the key is refused.
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
  SSL_CTX_set_psk_use_session_callback(context, &TlsChannel::OfferKey);
  SSL_CTX_set_psk_find_session_callback(context, &TlsChannel::FindKey);
  return made;
}

TlsChannel::TlsChannel(const TlsContext* context, Side side, bool offer_previous)
    : context_(context),
      side_(side),
      ssl_(SSL_new(context->context_)),
      from_wire_(BIO_new(BIO_s_mem())),
      to_wire_(BIO_new(BIO_s_mem())) {
  BRAID_CHECK(ssl_ != nullptr && from_wire_ != nullptr && to_wire_ != nullptr) << "out of memory";
  BRAID_CHECK(!offer_previous || context->keys_.previous.has_value());
  SSL_set_bio(ssl_, from_wire_, to_wire_);
  SSL_set_app_data(ssl_, this);
  if (side == Side::kDialed) {
    offered_identity_ =
        context->keys_.Identity(offer_previous ? *context->keys_.previous : context->keys_.primary);
    SSL_set_connect_state(ssl_);
  } else {
    SSL_set_accept_state(ssl_);
  }
}

TlsChannel::~TlsChannel() { SSL_free(ssl_); }

int TlsChannel::OfferKey(SSL* ssl, const EVP_MD* digest, const unsigned char** identity,
                         size_t* identity_size, SSL_SESSION** session) {
  const auto* channel = static_cast<const TlsChannel*>(SSL_get_app_data(ssl));
  const KeyRing& keys = channel->context_->keys_;
  *session = nullptr;
  // `digest` is the hash when it is settled already; every cipher that we allow has the same.
  if (digest != nullptr && !EVP_MD_is_a(digest, "SHA256")) return 1;
  const bool primary = channel->offered_identity_ == keys.Identity(keys.primary);
  *session = MakeKeySession(ssl, primary ? keys.primary : *keys.previous);
  *identity = reinterpret_cast<const unsigned char*>(channel->offered_identity_.data());
  *identity_size = channel->offered_identity_.size();
  return *session != nullptr ? 1 : 0;
}

int TlsChannel::FindKey(SSL* ssl, const unsigned char* identity, size_t identity_size,
                        SSL_SESSION** session) {
  auto* channel = static_cast<TlsChannel*>(SSL_get_app_data(ssl));
  const KeyRing& keys = channel->context_->keys_;
  const std::string_view offered(reinterpret_cast<const char*>(identity), identity_size);
  *session = nullptr;
  if (offered == keys.Identity(keys.primary)) {
    *session = MakeKeySession(ssl, keys.primary);
    return *session != nullptr ? 1 : 0;
  }
  if (keys.previous.has_value() && offered == keys.Identity(*keys.previous)) {
    *session = MakeKeySession(ssl, *keys.previous);
    return *session != nullptr ? 1 : 0;
  }
  channel->key_fault_ =
      offered.ends_with(" " + keys.group)
          ? "the other side has another key than group '" + keys.group + "' here"
          : "the other side is not of group '" + keys.group + "', it offers " + Quoted(offered);
  return 1;  // no such key: the handshake ends for want of anything else to agree on
}

Status TlsChannel::Start(std::vector<uint8_t>* wire) {
  const Status status = side_ == Side::kDialed ? Handshake() : OkStatus();
  TakeWire(wire);
  return status;
}

Status TlsChannel::Receive(std::span<const uint8_t> bytes, std::vector<uint8_t>* plain,
                           std::vector<uint8_t>* wire) {
  // A memory BIO takes everything; sizes beyond int do not come from one read of a socket.
  BRAID_CHECK(bytes.size() <= (1u << 30));
  BRAID_CHECK(BIO_write(from_wire_, bytes.data(), static_cast<int>(bytes.size())) ==
              static_cast<int>(bytes.size()));
  Status status = established_ ? OkStatus() : Handshake();
  while (status.ok() && established_ && !ended_by_peer_) {
    const size_t at = plain->size();
    plain->resize(at + kRecordBytes);
    size_t got = 0;
    ERR_clear_error();
    const int ok = SSL_read_ex(ssl_, plain->data() + at, kRecordBytes, &got);
    plain->resize(at + got);
    if (ok == 1) continue;
    const int error = SSL_get_error(ssl_, ok);
    if (error == SSL_ERROR_WANT_READ) break;
    if (error == SSL_ERROR_ZERO_RETURN) {
      ended_by_peer_ = true;
    } else {
      status = DataLoss("TLS: " + LastReason());
    }
  }
  TakeWire(wire);
  return status;
}

Status TlsChannel::Handshake() {
  ERR_clear_error();
  const int ok = SSL_do_handshake(ssl_);
  if (ok != 1) {
    const int error = SSL_get_error(ssl_, ok);
    return error == SSL_ERROR_WANT_READ ? OkStatus() : Refusal("handshake");
  }
  // An external key counts as a resumed session; anything else is no member of the group.
  if (SSL_session_reused(ssl_) != 1) return Refusal("no pre-shared key was used");
  established_ = true;
  return OkStatus();
}

Status TlsChannel::Refusal(const char* when) {
  if (!key_fault_.empty()) return {StatusCode::kUnauthenticated, "TLS: " + key_fault_};
  const int reason = ERR_GET_REASON(ERR_peek_last_error());
  std::string message = std::string("TLS: ") + when + ": " + LastReason();
  if (reason == SSL_R_WRONG_VERSION_NUMBER || reason == SSL_R_HTTP_REQUEST ||
      reason == SSL_R_RECORD_LENGTH_MISMATCH || reason == SSL_R_PACKET_LENGTH_TOO_LONG) {
    message = "TLS: the other side does not speak TLS (has it no key?)";
  } else if (side_ == Side::kDialed) {
    message += " (the other side has another key or group name)";
  }
  return {StatusCode::kUnauthenticated, message};
}

Status TlsChannel::Encrypt(std::span<const uint8_t> plain, std::vector<uint8_t>* wire) {
  BRAID_CHECK(established_);
  if (plain.empty()) return OkStatus();
  records_ += (plain.size() + kRecordBytes - 1) / kRecordBytes;
  if (records_ > context_->records_per_key_) {
    records_ = 0;
    // The other side replaces its sending key by its own count.
    if (SSL_key_update(ssl_, SSL_KEY_UPDATE_NOT_REQUESTED) != 1) {
      return Internal("TLS: key update: " + LastReason());
    }
  }
  size_t taken = 0;
  ERR_clear_error();
  const int ok = SSL_write_ex(ssl_, plain.data(), plain.size(), &taken);
  if (ok != 1 || taken != plain.size()) return Internal("TLS: " + LastReason());
  TakeWire(wire);
  return OkStatus();
}

void TlsChannel::End(std::vector<uint8_t>* wire) {
  if (!established_) return;
  ERR_clear_error();
  SSL_shutdown(ssl_);  // 0: ours is out, the other side's has not come; both are fine
  TakeWire(wire);
}

void TlsChannel::TakeWire(std::vector<uint8_t>* wire) {
  const size_t size = BIO_ctrl_pending(to_wire_);
  if (size == 0) return;
  const size_t at = wire->size();
  wire->resize(at + size);
  size_t got = 0;
  BRAID_CHECK(BIO_read_ex(to_wire_, wire->data() + at, size, &got) == 1 && got == size);
}

}  // namespace braid::cluster
