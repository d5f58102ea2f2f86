// One TCP connection with its frames: reads, decodes, bounds, writes, ends. Lives on its loop.
// Layer: cluster/link, private to it.
#pragma once

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <memory>
#include <string>
#include <vector>

#include "braid/cluster/link/frame.h"
#include "braid/cluster/link/tcp_loop.h"
#include "braid/cluster/link/tls_channel.h"
#include "braid/cluster/link/transport.h"

namespace braid::cluster {

// Shared because every operation that the event loop has in hand keeps its connection alive until
// it has come back.
class TcpConnection final : public TcpLoop::Writer,
                            public std::enable_shared_from_this<TcpConnection> {
 public:
  // All calls come from inside a turn of the loop; none may destroy the owner.
  class Owner {
   public:
    virtual ~Owner() = default;
    // Frames can be sent now.
    virtual void Opened(TcpConnection& connection) = 0;
    virtual void Received(TcpConnection& connection, Frame frame) = 0;
    // Once: no frame is received or taken for sending any more.
    virtual void Ended(TcpConnection& connection, const Status& reason) = 0;
    // Once, after Ended: the socket is closed, the owner may forget the connection.
    virtual void Released(TcpConnection& connection) = 0;
  };

  // `tls` is null for a plain connection. `owner` and `loop` must outlive the connection.
  TcpConnection(Owner* owner, TcpLoop* loop, boost::asio::ip::tcp::socket socket, ConnectionId id,
                bool dialed, std::string address, std::unique_ptr<TlsChannel> tls,
                const TransportLimits& limits);

  void Start();
  void Send(const Frame& frame);
  void Close(const std::string& reason);
  // Writes once what is queued and closes, without waiting or telling the owner.
  void Abandon();

  ConnectionId id() const { return id_; }
  bool dialed() const { return dialed_; }
  // As dialed, or the other side's number and port.
  const std::string& address() const { return address_; }
  // Whether Opened was called.
  bool opened() const { return opened_; }

  void WriteQueued() override;

 private:
  enum class State {
    kHandshake,  // TLS is being agreed
    kOpen,
    kDraining,  // Close() was called: writing what is queued, then waiting for the other side's end
    kClosed,
  };

  void Open();
  void Read();
  void Process(std::span<const uint8_t> bytes);
  void Deliver(std::span<const uint8_t> bytes);
  void ReachedEnd();
  void QueueWrite();
  void AfterWrite(const boost::system::error_code& error, size_t written);
  void FinishDraining();
  void SetDeadline(Duration after);
  void DeadlinePassed();
  void End(const Status& reason);   // tells the owner, once
  void Fail(const Status& reason);  // End, and the socket goes
  size_t QueuedBytes() const { return queued_.size() + writing_.size() - written_; }

  Owner* owner_;
  TcpLoop* loop_;
  boost::asio::ip::tcp::socket socket_;
  ConnectionId id_;
  bool dialed_;
  std::string address_;
  std::unique_ptr<TlsChannel> tls_;
  TransportLimits limits_;

  State state_ = State::kHandshake;
  bool opened_ = false;
  bool ended_ = false;
  bool heard_ = false;  // a whole frame has come
  boost::asio::steady_timer deadline_;

  std::vector<uint8_t> read_buffer_;
  std::vector<uint8_t> plain_;  // decrypted, for one read
  FrameDecoder decoder_;
  std::vector<Frame> received_;

  std::vector<uint8_t> frame_bytes_;  // to be encrypted
  std::vector<uint8_t> queued_;       // next to be written
  std::vector<uint8_t> writing_;      // [written_, size) is being written
  size_t written_ = 0;
  bool write_waits_ = false;  // the socket was full, an asynchronous write is under way
  bool write_queued_ = false;
  bool write_end_sent_ = false;
};

}  // namespace braid::cluster
