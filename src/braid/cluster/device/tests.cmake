braid_test(cluster_device_test LABEL fast
  SOURCES device/brief_work_test.cc device/early_maps_test.cc device/handshake_test.cc
          device/hostile_peer_test.cc device/liveness_test.cc
          device/stall_watch_test.cc device/start_check_test.cc
  LIBRARIES braid::cluster braid_cluster_sim)
