if(BRAID_TESTS)
  # A network to run, and a group of devices in one thread; for tests here and in tests/.
  add_library(braid_cluster_sim STATIC sim/braided_network.cc sim/group.cc sim/judge.cc sim/weather.cc)
  target_link_libraries(braid_cluster_sim PUBLIC braid::cluster braid_runtime_testing
                        PRIVATE braid_options)
endif()
braid_test(cluster_sim_test LABEL fast
  SOURCES sim/faults_sim_test.cc sim/group_test.cc
  LIBRARIES braid_cluster_sim)
