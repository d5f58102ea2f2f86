braid_test(cluster_frame_test LABEL fast
  SOURCES link/crc32c_test.cc link/frame_test.cc link/payload_test.cc
  LIBRARIES braid::cluster)
braid_test(cluster_transport_test LABEL fast
  SOURCES link/transport_test.cc
  LIBRARIES braid::cluster)
braid_test(cluster_tls_test LABEL fast
  SOURCES link/keys_test.cc link/tls_channel_test.cc
  LIBRARIES braid::cluster OpenSSL::SSL)
