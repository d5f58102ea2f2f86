list(APPEND cluster_sources
  link/address.cc
  link/crc32c.cc
  link/frame.cc
  link/keys.cc
  link/link_emulator.cc
  link/memory_network.cc
  link/memory_transport.cc
  link/payload.cc
  link/tcp_connection.cc
  link/tcp_dialer.cc
  link/tcp_listener.cc
  link/tcp_loop.cc
  link/tcp_transport.cc
  link/tls_channel.cc)
