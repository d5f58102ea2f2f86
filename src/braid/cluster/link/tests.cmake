braid_test(cluster_frame_test LABEL fast
  SOURCES link/crc32c_test.cc link/frame_test.cc link/payload_test.cc
  LIBRARIES braid::cluster)
