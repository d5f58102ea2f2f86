braid_test(cluster_frame_test LABEL fast
  SOURCES link/crc32c_test.cc link/frame_test.cc link/payload_test.cc
  LIBRARIES braid::cluster)
braid_test(cluster_tls_test LABEL fast
  SOURCES link/keys_test.cc link/tls_channel_test.cc
  LIBRARIES braid::cluster OpenSSL::SSL)
braid_test(cluster_transport_test LABEL fast
  SOURCES link/transport_test.cc link/tcp_loop_test.cc link/tcp_transport_test.cc link/memory_network_test.cc
          link/link_emulator_test.cc
  LIBRARIES braid::cluster)
if(BRAID_TESTS)
  add_executable(transport_bench link/transport_bench.cc)
  target_link_libraries(transport_bench PRIVATE braid_options braid::cluster fmt::fmt)
endif()
