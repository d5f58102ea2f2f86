#include "braid/serving/tls_files.h"

#include <arpa/inet.h>
#include <openssl/ssl.h>
#include <sys/stat.h>

#include <memory>

namespace braid::serving {
namespace {

std::string HostOf(const std::string& address) {
  std::string host = address.substr(0, address.rfind(':'));
  if (host.size() >= 2 && host.front() == '[' && host.back() == ']') {
    host = host.substr(1, host.size() - 2);
  }
  return host;
}

}  // namespace

bool IsLoopback(const std::string& address) {
  const std::string host = HostOf(address);
  if (host == "localhost" || host == "::1") return true;
  in_addr v4{};
  return inet_pton(AF_INET, host.c_str(), &v4) == 1 && (ntohl(v4.s_addr) >> 24) == 127;
}

Status CheckExposure(const std::string& door, const std::string& address, const TlsFiles& tls,
                     bool has_token, bool allow_any_address) {
  if (address.rfind(':') == std::string::npos) {
    return InvalidArgument(door + " address \"" + address + "\": must be host:port");
  }
  if (allow_any_address || IsLoopback(address) || (!tls.empty() && has_token)) return OkStatus();
  return FailedPrecondition(door + " address " + address +
                            ": beyond loopback a door needs TLS and a token");
}

Status CheckTlsFiles(const TlsFiles& tls) {
  if (tls.empty()) return OkStatus();
  if (tls.certificate.empty() || tls.key.empty()) {
    return InvalidArgument("TLS: certificate and key are needed, both");
  }
  struct stat info {};
  if (::stat(tls.key.c_str(), &info) == 0 && (info.st_mode & 077) != 0) {
    return FailedPrecondition("TLS key " + tls.key + ": others may read it, its mode must be 0600");
  }
  const std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)> context(SSL_CTX_new(TLS_server_method()),
                                                                  &SSL_CTX_free);
  if (context == nullptr) return Internal("TLS: no memory");
  if (SSL_CTX_use_certificate_chain_file(context.get(), tls.certificate.c_str()) != 1) {
    return InvalidArgument("TLS certificate " + tls.certificate + ": cannot be read as PEM");
  }
  if (SSL_CTX_use_PrivateKey_file(context.get(), tls.key.c_str(), SSL_FILETYPE_PEM) != 1) {
    return InvalidArgument("TLS key " + tls.key + ": cannot be read as PEM, or is another's");
  }
  if (SSL_CTX_check_private_key(context.get()) != 1) {
    return InvalidArgument("TLS key " + tls.key + ": does not belong to the certificate");
  }
  return OkStatus();
}

}  // namespace braid::serving
