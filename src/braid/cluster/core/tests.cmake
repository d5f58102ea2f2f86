braid_test(cluster_core_test LABEL fast
  SOURCES core/failover_test.cc core/random_events_test.cc
  LIBRARIES braid::cluster braid::control)
